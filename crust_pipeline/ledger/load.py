"""Transactions of loading: which days are behind, what their tables are made of, what is loaded."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from crust_pipeline.ledger.erase import suppressed_keys
from crust_pipeline.ledger.schema import days, identifiers, rows, submission_days, submissions
from crust_pipeline.ledger.states import IN_PROGRESS, Answer, BatchState, Verdict
from crust_pipeline.ledger.store import ERROR_CHARS, Ledger, Transaction

ONE_DAY = timedelta(days=1)
NO_DAY = date.max
# A batch that could not be landed so often may wait for days: its days are loaded without it.
LATE_TRIES = 6


@dataclass(frozen=True, slots=True)
class DueDay:
    """A day of an operation whose tables are out of date, and how often a load was requested."""

    operation: str
    partition_date: date
    version: int
    requests: int
    requested_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedSource:
    """A landed file, and who in it belongs to which day: (identifier, subject_key, day)."""

    submission_id: str
    batch_id: str
    operation: str
    source_file: str
    sha256: str
    landed_at: datetime
    asked: Sequence[tuple[str, str, date]]


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A landed file as the ledger knows it; its name is that below the raw folder."""

    submission_id: str
    source_file: str
    sha256: str


def files_landed(ledger: Ledger) -> list[KnownFile]:
    """Return the landed files of all accounts, in order of their names."""
    query = (
        sa.select(submissions.c.submission_id, submissions.c.source_file, submissions.c.file_sha256)
        .where(
            submissions.c.state.in_([BatchState.LANDED, BatchState.LOADED]),
            submissions.c.source_file.is_not(None),
        )
        .order_by(submissions.c.source_file)
    )
    with ledger.read() as con:
        return [KnownFile(*row) for row in con.execute(query)]


def versions_of(ledger: Ledger, operation: str, partitions: Sequence[date]) -> dict[date, int]:
    """Return the version of each day, for `record_flattened`: it grows with each change."""
    with ledger.read() as con:
        query = sa.select(days.c.partition_date, days.c.version).where(
            days.c.operation == operation, days.c.partition_date.in_(partitions)
        )
        return {row.partition_date: row.version for row in con.execute(query)}


def days_behind(ledger: Ledger, operation: str, partitions: Sequence[date]) -> list[date]:
    """Return the days of these whose result tables are out of date."""
    query = sa.select(days.c.partition_date).where(
        days.c.operation == operation,
        days.c.partition_date.in_(partitions),
        days.c.version > days.c.flattened_version,
    )
    with ledger.read() as con:
        return list(con.execute(query).scalars())


def days_answering(ledger: Ledger, operation: str, partitions: Sequence[date]) -> list[date]:
    """Return the days that bought the answers for rows of these days."""
    query = (
        sa.select(identifiers.c.partition_date)
        .join(
            rows,
            (rows.c.submission_id == identifiers.c.submission_id)
            & (rows.c.subject_key == identifiers.c.subject_key),
        )
        .where(rows.c.operation == operation, rows.c.partition_date.in_(partitions))
        .distinct()
    )
    with ledger.read() as con:
        return sorted(con.execute(query).scalars())


def days_of_batches(ledger: Ledger, submission_ids: Sequence[str]) -> dict[str, list[date]]:
    """Return the days that wait for these batches, by operation and in order."""
    query = (
        sa.select(submission_days.c.operation, submission_days.c.partition_date)
        .where(submission_days.c.submission_id.in_(submission_ids))
        .distinct()
        .order_by(submission_days.c.operation, submission_days.c.partition_date)
    )
    found: dict[str, list[date]] = {}
    with ledger.read() as con:
        for row in con.execute(query):
            found.setdefault(row.operation, []).append(row.partition_date)
    return found


