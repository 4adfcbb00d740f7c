"""Submits of unknown outcome: found again by the clock, by their place or alone; otherwise held."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, NoReturn

import pytest

from crust_pipeline.buying.recover import abandon, adopt_by_hand, resubmit
from crust_pipeline.errors import UnitsFailedError
from crust_pipeline.ledger.limits import Limits
from crust_pipeline.ledger.states import BatchState, LedgerError, OverLimitError
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC, IDENTIFY
from crust_pipeline_tests.buying.conftest import MONDAY, SAM, TUESDAY, World, people, person

LOST = "connection_lost_after_accept"
NEVER_ARRIVED = "server_error"
PATH = "/batch/person/enrich"


def lose(world: World, *keys: str, fault: str = LOST, day: int = 1) -> str:
    """Submit a batch and lose the answer; its id."""
    world.sandbox.fail(fault, path=PATH)
    (batch,) = world.plan(*keys, day=MONDAY.replace(day=day)).batches
    assert world.submit().unknown == [batch.submission_id]
    world.wait(seconds=1)  # the next is lost later
    return batch.submission_id


def jobs(world: World) -> list[str]:
    """The vendor's jobs for people, oldest first."""
    return [job.batch_id for job in world.sandbox.state.jobs.values() if job.order]


def test_a_lost_submit_is_found_and_landed_without_being_sent_again(world: World) -> None:
    lost = lose(world, *people(3))
    assert world.search().adopted == [lost]
    assert world.batch(lost)["batch_id"] == jobs(world)[0]
    world.until_quiet()
    assert world.state(lost) is BatchState.LANDED
    assert set(world.sold().values()) == {1}


def test_a_search_spends_nothing(world: World) -> None:
    lose(world, SAM)
    world.sandbox.state.refresh()  # bills what has ended
    spent = world.sandbox.state.account.spent
    world.search()
    assert world.sandbox.state.account.spent == spent


def test_a_job_of_another_size_or_kind_is_not_adopted(world: World) -> None:
    world.sandbox.state.add_foreign_job(identifier_count=2, entity="person", action="enrich")
    world.sandbox.state.add_foreign_job(identifier_count=1, action="search")
    lost = lose(world, SAM, fault=NEVER_ARRIVED)
    assert world.search().held == [lost]


def test_a_job_of_a_kind_that_nobody_has_heard_of_is_adopted_and_verified(world: World) -> None:
    lost = lose(world, *people(3))
    (job,) = (job for job in world.sandbox.state.jobs.values() if job.order)
    job.action = "person_enrichment"
    assert world.search().adopted == [lost]
    world.until_quiet()
    assert world.state(lost) is BatchState.LANDED


def test_a_job_that_another_batch_has_is_not_adopted(world: World) -> None:
    world.buy(person(0))
    lost = lose(world, person(1), fault=NEVER_ARRIVED)
    assert world.search().held == [lost]
    assert world.state(lost) is BatchState.UNKNOWN


def test_a_job_of_the_right_time_is_preferred_to_one_of_hours_ago(world: World) -> None:
    world.sandbox.state.add_foreign_job(
        seconds=1, identifier_count=2, entity="person", action="enrich"
    )
    world.wait(hours=3)
    lost = lose(world, *people(2))
    assert world.search().adopted == [lost]
    assert world.batch(lost)["batch_id"] == jobs(world)[0]


@pytest.mark.parametrize("hours", [-1000, -3, 3, 1000])
def test_a_vendor_whose_clock_is_far_off_is_set_right_by_the_date_of_its_answers(
    world: World, hours: int
) -> None:
    world.ahead = timedelta(hours=hours)
    world.sandbox.state.add_foreign_job(
        seconds=1, identifier_count=2, entity="person", action="enrich"
    )
    world.wait(hours=2)
    lost = lose(world, *people(2))
    assert world.search().adopted == [lost]
    assert world.batch(lost)["batch_id"] == jobs(world)[0]


