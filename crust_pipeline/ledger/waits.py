"""How long anything may wait for its next step, and when that step is due.

Times in the ledger are those of this machine's clock. When the clock is put back, what was due at
once would wait for the whole jump. So no wait is longer than an hour, and a time further ahead than
that was written by a clock that was ahead: it counts as due.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa

from crust_pipeline.ledger.schema import UtcDateTime

LONGEST_WAIT = timedelta(hours=1)
# The clocks of two machines on one ledger need not agree.
CLOCKS_DIFFER = timedelta(minutes=5)


def wait_until(now: datetime, *, seconds: float) -> datetime:
    """Return the end of a wait, which is never longer than the longest."""
    return now + timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))


def due_at(column: sa.ColumnElement[datetime], *, now: datetime) -> sa.ColumnElement[datetime]:
    """Return when a step is due, in SQL: now, if its time is further ahead than any wait."""
    return sa.case((column > furthest(now), sa.literal(now, UtcDateTime())), else_=column)


def furthest(now: datetime, *, longest: timedelta = LONGEST_WAIT) -> datetime:
    """Return the furthest time that a wait begun by a clock like ours can end."""
    return now + longest + CLOCKS_DIFFER
