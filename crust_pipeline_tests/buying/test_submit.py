"""Submits: one reaction to each answer, and never more jobs than the account may have."""

import gzip
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from crust_pipeline.buying.submit import settle_orphans
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import queries
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.ledger.states import BatchState
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC, IDENTIFY
from crust_pipeline.vendors.product import Product
from crust_pipeline_tests.buying.conftest import (
    MONDAY,
    NOBODY,
    SAM,
    TUESDAY,
    World,
    people,
    person,
)

DAYS = [MONDAY.replace(day=number) for number in range(1, 5)]
NOWHERE = "a-host-that-is-gone:1:1"


def planned(world: World, count: int = 1, *, each: int = 1) -> list[str]:
    """Plan batches of `each` people; their ids."""
    return [
        world.plan(*people(each, first=number * each), day=MONDAY.replace(day=number + 1))
        .batches[0]
        .submission_id
        for number in range(count)
    ]


def test_an_accepted_batch_is_pending_and_knows_its_job(world: World) -> None:
    (submission_id,) = planned(world)
    assert world.submit().submitted == [submission_id]
    batch = world.batch(submission_id)
    assert batch["state"] == "pending"
    assert batch["batch_id"] in world.sandbox.state.jobs
    assert batch["action"] == "enrich"


def test_no_more_jobs_are_submitted_than_are_allowed(world: World) -> None:
    world.sandbox.state.change(instant_jobs=False)
    world.with_engine(max_active=2)
    planned(world, 4)
    assert len(world.submit().submitted) == 2
    assert len(world.submit().submitted) == 0
    assert world.held() == 2


def test_a_job_that_ended_makes_room_for_the_next(world: World) -> None:
    world.sandbox.state.change(instant_jobs=False)
    world.with_engine(max_active=2)
    planned(world, 3)
    world.submit()
    assert len(world.poll().completed) == 2
    assert len(world.submit().submitted) == 1


@pytest.mark.parametrize("status", [402, 403])
def test_without_credits_nothing_is_lost_and_a_top_up_lets_it_go_on(
    world: World, status: int
) -> None:
    world.sandbox.state.change(no_credits_status=status)
    world.sandbox.state.set_credits(Decimal(0))
    (submission_id, _) = planned(world, 2)
    done = world.submit()
    assert (done.submitted, done.rejected, done.unknown) == ([], [], [])
    assert world.pause() == "credits"
    assert world.states() == {BatchState.PLANNED: 2}
    assert world.held() == 0
    assert world.sandbox.state.requests["POST /batch/person/enrich"] == 1
    world.sandbox.state.set_credits(Decimal(100))
    world.wait(minutes=15)
    world.until_quiet()
    assert world.state(submission_id) is BatchState.LANDED
    assert world.pause() is None


def test_a_job_stopped_by_an_empty_account_delivers_what_was_paid_for(world: World) -> None:
    world.sandbox.state.set_credits(Decimal(2))
    world.plan(*people(3), fields=("basic_profile",))
    world.until_quiet()
    assert world.outcomes().count("matched") == 2


def test_who_is_missing_when_the_credits_have_ended_is_asked_for_again_with_credits(
    world: World,
) -> None:
    world.sandbox.state.set_credits(Decimal(2))
    world.buy(*people(2), NOBODY, person(2), fields=("basic_profile",))
    assert sorted(world.outcomes()) == ["matched", "matched", "over_budget", "over_budget"]
    later = world.now() + timedelta(seconds=1)
    assert ledger_load.days_over_budget(world.ledger, "enrich", planned_before=later) == [MONDAY]
    world.sandbox.state.set_credits(Decimal(100))
    again = (*people(2), NOBODY, person(2))
    world.buy(*again, fields=("basic_profile",), new_rows_only=True)
    assert sorted(world.outcomes()) == ["dropped", "matched", "matched", "matched"]
    assert world.sandbox.state.account.spent == 3


def test_who_is_missing_while_there_are_credits_is_not_known_to_the_vendor(world: World) -> None:
    world.buy(SAM, NOBODY, fields=("basic_profile",))
    assert sorted(world.outcomes()) == ["dropped", "matched"]