def test_a_job_whose_time_makes_no_sense_is_found_by_its_place_above_the_last_known_one(
    world: World,
) -> None:
    world.sandbox.state.add_foreign_job(
        seconds=1, identifier_count=2, entity="person", action="enrich"
    )
    world.buy(person(9), day=TUESDAY)
    world.wait(hours=1)
    lost = lose(world, *people(2))
    job = world.sandbox.state.jobs[jobs(world)[1]]
    job.created_at -= timedelta(days=30)
    assert world.search().adopted == [lost]
    assert world.batch(lost)["batch_id"] == job.batch_id


def test_without_any_hint_of_time_the_only_job_that_fits_is_taken(world: World) -> None:
    lost = lose(world, *people(2))
    world.sandbox.state.jobs[jobs(world)[0]].created_at -= timedelta(days=30)
    assert world.search().adopted == [lost]


def test_a_company_job_is_never_taken_for_a_submit_of_people(world: World) -> None:
    lost = lose(world, *people(2))
    del world.sandbox.state.jobs[jobs(world)[0]]
    world.sandbox.state.add_foreign_job(identifier_count=2, entity="company", action="enrich")
    assert world.search().held == [lost]


def test_without_any_hint_of_time_two_jobs_that_fit_are_left_to_a_person(world: World) -> None:
    lost = lose(world, *people(2))
    world.sandbox.state.add_foreign_job(
        seconds=1, identifier_count=2, entity="person", action="enrich"
    )
    for job in world.sandbox.state.jobs.values():
        job.created_at -= timedelta(days=30)
    assert world.search().held == [lost]


def test_several_lost_submits_of_one_size_each_get_their_own_job(world: World) -> None:
    lost = [lose(world, *people(2, first=2 * n), day=n + 1) for n in range(3)]
    assert world.search().adopted == lost
    assert [world.batch(one)["batch_id"] for one in lost] == jobs(world)
    world.until_quiet()
    assert world.states() == {BatchState.LANDED: 3}
    assert set(world.sold().values()) == {1}


def test_a_wrong_adoption_is_undone_at_landing_and_the_right_job_found(world: World) -> None:
    """The first submit never arrived; the second's job is taken for it, until its file is read."""
    first = lose(world, *people(2), fault=NEVER_ARRIVED, day=1)
    second = lose(world, *people(2, first=2), day=2)
    assert world.search().adopted == [first]
    world.poll()
    assert world.land().undone == [first]
    assert world.state(first) is BatchState.UNKNOWN
    assert world.batch(first)["batch_id"] is None
    assert world.search().adopted == [second]
    world.until_quiet()
    assert world.outcomes(MONDAY.replace(day=2)) == ["matched", "matched"]
    assert world.outcomes(MONDAY.replace(day=1)) == ["unknown", "unknown"]
    assert world.search().held == [first]


def test_adoptions_that_were_exchanged_are_undone_and_both_settled(world: World) -> None:
    """Jobs listed in another order than they were submitted: each takes the other's."""
    lost = [lose(world, *people(2, first=2 * n), day=n + 1) for n in range(2)]
    first, second = world.sandbox.state.jobs.values()
    world.sandbox.state.jobs.clear()
    world.sandbox.state.jobs.update({second.batch_id: second, first.batch_id: first})
    assert world.search().adopted == lost
    world.until_quiet()
    assert world.search().adopted == lost
    world.until_quiet()
    assert world.states() == {BatchState.LANDED: 2}
    assert set(world.sold().values()) == {1}


def test_a_submit_that_is_nowhere_is_held_and_keeps_its_slot(world: World) -> None:
    lost = lose(world, SAM, fault=NEVER_ARRIVED)
    for _ in range(6):
        assert world.search().held == [lost]
        world.wait(minutes=10)
    assert world.held() == 1
    assert world.outcomes(MONDAY.replace(day=1)) == ["unknown"]
    assert world.sold() == {}


