"""A ledger with batches at the vendor, whose tokens are known."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crust_pipeline.ledger import plan as ledger_plan
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.ledger.inbox import issue_token
from crust_pipeline.ledger.store import Ledger
from crust_pipeline_tests.batches import new_batch
from crust_pipeline_tests.databases import new_ledger_url

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
POLL_LATER = NOW + timedelta(hours=1)


class Batches:
    """Makes batches in a ledger."""

    def __init__(self, url: str) -> None:
        self.ledger = Ledger(url, account="test")

    def submitting(self, name: str = "one") -> tuple[str, str]:
        """A batch that is being submitted: its submission id and token."""
        batch = new_batch(name)
        with self.ledger.write() as tx:
            ledger_plan.add_batch(tx, batch, now=NOW)
        assert ledger_submit.claim_next(self.ledger, max_active=99, owner="test", now=NOW)
        with self.ledger.write() as tx:
            return batch.submission_id, issue_token(tx, batch.submission_id, now=NOW)

    def pending(self, name: str = "one") -> tuple[str, str]:
        """A batch whose job runs at the vendor."""
        submission_id, token = self.submitting(name)
        ledger_submit.record_accepted(
            self.ledger,
            submission_id,
            batch_id=f"job-{name}",
            action=None,
            poll_at=POLL_LATER,
            now=NOW,
        )
        return submission_id, token


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    return new_ledger_url(tmp_path)


@pytest.fixture
def batches(ledger_url: str) -> Generator[Batches]:
    made = Batches(ledger_url)
    yield made
    made.ledger.close()
