"""The transaction that puts a batch back which the ledger has lost, as its traces describe it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crust_pipeline.ledger.land import LandingRecord, Settled, land_in
from crust_pipeline.ledger.plan import NewBatch, add_batch
from crust_pipeline.ledger.schema import claims, identifiers, submission_days, submissions
from crust_pipeline.ledger.states import BatchState
from crust_pipeline.ledger.store import Ledger, Transaction


def restore(
    ledger: Ledger,
    batch: NewBatch,
    *,
    state: BatchState,
    columns: Mapping[str, Any],
    landed: LandingRecord | None,
    settled: Sequence[Settled],
    at: datetime,
) -> None:
    """Write a batch with its identifiers, answers and claims.

    Args:
        ledger: the ledger, of the account that it was bought with.
        batch: the batch and its identifiers.
        state: the state to go on from, where it has no answers.
        columns: what else is known of it.
        landed: its answers' file; None while it has no answers.
        settled: the answer of each identifier.
        at: when it was planned, and when its answers came: they count as fresh from then on.
    """
    with ledger.write() as tx:
        _forget(tx, batch.submission_id)
        add_batch(tx, batch, now=columns.get("created_at") or at)
        batch_id = columns.get("batch_id")
        known = {**columns, "batch_id": None if tx.has_job(batch_id) else batch_id}
        if landed is None:
            tx.update(batch.submission_id, **known, state=state.value)
        else:
            tx.update(batch.submission_id, **known, state=BatchState.COMPLETED.value)
            land_in(tx, batch.submission_id, landed, settled=settled, now=at)


def _forget(tx: Transaction, submission_id: str) -> None:
    """Remove a batch that an older copy of the ledger holds as planned."""
    for table in (identifiers, claims, submission_days, submissions):
        tx.con.execute(table.delete().where(table.c.submission_id == submission_id))
