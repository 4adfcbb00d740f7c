"""A clock that is put back: nothing waits for the hours by which it was ahead."""

from datetime import timedelta

import pytest

from crust_pipeline.buying.waiting import Wait, in_words, waits
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.queue import open_batches
from crust_pipeline.ledger.states import BatchState
from crust_pipeline_tests.buying.conftest import SAM, TUESDAY, World, people

PATH = "/batch/person/enrich"


def put_back(world: World, **span: float) -> None:
    """Put our clock back; the vendor's goes on."""
    world.ahead -= timedelta(**span)


def told(world: World) -> list[Wait]:
    """What each open batch waits for."""
    summary = queries.summary(world.ledger, now=world.now())
    batches = open_batches(world.ledger, now=world.now())
    return waits(batches, summary, slots=world.account.max_active, now=world.now())


@pytest.mark.parametrize("hours", [2, 6, 30])
def test_a_batch_that_was_planned_by_a_clock_ahead_is_sent_at_once(
    world: World, hours: float
) -> None:
    (batch,) = world.plan(SAM).batches
    put_back(world, hours=hours)
    assert world.submit().submitted == [batch.submission_id]


def test_a_job_that_was_to_be_polled_by_a_clock_ahead_is_landed(world: World) -> None:
    world.plan(SAM)
    world.submit()
    put_back(world, hours=6)
    world.until_quiet()
    assert world.outcomes() == ["matched"]
    assert world.sold() == {SAM: 1}


def test_a_pause_that_a_clock_ahead_began_ends_when_it_is_put_back(world: World) -> None:
    world.sandbox.fail("rate_limited", path=PATH)
    world.plan(SAM)
    world.submit()
    assert world.pause() == "rate"
    put_back(world, hours=6)
    assert world.pause() is None
    world.until_quiet()
    assert world.outcomes() == ["matched"]


def test_a_clock_put_back_by_less_than_the_longest_backoff_costs_no_more_than_that(
    world: World,
) -> None:
    world.plan(SAM)
    put_back(world, minutes=30)
    world.wait(minutes=31)
    world.until_quiet()
    assert world.outcomes() == ["matched"]


def test_an_unknown_submit_is_looked_for_after_the_clock_is_put_back(world: World) -> None:
    world.sandbox.fail("connection_lost_after_accept", path=PATH)
    world.plan(SAM)
    world.submit()
    put_back(world, hours=6)
    world.until_quiet()
    assert world.outcomes() == ["matched"]
    assert world.sold() == {SAM: 1}


def test_a_planned_batch_says_that_it_waits_for_a_slot(world: World) -> None:
    world.with_engine(max_active=1)
    world.sandbox.state.change(instant_jobs=False)
    world.plan(SAM)
    world.plan(*people(2), day=TUESDAY)
    world.submit()
    at_vendor, planned = told(world)
    assert (at_vendor.state, planned.state) == (BatchState.PENDING, BatchState.PLANNED)
    assert at_vendor.until is not None
    assert planned.waits_for == "a free slot"
    assert planned.until is None


def test_a_batch_in_a_pause_says_why_and_until_when(world: World) -> None:
    world.sandbox.fail("rate_limited", path=PATH)
    (batch,) = world.plan(SAM).batches
    world.submit()
    (wait,) = told(world)
    assert wait.waits_for.startswith("the end of a pause (")
    assert wait.until is not None
    (line,) = in_words([wait])
    assert f"batch {batch.submission_id} (enrich, planned)" in line
    assert f"next step at {wait.until:%Y-%m-%d %H:%M:%S} UTC" in line
