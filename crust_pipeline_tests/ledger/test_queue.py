"""Who goes first: scheduled before backfill, older days before newer; and which days become due."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from crust_pipeline.buying.decide import InputRow, Policy
from crust_pipeline.buying.plan import plan
from crust_pipeline.ledger import land as ledger_land
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.ledger.land import LandingRecord
from crust_pipeline.ledger.poll import JobReport
from crust_pipeline.ledger.queue import queue
from crust_pipeline.ledger.states import BatchState
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.vendors.crustdata.products import ENRICH
from crust_pipeline_tests.databases import new_ledger_url

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(6)]
BACKFILL = Policy(refresh_after=timedelta(90), retry_not_found_after=timedelta(30))
SCHEDULED = replace(BACKFILL, priority=10)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(new_ledger_url(tmp_path), account="test")
    yield ledger
    ledger.close()


def planned(ledger: Ledger, days: list[date], *, policy: Policy = BACKFILL, cap: int = 2) -> None:
    """Plan two people a day."""
    people = [(day, f"{place}") for day in days for place in range(2)]
    plan(
        ledger,
        {"profile_url": replace(ENRICH, cap=cap)},
        rows=[InputRow(day, name, f"linkedin.com/in/{day}-{name}") for day, name in people],
        partitions=days,
        fields=ENRICH.fields,
        policy=policy,
        now=NOW,
    )


def finish_next(ledger: Ledger) -> None:
    """Take the first batch of the queue through to its file."""
    intent = ledger_submit.claim_next(ledger, max_active=5, owner="test", now=NOW)
    assert intent
    name = intent.submission_id
    ledger_submit.record_accepted(
        ledger,
        name,
        batch_id=name,
        action=None,
        poll_at=NOW,
        now=NOW,
    )
    ledger_poll.record_report(
        ledger, name, JobReport(state=BatchState.COMPLETED), poll_at=NOW, now=NOW
    )
    file = LandingRecord(source_file=None, sha256=None, size_bytes=0, lines=0)
    ledger_land.record_landed(ledger, name, file, settled=(), now=NOW)


def due(ledger: Ledger) -> list[tuple[date, date]]:
    return ledger_load.ranges(
        day.partition_date for day in ledger_load.due_days(ledger, ["enrich"])
    )


def test_scheduled_batches_go_before_a_backfill(ledger: Ledger) -> None:
    planned(ledger, DAYS[:3])
    planned(ledger, DAYS[5:], policy=SCHEDULED)
    intent = ledger_submit.claim_next(ledger, max_active=5, owner="test", now=NOW)
    assert intent
    assert str(DAYS[5]) in intent.identifiers[0]


def test_older_days_of_a_backfill_go_first(ledger: Ledger) -> None:
    planned(ledger, DAYS[3:])
    planned(ledger, DAYS[:3])
    assert [batch.days[0][1] for batch in queue(ledger)] == DAYS


def test_the_queue_shows_jobs_at_the_vendor_before_those_that_wait(ledger: Ledger) -> None:
    planned(ledger, DAYS[:3])
    ledger_submit.claim_next(ledger, max_active=5, owner="test", now=NOW)
    states = [batch.state for batch in queue(ledger)]
    assert states == [BatchState.SUBMITTING, BatchState.PLANNED, BatchState.PLANNED]


def test_a_loaded_batch_has_left_the_queue(ledger: Ledger) -> None:
    planned(ledger, DAYS[:2])
    finish_next(ledger)
    assert len(queue(ledger)) == 1


def test_days_that_became_final_are_one_range(ledger: Ledger) -> None:
    planned(ledger, DAYS[:4])
    for _ in range(3):
        finish_next(ledger)
    assert due(ledger) == [(DAYS[0], DAYS[2])]


def write_tables(ledger: Ledger, days: list[date]) -> None:
    """Say that the result tables of these days are written, as of now."""
    versions = ledger_load.versions_of(ledger, "enrich", days)
    ledger_load.record_flattened(ledger, "enrich", versions, now=NOW)


def test_accounts_written_before_the_latest_news_leave_the_day_due(ledger: Ledger) -> None:
    planned(ledger, DAYS[:1])
    accounts = ledger_load.versions_flattened(ledger, DAYS[:1])
    finish_next(ledger)
    write_tables(ledger, DAYS[:1])  # another run, while the accounts are being written
    ledger_load.record_loaded(ledger, accounts)
    assert due(ledger) == [(DAYS[0], DAYS[0])]
    ledger_load.record_loaded(ledger, ledger_load.versions_flattened(ledger, DAYS[:1]))
    assert due(ledger) == []


def test_a_day_whose_batches_are_not_final_is_not_loaded(ledger: Ledger) -> None:
    planned(ledger, DAYS[:1])
    write_tables(ledger, DAYS[:1])
    ledger_load.record_loaded(ledger, ledger_load.versions_flattened(ledger, DAYS[:1]))
    assert ledger_load.days_loaded(ledger) == []
    finish_next(ledger)
    write_tables(ledger, DAYS[:1])
    ledger_load.record_loaded(ledger, ledger_load.versions_flattened(ledger, DAYS[:1]))
    assert ledger_load.days_loaded(ledger) == [("enrich", DAYS[0])]


def test_a_day_is_not_held_back_by_a_later_batch(ledger: Ledger) -> None:
    planned(ledger, DAYS[:4], cap=3)
    finish_next(ledger)  # the first day, and half of the second
    assert due(ledger) == [(DAYS[0], DAYS[0])]


def test_days_with_a_gap_between_them_are_two_ranges(ledger: Ledger) -> None:
    planned(ledger, [DAYS[0], DAYS[1]])
    planned(ledger, [DAYS[3]])
    for _ in range(3):
        finish_next(ledger)
    assert due(ledger) == [(DAYS[0], DAYS[1]), (DAYS[3], DAYS[3])]


def test_a_planned_day_without_rows_is_due_at_once(ledger: Ledger) -> None:
    plan(
        ledger,
        {"profile_url": ENRICH},
        rows=[],
        partitions=DAYS[:2],
        fields=ENRICH.fields,
        policy=BACKFILL,
        now=NOW,
    )
    assert due(ledger) == [(DAYS[0], DAYS[1])]


def test_a_day_with_only_reused_rows_is_due_with_the_batch_that_answers_it(ledger: Ledger) -> None:
    planned(ledger, DAYS[:1])
    people = [f"linkedin.com/in/{DAYS[0]}-{place}" for place in range(2)]
    plan(
        ledger,
        {"profile_url": ENRICH},
        rows=[InputRow(DAYS[1], name, name) for name in people],
        partitions=DAYS[1:2],
        fields=ENRICH.fields,
        policy=BACKFILL,
        now=NOW,
    )
    assert due(ledger) == []
    finish_next(ledger)
    assert due(ledger) == [(DAYS[0], DAYS[1])]


def test_a_day_whose_job_failed_for_good_is_due_too(ledger: Ledger) -> None:
    planned(ledger, DAYS[:1])
    intent = ledger_submit.claim_next(ledger, max_active=5, owner="test", now=NOW)
    assert intent
    ledger_submit.record_rejected(ledger, intent.submission_id, reason="refused", now=NOW)
    assert due(ledger) == [(DAYS[0], DAYS[0])]


def test_durations_are_learned_from_jobs_of_about_the_same_size(ledger: Ledger) -> None:
    planned(ledger, DAYS[:1])
    intent = ledger_submit.claim_next(ledger, max_active=5, owner="test", now=NOW)
    assert intent
    name = intent.submission_id
    ledger_submit.record_accepted(ledger, name, batch_id="a", action=None, poll_at=NOW, now=NOW)
    report = JobReport(
        state=BatchState.COMPLETED,
        vendor_created_at=NOW,
        vendor_completed_at=NOW + timedelta(seconds=42),
    )
    ledger_poll.record_report(ledger, name, report, poll_at=NOW, now=NOW + timedelta(hours=1))
    assert ledger_poll.finished_seconds(ledger, "enrich", 2) == [42]
    assert ledger_poll.finished_seconds(ledger, "enrich", 300) == []