def due_days(ledger: Ledger, operations: Sequence[str]) -> list[DueDay]:
    """Return the days to load, in order: their tables are out of date, their batches are final.

    A batch that has been waiting for a good file for long does not hold up the others of its days.
    """
    query = (
        sa.select(days)
        .where(
            days.c.operation.in_(operations),
            days.c.version > days.c.loaded_version,
            ~_waiting(but_for=_lands_late()),
            ~_awaiting(),
        )
        .order_by(days.c.partition_date, days.c.operation)
    )
    with ledger.read() as con:
        return [
            DueDay(
                row.operation,
                row.partition_date,
                row.version,
                row.load_requests,
                row.load_requested_at,
            )
            for row in con.execute(query)
        ]


def days_landed_before(ledger: Ledger, first: date) -> list[tuple[str, date]]:
    """Return days before a day whose batches have landed and are not in the tables, in order."""
    landed = _has_batch(submissions.c.state == BatchState.LANDED)
    query = (
        sa.select(days.c.operation, days.c.partition_date)
        .where(days.c.partition_date < first, days.c.version > days.c.loaded_version, landed)
        .order_by(days.c.partition_date, days.c.operation)
    )
    with ledger.read() as con:
        return [(row.operation, row.partition_date) for row in con.execute(query)]


def _lands_late() -> sa.ColumnElement[bool]:
    """Return a condition: the batch's file could not be landed, time and again."""
    return (submissions.c.state == BatchState.COMPLETED) & (submissions.c.tries >= LATE_TRIES)


def _waiting(but_for: sa.ColumnElement[bool] | None = None) -> sa.Exists:
    """Return a condition: the day has a batch that is not final, but for those of a condition."""
    return _has_batch(
        submissions.c.state.in_(IN_PROGRESS), sa.true() if but_for is None else ~but_for
    )


def _has_batch(*conditions: sa.ColumnElement[bool]) -> sa.Exists:
    """Return a condition: the day has a batch that meets all of these."""
    return (
        sa.select(1)
        .select_from(
            submission_days.join(
                submissions, submission_days.c.submission_id == submissions.c.submission_id
            )
        )
        .where(
            submission_days.c.partition_date == days.c.partition_date,
            submission_days.c.operation == days.c.operation,
            *conditions,
        )
        .exists()
    )


def _awaiting() -> sa.Exists:
    """Return a condition: the day has rows whose e-mail is being identified."""
    return (
        sa.select(1)
        .where(
            rows.c.partition_date == days.c.partition_date,
            rows.c.operation == days.c.operation,
            rows.c.verdict == Verdict.AWAIT,
        )
        .exists()
    )


def ranges(partitions: Iterable[date]) -> list[tuple[date, date]]:
    """Return days as ranges of consecutive days: (first, last)."""
    found: list[tuple[date, date]] = []
    for day in sorted(partitions):
        if found and found[-1][1] + ONE_DAY == day:
            found[-1] = found[-1][0], day
        else:
            found.append((day, day))
    return found


def days_identified(ledger: Ledger) -> list[tuple[str, date]]:
    """Return days to plan again, because awaited people are identified: (operation, day)."""
    query = (
        sa.select(rows.c.operation, rows.c.partition_date)
        .join(submissions, submissions.c.submission_id == rows.c.submission_id)
        .where(rows.c.verdict == Verdict.AWAIT, submissions.c.state.not_in(IN_PROGRESS))
        .distinct()
        .order_by(rows.c.operation, rows.c.partition_date)
    )
    with ledger.read() as con:
        return [(row.operation, row.partition_date) for row in con.execute(query)]


def latest_identified(ledger: Ledger, operation: str) -> str:
    """Return a text that changes when more rows of an operation can be planned again."""
    query = (
        sa.select(sa.func.max(submissions.c.submission_id), sa.func.count())
        .select_from(rows.join(submissions, submissions.c.submission_id == rows.c.submission_id))
        .where(
            rows.c.operation == operation,
            rows.c.verdict == Verdict.AWAIT,
            submissions.c.state.not_in(IN_PROGRESS),
        )
    )
    with ledger.read() as con:
        latest, count = con.execute(query).one()
    return f"{latest}:{count}"


