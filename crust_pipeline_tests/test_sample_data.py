"""The sample table in data/: that the script makes it, and that it has what the demo is to show."""

import csv
import io
import runpy
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from crust_pipeline.keys import InvalidIdentifier, is_email, row_key

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "data" / "profile_urls.csv"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(SAMPLE.read_text(encoding="utf-8"))))


@pytest.fixture(scope="module")
def days_of_key(rows: list[dict[str, str]]) -> dict[str, list[str]]:
    """The days on which each key stands, once for each row; `invalid` for rows without one."""
    days: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        try:
            key = row_key(row["profile_url"], row["business_email"])
        except InvalidIdentifier:
            key = "invalid"
        days[key].append(row["added_on"])
    return days


def test_the_script_writes_the_same_bytes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["make_profile_urls.py", str(tmp_path / "again.csv")])
    runpy.run_path(str(ROOT / "examples" / "make_profile_urls.py"), run_name="__main__")

    assert (tmp_path / "again.csv").read_bytes() == SAMPLE.read_bytes()


def test_the_sample_covers_seven_days(rows: list[dict[str, str]]) -> None:
    assert len(rows) == 600
    assert {row["added_on"] for row in rows} == {f"2026-11-0{day}" for day in range(2, 9)}


def test_the_sample_names_people_on_one_day_twice_and_on_several_days(
    days_of_key: dict[str, list[str]],
) -> None:
    people = [days for key, days in days_of_key.items() if key != "invalid"]

    assert sum(len(days) > len(set(days)) for days in people) >= 20
    assert sum(len(set(days)) > 1 for days in people) >= 20


def test_the_sample_has_email_only_rows_and_rows_that_name_nobody(
    days_of_key: dict[str, list[str]],
) -> None:
    assert sum(is_email(key) for key in days_of_key if key != "invalid") >= 30
    assert 5 <= len(days_of_key["invalid"]) <= 20


def test_nobody_in_the_sample_is_real(rows: list[dict[str, str]]) -> None:
    for row in rows:
        assert not row["business_email"] or row["business_email"].lower().endswith(".example")
        assert "linkedin.com/in/" not in row["profile_url"] or (
            "sample" in row["profile_url"] or row["profile_url"].endswith("/in/")
        )
