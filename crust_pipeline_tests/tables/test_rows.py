"""What becomes of the values in a vendor's line: which column, which type, which row."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from crust_pipeline_tests.tables.landing import (
    DAY,
    NEXT_DAY,
    enriched,
    flattened,
    key,
    landed,
    url,
)


def _enrich(folder: Path, **data: Any) -> Any:
    return flattened(folder, landed(folder, [enriched("ada", **data)], asked=[url("ada")]))


def test_a_person_has_the_values_of_the_record_and_where_they_came_from(tmp_path: Path) -> None:
    profile = {"name": "Ada Example", "location": {"city": "Oslo"}}
    result = _enrich(tmp_path, crustdata_person_id=7, basic_profile=profile)

    row = result.row("people")

    assert row["profile_key"] == key("ada")
    assert (row["crustdata_person_id"], row["internal_id"]) == (7, 1)
    assert (row["name"], row["location_city"]) == ("Ada Example", "Oslo")
    assert row["partition_date"] == DAY
    assert (row["source_file"], row["source_line"]) == ("results.jsonl.gz", 1)
    assert row["submission_id"] == "submission of results.jsonl.gz"
    assert row["batch_id"] == "batch of results.jsonl.gz"
    assert row["run_id"] == "run-1"
    assert row["loaded_at"] == datetime(2026, 1, 7, 12, 0, tzinfo=UTC)


def test_empty_texts_and_nulls_are_told_apart(tmp_path: Path) -> None:
    row = _enrich(tmp_path, basic_profile={"name": "", "headline": None}).row("people")

    assert row["name"] == ""
    assert row["headline"] is None
    assert row["summary"] is None


def test_the_outside_id_stands_in_for_a_missing_person_id(tmp_path: Path) -> None:
    assert _enrich(tmp_path).row("people")["crustdata_person_id"] == 1


@pytest.mark.parametrize(
    "text",
    ["2017-01-01T00:00:00+00:00", "2017-01-01T00:00:00", "2017-01-01", "2017-01-01T00:00:00.5Z"],
)
def test_dates_are_read_in_every_form_the_vendor_writes(tmp_path: Path, text: str) -> None:
    roles = {"employment_details": {"current": [{"start_date": text, "end_date": None}]}}

    row = _enrich(tmp_path, experience=roles).row("employment")

    assert row["start_date"] == date(2017, 1, 1)
    assert row["end_date"] is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-09-15T05:52:32+00:00", datetime(2026, 9, 15, 5, 52, 32, tzinfo=UTC)),
        ("2026-09-15T05:52:32", datetime(2026, 9, 15, 5, 52, 32, tzinfo=UTC)),
        ("2026-09-15T05:52:32+02:00", datetime(2026, 9, 15, 3, 52, 32, tzinfo=UTC)),
    ],
)
def test_moments_are_utc_with_or_without_an_offset(
    tmp_path: Path, text: str, moment: datetime
) -> None:
    assert _enrich(tmp_path, updated_at=text).row("people")["record_updated_at"] == moment


def test_current_and_past_roles_keep_their_order_and_their_kind(tmp_path: Path) -> None:
    roles = {
        "current": [{"name": "A", "is_default": False}, {"name": "B", "is_default": True}],
        "past": [{"name": "C"}],
    }

    rows = _enrich(tmp_path, experience={"employment_details": roles}).rows("employment")

    assert [
        (row["company_name"], row["is_current"], row["position"], row["is_default"]) for row in rows
    ] == [("A", True, 1, False), ("B", True, 2, True), ("C", False, 1, None)]


def test_an_element_that_is_null_is_no_row_but_keeps_its_place(tmp_path: Path) -> None:
    skills = {"professional_network_skills": ["Go", None, ""]}

    rows = _enrich(tmp_path, skills=skills).rows("skills")

    assert [(row["skill"], row["position"]) for row in rows] == [("Go", 1), ("", 3)]


def test_repositories_know_their_profile(tmp_path: Path) -> None:
    profiles = [
        {"profile_url": "https://code.example/a", "repos": []},
        {"profile_url": "https://code.example/b", "repos": [{"full_name": "b/x"}, {"stars": 3}]},
    ]

    result = _enrich(tmp_path, dev_platform_profiles=profiles)

    assert [row["position"] for row in result.rows("dev_platform_profiles")] == [1, 2]
    assert [
        (row["profile_position"], row["position"], row["dev_platform_url"], row["full_name"])
        for row in result.rows("dev_platform_repos")
    ] == [(2, 1, "https://code.example/b", "b/x"), (2, 2, "https://code.example/b", None)]


def test_what_has_an_unknown_shape_is_kept_as_json(tmp_path: Path) -> None:
    honors = [{"title": "Prize", "issuer": {"name": "Example"}}]
    posts = [{"text": "hello", "likes": 3}]

    result = _enrich(tmp_path, honors=honors, social_posts=posts)

    honor = result.row("honors")
    assert honor["title"] == "Prize"
    assert json.loads(honor["honor"]) == honors[0]
    assert json.loads(result.row("people")["social_posts"]) == posts


def test_a_person_asked_for_on_two_days_is_in_both_partitions(tmp_path: Path) -> None:
    file = landed(tmp_path, [enriched("ada")], asked={url("ada"): [DAY, NEXT_DAY]})

    result = flattened(tmp_path, file, days=[DAY, NEXT_DAY])

    assert [row["partition_date"] for row in result.rows("people")] == [DAY, NEXT_DAY]


def test_only_the_wanted_days_are_written(tmp_path: Path) -> None:
    file = landed(tmp_path, [enriched("ada")], asked={url("ada"): [DAY, NEXT_DAY]})

    result = flattened(tmp_path, file, days=[NEXT_DAY])

    assert result.lake.days("people") == [NEXT_DAY]
    assert result.row("people")["partition_date"] == NEXT_DAY


def test_an_identifier_that_comes_back_in_another_spelling_is_recognised(tmp_path: Path) -> None:
    line = enriched("ada") | {"original_identifier": "linkedin.com/in/Ada/?trk=x"}

    result = flattened(tmp_path, landed(tmp_path, [line], asked=[url("ada")]))

    row = result.row("people")
    assert row["profile_key"] == key("ada")
    assert row["original_identifier"] == "linkedin.com/in/Ada/?trk=x"


@pytest.mark.parametrize(
    ("own_url", "mismatch"),
    [
        ("https://no.linkedin.com/in/ada/", False),
        ("https://www.linkedin.com/in/somebody-else", True),
        ("https://example.com/ada", None),
        (None, None),
    ],
)
def test_another_persons_record_is_kept_and_marked(
    tmp_path: Path, own_url: str | None, mismatch: bool | None
) -> None:
    handles = {"professional_network_identifier": {"profile_url": own_url}}

    assert _enrich(tmp_path, social_handles=handles).row("people")["identity_mismatch"] is mismatch


def test_an_answer_to_an_email_cannot_mismatch(tmp_path: Path) -> None:
    handles = {"professional_network_identifier": {"profile_url": url("ada")}}
    line = enriched("ada", social_handles=handles) | {"original_identifier": "Ada@Example.com"}

    row = flattened(tmp_path, landed(tmp_path, [line], asked=["ada@example.com"])).row("people")

    assert row["profile_key"] == "ada@example.com"
    assert row["identity_mismatch"] is None


def test_a_day_without_answers_is_an_empty_partition(tmp_path: Path) -> None:
    result = flattened(tmp_path)

    assert {(part.table, part.rows) for part in result.report.partitions} >= {
        ("people", 0),
        ("employment", 0),
        ("quarantine", 0),
    }
    assert result.rows("people") == []


def test_one_table_can_be_written_anew_and_the_others_are_left_alone(tmp_path: Path) -> None:
    file = landed(
        tmp_path, [enriched("ada", basic_profile={"name": "Ada"}), b"?"], asked=[url("ada")]
    )
    flattened(tmp_path, file, run_id="first")

    result = flattened(tmp_path, file, run_id="second", only=["people"])

    assert [part.table for part in result.report.partitions] == ["people"]
    assert result.row("people")["run_id"] == "second"
    assert result.row("quarantine")["run_id"] == "first"
