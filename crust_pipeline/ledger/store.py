"""Opens the ledger's database and hands out its two kinds of transactions.

A write transaction takes the one write lock at its start, so that what it reads (free slots,
credits set aside, claims) still holds when it writes. Everything that decides about money happens
inside one.
"""

import logging
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from sqlite3 import OperationalError, connect
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import ArgumentError

from crust_pipeline.ledger.schema import (
    days,
    metadata,
    submission_days,
    submissions,
    transitions,
)
from crust_pipeline.ledger.states import ALLOWED, BatchState, LedgerError, RefusedError
from crust_pipeline.ledger.upgrading import Standing, Upgrade, bring_up_to_date, standing
from crust_pipeline.private_files import make_private_file, make_private_folder

BUSY_SECONDS = 60
# Any number: the name of the lock that Postgres gives to one write transaction at a time.
POSTGRES_LOCK = 4_217_300_911
ERROR_CHARS = 500

_LOGGER = logging.getLogger(__name__)


class Ledger:
    """One ledger database, shared by all processes that spend from the same account.

    Args:
        url: an SQLAlchemy URL; SQLite files and Postgres are supported.
        account: whose purchases these are.
        former_account: the name that they may still have, which is replaced when it is opened.
    """

    def __init__(self, url: str, *, account: str, former_account: str | None = None) -> None:
        """Take the address; nothing is opened yet."""
        self.account = account
        self._former_account = former_account
        self._url = _checked(url)
        self._engine: sa.Engine | None = None
        self.upgrade: Upgrade | None = None
        """What opening it has changed."""

    @property
    def name(self) -> str:
        """Its address for people, without a password."""
        return self._url.render_as_string(hide_password=True)

    @property
    def engine(self) -> sa.Engine:
        """The database, opened and brought up to date at first use."""
        if self._engine is None:
            self._engine = self._open()
        return self._engine

    def _open(self) -> sa.Engine:
        if self._url.get_backend_name() == "sqlite" and self._url.database:
            path = Path(self._url.database)
            make_private_folder(path.parent)
            with suppress(OSError):  # SQLite says better why it cannot be opened
                make_private_file(path)
            engine = sa.create_engine(self._url, connect_args={"timeout": BUSY_SECONDS})
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        else:
            engine = _postgres_engine(self._url)
            event.listen(engine, "begin", _begin_postgres)
        event.listen(engine, "handle_error", _explain)
        try:
            with engine.connect().execution_options(crust_write=True) as con, con.begin():
                upgrade = bring_up_to_date(con)
                if self._former_account and self._former_account != self.account:
                    _rename_account(con, self._former_account, self.account)
        except BaseException:
            engine.dispose()
            raise
        if upgrade:
            self.upgrade = upgrade
            # A warning, so that it is seen wherever nothing is set up to show less.
            _LOGGER.warning(
                "event=ledger_upgraded from_version=%d to_version=%d backup=%s",
                upgrade.before,
                upgrade.after,
                upgrade.backup or "-",
            )
        return engine

    def standing(self) -> Standing:
        """Return how far the ledger is, which is neither created nor upgraded by that.

        Raises:
            LedgerError: it was made by a newer release.
        """
        if self._url.get_backend_name() != "sqlite":
            engine = _postgres_engine(self._url)
        else:
            path = Path(self._url.database or "")
            if not path.is_file():
                return Standing(None, ())
            address = f"file:{quote(str(path.absolute()))}?mode=ro"
            engine = sa.create_engine("sqlite://", creator=partial(connect, address, uri=True))
        event.listen(engine, "handle_error", _explain)
        try:
            with engine.connect() as con:
                return standing(con)
        finally:
            engine.dispose()

    @contextmanager
    def write(self) -> Generator["Transaction"]:
        """Begin a transaction that holds the write lock from its first statement on."""
        with self.engine.connect().execution_options(crust_write=True) as con, con.begin():
            tx = Transaction(con, account=self.account)
            yield tx
        # After the commit: what was rolled back has not happened.
        for line in tx.log_lines:
            _LOGGER.info(line)

    @contextmanager
    def read(self) -> Generator[sa.Connection]:
        """Begin a consistent read, which neither waits for writers nor blocks them."""
        with self._readers.connect() as con, con.begin():
            yield con

    @property
    def _readers(self) -> sa.Engine:
        """The same database; Postgres is told that all statements are to see the same moment."""
        if self._url.get_backend_name() == "sqlite":
            return self.engine
        return self.engine.execution_options(isolation_level="REPEATABLE READ")

    def close(self) -> None:
        """Return all connections back."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


def _rename_account(con: sa.Connection, before: str, after: str) -> None:
    """Let an account go on under another name, unless something is bought under that already."""
    bought = sa.select(submissions.c.account).distinct()
    names = set(con.execute(bought).scalars())
    if before not in names or after in names:
        return
    for table in metadata.sorted_tables:
        if "account" in table.c:
            # It may have a pause, say, though nothing was bought.
            con.execute(table.delete().where(table.c.account == after))
            renamed = table.update().where(table.c.account == before)
            con.execute(renamed.values(account=after))
    _LOGGER.warning("event=account_renamed from=%s to=%s", before, after)


class Transaction:
    """A write transaction, with what every activity writes: a step of a batch, news for days."""

    def __init__(self, con: sa.Connection, *, account: str) -> None:
        """Wrap a connection that is inside a transaction."""
        self.con = con
        self.account = account
        self.log_lines: list[str] = []

    def submission(self, submission_id: str) -> sa.Row[Any]:
        """Return all columns of a batch."""
        return submission(self.con, submission_id)

    def has_job(self, batch_id: str | None) -> bool:
        """Tell whether a batch of this account already has this vendor job."""
        query = sa.select(submissions.c.submission_id).where(
            submissions.c.account == self.account, submissions.c.batch_id == batch_id
        )
        return self.con.execute(query).first() is not None

    def state(self, submission_id: str) -> BatchState:
        """Return the state of a batch."""
        return BatchState(self.submission(submission_id).state)

    def move(
        self,
        submission_id: str,
        to: BatchState,
        *,
        now: datetime,
        reason: str | None = None,
        **values: Any,  # noqa: ANN401 - columns of submissions
    ) -> None:
        """Move a batch to its next state and record why.

        Raises:
            LedgerError: its present state does not allow that step.
        """
        batch = self.submission(submission_id)
        before = BatchState(batch.state)
        if to not in ALLOWED[before]:
            raise LedgerError(f"Batch {submission_id} is {before} and cannot become {to}.")
        values = {"not_before": now, "tries": 0} | values
        self.update(submission_id, state=to.value, **values)
        self.con.execute(
            transitions.insert().values(
                submission_id=submission_id,
                at=now,
                from_state=before.value,
                to_state=to.value,
                reason=reason and reason[:ERROR_CHARS],
            )
        )
        batch_id = values.get("batch_id") or batch.batch_id
        self.log_event(to, submission_id, batch.operation, batch_id=batch_id)

    def log_event(
        self, event: str, submission_id: str, operation: str, *, batch_id: str | None = None
    ) -> None:
        """Add a line to the log, with ids only: errors and reasons are in the ledger."""
        self.log_lines.append(
            f"event={event} submission_id={submission_id} batch_id={batch_id or '-'} "
            f"operation={operation}"
        )

    def update(self, submission_id: str, **values: Any) -> None:  # noqa: ANN401
        """Change columns of a batch that stays in its state."""
        self.con.execute(
            submissions.update()
            .where(submissions.c.submission_id == submission_id)
            .values(**values)
        )

    def mark_days_stale(self, submission_id: str) -> None:
        """Mark the tables of the days that wait for this batch as out of date."""
        waiting = sa.select(submission_days.c.partition_date)
        waiting = waiting.where(
            submission_days.c.submission_id == submission_id,
            submission_days.c.operation == days.c.operation,
        ).correlate(days)
        self.con.execute(
            days.update()
            .where(days.c.partition_date.in_(waiting))
            .values(version=days.c.version + 1, load_requests=0)
        )


def submission(con: sa.Connection, submission_id: str) -> sa.Row[Any]:
    """Return all columns of a batch.

    Raises:
        LedgerError: there is none of that id.
    """
    query = sa.select(submissions).where(submissions.c.submission_id == submission_id)
    found = con.execute(query).one_or_none()
    if found is None:
        raise LedgerError(f"The ledger has no batch {submission_id}.")
    return found


def _checked(url: str) -> URL:
    try:
        parsed = sa.engine.make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise LedgerError(
            "CRUST_LEDGER_URL is not the URL of an SQLite or Postgres database. Give one such as "
            "sqlite:///data/ledger.db or postgresql+psycopg://user@host/database."
        )
    return parsed


def _postgres_engine(url: URL) -> sa.Engine:
    try:
        return sa.create_engine(url, pool_pre_ping=True)  # a daemon outlives connections
    except ModuleNotFoundError as error:
        raise LedgerError(
            f"CRUST_LEDGER_URL needs the Python package {error.name}, which is not installed: "
            "pip install 'crust-pipeline[postgres]'"
        ) from None


def _explain(context: ExceptionContext) -> None:
    """Tell what the database refuses without the statement, which may hold people's identifiers."""
    refused = context.original_exception
    if not isinstance(refused, Exception):
        return  # Ctrl-C, or the end of the program, which just came while a statement ran
    # Postgres adds the values that it refuses; its first line alone names nobody.
    said = getattr(getattr(refused, "diag", None), "message_primary", None) or refused
    if _lacks_something(refused):
        raise RefusedError(
            f"The ledger has changed since this program opened it ({said}): most likely another "
            "release has upgraded it. This step wrote nothing. Stop this program, and start it "
            "from that release.",
            said=str(said),
        ) from None
    if _is_locked(refused):
        raise RefusedError(
            "The ledger is locked: another process has been writing to it for more than "
            f"{BUSY_SECONDS} seconds. This step wrote nothing. Wait for that process, or end it if "
            "it hangs, then run the same command again.",
            said=str(said),
        ) from None
    if _is_full(refused):
        raise RefusedError(
            f"No space is left for the ledger{_folder_of(context)}. This step wrote nothing, and "
            "nothing that was paid for is lost. Make room, then run the same command again.",
            said=str(said),
        ) from None
    raise RefusedError(
        f"The ledger's database refused ({said}). This step wrote nothing. "
        "Check CRUST_LEDGER_URL, that its folder can be written and its disk is not full. Of a "
        "damaged ledger restore a backup; without it, what is paid for would be bought again.",
        said=str(said),
    ) from None


