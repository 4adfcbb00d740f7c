"""A sandbox that is started again on its state file."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from crust_pipeline.sandbox.clock import Clock
from crust_pipeline.sandbox.endpoints import BY_PATH
from crust_pipeline.sandbox.state import Sandbox
from crust_pipeline.sandbox.switches import Fault, FaultKind, Switches
from crust_pipeline.sandbox.validate import Order
from crust_pipeline_tests.sandbox.conftest import ENRICH, NOBODY, SAM, START, SYNC_CONTACT

Start = Callable[..., Sandbox]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """A sandbox on the same state file each time, at a moment of its own."""

    def begin(*, seconds_later: float = 0, **switches: object) -> Sandbox:
        clock = Clock()
        clock.freeze(START)
        clock.advance(seconds_later)
        chosen = Switches().with_changes(switches)
        return Sandbox(clock=clock, state_file=tmp_path / "state.jsonl", switches=chosen)

    return begin


def order(path: str, *urls: str) -> Order:
    name = "professional_network_profile_urls"
    return Order(endpoint=BY_PATH[path], identifier_type=name, identifiers=urls)


def test_jobs_are_remembered_and_go_on(start: Start) -> None:
    before = start()
    job = before.submit(order(ENRICH, SAM, NOBODY), request_id="r")
    after = start(seconds_later=5)
    assert after.status(after.job(job.batch_id)) == {
        **before.status(job),
        "status": "processing",
    }
    after.clock.advance(60)
    assert after.status(after.job(job.batch_id))["result_count"] == 1


def test_purchases_and_credits_are_remembered(start: Start) -> None:
    before = start()
    before.submit(order(ENRICH, SAM, NOBODY), request_id="r1")
    before.answer(order(SYNC_CONTACT, SAM), request_id="r2")
    before.clock.advance(60)
    before.refresh()
    after = start(seconds_later=60)
    after.refresh()
    assert after.account.balance == before.account.balance == 100_000 - 6
    assert sorted(after.account.purchases, key=str) == sorted(before.account.purchases, key=str)
    assert after.times_submitted() == before.times_submitted()


def test_credits_that_were_set_are_remembered(start: Start) -> None:
    start().set_credits(Decimal("12.5"))
    assert start().account.balance == Decimal("12.5")


def test_what_was_set_aside_at_submit_is_given_back(start: Start) -> None:
    start(charged="at_submit").submit(order(ENRICH, SAM, NOBODY), request_id="r")
    after = start(charged="at_submit")
    assert after.account.balance == 100_000 - 2
    after.clock.advance(60)
    after.refresh()
    assert after.account.balance == 100_000 - 1


def test_faults_of_a_job_are_remembered(start: Start) -> None:
    before = start()
    before.faults.set([Fault(kind=FaultKind.JOB_FAILS), Fault(kind=FaultKind.NUL_BYTES)])
    job = before.submit(order(ENRICH, SAM), request_id="r")
    after = start(seconds_later=60)
    assert after.status(after.job(job.batch_id))["status"] == "failed"
    assert after.jobs[job.batch_id].line_faults == job.line_faults


def test_jobs_of_other_users_are_remembered(start: Start) -> None:
    job = start().add_foreign_job()
    assert job.batch_id in start().jobs


def test_time_never_goes_back(start: Start) -> None:
    before = start()
    before.clock.advance(1000)
    before.add_foreign_job()
    assert start().clock.now() == before.clock.now()


def test_a_line_left_unfinished_does_not_count(start: Start, tmp_path: Path) -> None:
    job = start().submit(order(ENRICH, SAM), request_id="r")
    state = tmp_path / "state.jsonl"
    state.write_bytes(state.read_bytes() + b'{"kind": "job", "at": "2026')
    second = start().submit(order(ENRICH, SAM), request_id="r")
    assert list(start().jobs) == [job.batch_id, second.batch_id]
