"""What takes the place of a batch that failed or was refused without being billed.

The first failure of a job is tried again whole. After that it is halved, so that identifiers which
make a batch fail end up alone. A line of re-plans has a limit: if the vendor fails or refuses all,
halving 10,000 identifiers down to single ones would make thousands of jobs.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from crust_pipeline.buying.account import Account
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger.erase import suppressed_keys
from crust_pipeline.ledger.plan import NewBatch, new_submission_id
from crust_pipeline.ledger.states import LedgerError
from crust_pipeline.ledger.store import submission

# Isolating one bad identifier among 10,000 takes 14 halvings, each with one failure.
FAILURES_ALLOWED = 32


def replacements(
    account: Account, submission_id: str, *, whole: bool = False
) -> tuple[NewBatch, ...]:
    """Return the batches to plan instead; none at the limit, or for a single identifier.

    Args:
        account: the account.
        submission_id: the batch that ended.
        whole: try it once more as it is, if this was its first attempt.
    """
    batch, identifiers = _batch(account, submission_id)
    if not identifiers:
        return ()
    if ledger_poll.failures_in_line(account.ledger, batch.root_submission_id) >= FAILURES_ALLOWED:
        return ()
    if whole and batch.attempt == 1:
        return (_in_place_of(account, batch, identifiers),)
    if len(identifiers) == 1:
        return ()
    middle = (len(identifiers) + 1) // 2
    return tuple(
        _in_place_of(account, batch, part) for part in (identifiers[:middle], identifiers[middle:])
    )


def when_there_are_credits(account: Account, submission_id: str) -> NewBatch:
    """Return the same batch, to be sent once credits allow it; it is not counted as a try."""
    batch, identifiers = _batch(account, submission_id)
    again = _in_place_of(account, batch, identifiers)
    return replace(again, attempt=batch.attempt)


def same_again(account: Account, submission_id: str) -> NewBatch:
    """Return the same batch once more: it is paid for anew, so it starts a line of its own."""
    batch, identifiers = _batch(account, submission_id)
    again = _in_place_of(account, batch, identifiers)
    return replace(again, attempt=1, root_submission_id=None)


def _batch(account: Account, submission_id: str) -> tuple[Any, list[tuple[str, str, date]]]:
    """Return a batch's row and its identifiers for a new batch, without people erased since."""
    with account.ledger.read() as con:
        suppressed = suppressed_keys(con)
        return submission(con, submission_id), [
            (row.subject_key, row.identifier, row.partition_date)
            for row in ledger_poll.identifiers_of(con, submission_id)
            if row.subject_key not in suppressed
        ]


def _in_place_of(
    account: Account,
    batch: Any,  # noqa: ANN401 - a row of submissions
    identifiers: Sequence[tuple[str, str, date]],
) -> NewBatch:
    """Return a batch with some of the identifiers of another.

    Raises:
        LedgerError: there is nobody left to ask for.
    """
    if not identifiers:
        raise LedgerError(
            f"Everybody in batch {batch.submission_id} was erased: there is nobody to ask for "
            "again. Nothing was decided about it."
        )
    product = account.product(batch.product)
    if product.alone and len(identifiers) < product.least:
        product = product.alone  # halving has left one over
    return NewBatch(
        submission_id=new_submission_id(),
        vendor=batch.vendor,
        operation=batch.operation,
        product=product.name,
        takes_slot=batch.takes_slot,
        identifier_type=batch.identifier_type,
        fields=tuple(batch.field_set.split(",")),
        covers=tuple(batch.covers.split(",")),
        identifiers=identifiers,
        priority=batch.priority,
        credits_reserved=batch.credits_reserved * len(identifiers) / batch.identifier_count,
        attempt=batch.attempt + 1,
        parent_submission_id=batch.submission_id,
        root_submission_id=batch.root_submission_id,
        run_id=batch.run_id,
    )
