"""Plans: what is bought, what is not bought again, and what does not fit into the credits."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crust_pipeline.batching.plan import (
    Decision,
    InputRow,
    OverBudgetError,
    Policy,
    Purchase,
    afford,
    decide,
    pack,
)
from crust_pipeline.ledger import loading
from crust_pipeline.ledger.planning import Claim, PlannedRow
from crust_pipeline.ledger.states import Answer, BatchState, Verdict
from crust_pipeline.vendor.operations import CONTACT, ENRICH, IDENTIFY
from crust_pipeline_tests.batching.conftest import (
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
    keys = {item.profile_key for item in rows if item.profile_key}
    assert sorted(item.profile_key or "" for item in asking) == sorted(keys)
    for item in asking:
        days = [other.partition_date for other in rows if other.profile_key == item.profile_key]
        assert item.partition_date == min(days)


@given(rows=ROWS, cap=st.integers(1, 5))
def test_batches_are_as_few_as_the_cap_allows_and_in_the_order_of_days(
    rows: list[InputRow], cap: int
) -> None:
    product = replace(ENRICH, cap=cap)
    decisions = decided(*rows)
    batches = list(
        pack(
            decisions,
            products={"profile_url": product},
            price=lambda _purchase: Decimal(2),
            policy=POLICY,
        )
    )
    asked = [item for batch in batches for item in batch.identifiers]
    keys = {item.profile_key for item in rows if item.profile_key}
    assert sorted(key for key, _, _ in asked) == sorted(keys)
    assert [day for _, _, day in asked] == sorted(day for _, _, day in asked)
    assert len(batches) == -(-len(keys) // cap)
    assert all(len(batch.identifiers) <= cap for batch in batches)
    assert sum(batch.credits_reserved for batch in batches) == 2 * len(keys)


@given(rows=ROWS, available=st.integers(-3, 30))
def test_what_is_afforded_fits_and_nobody_else_would_have_fitted(
    rows: list[InputRow], available: int
) -> None:
    decisions = decided(*rows)
    result = afford(
        decisions,
        price=lambda _purchase: Decimal(3),
        available=Decimal(available),
        policy=POLICY,
    )
    asks = sum(item.verdict is Verdict.ASK for item in decisions)
    kept = sum(item.verdict is Verdict.ASK for item in result)
    assert kept == min(asks, max(available, 0) // 3)
    short = {item.row.profile_key for item in result if item.verdict is Verdict.OVER_BUDGET}
    for item in result:
        waits_in_vain = item.verdict in {Verdict.ASK, Verdict.REUSE}
        assert not (waits_in_vain and item.row.profile_key in short)


def test_a_cheaper_purchase_may_still_fit_where_a_dearer_one_did_not() -> None:
    decisions = [
        Decision(row(1, person(0)), Verdict.ASK, fields=frozenset({"dear"})),
        Decision(row(2, person(1)), Verdict.ASK, fields=frozenset({"cheap"})),
    ]
    prices = {"dear": Decimal(5), "cheap": Decimal(1)}

    def price(purchase: Purchase) -> Decimal:
        (name,) = purchase.fields
        return prices[name]

    result = afford(decisions, price=price, available=Decimal(1), policy=POLICY)
    assert verdicts(result) == [Verdict.OVER_BUDGET, Verdict.ASK]


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
    sources = loading.sources(world.ledger, "enrich", [MONDAY])
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


def test_a_day_without_rows_is_planned_too(world: World) -> None:
    report = world.plan()
    assert (report.rows, report.batches) == (0, ())
    assert loading.days_planned(world.ledger, "enrich") == {MONDAY: 0}


def test_a_dry_run_writes_nothing(world: World) -> None:
    report = world.plan(SAM, dry_run=True)
    assert report.credits_reserved == 2
    assert world.batches() == []
    assert world.outcomes() == []


def test_batches_of_a_lower_number_are_submitted_first(world: World) -> None:
    world.with_engine(max_active=1)
    late = world.plan(person(0), day=MONDAY).batches[0].submission_id
    urgent = world.plan(person(1), day=TUESDAY, priority=1).batches[0].submission_id
    assert world.submit().submitted[0] == urgent
    assert world.state(late) is BatchState.PLANNED


def test_an_email_that_is_being_identified_waits_and_is_then_asked_for_as_the_person(
    world: World,
) -> None:
    world.plan("sam@example.com", product=IDENTIFY, fields=())
    assert world.plan("sam@example.com").verdicts[MONDAY] == {"await": 1}
    assert world.outcomes() == ["pending"]
    world.until_quiet()
    assert loading.days_identified(world.ledger) == [("enrich", MONDAY)]
    (batch,) = world.plan("sam@example.com", new_rows_only=True).batches
    assert batch.identifiers[0][0] == SAM
    world.until_quiet()
    assert world.outcomes() == ["matched"]


def test_an_email_whose_person_is_in_the_plan_already_is_a_duplicate(world: World) -> None:
    world.buy("sam@example.com", product=IDENTIFY, fields=())
    report = world.plan(SAM, "sam@example.com")
    assert report.verdicts[MONDAY] == {"ask": 1, "duplicate": 1}


def test_an_email_that_nobody_could_identify_is_asked_for_as_it_is(world: World) -> None:
    world.buy(NO_PROFILE, product=IDENTIFY, fields=())
    (batch,) = world.plan(NO_PROFILE).batches
    assert batch.identifier_type == "email"


def test_kinds_of_identifiers_are_not_mixed_in_a_batch(world: World) -> None:
    report = world.plan(SAM, NO_PROFILE, product=CONTACT)
    assert sorted((batch.product, batch.identifier_type) for batch in report.batches) == [
        ("contact", "profile_url"),
        ("contact_sync", "email"),
    ]


def test_a_limit_for_a_run_buys_what_fits_in_the_order_of_days(world: World) -> None:
    rows = [InputRow(day, "1", person(number)) for number, day in enumerate(DAYS)]
    report = world.plan_rows(rows, days=DAYS, limit_per_run=Decimal(5))  # 2 credits each
    assert [dict(report.verdicts[day]) for day in DAYS] == [
        {"ask": 1},
        {"ask": 1},
        {"over_budget": 1},
    ]
    assert report.credits_reserved == 4
    assert world.outcomes(WEDNESDAY) == ["over_budget"]


def test_over_the_limit_nothing_is_planned_when_the_setting_is_to_refuse(world: World) -> None:
    with pytest.raises(OverBudgetError, match="up to 6 credits and only 5"):
        world.plan(*people(3), limit_per_run=Decimal(5), refuse_over_budget=True)
    assert world.batches() == []
    assert world.outcomes() == []


def test_a_limit_for_a_day_counts_what_other_plans_of_the_day_may_cost(world: World) -> None:
    limit: dict[str, Any] = {"limit_per_day": Decimal(6)}
    assert world.plan(*people(2), **limit).credits_reserved == 4
    assert world.plan(*people(2, first=2), day=TUESDAY, **limit).credits_reserved == 2
    world.wait(days=1)
    assert world.plan(*people(2, first=2), day=TUESDAY, **limit).credits_reserved == 2


def test_a_limit_for_a_day_counts_what_was_delivered_once_that_is_known(world: World) -> None:
    limit: dict[str, Any] = {"limit_per_day": Decimal(4)}
    world.buy(NOBODY, "linkedin.com/in/no-such-person-either-42", **limit)
    spent = sum(batch["credits_computed"] for batch in world.batches())
    report = world.plan(*people(4), day=TUESDAY, **limit)
    assert report.credits_available == 4 - spent


def test_the_balance_counts_what_is_set_aside_already(world: World) -> None:
    world.plan(*people(2))
    report = world.plan(*people(3, first=2), day=TUESDAY, balance=Decimal(7))
    assert report.credits_available == 3
    assert report.verdicts[TUESDAY] == {"ask": 1, "over_budget": 2}


def test_rows_over_budget_are_bought_by_a_later_plan(world: World) -> None:
    world.plan(*people(2), limit_per_run=Decimal(2))
    world.until_quiet()
    assert world.outcomes() == ["matched", "over_budget"]
    later = world.now() + timedelta(seconds=1)
    assert loading.days_over_budget(world.ledger, "enrich", planned_before=later) == [MONDAY]
    world.plan(*people(2), limit_per_run=Decimal(2), new_rows_only=True)
    world.until_quiet()
    assert world.outcomes() == ["matched", "matched"]
    assert set(world.sold().values()) == {1}


def test_two_plans_at_the_same_time_share_their_keys_and_their_credits(world: World) -> None:
    world.ledger.engine  # noqa: B018 - opened once, as by one process
    together = threading.Barrier(2)

    def make(day: date, first: int) -> None:
        together.wait()
        world.plan(*people(4, first=first), day=day, limit_per_day=Decimal(10))

    threads = [threading.Thread(target=make, args=args) for args in ((MONDAY, 0), (TUESDAY, 2))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(batch["credits_reserved"] for batch in world.batches()) == 10
    world.until_quiet()
    assert set(world.sold().values()) == {1}
    outcomes = world.outcomes(MONDAY) + world.outcomes(TUESDAY)
    # Of six people two are in both days; five fit.
    assert len(outcomes) == 8
    assert set(outcomes) <= {"matched", "reused", "over_budget"}


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
