"""Plans: what they come to in batches, and what does not fit into the credits."""

import threading
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crust_pipeline.buying.decide import Decision, InputRow, Purchase, decide
from crust_pipeline.buying.plan import OverBudgetError, afford, plan
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger.states import BatchState, Verdict
from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.crustdata.products import ENRICH
from crust_pipeline_tests.buying.conftest import (
    MONDAY,
    NOBODY,
    POLICY,
    SAM,
    START,
    TUESDAY,
    WEDNESDAY,
    World,
    people,
    person,
)

DAYS = (MONDAY, TUESDAY, WEDNESDAY)
ROWS = st.lists(
    st.tuples(st.sampled_from(DAYS), st.one_of(st.none(), st.integers(0, 12))), max_size=60
).map(
    lambda drawn: [
        InputRow(day, str(number), None if who is None else f"linkedin.com/in/p{who}")
        for number, (day, who) in enumerate(drawn)
    ]
)
NO_PROFILE = "nobody.knows@example.com"


@given(rows=ROWS, available=st.integers(-3, 30))
def test_what_is_afforded_fits_and_nobody_else_would_have_fitted(
    rows: list[InputRow], available: int
) -> None:
    decisions = decide(
        rows, existing={}, claims={}, wanted=frozenset({"a"}), policy=POLICY, now=START
    )
    result = afford(
        decisions,
        price=lambda _purchase: Decimal(3),
        available=Decimal(available),
        policy=POLICY,
    )
    asks = sum(item.verdict is Verdict.ASK for item in decisions)
    kept = sum(item.verdict is Verdict.ASK for item in result)
    assert kept == min(asks, max(available, 0) // 3)
    short = {item.row.subject_key for item in result if item.verdict is Verdict.OVER_BUDGET}
    for item in result:
        waits_in_vain = item.verdict in {Verdict.ASK, Verdict.REUSE}
        assert not (waits_in_vain and item.row.subject_key in short)


def test_a_cheaper_purchase_may_still_fit_where_a_dearer_one_did_not() -> None:
    decisions = [
        Decision(InputRow(MONDAY, "1", person(0)), Verdict.ASK, fields=frozenset({"dear"})),
        Decision(InputRow(MONDAY, "2", person(1)), Verdict.ASK, fields=frozenset({"cheap"})),
    ]
    prices = {"dear": Decimal(5), "cheap": Decimal(1)}

    def price(purchase: Purchase) -> Decimal:
        (name,) = purchase.fields
        return prices[name]

    result = afford(decisions, price=price, available=Decimal(1), policy=POLICY)
    assert [item.verdict for item in result] == [Verdict.OVER_BUDGET, Verdict.ASK]


def test_a_day_without_rows_is_planned_too(world: World) -> None:
    report = world.plan()
    assert (report.rows, report.batches) == (0, ())
    assert ledger_load.days_planned(world.ledger, "enrich") == {MONDAY: 0}


def test_a_dry_run_writes_nothing(world: World) -> None:
    report = world.plan(SAM, dry_run=True)
    assert report.credits_reserved == 2
    assert world.batches() == []
    assert world.outcomes() == []


def test_a_row_that_repeats_one_that_cannot_be_asked_for_cannot_either(world: World) -> None:
    rows = [InputRow(day, "1", NO_PROFILE) for day in (MONDAY, TUESDAY)]
    report = plan(
        world.ledger,
        {"profile_url": ENRICH},
        rows=rows,
        partitions=[MONDAY, TUESDAY],
        fields=ENRICH.fields,
        policy=POLICY,
        now=world.now(),
    )
    assert report.count(Verdict.INVALID_INPUT) == 2


def test_batches_of_a_lower_number_are_submitted_first(world: World) -> None:
    world.with_engine(max_active=1)
    late = world.plan(person(0), day=MONDAY).batches[0].submission_id
    urgent = world.plan(person(1), day=TUESDAY, priority=1).batches[0].submission_id
    assert world.submit().submitted[0] == urgent
    assert world.state(late) is BatchState.PLANNED


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
    assert ledger_load.days_over_budget(world.ledger, "enrich", planned_before=later) == [MONDAY]
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
