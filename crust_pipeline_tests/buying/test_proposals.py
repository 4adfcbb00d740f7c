"""Unknown submits in bulk: given up where the vendor's list speaks against them, else held."""

from decimal import Decimal

import pytest

from crust_pipeline.buying.proposals import Proposal, accept, propose
from crust_pipeline.buying.recover import adopt_by_hand
from crust_pipeline.ledger.states import BatchState
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC
from crust_pipeline_tests.buying.conftest import MONDAY, TUESDAY, WEDNESDAY, World, people, person

LOST = "connection_lost_after_accept"
NEVER_ARRIVED = "server_error"


def lose(world: World, *keys: str, fault: str = NEVER_ARRIVED, day: int = 1) -> str:
    """Submit a batch and lose the answer; its id."""
    world.sandbox.fail(fault, path="/batch/person/enrich")
    (batch,) = world.plan(*keys, day=MONDAY.replace(day=day)).batches
    assert world.submit().unknown == [batch.submission_id]
    world.wait(seconds=1)
    return batch.submission_id


def search_for_hours(world: World, hours: int = 2) -> None:
    for _ in range(4):
        world.search()
    world.wait(hours=hours)


def only(world: World) -> Proposal:
    (proposal,) = propose(world.account)
    return proposal


@pytest.fixture
def lost(world: World) -> str:
    """A submit that never arrived, beside jobs of ours that the vendor lists."""
    world.buy(person(20), person(21), day=TUESDAY)
    return lose(world, *people(3))


def test_what_was_not_listed_for_longer_than_any_job_took_is_to_be_given_up(
    world: World, lost: str
) -> None:
    search_for_hours(world)
    proposal = only(world)
    assert (proposal.submission_id, proposal.is_abandon) == (lost, True)
    assert "not in the vendor's list 2.0 hours after its submit" in proposal.reason
    assert proposal.credits_worst_case == Decimal(world.batch(lost)["credits_reserved"]) > 0


def test_what_is_accepted_is_free_and_bought_once(world: World, lost: str) -> None:
    search_for_hours(world)
    assert accept(world.account, propose(world.account)) == [lost]
    assert world.state(lost) is BatchState.REJECTED
    world.buy(*people(3))
    assert world.outcomes() == ["matched"] * 3
    assert set(world.sold().values()) == {1}


def test_many_are_decided_at_once(world: World) -> None:
    world.buy(person(20), day=TUESDAY)
    lost = [lose(world, *people(2, first=2 * n), day=n + 4) for n in range(4)]
    search_for_hours(world)
    assert accept(world.account, propose(world.account)) == lost
    assert world.held() == 0


@pytest.mark.usefixtures("lost")
def test_a_job_may_still_appear_in_the_first_hour(world: World) -> None:
    search_for_hours(world, hours=0)
    proposal = only(world)
    assert not proposal.is_abandon
    assert "may still appear" in proposal.reason


def test_a_job_that_once_took_longer_to_appear_makes_the_wait_longer(world: World) -> None:
    slow = lose(world, *people(2), fault=LOST, day=9)
    world.wait(hours=3)
    (job,) = world.sandbox.state.jobs
    adopt_by_hand(world.account, slow, batch_id=job)
    lose(world, *people(3, first=5))
    search_for_hours(world, hours=2)
    assert "some took up to 3.0 hours" in only(world).reason
    world.wait(hours=2)
    assert only(world).is_abandon


@pytest.mark.usefixtures("lost")
def test_without_enough_searches_nothing_is_proposed(world: World) -> None:
    world.search()
    world.wait(hours=5)
    assert "only 1 searches so far" in only(world).reason


def test_a_list_that_shows_no_job_of_ours_proves_nothing(world: World) -> None:
    lose(world, *people(3))
    search_for_hours(world)
    assert "shows no job of ours" in only(world).reason


def test_jobs_that_may_be_it_are_left_to_a_person(world: World, lost: str) -> None:
    search_for_hours(world)
    for seconds in (1, 2):
        world.sandbox.state.add_foreign_job(
            seconds=seconds, identifier_count=3, entity="person", action="enrich"
        )
    assert only(world).reason == "2 jobs of the list may be it; none stands out"
    assert accept(world.account, propose(world.account)) == []
    assert world.state(lost) is BatchState.UNKNOWN


def test_a_job_of_another_submit_is_no_doubt_once_its_file_was_read(world: World) -> None:
    """Its job was taken for this submit until its file showed whose it is."""
    world.buy(person(20), day=TUESDAY)
    first = lose(world, *people(2), day=5)
    lose(world, *people(2, first=2), fault=LOST, day=6)
    world.until_quiet()
    search_for_hours(world)
    proposal = only(world)
    assert (proposal.submission_id, proposal.is_abandon) == (first, True)


def test_a_job_that_failed_after_its_adoption_is_given_up_and_its_people_bought_again(
    world: World,
) -> None:
    world.buy(person(20), day=TUESDAY)
    world.sandbox.fail("job_fails", path="/batch/person/enrich")
    lost = lose(world, *people(3), fault=LOST)
    world.until_quiet()
    assert world.state(lost) is BatchState.UNKNOWN
    search_for_hours(world)
    assert "failed, which is not billed" in only(world).reason
    assert accept(world.account, propose(world.account)) == [lost]
    world.buy(*people(3))
    assert world.outcomes() == ["matched"] * 3


def test_an_answer_that_comes_at_once_is_never_given_up_by_itself(world: World) -> None:
    world.buy(person(20), day=TUESDAY)
    world.sandbox.fail(NEVER_ARRIVED, path="/person/contact/enrich")
    world.plan("sam@example.com", product=CONTACT_SYNC, day=WEDNESDAY)
    assert len(world.submit().unknown) == 1
    search_for_hours(world, hours=9)
    assert only(world).reason == "its answer came at once, and is in no list"


def test_what_the_vendor_had_accepted_is_never_given_up_by_itself(world: World) -> None:
    world.buy(person(20), day=TUESDAY)
    world.sandbox.state.change(instant_jobs=False)
    (batch,) = world.plan(*people(3)).batches
    world.submit()
    world.sandbox.state.jobs.pop(world.batch(batch.submission_id)["batch_id"])
    for _ in range(16):
        world.poll()
    assert world.state(batch.submission_id) is BatchState.UNKNOWN
    search_for_hours(world, hours=9)
    assert only(world).reason == "the vendor had accepted it"


def test_what_is_found_meanwhile_is_not_given_up(world: World, lost: str) -> None:
    search_for_hours(world)
    proposals = propose(world.account)
    job = world.sandbox.state.add_foreign_job(
        seconds=900, identifier_count=3, entity="person", action="enrich"
    )
    adopt_by_hand(world.account, lost, batch_id=job.batch_id)
    assert accept(world.account, proposals) == []
    assert world.state(lost) is BatchState.PENDING