def days_planned(ledger: Ledger, operation: str) -> dict[date, int]:
    """Return the planned days with their number of input rows at the time of the plan."""
    query = sa.select(days.c.partition_date, days.c.input_rows).where(days.c.operation == operation)
    with ledger.read() as con:
        return {row.partition_date: row.input_rows for row in con.execute(query)}


def days_over_budget(ledger: Ledger, operation: str, *, planned_before: datetime) -> list[date]:
    """Return days last planned before a time, with rows that were over a credit limit."""
    query = (
        sa.select(rows.c.partition_date)
        .join(
            days,
            (days.c.partition_date == rows.c.partition_date)
            & (days.c.operation == rows.c.operation),
        )
        .where(
            rows.c.operation == operation,
            rows.c.verdict == Verdict.OVER_BUDGET,
            days.c.planned_at < planned_before,
        )
        .distinct()
        .order_by(rows.c.partition_date)
    )
    with ledger.read() as con:
        return list(con.execute(query).scalars())


def days_of_priority(ledger: Ledger, partitions: Sequence[date], *, priority: int) -> set[date]:
    """Return the days of these for which a batch of at least this priority was planned."""
    if not partitions:
        return set()
    query = (
        sa.select(submission_days.c.partition_date)
        .join(submissions, submissions.c.submission_id == submission_days.c.submission_id)
        .where(submission_days.c.partition_date.in_(partitions), submissions.c.priority <= priority)
        .distinct()
    )
    with ledger.read() as con:
        return set(con.execute(query).scalars())


def record_load_request(ledger: Ledger, due: Sequence[DueDay], *, now: datetime) -> None:
    """Record that a run was requested to load these days."""
    places = [(day.operation, day.partition_date) for day in due]
    with ledger.write() as tx:
        tx.con.execute(
            days.update()
            .where(sa.tuple_(days.c.operation, days.c.partition_date).in_(places))
            .values(load_requests=days.c.load_requests + 1, load_requested_at=now)
        )


def sources(ledger: Ledger, operation: str, partitions: Sequence[date]) -> list[LandedSource]:
    """Return the landed files from which the tables of these days are made.

    A day's tables hold the day's latest answered purchase of each key and set of fields; purchases
    of other days are in the tables of those days. Erased people belong to no day: their lines are
    known, and used nowhere.
    """
    bought = _latest_purchases(ledger, operation, partitions)
    asked: dict[str, list[tuple[str, str, date]]] = {}
    with ledger.read() as con:
        suppressed = suppressed_keys(con)
        for row in con.execute(sa.select(bought)):
            day = NO_DAY if row.subject_key in suppressed else row.partition_date
            asked.setdefault(row.submission_id, []).append((row.identifier, row.subject_key, day))
        # A batch holds people of other days as well: asked for too, and written with those days.
        elsewhere = sa.select(identifiers).where(
            identifiers.c.submission_id.in_(list(asked)),
            identifiers.c.partition_date.not_in(partitions),
        )
        for row in con.execute(elsewhere):
            asked[row.submission_id].append((row.identifier, row.subject_key, row.partition_date))
        files = con.execute(
            sa.select(submissions)
            .where(submissions.c.submission_id.in_(list(asked)))
            .order_by(submissions.c.landed_at, submissions.c.submission_id)
        ).all()
    return [
        LandedSource(
            submission_id=file.submission_id,
            batch_id=file.batch_id or "",
            operation=operation,
            source_file=file.source_file,
            sha256=file.file_sha256,
            landed_at=file.landed_at,
            asked=asked[file.submission_id],
        )
        for file in files
    ]


