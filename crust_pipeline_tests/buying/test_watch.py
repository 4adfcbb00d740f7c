"""A tick with more open batches than it has time for, and one that is cut off."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from crust_pipeline.buying.account import Account
from crust_pipeline.buying.decide import InputRow, Policy
from crust_pipeline.buying.plan import plan
from crust_pipeline.buying.watch import watch
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.schema import submissions
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.crustdata.products import ENRICH
from crust_pipeline.vendors.models import Job
from crust_pipeline_tests.databases import new_ledger_url

OPEN = 500
BUDGET = timedelta(seconds=40)
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)


class SlowVendor:
    """Answers every question about a job, in a second each."""

    reads_per_minute = None

    def __init__(self) -> None:
        self.now = BEGAN
        self.polls: Counter[str] = Counter()
        self.dies_at: int | None = None

    def clock(self) -> datetime:
        return self.now

    def job(self, batch_id: str) -> Job:
        if self.polls.total() == self.dies_at:
            raise KeyboardInterrupt
        self.now += timedelta(seconds=1)
        self.polls[batch_id] += 1
        return Job.read({"batch_id": batch_id, "status": "processing"})


@pytest.fixture
def vendor() -> SlowVendor:
    return SlowVendor()


@pytest.fixture
def account(vendor: SlowVendor, tmp_path: Path) -> Iterator[Account]:
    """An account with 500 jobs at the vendor, all due for a question."""
    ledger = Ledger(new_ledger_url(tmp_path), account="test")
    day = date(2026, 1, 5)
    plan(
        ledger,
        {"profile_url": replace(ENRICH, cap=1)},
        rows=[InputRow(day, str(n), f"linkedin.com/in/person-{n}") for n in range(OPEN)],
        partitions=[day],
        fields=ENRICH.fields,
        policy=Policy(refresh_after=timedelta(90), retry_not_found_after=timedelta(30)),
        now=BEGAN,
    )
    with ledger.write() as tx:
        at_vendor = {"state": "pending", "batch_id": submissions.c.submission_id}
        tx.con.execute(submissions.update().values(**at_vendor, submitted_at=BEGAN))
    yield Account(
        ledger=ledger,
        client=cast("CrustdataClient", vendor),
        products={ENRICH.name: ENRICH},
        raw=tmp_path,
        max_active=OPEN,
        # Longer than it takes to go round: whoever was asked about waits for all others.
        poll_seconds=OPEN,
        clock=vendor.clock,
    )
    ledger.close()


def tick(account: Account, vendor: SlowVendor) -> None:
    began = vendor.now
    watch(account, may_go_on=lambda: vendor.now - began < BUDGET)


def test_a_tick_stays_within_its_budget(account: Account, vendor: SlowVendor) -> None:
    tick(account, vendor)
    assert vendor.now - BEGAN == BUDGET


def test_the_next_ticks_go_on_where_it_ended(account: Account, vendor: SlowVendor) -> None:
    for _ in range(OPEN // int(BUDGET.total_seconds()) + 1):
        tick(account, vendor)
    assert len(vendor.polls) == OPEN


def test_what_a_tick_that_was_cut_off_has_learned_is_kept(
    account: Account, vendor: SlowVendor
) -> None:
    vendor.dies_at = 10
    with pytest.raises(KeyboardInterrupt):
        tick(account, vendor)
    assert queries.summary(account.ledger, now=vendor.now).batches == {
        "processing": 10,
        "pending": OPEN - 10,
    }


def test_a_tick_that_was_cut_off_does_not_hold_up_the_next(
    account: Account, vendor: SlowVendor
) -> None:
    vendor.dies_at = 10
    with pytest.raises(KeyboardInterrupt):
        tick(account, vendor)
    vendor.dies_at = None
    tick(account, vendor)
    assert len(vendor.polls) > 10
