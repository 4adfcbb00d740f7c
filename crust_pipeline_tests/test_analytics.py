"""The questions in docs/analytics.md, asked of what the sandbox delivered."""

import re
from pathlib import Path
from typing import Any

import pytest

from crust_pipeline.marts import MARTS
from crust_pipeline.pipeline import Pipeline

PAGE = (Path(__file__).parent.parent / "docs" / "analytics.md").read_text(encoding="utf-8")
QUESTIONS = dict(
    re.findall(r"^## (\d+\. [^\n]+)$.*?```sql\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
)
# Nobody was bought twice, and all went well.
EMPTY_IN_A_FIRST_WEEK = {"1", "5"}


def ask(bought: Pipeline, number: str) -> list[dict[str, Any]]:
    (query,) = [sql for title, sql in QUESTIONS.items() if title.startswith(f"{number}.")]
    with bought.lake.connect() as con:
        answer = con.execute(query)
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def test_there_are_ten_questions_and_every_mart_is_told_of() -> None:
    assert len(QUESTIONS) == 10
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(MARTS)


@pytest.mark.parametrize("title", QUESTIONS)
def test_a_question_has_an_answer(bought: Pipeline, title: str) -> None:
    number = title.split(".", maxsplit=1)[0]
    assert bool(ask(bought, number)) == (number not in EMPTY_IN_A_FIRST_WEEK)


def test_next_month_is_thirty_times_the_average_day(bought: Pipeline) -> None:
    with bought.lake.connect() as con:
        ((spent, days),) = con.execute(
            "SELECT sum(credits_computed), count(DISTINCT partition_date) FROM credit_usage"
        ).fetchall()
    told = sum(row["credits_next_month"] for row in ask(bought, "6"))
    assert abs(told - float(spent) / days * 30) < 3


def test_no_more_addresses_than_people_are_counted_for_a_company(bought: Pipeline) -> None:
    for row in ask(bought, "4"):
        assert row["asked"] >= max(row["profiles"], row["with_address"])
