"""The queue: batches that wait for a slot or hold one, in the order in which they go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from crust_pipeline.ledger.schema import submission_days, submissions
from crust_pipeline.ledger.states import HOLDS_SLOT, IN_PROGRESS, BatchState
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.ledger.waits import due_at

# Scheduled before backfill, older link before newer; `claim_next` takes the first.
ORDER = (
    submissions.c.priority,
    submissions.c.first_partition,
    submissions.c.created_at,
    submissions.c.submission_id,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A batch that is planned, or that holds a slot since `submitted_at`.

    `days` are all days that wait for it, those that reuse it included.
    """

    submission_id: str
    operation: str
    product: str
    state: BatchState
    priority: int
    takes_slot: bool
    identifier_count: int
    submitted_at: datetime | None
    days: Sequence[tuple[str, date]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatch:
    """A batch that has a next step, due at `next_step`, and what went wrong with it last."""

    submission_id: str
    operation: str
    state: BatchState
    takes_slot: bool
    next_step: datetime
    error: str | None


def open_batches(ledger: Ledger, *, now: datetime) -> list[OpenBatch]:
    """Return the batches that go on, or may go on, in the order in which they go."""
    query = (
        sa.select(
            submissions.c.submission_id,
            submissions.c.operation,
            submissions.c.state,
            submissions.c.takes_slot,
            due_at(submissions.c.not_before, now=now).label("next_step"),
            submissions.c.error,
        )
        .where(
            submissions.c.account == ledger.account,
            submissions.c.state.in_([*IN_PROGRESS, BatchState.UNKNOWN]),
        )
        .order_by(submissions.c.state == BatchState.PLANNED, *ORDER)
    )
    with ledger.read() as con:
        return [
            OpenBatch(
                submission_id=row.submission_id,
                operation=row.operation,
                state=BatchState(row.state),
                takes_slot=row.takes_slot,
                next_step=row.next_step,
                error=row.error,
            )
            for row in con.execute(query)
        ]


def queue(ledger: Ledger) -> list[Queued]:
    """Return batches that hold a slot, then planned batches in the order of sending."""
    waits = (submissions.c.account == ledger.account) & submissions.c.state.in_(
        [BatchState.PLANNED, *HOLDS_SLOT]
    )
    of_days = (
        sa.select(submission_days)
        .join(submissions, submissions.c.submission_id == submission_days.c.submission_id)
        .where(waits)
        .order_by(submission_days.c.partition_date)
    )
    days: dict[str, list[tuple[str, date]]] = {}
    with ledger.read() as con:
        for row in con.execute(of_days):
            days.setdefault(row.submission_id, []).append((row.operation, row.partition_date))
        is_planned = submissions.c.state == BatchState.PLANNED
        found = con.execute(sa.select(submissions).where(waits).order_by(is_planned, *ORDER))
        return [
            Queued(
                submission_id=row.submission_id,
                operation=row.operation,
                product=row.product,
                state=BatchState(row.state),
                priority=row.priority,
                takes_slot=row.takes_slot,
                identifier_count=row.identifier_count,
                submitted_at=row.submitted_at or row.intent_at,
                days=days.get(row.submission_id, ()),
            )
            for row in found
        ]
