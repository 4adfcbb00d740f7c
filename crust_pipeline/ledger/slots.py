"""The history of slots: how many were held at which time. Reads only."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from crust_pipeline.ledger.schema import submissions, transitions
from crust_pipeline.ledger.states import HOLDS_SLOT, BatchState
from crust_pipeline.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class SlotsHeld:
    """How many slots were held from a moment on, until the next."""

    at: datetime
    held: int


def slots_over_time(ledger: Ledger) -> list[SlotsHeld]:
    """Return how many slots the account held, at each time when the number changed."""
    query = (
        sa.select(transitions.c.at, transitions.c.submission_id, transitions.c.to_state)
        .join(submissions, submissions.c.submission_id == transitions.c.submission_id)
        .where(submissions.c.account == ledger.account, submissions.c.takes_slot)
        .order_by(transitions.c.at, transitions.c.id)
    )
    holders: set[str] = set()
    history: list[SlotsHeld] = []
    with ledger.read() as con:
        for at, submission_id, state in con.execute(query):
            if BatchState(state) in HOLDS_SLOT:
                holders.add(submission_id)
            else:
                holders.discard(submission_id)
            if not history or history[-1].held != len(holders):
                history.append(SlotsHeld(at, len(holders)))
    return history