def test_searches_become_rarer(world: World) -> None:
    lose(world, SAM, fault=NEVER_ARRIVED)
    waits: list[float] = []
    for _ in range(4):
        world.search()
        due = world.batches()[0]["not_before"]
        waits.append((due - world.now()).total_seconds())
        world.wait(seconds=waits[-1])
    assert waits == [5, 10, 20, 40]


def test_a_job_that_shows_up_late_is_found_all_the_same(world: World) -> None:
    lost = lose(world, SAM)
    hidden = dict(world.sandbox.state.jobs)
    world.sandbox.state.jobs.clear()
    assert world.search().held == [lost]
    world.sandbox.state.jobs.update(hidden)
    assert world.search().adopted == [lost]


def test_a_list_that_cannot_be_had_leaves_everything_as_it_is(world: World) -> None:
    lost = lose(world, SAM)
    world.sandbox.fail("server_error", path="/batch", times=None)
    done = world.search()
    assert (done.adopted, done.held) == ([], [])
    assert done.trouble
    assert world.state(lost) is BatchState.UNKNOWN


def test_a_job_on_a_later_page_of_the_list_is_found(world: World) -> None:
    lost = lose(world, *people(3))
    for _ in range(250):
        world.sandbox.state.add_foreign_job(seconds=1)
    assert world.search().adopted == [lost]


def test_by_setting_what_cannot_be_found_is_bought_again_after_the_searches(world: World) -> None:
    world.with_engine(resubmit_unknown=True)
    lost = lose(world, SAM, fault=NEVER_ARRIVED)
    for _ in range(4):
        assert world.search().resubmitted == []
        world.wait(minutes=2)
    assert world.search().resubmitted == [lost]
    world.until_quiet()
    assert world.outcomes(MONDAY.replace(day=1)) == ["matched"]
    assert world.state(lost) is BatchState.REJECTED


def test_an_answer_that_was_kept_and_could_not_be_settled_is_settled_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.plan("sam@example.com", product=CONTACT_SYNC)

    def out_of_memory(*_: object) -> NoReturn:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("crust_pipeline.buying.land.read_answers", out_of_memory)
        with pytest.raises(UnitsFailedError, match="MemoryError"):
            world.submit()
    assert world.states() == {BatchState.UNKNOWN: 1}
    (found,) = world.search().adopted
    assert world.state(found) is BatchState.LANDED
    assert world.sold() == {"sam@example.com": 1}


def test_a_lost_synchronous_request_is_in_no_list_and_is_held(world: World) -> None:
    world.sandbox.fail(LOST, path="/person/contact/enrich")
    world.plan("sam@example.com", product=CONTACT_SYNC)
    (lost,) = world.submit().unknown
    assert world.search().held == [lost]


def test_lost_submits_of_two_operations_are_told_apart(world: World) -> None:
    world.sandbox.fail(LOST, path="/batch/person/identify")
    world.sandbox.fail(LOST, path=PATH)
    world.plan(person(0), product=IDENTIFY, fields=())
    world.plan(person(1))
    world.submit()
    world.search()
    actions = {batch["operation"]: batch["action"] for batch in world.batches()}
    assert actions == {"identify": "identify", "enrich": "enrich"}


def test_what_a_person_gives_up_is_free_to_be_bought(world: World) -> None:
    lost = lose(world, SAM, fault=NEVER_ARRIVED)
    abandon(world.account, lost, reason="the vendor's support says so")
    assert world.state(lost) is BatchState.REJECTED
    assert world.held() == 0
    world.buy(SAM)
    assert world.outcomes() == ["matched"]


def test_what_a_person_submits_again_is_bought_again(world: World) -> None:
    lost = lose(world, SAM)
    resubmit(world.account, lost, reason="in a hurry")
    world.until_quiet()
    assert world.outcomes(MONDAY.replace(day=1)) == ["matched"]
    assert world.sold() == {SAM: 2}


