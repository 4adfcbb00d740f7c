"""Limits: what may be spent, and what of it is set aside or spent already, in credits.

Asked inside the write transaction that sets credits aside, so that two plans at the same time
cannot spend the same ones.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa

from crust_pipeline.ledger.schema import submissions
from crust_pipeline.ledger.states import RESERVES, BatchState
from crust_pipeline.ledger.store import Transaction


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one run, and all plans of one day (UTC), may reserve; None: no limit."""

    per_run: Decimal | None = None
    per_day: Decimal | None = None


NO_LIMITS = Limits()


def credits_left(
    tx: Transaction,
    limits: Limits,
    *,
    now: datetime,
    run_id: str | None,
    balance: Decimal | None = None,
) -> Decimal | None:
    """Return the credits that may still be reserved; None if there is no limit."""
    today = datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), tzinfo=UTC)
    left: list[Decimal] = []
    if limits.per_run is not None:
        # A run plans several operations, and some of them again.
        left.append(limits.per_run - (_credits_of_run(tx, run_id) if run_id else Decimal(0)))
    if limits.per_day is not None:
        left.append(limits.per_day - _credits_committed_on(tx, today))
    if balance is not None:
        left.append(balance - _credits_set_aside(tx))
    return min(left, default=None)


def _credits_set_aside(tx: Transaction) -> Decimal:
    """Return the worst-case credits of all batches planned or in flight."""
    query = sa.select(sa.func.sum(submissions.c.credits_reserved)).where(
        submissions.c.account == tx.account, submissions.c.state.in_(RESERVES)
    )
    return tx.con.execute(query).scalar_one() or Decimal(0)


def _credits_committed_on(tx: Transaction, day_start: datetime) -> Decimal:
    """Return the credits of the plans of a calendar day: settled where known, else the worst case.

    What takes the place of a batch that failed counts on the day on which that was planned.
    """
    first = submissions.alias("first")
    query = (
        sa.select(_cost())
        .join(first, first.c.submission_id == submissions.c.root_submission_id)
        .where(
            submissions.c.account == tx.account,
            first.c.created_at >= day_start,
            first.c.created_at < day_start + timedelta(days=1),
        )
    )
    return tx.con.execute(query).scalar_one() or Decimal(0)


def _credits_of_run(tx: Transaction, run_id: str) -> Decimal:
    """Return the credits of a run's plans: settled where known, else the worst case."""
    query = sa.select(_cost()).where(
        submissions.c.account == tx.account, submissions.c.run_id == run_id
    )
    return tx.con.execute(query).scalar_one() or Decimal(0)


def _cost() -> sa.ColumnElement[Decimal]:
    """Return the cost of batches together; one that failed or was refused costs what was charged.

    That is nothing as a rule.
    """
    known = sa.func.coalesce(submissions.c.credits_computed, submissions.c.credits_reserved)
    ended = submissions.c.state.in_([BatchState.FAILED, BatchState.REJECTED])
    unbilled = ended & ~submissions.c.perhaps_billed
    charged = sa.func.coalesce(sa.type_coerce(submissions.c.credits_reported, sa.BigInteger), 0)
    cost = sa.case((unbilled, charged), else_=sa.type_coerce(known, sa.BigInteger))
    return sa.type_coerce(sa.func.sum(cost), submissions.c.credits_reserved.type)
