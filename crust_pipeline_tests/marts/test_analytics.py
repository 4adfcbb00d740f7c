"""The questions in docs/analytics.md, asked of what the sandbox delivered."""

import re
from pathlib import Path
from typing import Any

import pytest

from crust_pipeline.app.installation import Installation
from crust_pipeline.marts import MARTS
from crust_pipeline_tests.marts.conftest import DAY, EARLY, LATE, NEXT_DAY, Shop

PAGE = (Path(__file__).parents[2] / "docs" / "analytics.md").read_text(encoding="utf-8")
QUESTIONS = dict(
    re.findall(r"^## (\d+\. [^\n]+)$.*?```sql\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
)
# Nobody was bought twice, and all went well.
EMPTY_IN_A_FIRST_WEEK = {"1", "5"}


def ask(bought: Installation | Shop, number: str) -> list[dict[str, Any]]:
    (query,) = [sql for title, sql in QUESTIONS.items() if title.startswith(f"{number}.")]
    with bought.lake.connect() as con:
        answer = con.execute(query)
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def test_there_are_ten_questions_and_every_mart_is_told_of() -> None:
    assert len(QUESTIONS) == 10
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(MARTS)


@pytest.mark.parametrize("title", QUESTIONS)
def test_a_question_has_an_answer(bought: Installation, title: str) -> None:
    number = title.split(".", maxsplit=1)[0]
    assert bool(ask(bought, number)) == (number not in EMPTY_IN_A_FIRST_WEEK)


def test_next_month_is_thirty_times_the_average_day(bought: Installation) -> None:
    with bought.lake.connect() as con:
        ((spent, days),) = con.execute(
            "SELECT sum(credits_computed), count(DISTINCT partition_date) FROM credit_usage"
        ).fetchall()
    told = sum(row["credits_next_month"] for row in ask(bought, "6"))
    assert abs(told - float(spent) / days * 30) < 3


def test_no_more_addresses_than_people_are_counted_for_a_company(bought: Installation) -> None:
    for row in ask(bought, "4"):
        assert row["asked"] >= max(row["profiles"], row["with_address"])


def test_who_changed_jobs_is_whose_main_employer_is_another_than_before(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    role = {"is_current": True, "is_default": True}
    side = {"profile_key": "ann", "is_current": True, "company_name": "Side Ltd"}
    bought = {
        "early": (DAY, EARLY, {"ann": "Old Ltd", "ben": "Same Ltd"}),
        "late": (NEXT_DAY, LATE, {"ann": "New Ltd", "ben": "Same Ltd", "cat": "First Ltd"}),
    }
    for submission_id, (day, landed_at, employers) in bought.items():
        shop.put("batches", [{"submission_id": submission_id, "landed_at": landed_at}], day=day)
        roles = [{"profile_key": key, "company_name": at, **role} for key, at in employers.items()]
        rows = [{**row, "submission_id": submission_id} for row in (*roles, side)]
        shop.put("employment", rows, day=day)
    assert ask(shop, "1") == [{"profile_key": "ann", "was_at": "Old Ltd", "is_at": "New Ltd"}]


def test_an_incomplete_day_says_why(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    row = {"operation": "enrich", "submission_id": "s"}
    outcomes = [("1", "matched", None), ("2", "failed", "the job failed"), ("3", "pending", None)]
    shop.put(
        "outcomes",
        [{**row, "row_id": name, "outcome": what, "detail": why} for name, what, why in outcomes],
    )
    found = [(row["outcome"], row["input_rows"], row["example"]) for row in ask(shop, "5")]
    assert found == [("failed", 1, "the job failed"), ("pending", 1, None)]
