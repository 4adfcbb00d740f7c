"""Transactions of erasing: people whose data is removed, and who are never asked for again.

Their keys stay here and in their batches: a key that is not remembered would be bought again. Rows
and tables lose them; `load.sources` leaves them out of every later rebuild.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from crust_pipeline.ledger.schema import claims, days, identifiers, rows, submissions, suppressions
from crust_pipeline.ledger.states import HOLDS_SLOT, BatchState, Verdict
from crust_pipeline.ledger.store import ERROR_CHARS, Ledger, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure touched.

    Attributes:
        keys: the people's keys, with those that identify has found to be theirs as well.
        days: days of which the tables must be written again.
        source_files: vendor files with their lines, below the raw folder; they stay as received.
        at_vendor: batches with them that cannot be called back; their lines will be left out.
    """

    keys: frozenset[str]
    days: tuple[date, ...]
    source_files: tuple[str, ...]
    at_vendor: int


def suppressed_keys(con: sa.Connection) -> frozenset[str]:
    """Return the keys of people who must never be asked for."""
    return frozenset(con.execute(sa.select(suppressions.c.subject_key)).scalars())


def erase(ledger: Ledger, keys: Collection[str], *, reason: str, now: datetime) -> Erased:
    """Suppress people, take them out of rows and of batches that are not sent yet.

    Args:
        ledger: the ledger of any account; all accounts are concerned.
        keys: the people.
        reason: why, for people.
        now: the present time.
    """
    with ledger.write() as tx:
        everybody = _with_other_keys(tx.con, keys)
        known = suppressed_keys(tx.con)
        for key in sorted(everybody - known):
            tx.con.execute(suppressions.insert().values(subject_key=key, reason=reason, at=now))
        of_people = identifiers.c.subject_key.in_(everybody)
        touched = set(
            tx.con.execute(
                sa.select(rows.c.partition_date)
                .where(rows.c.subject_key.in_(everybody))
                .union(sa.select(identifiers.c.partition_date).where(of_people))
            ).scalars()
        )
        held = (
            sa.select(submissions)
            .join(identifiers, identifiers.c.submission_id == submissions.c.submission_id)
            .where(of_people)
            .distinct()
        )
        batches = tx.con.execute(held).all()
        for batch in batches:
            if batch.state == BatchState.PLANNED:
                _take_out(tx, batch.submission_id, everybody, now=now)
        tx.con.execute(
            rows.update()
            .where(rows.c.subject_key.in_(everybody))
            .values(
                verdict=Verdict.SUPPRESSED.value,
                subject_key=None,
                submission_id=None,
                detail=None,
            )
        )
        tx.con.execute(
            days.update()
            .where(days.c.partition_date.in_(touched))
            .values(version=days.c.version + 1, load_requests=0)
        )
        return Erased(
            keys=everybody,
            days=tuple(sorted(touched)),
            source_files=tuple(sorted(batch.source_file for batch in batches if batch.source_file)),
            at_vendor=sum(batch.state in HOLDS_SLOT for batch in batches),
        )


def _with_other_keys(con: sa.Connection, keys: Iterable[str]) -> frozenset[str]:
    """Add what identify has found to be the same people's: profiles of e-mails, and the reverse."""
    found = frozenset(keys)
    pair = sa.select(identifiers.c.subject_key, identifiers.c.resolved_key).where(
        identifiers.c.resolved_key.is_not(None),
        identifiers.c.subject_key.in_(found) | identifiers.c.resolved_key.in_(found),
    )
    more = found | {key for row in con.execute(pair) for key in row}
    return found if more == found else _with_other_keys(con, more)


def _take_out(tx: Transaction, submission_id: str, keys: Collection[str], *, now: datetime) -> None:
    """Remove people from a batch that is not sent yet; one that is left empty is given up."""
    of_people = (identifiers.c.submission_id == submission_id) & identifiers.c.subject_key.in_(keys)
    batch = tx.submission(submission_id)
    gone = tx.con.execute(
        sa.select(sa.func.count()).select_from(identifiers).where(of_people)
    ).scalar_one()
    left = batch.identifier_count - gone
    tx.con.execute(
        claims.delete().where(
            claims.c.submission_id == submission_id, claims.c.subject_key.in_(keys)
        )
    )
    if not left:
        reason = "everybody in it was erased on request"
        tx.move(
            submission_id, BatchState.REJECTED, now=now, reason=reason, error=reason[:ERROR_CHARS]
        )
        return
    tx.con.execute(identifiers.delete().where(of_people))
    tx.update(
        submission_id,
        identifier_count=left,
        credits_reserved=batch.credits_reserved * left / batch.identifier_count,
    )
