"""Outcomes: how they follow from the ledger, their kinds, their words for SQL, and their page."""

import itertools
import re
from collections import Counter
from pathlib import Path

import pytest

from crust_pipeline.ledger.outcomes import (
    ANSWERED_OUTCOMES,
    FOUND_OUTCOMES,
    OPEN_OUTCOMES,
    SQL_FRAGMENTS,
    TROUBLED_OUTCOMES,
    Kind,
    Outcome,
    fill_rate,
    outcome_of,
    sql_words,
)
from crust_pipeline.ledger.states import Answer, BatchState, Verdict

DOCS = Path(__file__).parents[2] / "docs"
# The names that other people's SQL depends on (docs/tables.md).
CONTRACT = {
    *("matched", "not_found", "redacted", "dropped", "no_data", "reused", "duplicate"),
    *("invalid_input", "suppressed", "over_budget", "not_permitted", "failed", "unknown"),
    *("expired", "pending"),
}


def test_the_outcomes_are_those_of_the_contract() -> None:
    assert {outcome.value for outcome in Outcome} == CONTRACT


def test_every_outcome_follows_from_some_verdict_state_and_answer() -> None:
    combinations = itertools.product(Verdict, [None, *BatchState], [None, *Answer], [False, True])
    assert {
        outcome_of(verdict, state, answer, not_permitted=not_permitted)
        for verdict, state, answer, not_permitted in combinations
    } == set(Outcome)


def test_each_kind_has_its_outcomes() -> None:
    assert {"matched", "reused"} == FOUND_OUTCOMES
    assert FOUND_OUTCOMES | {"dropped", "not_found", "no_data", "redacted"} == ANSWERED_OUTCOMES
    assert {"pending"} == OPEN_OUTCOMES
    assert {"unknown", "failed", "expired"} == TROUBLED_OUTCOMES
    assert {outcome.kind for outcome in Outcome} == set(Kind)


def test_each_outcome_is_in_the_sql_words_of_exactly_one_kind() -> None:
    lists = [SQL_FRAGMENTS[f"{kind.name.lower()}_outcomes"] for kind in Kind]
    words = [word for words in lists for word in words.split(", ")]
    assert sorted(words) == sorted(f"'{name}'" for name in CONTRACT)
    assert sql_words([Outcome.REUSED, Outcome.MATCHED]) == "'matched', 'reused'"


@pytest.mark.parametrize(
    ("outcomes", "rate"),
    [
        ([Outcome.MATCHED, Outcome.MATCHED, Outcome.REUSED, Outcome.DROPPED], 0.75),
        ([Outcome.REDACTED, Outcome.NO_DATA, Outcome.NOT_FOUND, Outcome.MATCHED], 0.25),
        (
            [
                Outcome.MATCHED,
                Outcome.PENDING,
                Outcome.FAILED,
                Outcome.DUPLICATE,
                Outcome.OVER_BUDGET,
            ],
            1.0,
        ),
        ([Outcome.NOT_FOUND], 0.0),
        ([Outcome.PENDING], None),
        ([], None),
    ],
)
def test_the_fill_rate_is_the_share_of_the_answered_that_was_found(
    outcomes: list[Outcome], rate: float | None
) -> None:
    assert fill_rate(Counter(outcomes)) == rate


def test_the_page_explains_each_outcome_once_in_the_order_of_the_enum() -> None:
    page = (DOCS / "outcomes.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [str(each) for each in Outcome]
    (final,) = re.findall(r"ends 0 when no row is (.+)\.", page)
    assert set(re.findall(r"`(\w+)`", final)) == OPEN_OUTCOMES | TROUBLED_OUTCOMES
    (rate,) = re.findall(r"^Fill rate: (.+?)\n\n", page, re.MULTILINE | re.DOTALL)
    assert re.findall(r"`(\w+)`", rate) == [
        *(each for each in Outcome if each.found),
        *(each for each in Outcome if each.answered),
    ]


def test_the_question_of_what_went_wrong_asks_for_all_that_can() -> None:
    page = (DOCS / "analytics.md").read_text(encoding="utf-8")
    (asked,) = re.findall(r"WHERE outcome IN \(('pending'.+)\)", page)
    assert set(re.findall(r"'(\w+)'", asked)) == {
        outcome
        for outcome in Outcome
        if outcome.open or outcome.troubled or outcome.kind is Kind.NOT_ALLOWED
    }