def test_a_job_that_failed_for_want_of_credits_is_neither_halved_nor_sent_again_at_once(
    world: World,
) -> None:
    world.sandbox.state.change(out_of_credits="failed")
    world.sandbox.state.set_credits(Decimal(1))
    world.plan(*people(4), fields=("basic_profile",))
    world.submit()
    world.poll()
    assert world.pause() == "credits"
    assert world.states() == {BatchState.FAILED: 1, BatchState.PLANNED: 1}
    assert world.submit().submitted == []
    world.sandbox.state.set_credits(Decimal(100))
    world.wait(minutes=15)
    world.until_quiet()
    assert world.outcomes() == ["matched"] * 4
    assert len(world.sandbox.state.jobs) == 2


def test_a_key_that_is_refused_stops_all_submits_for_a_while(world: World) -> None:
    planned(world, 2)
    world.sandbox.state.keys = frozenset({"another-key"})
    world.submit()
    assert world.pause() == "key"
    assert world.states() == {BatchState.PLANNED: 2}


def test_jobs_of_others_on_the_account_are_waited_for_longer_and_longer(world: World) -> None:
    world.sandbox.state.change(instant_jobs=False)
    others = [world.sandbox.state.add_foreign_job(seconds=3600) for _ in range(5)]
    planned(world)
    waits: list[float] = []
    for _ in range(4):
        pause = world.submit().pause
        assert pause is not None
        waits.append((pause.until - world.now()).total_seconds())
        assert world.pause() == "slots"
        assert world.submit().pause is None  # nothing is even tried while it lasts
        world.wait(seconds=waits[-1])
    assert waits == [10, 20, 40, 80]
    assert len(others) == sum(job.order is None for job in world.sandbox.state.jobs.values())
    assert world.held() == 0


def test_together_with_jobs_of_others_the_accounts_limit_is_never_passed(world: World) -> None:
    world.sandbox.state.change(instant_jobs=False)
    for _ in range(3):
        world.sandbox.state.add_foreign_job(seconds=60)
    planned(world, 6)
    for _ in range(60):
        world.submit()
        now = world.sandbox.clock.now()
        assert sum(job.is_active(now) for job in world.sandbox.state.jobs.values()) <= 5
        world.poll()
        world.land()
    assert world.states() == {BatchState.LANDED: 6}
    assert max(world.sold().values()) == 1


def test_the_requests_rate_is_waited_for_as_long_as_told(world: World) -> None:
    world.sandbox.fail("rate_limited", path="/batch/person/enrich", value=37)
    planned(world)
    pause = world.submit().pause
    assert pause is not None
    assert pause.kind is ledger_submit.PauseKind.RATE
    assert 0 < (pause.until - world.now()).total_seconds() <= 60
    world.until_quiet()
    assert world.states() == {BatchState.LANDED: 1}


def test_a_connection_that_is_refused_proves_that_nothing_was_sent(world: World) -> None:
    planned(world)
    with world.sandbox.refusing():
        world.submit()
    assert world.pause() == "unreachable"
    assert world.states() == {BatchState.PLANNED: 1}
    assert world.held() == 0
    world.wait(minutes=1)
    assert len(world.submit().submitted) == 1


@pytest.mark.parametrize(
    "fault",
    [
        "server_error",
        "server_error_after_accept",
        "connection_lost",
        "connection_lost_after_accept",
        "empty_answer",
        "unreadable_answer",
        "no_batch_id",
    ],
)
def test_after_an_answer_that_proves_nothing_the_batch_is_unknown_and_keeps_its_slot(
    world: World, fault: str
) -> None:
    world.sandbox.fail(fault, path="/batch/person/enrich")
    (submission_id,) = planned(world)
    assert world.submit().unknown == [submission_id]
    assert world.state(submission_id) is BatchState.UNKNOWN
    assert world.held() == 1
    assert world.submit().submitted == []
    assert world.outcomes(MONDAY.replace(day=1)) == ["unknown"]


