"""Jobs that fail: tried again whole, then in halves, and not for ever."""

from typing import Any

import pytest

from crust_pipeline.ledger.states import BatchState
from crust_pipeline.sandbox.jobs import Job
from crust_pipeline.sandbox.state import Sandbox
from crust_pipeline.sandbox.validate import Order
from crust_pipeline_tests.buying.conftest import SAM, TUESDAY, World, people, person


def poison(world: World, monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    """Let every job fail in which one of these people is."""
    make = world.sandbox.state._new_job
    bad = {f"https://www.{key}" for key in keys}

    def poisoned(order: Order, *rest: Any) -> Job:
        job = make(order, *rest)
        job.fails = bool(bad & set(order.identifiers))
        return job

    monkeypatch.setattr(world.sandbox.state, "_new_job", poisoned)


def sizes(sandbox: Sandbox) -> list[int]:
    return [job.identifier_count for job in sandbox.jobs.values()]


def test_a_job_that_fails_once_is_tried_again_whole(world: World) -> None:
    world.sandbox.fail("job_fails")
    world.plan(*people(4))
    world.until_quiet()
    assert sizes(world.sandbox.state) == [4, 4]
    assert world.outcomes() == ["matched"] * 4


def test_a_job_that_fails_again_is_halved(world: World) -> None:
    world.sandbox.fail("job_fails", times=2)
    world.plan(*people(5))
    world.until_quiet()
    first, again, *halves = sizes(world.sandbox.state)
    assert (first, again, sorted(halves)) == (5, 5, [2, 3])
    assert world.outcomes() == ["matched"] * 5


def test_a_failed_job_is_not_billed_and_its_reservation_moves_on(world: World) -> None:
    world.sandbox.fail("job_fails", times=2)
    world.plan(*people(5), fields=("basic_profile",))
    world.submit()
    world.poll()
    waiting = [row for row in world.batches() if row["state"] == "planned"]
    assert sum(row["credits_reserved"] for row in waiting) == 5
    world.until_quiet()
    assert sum(row["credits_computed"] or 0 for row in world.batches()) == 5
    assert world.sandbox.state.account.spent == 5


@pytest.mark.parametrize("number", [0, 5, 15])
def test_somebody_who_makes_every_job_fail_ends_up_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    poison(world, monkeypatch, person(number))
    world.plan(*people(16))
    world.until_quiet()
    outcomes = world.outcomes()
    assert [place for place, one in enumerate(outcomes) if one == "failed"] == [number]
    assert outcomes.count("matched") == 15


def test_two_who_make_jobs_fail_are_both_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(world, monkeypatch, person(2), person(13))
    world.plan(*people(16))
    world.until_quiet()
    outcomes = world.outcomes()
    assert [place for place, one in enumerate(outcomes) if one == "failed"] == [2, 13]


def test_a_vendor_that_fails_everything_ends_in_few_jobs_and_every_row_has_an_outcome(
    world: World,
) -> None:
    world.sandbox.fail("job_fails", times=None)
    world.plan(*people(200))
    for _ in range(5):
        world.until_quiet()
    assert world.states() == {BatchState.FAILED: len(world.sandbox.state.jobs)}
    # 32 failures are allowed in a line, and those already planned then still run.
    assert len(world.sandbox.state.jobs) <= 66
    assert set(world.outcomes()) == {"failed"}
    assert world.sandbox.state.account.spent == 0


def test_what_was_given_up_is_bought_by_a_later_plan(world: World) -> None:
    world.sandbox.fail("job_fails", times=2)
    world.plan(SAM)
    world.until_quiet()
    assert world.outcomes() == ["failed"]
    world.plan(SAM)
    world.until_quiet()
    assert world.outcomes() == ["matched"]


def test_a_day_that_waits_for_another_days_batch_waits_for_what_takes_its_place(
    world: World,
) -> None:
    world.sandbox.fail("job_fails", times=2)
    world.plan(*people(4))
    world.plan(*people(4), day=TUESDAY)
    world.until_quiet()
    assert world.outcomes(TUESDAY) == ["reused"] * 4


def test_a_replacement_waits_a_little_before_it_is_submitted(world: World) -> None:
    world.sandbox.fail("job_fails")
    world.plan(SAM)
    world.submit()
    assert len(world.poll().failed) == 1
    assert world.submit().submitted == []
    world.wait(seconds=5)
    assert len(world.submit().submitted) == 1


def test_a_replacement_knows_what_it_replaces(world: World) -> None:
    world.sandbox.fail("job_fails", times=2)
    world.plan(*people(2))
    world.until_quiet()
    first, *others = world.batches()
    assert {row["root_submission_id"] for row in others} == {first["submission_id"]}
    assert sorted(row["attempt"] for row in others) == [2, 3, 3]


def test_a_failure_that_two_processes_see_is_re_planned_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sandbox.fail("job_fails")
    world.plan(SAM)
    world.submit()
    ask = world.account.client.job

    def slow(batch_id: str) -> object:
        monkeypatch.setattr(world.account.client, "job", ask)
        answer = ask(batch_id)
        world.poll()  # the other process is faster
        return answer

    monkeypatch.setattr(world.account.client, "job", slow)
    world.poll()
    assert world.states() == {BatchState.FAILED: 1, BatchState.PLANNED: 1}


def test_a_job_that_never_ends_keeps_its_slot(world: World) -> None:
    world.sandbox.fail("job_never_ends")
    world.plan(SAM)
    world.submit()
    for _ in range(20):
        world.wait(days=1)
        assert len(world.poll().active) == 1
    assert world.held() == 1
    assert world.outcomes() == ["pending"]
