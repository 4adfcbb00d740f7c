"""Jobs of which the vendor says, after it has taken them, that it knows no such job."""

from datetime import timedelta

from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger.poll import JOB_MISSING_AFTER
from crust_pipeline.ledger.states import BatchState
from crust_pipeline_tests.buying.conftest import World, people

JOB = "/batch/{batch_id}"
FEW_MINUTES = timedelta(minutes=10)


def forgotten(world: World, *, times: int | None = None) -> str:
    """A batch at the vendor, who says for `times` questions that it knows no such job."""
    (batch,) = world.plan(*people(2)).batches
    world.submit()
    world.sandbox.fail("server_error", path=JOB, times=times, value=404)
    return batch.submission_id


def ask_for(world: World, span: timedelta) -> None:
    """Ask every few minutes for so long."""
    until = world.now() + span
    while world.now() < until:
        world.poll()


def test_a_job_that_is_not_known_for_a_while_is_asked_about_again(world: World) -> None:
    batch = forgotten(world, times=3)
    ask_for(world, FEW_MINUTES)
    assert world.state(batch) is BatchState.PENDING
    world.until_quiet()
    assert world.outcomes() == ["matched", "matched"]


def test_a_job_that_is_not_known_for_an_hour_is_of_unknown_fate_and_keeps_its_slot(
    world: World,
) -> None:
    batch = forgotten(world)
    ask_for(world, JOB_MISSING_AFTER + FEW_MINUTES)
    assert world.state(batch) is BatchState.UNKNOWN
    assert world.held() == 1
    assert world.outcomes() == ["unknown", "unknown"]
    (unknown,) = ledger_poll.unknown_submits(world.ledger)
    assert unknown.reason
    assert "knows no job" in unknown.reason


def test_another_answer_in_between_starts_the_hour_anew(world: World) -> None:
    batch = forgotten(world, times=8)
    ask_for(world, timedelta(minutes=40))
    ledger_poll.record_report(
        world.ledger,
        batch,
        ledger_poll.JobReport(state=BatchState.PROCESSING),
        poll_at=world.now(),
        now=world.now(),
    )
    world.sandbox.fail("server_error", path=JOB, times=None, value=404)
    ask_for(world, timedelta(minutes=40))
    assert world.state(batch) is BatchState.PROCESSING


def test_a_job_that_is_in_the_list_all_the_same_is_adopted_and_landed(world: World) -> None:
    batch = forgotten(world)
    ask_for(world, JOB_MISSING_AFTER + FEW_MINUTES)
    world.sandbox.state.faults.set([])
    assert world.search().adopted == [batch]
    world.until_quiet()
    assert world.outcomes() == ["matched", "matched"]
    assert max(world.sold().values()) == 1


def test_a_job_that_is_listed_but_never_known_is_not_adopted_for_ever(world: World) -> None:
    batch = forgotten(world)
    ask_for(world, JOB_MISSING_AFTER + FEW_MINUTES)
    assert world.search().adopted == [batch]
    ask_for(world, JOB_MISSING_AFTER + FEW_MINUTES)
    assert world.search().held == [batch]
    assert max(world.sold().values()) == 1