def test_an_error_of_our_own_in_the_middle_of_a_submit_is_unknown_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    (submission_id,) = planned(world)
    monkeypatch.setattr(type(world.account.client), "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.submit()
    assert world.state(submission_id) is BatchState.UNKNOWN


def test_an_intent_whose_process_is_gone_is_unknown(world: World) -> None:
    (submission_id,) = planned(world)
    ledger_submit.claim_next(world.ledger, max_active=5, owner=NOWHERE, now=world.now())
    settle_orphans(world.account)
    assert world.state(submission_id) is BatchState.SUBMITTING  # another machine: who knows
    world.wait(minutes=6)
    settle_orphans(world.account)
    assert world.state(submission_id) is BatchState.UNKNOWN


def test_an_intent_of_a_process_that_lives_is_left_alone(world: World) -> None:
    (submission_id,) = planned(world)
    ledger_submit.claim_next(world.ledger, max_active=5, owner=world.account.owner, now=world.now())
    settle_orphans(world.account)
    assert world.state(submission_id) is BatchState.SUBMITTING


@pytest.mark.parametrize("number", [1, 4, 7])
def test_one_identifier_that_a_request_is_refused_for_ends_up_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    send = world.account.client.submit
    bad = f"https://www.{person(number)}"

    def picky(operation: Product, *, identifiers: tuple[str, ...], **rest: Any) -> object:
        if bad in identifiers:
            raise errors.InvalidRequest("One of the identifiers is not to the vendor's taste")
        return send(operation, identifiers=identifiers, **rest)

    monkeypatch.setattr(world.account.client, "submit", picky)
    world.plan(*people(8))
    world.until_quiet()
    outcomes = world.outcomes()
    assert [place for place, outcome in enumerate(outcomes) if outcome == "failed"] == [number]
    assert outcomes.count("matched") == 7
    assert max(world.sold().values()) == 1


def test_refused_batches_free_their_keys(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise errors.InvalidRequest("No")

    monkeypatch.setattr(world.account.client, "submit", refuse)
    world.plan(SAM)
    world.until_quiet()
    assert world.outcomes() == ["failed"]
    monkeypatch.undo()
    world.plan(SAM)
    world.until_quiet()
    assert world.outcomes() == ["matched"]


@pytest.mark.slow
def test_a_vendor_that_refuses_whatever_it_is_sent_is_not_asked_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[int] = []

    def refuse(*_: object, identifiers: tuple[str, ...], **__: object) -> None:
        requests.append(len(identifiers))
        raise errors.InvalidRequest("No")

    monkeypatch.setattr(world.account.client, "submit", refuse)
    world.plan(*people(300))
    world.until_quiet()
    assert set(world.states()) == {BatchState.REJECTED}
    assert len(requests) <= 20
    assert set(world.outcomes()) == {"failed"}


@pytest.mark.parametrize(
    ("denied", "asked", "sent"),
    [
        ("skills", ("basic_profile", "skills"), ["basic_profile"]),
        ("certifications", ("certifications", "honors"), ["honors"]),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_a_field_that_is_denied_is_left_out_and_the_rest_is_bought(
    world: World, denied: str, asked: tuple[str, ...], sent: list[str], *, listed: bool
) -> None:
    world.sandbox.state.change(denied_fields=[denied], endpoints_listed=listed)
    world.buy(SAM, fields=asked)
    (job,) = world.sandbox.state.jobs.values()
    assert job.order is not None
    assert sorted(job.order.fields or ()) == sent
    (outcome,) = queries.outcomes(world.ledger, "enrich", [MONDAY])
    assert (outcome.outcome, outcome.detail) == ("matched", f"not_permitted: {denied}")
    assert world.batches()[0]["fields_not_permitted"] == [denied]


@pytest.mark.parametrize("listed", [True, False])
def test_a_denied_part_of_a_group_costs_only_that_part(world: World, *, listed: bool) -> None:
    world.sandbox.state.change(denied_fields=["basic_profile.summary"], endpoints_listed=listed)
    world.buy(SAM, fields=("basic_profile",))
    (job,) = world.sandbox.state.jobs.values()
    assert job.order is not None
    assert "basic_profile.name" in (job.order.fields or ())
    assert "basic_profile.summary" not in (job.order.fields or ())
    assert world.batches()[0]["fields_not_permitted"] == ["basic_profile (in part)"]


def test_fields_denied_to_one_batch_are_not_asked_for_with_those_planned_before(
    world: World,
) -> None:
    world.sandbox.state.change(denied_fields=["skills"], endpoints_listed=False)
    for number in range(4):
        world.plan(person(number), fields=("basic_profile", "skills"), day=DAYS[number])
    world.until_quiet()
    assert world.sandbox.state.requests["POST /batch/person/enrich"] == 5  # one was refused
    assert {batch["field_set"] for batch in world.batches()} == {"basic_profile"}
    assert world.states() == {BatchState.LANDED: 4}


def test_a_batch_planned_for_denied_fields_alone_is_not_sent_at_all(world: World) -> None:
    world.sandbox.state.change(denied_fields=["skills"], endpoints_listed=False)
    world.plan(person(0), fields=("basic_profile", "skills"))
    world.plan(person(1), fields=("skills",), day=TUESDAY)
    world.until_quiet()
    assert world.outcomes(TUESDAY) == ["not_permitted"]
    assert world.sandbox.state.requests["POST /batch/person/enrich"] == 2


@pytest.mark.parametrize("listed", [True, False])
def test_a_batch_of_which_every_field_is_denied_is_not_permitted(
    world: World, *, listed: bool
) -> None:
    world.sandbox.state.change(denied_fields=["skills"], endpoints_listed=listed)
    world.plan(SAM, fields=("skills",))
    world.until_quiet()
    assert world.outcomes() == ["not_permitted"]


@pytest.mark.parametrize("listed", [True, False])
def test_an_endpoint_that_is_not_on_the_plan_stops_only_its_operation(
    world: World, *, listed: bool
) -> None:
    world.sandbox.state.change(
        disabled_endpoints=["/batch/person/identify"], endpoints_listed=listed
    )
    world.plan(SAM, product=IDENTIFY, fields=())
    world.plan(SAM)
    world.until_quiet()
    assert world.outcomes(operation="identify") == ["not_permitted"]
    assert world.outcomes() == ["matched"]


def test_a_synchronous_request_takes_no_slot(world: World) -> None:
    world.sandbox.state.change(instant_jobs=False)
    for _ in range(5):
        world.sandbox.state.add_foreign_job()
    planned(world)
    world.plan("sam@example.com", product=CONTACT)
    done = world.submit()
    assert [world.batch(one)["product"] for one in done.submitted] == ["contact_sync"]
    assert world.pause() == "slots"
    assert world.outcomes(operation="contact") == ["matched"]


def test_the_answer_to_a_synchronous_request_is_kept_as_a_file(world: World) -> None:
    submission_id = world.buy("sam@example.com", product=CONTACT_SYNC)
    batch = world.batch(submission_id)
    kept = gzip.decompress((world.account.raw / batch["source_file"]).read_bytes())
    assert [json.loads(line)["matched_on"] for line in kept.splitlines()] == ["sam@example.com"]
    assert batch["credits_reported"] == batch["credits_computed"]


def test_an_answer_that_was_kept_and_not_noted_is_not_bought_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends between keeping the file and telling the ledger."""
    world.plan("sam@example.com", product=CONTACT_SYNC)
    with monkeypatch.context() as patched:
        patched.setattr("crust_pipeline.buying.land._land_answer", lambda *_, **__: None)
        world.submit()
    assert world.states() == {BatchState.SUBMITTING: 1}
    world.wait(minutes=6)
    world.until_quiet()
    assert world.outcomes(operation="contact") == ["matched"]
    assert set(world.sold().values()) == {1}


def test_the_worst_case_of_a_batch_in_flight_stays_reserved(world: World) -> None:
    world.sandbox.state.change(instant_jobs=False)
    world.plan(*people(3))
    world.submit()
    report = world.plan(*people(3, first=3), day=TUESDAY, balance=Decimal(8))
    assert report.credits_available == 2