def _latest_purchases(ledger: Ledger, operation: str, partitions: Sequence[date]) -> sa.Subquery:
    latest = sa.func.row_number().over(
        partition_by=(
            identifiers.c.partition_date,
            identifiers.c.subject_key,
            submissions.c.field_set,
        ),
        # Not as they landed: an older file may be fetched again later.
        order_by=(
            sa.func.coalesce(submissions.c.submitted_at, submissions.c.landed_at).desc(),
            submissions.c.submission_id,
        ),
    )
    of_these_days = (
        sa.select(
            identifiers.c.submission_id,
            identifiers.c.identifier,
            identifiers.c.subject_key,
            identifiers.c.partition_date,
            identifiers.c.answer,
            identifiers.c.source_line,
            submissions.c.source_file,
            latest.label("age"),
        )
        .join(submissions, submissions.c.submission_id == identifiers.c.submission_id)
        .where(
            submissions.c.account == ledger.account,
            submissions.c.operation == operation,
            submissions.c.state.in_([BatchState.LANDED, BatchState.LOADED]),
            submissions.c.source_file.is_not(None),
            submissions.c.submission_id.in_(
                sa.select(submission_days.c.submission_id).where(
                    submission_days.c.operation == operation,
                    submission_days.c.partition_date.in_(partitions),
                )
            ),
            identifiers.c.partition_date.in_(partitions),
        )
        .subquery()
    )
    return sa.select(of_these_days).where(of_these_days.c.age == 1).subquery()


@dataclass(frozen=True, slots=True)
class FoundLines:
    """Lines of landed files that were found to be about somebody, in columns: there are many."""

    source_file: list[str]
    source_line: list[int]
    matched: list[bool]


def found_lines(ledger: Ledger, operation: str, partitions: Sequence[date]) -> FoundLines:
    """Return the lines about people of these days as read at landing, independent of tables.

    People who were erased since count as not matched: no table may have their lines.
    """
    bought = _latest_purchases(ledger, operation, partitions)
    query = sa.select(bought).where(bought.c.source_line.is_not(None))
    found = FoundLines([], [], [])
    with ledger.read() as con:
        suppressed = suppressed_keys(con)
        for row in con.execute(query):
            found.source_file.append(sys.intern(row.source_file))
            found.source_line.append(row.source_line)
            found.matched.append(row.answer == Answer.MATCHED and row.subject_key not in suppressed)
    return found


def files_of_only(ledger: Ledger, operation: str, partitions: Sequence[date]) -> dict[str, int]:
    """Return landed files that only these days asked for, with their number of lines."""
    other_day = (
        sa.select(1)
        .where(
            identifiers.c.submission_id == submissions.c.submission_id,
            identifiers.c.partition_date.not_in(partitions),
        )
        .exists()
    )
    query = sa.select(submissions.c.source_file, submissions.c.file_lines).where(
        submissions.c.account == ledger.account,
        submissions.c.operation == operation,
        submissions.c.state.in_([BatchState.LANDED, BatchState.LOADED]),
        submissions.c.source_file.is_not(None),
        submissions.c.first_partition.in_(partitions),
        ~other_day,
    )
    with ledger.read() as con:
        return {row.source_file: row.file_lines for row in con.execute(query)}


def record_flattened(
    ledger: Ledger, operation: str, versions: Mapping[date, int], *, now: datetime
) -> None:
    """Record as of which versions the result tables are written; later changes stay due."""
    with ledger.write() as tx:
        for day, version in versions.items():
            tx.con.execute(
                days.update()
                .where(days.c.operation == operation, days.c.partition_date == day)
                .values(flattened_version=version, flattened_at=now)
            )
        for submission_id in _fully_loaded(tx, operation, list(versions)):
            tx.move(submission_id, BatchState.LOADED, now=now, loaded_at=now)


def versions_flattened(ledger: Ledger, partitions: Sequence[date]) -> dict[tuple[str, date], int]:
    """Return the version of the result tables of each operation and day, for `record_loaded`."""
    query = sa.select(days.c.operation, days.c.partition_date, days.c.flattened_version).where(
        days.c.partition_date.in_(partitions)
    )
    with ledger.read() as con:
        return {
            (row.operation, row.partition_date): row.flattened_version for row in con.execute(query)
        }