def test_what_is_bought_again_counts_besides_what_may_be_billed_already(world: World) -> None:
    lost = lose(world, SAM)
    resubmit(world.account, lost, reason="in a hurry")
    limit: dict[str, Any] = {"limit_per_day": Decimal(5)}  # 2 credits each
    assert world.plan(person(0), day=TUESDAY, **limit).credits_available == 1


def test_a_person_cannot_buy_again_over_the_limit_of_a_day(world: World) -> None:
    world.with_engine(limits=Limits(per_day=Decimal(3)))
    lost = lose(world, SAM)
    with pytest.raises(OverLimitError, match="only 1 may be spent now"):
        resubmit(world.account, lost, reason="in a hurry")
    assert world.state(lost) is BatchState.UNKNOWN
    world.wait(days=1)
    resubmit(world.account, lost, reason="a new day")
    world.until_quiet()
    assert world.outcomes(MONDAY.replace(day=1)) == ["matched"]


def test_by_setting_nothing_is_bought_again_over_a_limit(world: World) -> None:
    world.with_engine(resubmit_unknown=True, limits=Limits(per_day=Decimal(3)))
    lost = lose(world, SAM, fault=NEVER_ARRIVED)
    for _ in range(6):
        assert world.search().resubmitted == []
        world.wait(minutes=2)
    assert world.state(lost) is BatchState.UNKNOWN


def test_what_takes_the_place_of_a_failed_job_counts_on_the_day_of_its_plan(world: World) -> None:
    world.sandbox.fail("job_fails")
    world.plan(*people(2))
    world.submit()
    world.wait(days=1)
    world.poll()
    assert world.states() == {BatchState.FAILED: 1, BatchState.PLANNED: 1}
    report = world.plan(person(5), day=TUESDAY, limit_per_day=Decimal(2))
    assert report.credits_available == 2


def test_a_submit_again_of_a_re_planned_batch_is_the_same_batch(world: World) -> None:
    lost = lose(world, *people(4))
    for _ in range(2):
        resubmit(world.account, lost, reason="in a hurry")
        (planned,) = [row for row in world.batches() if row["state"] == "planned"]
        assert planned["identifier_count"] == 4
        lost = planned["submission_id"]
        world.sandbox.fail(LOST, path=PATH)
        assert world.submit().unknown == [lost]


def test_a_person_says_which_job_it_was(world: World) -> None:
    lost = lose(world, SAM)
    adopt_by_hand(world.account, lost, batch_id=jobs(world)[0])
    world.until_quiet()
    assert world.state(lost) is BatchState.LANDED


def test_a_job_that_does_not_exist_cannot_be_adopted(world: World) -> None:
    lost = lose(world, SAM)
    with pytest.raises(errors.NotFound):
        adopt_by_hand(world.account, lost, batch_id="00000000-0000-4000-8000-000000000000")
    assert world.state(lost) is BatchState.UNKNOWN


def test_the_job_of_another_batch_cannot_be_adopted(world: World) -> None:
    world.buy(person(0))
    lost = lose(world, person(1))
    with pytest.raises(LedgerError):
        adopt_by_hand(world.account, lost, batch_id=jobs(world)[0])
    assert world.state(lost) is BatchState.UNKNOWN


@pytest.mark.parametrize("decide", [abandon, resubmit])
def test_only_submits_of_unknown_fate_are_decided_about(world: World, decide: object) -> None:
    assert callable(decide)
    landed = world.buy(SAM)
    (batch,) = world.plan(person(1), day=TUESDAY).batches
    for submission_id in (landed, batch.submission_id):
        before = world.state(submission_id)
        with pytest.raises(LedgerError):
            decide(world.account, submission_id, reason="a slip")
        assert world.state(submission_id) is before
