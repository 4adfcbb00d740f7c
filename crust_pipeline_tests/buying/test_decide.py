"""Decisions: what is bought, what is not bought again, and what cannot be had."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crust_pipeline.buying.decide import Decision, InputRow, Policy, decide
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger.plan import Claim, PlannedRow
from crust_pipeline.ledger.states import Answer, BatchState, Verdict
from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.crustdata.products import IDENTIFY
from crust_pipeline_tests.buying.conftest import (
    MONDAY,
    NOBODY,
    POLICY,
    REMOVED,
    SAM,
    START,
    TUESDAY,
    WEDNESDAY,
    World,
    people,
    person,
)

FIELDS = frozenset({"basic_profile"})
NO_PROFILE = "nobody.knows@example.com"


def verdicts(decisions: list[Decision]) -> list[Verdict]:
    return [decision.verdict for decision in decisions]


def decided(
    *rows: InputRow,
    claims: Mapping[str, list[Claim]] | None = None,
    existing: Mapping[tuple[date, str], PlannedRow] | None = None,
    wanted: frozenset[str] = FIELDS,
    policy: Policy = POLICY,
) -> list[Decision]:
    return decide(
        rows,
        existing=existing or {},
        claims=claims or {},
        wanted=wanted,
        policy=policy,
        now=START,
    )


def row(number: int, key: str | None, day: date = MONDAY) -> InputRow:
    return InputRow(day, str(number), key, None if key else "no profile URL")


def bought(
    answer: Answer | None,
    *,
    days_ago: int = 1,
    fields: frozenset[str] = FIELDS,
    state: BatchState = BatchState.LOADED,
) -> dict[str, list[Claim]]:
    at = None if answer is None else START - timedelta(days=days_ago)
    return {SAM: [Claim(SAM, fields, "earlier", state, answer, at)]}


def test_the_first_row_of_a_key_asks_and_the_rest_of_the_day_are_duplicates() -> None:
    assert verdicts(decided(row(1, SAM), row(2, SAM), row(3, SAM))) == [
        Verdict.ASK,
        Verdict.DUPLICATE,
        Verdict.DUPLICATE,
    ]


def test_a_key_of_an_earlier_day_of_the_same_plan_is_reused() -> None:
    decisions = decided(row(1, SAM, TUESDAY), row(1, SAM, MONDAY))
    assert [(item.row.partition_date, item.verdict) for item in decisions] == [
        (MONDAY, Verdict.ASK),
        (TUESDAY, Verdict.REUSE),
    ]


def test_a_row_without_a_key_is_invalid_and_says_why() -> None:
    (decision,) = decided(row(1, None))
    assert decision.verdict is Verdict.INVALID_INPUT
    assert decision.detail == "no profile URL"


@pytest.mark.parametrize(
    ("answer", "days_ago", "verdict"),
    [
        (Answer.MATCHED, 89, Verdict.REUSE),
        (Answer.MATCHED, 90, Verdict.ASK),
        (Answer.FAILED, 89, Verdict.REUSE),
        (Answer.NOT_FOUND, 29, Verdict.REUSE),
        (Answer.NOT_FOUND, 30, Verdict.ASK),
        (Answer.DROPPED, 30, Verdict.ASK),
        (Answer.NO_DATA, 30, Verdict.ASK),
        (Answer.REDACTED, 3650, Verdict.REUSE),
    ],
)
def test_each_answer_is_remembered_for_its_own_time(
    answer: Answer, days_ago: int, verdict: Verdict
) -> None:
    assert verdicts(decided(row(1, SAM), claims=bought(answer, days_ago=days_ago))) == [verdict]


@pytest.mark.parametrize(
    "state", [state for state in BatchState if state is not BatchState.EXPIRED]
)
def test_what_is_planned_or_in_flight_is_waited_for_even_by_a_refresh(state: BatchState) -> None:
    policy = replace(POLICY, refresh=True)
    decisions = decided(row(1, SAM), claims=bought(None, state=state), policy=policy)
    assert verdicts(decisions) == [Verdict.REUSE]


def test_what_was_paid_for_and_lost_is_bought_again_only_on_purpose() -> None:
    lost = bought(None, state=BatchState.EXPIRED)
    assert verdicts(decided(row(1, SAM), claims=lost)) == [Verdict.REUSE]
    on_purpose = replace(POLICY, refresh=True)
    assert verdicts(decided(row(1, SAM), claims=lost, policy=on_purpose)) == [Verdict.ASK]


def test_a_refresh_asks_again_but_never_for_somebody_who_asked_for_removal() -> None:
    policy = replace(POLICY, refresh=True)
    for answer, verdict in ((Answer.MATCHED, Verdict.ASK), (Answer.REDACTED, Verdict.REUSE)):
        decisions = decided(row(1, SAM), claims=bought(answer), policy=policy)
        assert verdicts(decisions) == [verdict]


def test_only_the_fields_that_are_missing_are_asked_for() -> None:
    wanted = frozenset({"basic_profile", "skills"})
    (decision,) = decided(row(1, SAM), claims=bought(Answer.MATCHED), wanted=wanted)
    assert decision.fields == {"skills"}


def test_further_fields_of_somebody_the_vendor_does_not_know_are_not_asked_for() -> None:
    wanted = frozenset({"basic_profile", "skills"})
    decisions = decided(row(1, SAM), claims=bought(Answer.DROPPED), wanted=wanted)
    assert verdicts(decisions) == [Verdict.REUSE]


def test_with_new_rows_only_earlier_decisions_stand() -> None:
    before = PlannedRow(MONDAY, "1", SAM, Verdict.ASK, "earlier")
    (decision,) = decided(
        row(1, SAM),
        claims=bought(Answer.MATCHED, days_ago=1000),
        existing={(MONDAY, "1"): before},
        policy=replace(POLICY, new_rows_only=True),
    )
    assert (decision.verdict, decision.submission_id) == (Verdict.ASK, "earlier")


def test_the_row_that_asked_goes_on_asking_when_another_comes_before_it() -> None:
    before = PlannedRow(MONDAY, "2", SAM, Verdict.ASK, "earlier")
    decisions = decided(
        row(1, SAM), row(2, SAM), claims=bought(Answer.MATCHED), existing={(MONDAY, "2"): before}
    )
    assert [(item.row.row_id, item.verdict) for item in decisions] == [
        ("2", Verdict.ASK),
        ("1", Verdict.DUPLICATE),
    ]


DAYS = (MONDAY, TUESDAY, WEDNESDAY)
ROWS = st.lists(
    st.tuples(st.sampled_from(DAYS), st.one_of(st.none(), st.integers(0, 12))), max_size=60
).map(
    lambda drawn: [
        row(number, None if who is None else f"linkedin.com/in/p{who}", day)
        for number, (day, who) in enumerate(drawn)
    ]
)


@given(rows=ROWS)
def test_every_row_has_one_decision_and_every_key_one_ask(rows: list[InputRow]) -> None:
    decisions = decided(*rows)
    assert sorted(item.row.row_id for item in decisions) == sorted(item.row_id for item in rows)
    asking = [item.row for item in decisions if item.verdict is Verdict.ASK]
    keys = {item.subject_key for item in rows if item.subject_key}
    assert sorted(item.subject_key or "" for item in asking) == sorted(keys)
    for item in asking:
        days = [other.partition_date for other in rows if other.subject_key == item.subject_key]
        assert item.partition_date == min(days)


def test_what_was_bought_for_one_day_is_reused_by_another(world: World) -> None:
    first = world.buy(person(0), person(1))
    report = world.plan(person(1), person(2), day=TUESDAY)
    assert report.verdicts[TUESDAY] == {"reuse": 1, "ask": 1}
    world.until_quiet()
    assert world.outcomes(TUESDAY) == ["reused", "matched"]
    assert max(world.sold().values()) == 1
    assert world.batch(first)["identifier_count"] == 2


def test_planning_a_day_again_buys_nothing(world: World) -> None:
    world.buy(*people(3))
    assert world.plan(*people(3)).batches == ()
    assert world.outcomes() == ["matched"] * 3


def test_a_refresh_buys_again_and_the_day_shows_the_latest(world: World) -> None:
    world.buy(SAM)
    world.wait(days=1)
    again = world.buy(SAM, refresh=True)
    assert world.sold() == {SAM: 2}
    sources = ledger_load.sources(world.ledger, "enrich", [MONDAY])
    assert [source.submission_id for source in sources] == [again]


def test_somebody_unknown_is_asked_for_again_after_a_shorter_time(world: World) -> None:
    world.buy(NOBODY, SAM)
    world.wait(days=31)
    (batch,) = world.plan(NOBODY, SAM, day=TUESDAY).batches
    assert [key for key, _, _ in batch.identifiers] == [NOBODY]


def test_somebody_who_asked_for_removal_is_never_asked_for_again_in_any_operation(
    world: World,
) -> None:
    world.buy(REMOVED, product=IDENTIFY, fields=())
    assert world.outcomes(operation="identify") == ["redacted"]
    assert world.plan(REMOVED, refresh=True).batches == ()
    world.wait(days=3650)
    assert world.plan(REMOVED, day=TUESDAY).batches == ()
    assert world.outcomes(TUESDAY) == ["redacted"]


def test_asking_for_more_fields_buys_only_those(world: World) -> None:
    world.buy(SAM, fields=("basic_profile", "skills"))
    (batch,) = world.plan(SAM, day=TUESDAY, fields=("basic_profile", "skills", "education")).batches
    assert batch.fields == ("education",)


def test_fields_in_another_order_are_the_same_fields(world: World) -> None:
    world.buy(SAM, fields=("basic_profile", "skills"))
    assert world.plan(SAM, day=TUESDAY, fields=("skills", "basic_profile")).batches == ()


def test_rows_that_came_late_are_planned_without_touching_the_others(world: World) -> None:
    world.buy(*people(2))
    world.wait(days=100)  # all of it is stale by now
    (batch,) = world.plan(*people(3), new_rows_only=True).batches
    assert [key for key, _, _ in batch.identifiers] == [person(2)]


def test_an_email_that_is_being_identified_waits_and_is_then_asked_for_as_the_person(
    world: World,
) -> None:
    world.plan("sam@example.com", product=IDENTIFY, fields=())
    assert world.plan("sam@example.com").verdicts[MONDAY] == {"await": 1}
    assert world.outcomes() == ["pending"]
    world.until_quiet()
    assert ledger_load.days_identified(world.ledger) == [("enrich", MONDAY)]
    (batch,) = world.plan("sam@example.com", new_rows_only=True).batches
    assert batch.identifiers[0][0] == SAM
    world.until_quiet()
    assert world.outcomes() == ["matched"]


def test_an_email_waits_for_nobody_when_identify_need_not_come_first(world: World) -> None:
    world.plan("sam@example.com", product=IDENTIFY, fields=())
    (batch,) = world.plan("sam@example.com", identify_first=False).batches
    assert [key for key, _, _ in batch.identifiers] == ["sam@example.com"]


def test_what_was_bought_by_an_email_is_not_bought_again_as_the_person(world: World) -> None:
    first = world.buy("sam@example.com")
    world.buy("sam@example.com", product=IDENTIFY, fields=())
    assert world.plan("sam@example.com", day=TUESDAY).verdicts[TUESDAY] == {"reuse": 1}
    assert [row["submission_id"] for row in world.batches() if row["operation"] == "enrich"] == [
        first
    ]


def test_an_email_by_which_nobody_was_found_is_tried_as_the_person(world: World) -> None:
    someone = "person-3@gmail.com"  # contact does not look up private addresses, identify does
    world.buy(someone, product=CONTACT, fields=CONTACT.fields)
    assert world.outcomes(operation="contact") == ["not_found"]
    world.buy(someone, product=IDENTIFY, fields=())
    assert world.outcomes(operation="identify") == ["matched"]
    (batch,) = world.plan(someone, product=CONTACT, fields=CONTACT.fields).batches
    assert batch.identifier_type == "profile_url"


def test_an_email_whose_person_is_in_the_plan_already_is_a_duplicate(world: World) -> None:
    world.buy("sam@example.com", product=IDENTIFY, fields=())
    report = world.plan(SAM, "sam@example.com")
    assert report.verdicts[MONDAY] == {"ask": 1, "duplicate": 1}


def test_an_email_that_nobody_could_identify_is_asked_for_as_it_is(world: World) -> None:
    world.buy(NO_PROFILE, product=IDENTIFY, fields=())
    (batch,) = world.plan(NO_PROFILE).batches
    assert batch.identifier_type == "email"


def test_fields_that_the_account_may_not_have_are_left_out_of_later_plans(world: World) -> None:
    world.sandbox.state.change(denied_fields=["skills"])
    world.buy(person(0), fields=("basic_profile", "skills"))
    (batch,) = world.plan(person(1), day=TUESDAY, fields=("basic_profile", "skills")).batches
    assert batch.fields == ("basic_profile",)
    assert batch.covers == ("basic_profile", "skills")


def test_denied_fields_are_not_bought_for_people_who_have_the_rest(world: World) -> None:
    world.sandbox.state.change(denied_fields=["skills"])
    world.buy(SAM, fields=("basic_profile", "skills"))
    assert world.plan(SAM, day=TUESDAY, fields=("basic_profile", "skills")).batches == ()


def test_rows_that_ask_only_for_what_may_not_be_had_are_not_permitted(world: World) -> None:
    world.sandbox.state.change(denied_fields=["skills"])
    world.buy(person(0), fields=("basic_profile", "skills"))
    report = world.plan(person(1), day=TUESDAY, fields=("skills",))
    assert report.verdicts[TUESDAY] == {"not_permitted": 1}
    assert world.outcomes(TUESDAY) == ["not_permitted"]


def test_a_denial_is_forgotten_after_a_week(world: World) -> None:
    world.sandbox.state.change(denied_fields=["skills"])
    world.buy(person(0), fields=("basic_profile", "skills"))
    world.wait(days=8)
    (batch,) = world.plan(person(1), day=TUESDAY, fields=("basic_profile", "skills")).batches
    assert batch.fields == ("basic_profile", "skills")