def record_loaded(ledger: Ledger, versions: Mapping[tuple[str, date], int]) -> None:
    """Record the versions as of which the days' accounts are written; later changes stay due.

    Another run may have flattened more meanwhile; these accounts do not include it.
    """
    with ledger.write() as tx:
        for (operation, day), version in versions.items():
            tx.con.execute(
                days.update()
                .where(days.c.operation == operation, days.c.partition_date == day)
                .values(
                    loaded_version=version,
                    load_error=sa.case(
                        (days.c.flattened_version == days.c.version, sa.null()),
                        else_=days.c.load_error,
                    ),
                )
            )


def load_failed(ledger: Ledger, operations: Sequence[str], day: date, *, error: str) -> None:
    """Record that the tables of a day could not be written; it stays due until they are."""
    with ledger.write() as tx:
        tx.con.execute(
            days.update()
            .where(days.c.operation.in_(operations), days.c.partition_date == day)
            .values(load_error=error[:ERROR_CHARS])
        )


@dataclass(frozen=True, slots=True)
class FailedDay:
    """A day of an operation whose tables could not be written, and why."""

    operation: str
    partition_date: date
    error: str


def failed_days(ledger: Ledger) -> list[FailedDay]:
    """Return the days whose tables could not be written when that was last tried."""
    query = (
        sa.select(days.c.operation, days.c.partition_date, days.c.load_error)
        .where(days.c.load_error.is_not(None))
        .order_by(days.c.partition_date, days.c.operation)
    )
    with ledger.read() as con:
        return [FailedDay(*row) for row in con.execute(query)]


def days_flattened(
    ledger: Ledger, operation: str, partitions: Sequence[date]
) -> dict[date, datetime]:
    """Return when the result tables of these days were last written whole."""
    query = sa.select(days.c.partition_date, days.c.flattened_at).where(
        days.c.operation == operation,
        days.c.partition_date.in_(partitions),
        days.c.flattened_at.is_not(None),
    )
    with ledger.read() as con:
        return {row.partition_date: row.flattened_at for row in con.execute(query)}


def days_ever_flattened(ledger: Ledger, operation: str) -> list[date]:
    """Return the days whose result tables were written whole, whatever came since."""
    query = sa.select(days.c.partition_date).where(
        days.c.operation == operation, days.c.flattened_at.is_not(None)
    )
    with ledger.read() as con:
        return list(con.execute(query).scalars())


def days_whole(ledger: Ledger) -> dict[date, int]:
    """Return the days that are loaded and up to date, with their rows in the table `outcomes`."""
    behind = sa.select(days.c.partition_date).where(days.c.version != days.c.loaded_version)
    query = (
        sa.select(rows.c.partition_date, sa.func.count().label("rows"))
        .where(rows.c.partition_date.not_in(behind))
        .group_by(rows.c.partition_date)
    )
    with ledger.read() as con:
        return {row.partition_date: row.rows for row in con.execute(query)}


def _fully_loaded(tx: Transaction, operation: str, partitions: Sequence[date]) -> list[str]:
    """Return landed batches of these days of which every day is loaded."""
    behind = (
        sa.select(1)
        .select_from(
            identifiers.join(
                days,
                (days.c.partition_date == identifiers.c.partition_date)
                & (days.c.operation == operation),
            )
        )
        .where(
            identifiers.c.submission_id == submissions.c.submission_id,
            days.c.flattened_at.is_(None) | (days.c.flattened_at < submissions.c.landed_at),
        )
        .exists()
    )
    query = sa.select(submissions.c.submission_id).where(
        submissions.c.state == BatchState.LANDED,
        submissions.c.submission_id.in_(
            sa.select(submission_days.c.submission_id).where(
                submission_days.c.operation == operation,
                submission_days.c.partition_date.in_(partitions),
            )
        ),
        ~behind,
    )
    return list(tx.con.execute(query).scalars())


def days_loaded(ledger: Ledger) -> list[tuple[str, date]]:
    """Return days that are final and whose tables are up to date: (operation, day)."""
    query = sa.select(days.c.operation, days.c.partition_date).where(
        days.c.version == days.c.loaded_version, ~_waiting(), ~_awaiting()
    )
    with ledger.read() as con:
        return [(row.operation, row.partition_date) for row in con.execute(query)]