def _is_locked(refused: BaseException) -> bool:
    if isinstance(refused, OperationalError):
        return "locked" in str(refused)
    return getattr(refused, "sqlstate", None) == "55P03"


def _is_full(refused: BaseException) -> bool:
    if isinstance(refused, OperationalError):
        return "disk is full" in str(refused)
    return getattr(refused, "sqlstate", None) == "53100"


def _folder_of(context: ExceptionContext) -> str:
    """Name the folder of a SQLite file."""
    url = context.engine and context.engine.url
    if url is None or url.get_backend_name() != "sqlite" or not url.database:
        return ""
    return f" in {Path(url.database).parent}"


def _lacks_something(refused: BaseException) -> bool:
    """Return whether a table or column is gone that was there when the ledger was opened."""
    if isinstance(refused, OperationalError):
        lacks = ("no such column", "no such table", "has no column named")
        return any(words in str(refused) for words in lacks)
    return getattr(refused, "sqlstate", None) in {"42703", "42P01"}


def _configure_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401
    # The driver's own transaction handling would start write transactions too late; see
    # _begin_sqlite.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    # An intent must survive a power cut, or a paid job could be forgotten: NORMAL may lose the last
    # commits.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")


def _begin_sqlite(con: sa.Connection) -> None:
    writes = con.get_execution_options().get("crust_write")
    con.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgres(con: sa.Connection) -> None:
    if con.get_execution_options().get("crust_write"):
        con.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'")
        con.exec_driver_sql(f"SELECT pg_advisory_xact_lock({POSTGRES_LOCK})")
