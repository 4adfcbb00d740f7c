"""Fetching files of batches again, and writing the days anew that follow from the better ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from crust_pipeline.app.days import load_accounts, load_results, load_warehouse
from crust_pipeline.app.installation import Installation
from crust_pipeline.buying.refetch import Refetched, RefetchOutcome, refetch
from crust_pipeline.errors import Failures
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.tables.store.warehouse import LoadReport


@dataclass(frozen=True, slots=True)
class RefetchReport:
    """What fetching files again came to.

    Attributes:
        batches: what came of each batch that did not fail.
        warehouse: the load that followed; None where no file was better.
        failed: what failed by itself while everything else was done.
    """

    batches: dict[str, Refetched]
    warehouse: LoadReport | None
    failed: tuple[str, ...]


def refetch_batches(
    installation: Installation, submission_ids: Sequence[str], *, run_id: str
) -> RefetchReport:
    """Fetch the files of batches again; where one is better, its days' tables follow.

    Args:
        installation: the installation.
        submission_ids: the batches.
        run_id: names this run in the tables.

    Raises:
        SettingsError: a vendor has no usable API key.
    """
    _ = installation.accounts  # a missing key is said once, and not of every batch
    failures = Failures()
    done: dict[str, Refetched] = {}
    for submission_id in dict.fromkeys(submission_ids):
        with failures.unit("refetch", "batch", submission_id):
            done[submission_id] = refetch(installation.account_with(submission_id), submission_id)
    better = [
        submission_id
        for submission_id, refetched in done.items()
        if refetched.outcome is RefetchOutcome.BETTER
    ]
    loaded = _load(installation, better, run_id=run_id, failures=failures) if better else None
    return RefetchReport(done, loaded, failures.in_words)


def _load(
    installation: Installation, submission_ids: Sequence[str], *, run_id: str, failures: Failures
) -> LoadReport:
    """Write the days anew that wait for these batches."""
    days = ledger_load.days_of_batches(installation.ledger, submission_ids)
    for operation, of_operation in days.items():
        load_results(installation, operation, of_operation, run_id=run_id, failures=failures)
    every_day = sorted({day for of_operation in days.values() for day in of_operation})
    load_accounts(installation, every_day, run_id=run_id, failures=failures)
    return load_warehouse(installation)
