"""What takes the place of a batch that failed or was refused without being billed.

The first failure of a job is tried again whole. After that it is halved, so that identifiers which
make a batch fail end up alone. A line of re-plans has a limit: when the vendor fails everything,
halving 10,000 identifiers down to single ones would make thousands of jobs.
"""

from datetime import date

from crust_pipeline.batching.engine import Engine
from crust_pipeline.ledger import progress
from crust_pipeline.ledger.planning import NewBatch, new_submission_id

# Isolating one bad identifier among 10,000 takes 14 halvings, each with one failure.
FAILURES_ALLOWED = 32


def replacements(
    engine: Engine, submission_id: str, *, whole: bool = False
) -> tuple[NewBatch, ...]:
    """The batches to plan instead; none when the limit is reached or a single identifier is left.

    Args:
        engine: the account.
        submission_id: the batch that ended.
        whole: try it once more as it is, if this was its first attempt.
    """
    with engine.ledger.write() as tx:
        batch = tx.submission(submission_id)
        identifiers: list[tuple[str, str, date]] = [
            (row.profile_key, row.identifier, row.partition_date)
            for row in progress.identifiers_of(tx.con, submission_id)
        ]
    if progress.failures_in_line(engine.ledger, batch.root_submission_id) >= FAILURES_ALLOWED:
        return ()
    if whole and batch.attempt == 1:
        parts = [identifiers]
    elif len(identifiers) > 1:
        middle = (len(identifiers) + 1) // 2
        parts = [identifiers[:middle], identifiers[middle:]]
    else:
        return ()
    return tuple(
        NewBatch(
            submission_id=new_submission_id(),
            vendor=batch.vendor,
            operation=batch.operation,
            product=batch.product,
            takes_slot=batch.takes_slot,
            identifier_type=batch.identifier_type,
            fields=tuple(batch.field_set.split(",")),
            covers=tuple(batch.covers.split(",")),
            identifiers=part,
            priority=batch.priority,
            credits_reserved=batch.credits_reserved * len(part) / len(identifiers),
            attempt=batch.attempt + 1,
            parent_submission_id=submission_id,
            root_submission_id=batch.root_submission_id,
            run_id=batch.run_id,
        )
        for part in parts
    )
