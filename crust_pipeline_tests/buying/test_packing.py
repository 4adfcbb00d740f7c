"""How identifiers of many days become batches."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crust_pipeline.buying.decide import Decision, InputRow, Policy
from crust_pipeline.buying.plan import pack
from crust_pipeline.ledger.plan import NewBatch
from crust_pipeline.ledger.states import Verdict
from crust_pipeline.vendors.crustdata.products import IDENTIFY

POLICY = Policy(refresh_after=timedelta(90), retry_not_found_after=timedelta(30))
FIRST = date(2026, 1, 1)
SETS = (frozenset({"a"}), frozenset({"a", "b"}))

people = st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.sampled_from(SETS)), max_size=60)
caps = st.integers(1, 12)


def decisions_of(found: Sequence[tuple[int, bool, frozenset[str]]]) -> list[Decision]:
    """One asking row for each, in the order of days; every second kind by e-mail."""
    rows: list[Decision] = []
    for number, (day, by_email, fields) in enumerate(sorted(found, key=lambda item: item[0])):
        key = f"person{number}@example.com" if by_email else f"linkedin.com/in/person-{number}"
        row = InputRow(FIRST + timedelta(days=day), str(number), key)
        rows.append(Decision(row, Verdict.ASK, fields=fields))
    return rows


def packed(decisions: Sequence[Decision], cap: int) -> list[NewBatch]:
    product = replace(IDENTIFY, cap=cap)
    return list(
        pack(
            decisions,
            products={"profile_url": product, "email": product},
            price=lambda _: Decimal(1),
            policy=POLICY,
        )
    )


@given(people, caps)
def test_every_identifier_is_in_exactly_one_batch(
    found: list[tuple[int, bool, frozenset[str]]], cap: int
) -> None:
    decisions = decisions_of(found)
    keys = Counter(key for batch in packed(decisions, cap) for key, _, _ in batch.identifiers)
    assert keys == Counter(decision.row.subject_key for decision in decisions)


@given(people, caps)
def test_the_credits_of_every_identifier_are_set_aside(
    found: list[tuple[int, bool, frozenset[str]]], cap: int
) -> None:
    batches = packed(decisions_of(found), cap)
    assert sum(batch.credits_reserved for batch in batches) == len(found)


@given(people, caps)
def test_no_batch_is_over_the_cap_or_empty(
    found: list[tuple[int, bool, frozenset[str]]], cap: int
) -> None:
    assert all(0 < len(batch.identifiers) <= cap for batch in packed(decisions_of(found), cap))


@given(people, caps)
def test_there_are_as_few_batches_as_can_be(
    found: list[tuple[int, bool, frozenset[str]]], cap: int
) -> None:
    decisions = decisions_of(found)
    kinds = Counter(decision.purchase for decision in decisions)
    assert len(packed(decisions, cap)) == sum(ceil(count / cap) for count in kinds.values())


@given(people, caps)
def test_batches_of_a_kind_are_filled_in_the_order_of_days(
    found: list[tuple[int, bool, frozenset[str]]], cap: int
) -> None:
    by_kind: dict[tuple[str, tuple[str, ...]], list[date]] = {}
    for batch in packed(decisions_of(found), cap):
        days = [day for _, _, day in batch.identifiers]
        by_kind.setdefault((batch.identifier_type, batch.fields), []).extend(days)
    assert all(days == sorted(days) for days in by_kind.values())


@pytest.mark.slow
def test_a_year_of_270_people_a_day_is_ten_batches_of_enrich() -> None:
    found = [(day, False, SETS[0]) for day in range(365) for _ in range(270)]
    assert [len(batch.identifiers) for batch in packed(decisions_of(found), 10_000)] == [
        *[10_000] * 9,
        8_550,
    ]
