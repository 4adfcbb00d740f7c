"""What landed files answer: the facts that outcomes and credits are settled by."""

import gzip
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from crust_pipeline.vendors.catalog import line_of
from crust_pipeline.vendors.landed import FileAnswers, read_answers
from crust_pipeline_tests.tables.landing import enriched, landed, url

_PAYLOADS = Path(__file__).parents[1] / "sandbox" / "payloads"


def _read(folder: Path, *lines: object, operation: str = "enrich") -> FileAnswers:
    return read_answers(landed(folder, lines, asked=[]).path, line_of(operation))


def _answer(folder: Path, line: object, operation: str = "enrich") -> dict[str, Any]:
    (answer,) = _read(folder, line, operation=operation).answers
    return asdict(answer)


def test_an_enriched_person_is_a_profile(tmp_path: Path) -> None:
    line = enriched("ada", crustdata_person_id=7, basic_profile={"name": "Ada"})

    assert _answer(tmp_path, line) == {
        "source_line": 1,
        "identifier": url("ada"),
        "person_id": 7,
        "status": "matched",
        "items": ("profile",),
        "profile_url": None,
    }


@pytest.mark.parametrize(
    ("data", "items"),
    [
        ({"dev_platform_profiles": [{"name": "x"}]}, ["profile", "dev_platform_profiles"]),
        ({"dev_platform_profiles": []}, ["profile"]),
        ({"social_posts": {"a": 1}, "name": "x"}, ["profile", "social_posts"]),
        ({"social_posts": None}, ["profile"]),
    ],
)
def test_only_what_was_delivered_counts_as_delivered(
    tmp_path: Path, data: dict[str, Any], items: list[str]
) -> None:
    assert _answer(tmp_path, enriched("ada", **data))["items"] == tuple(sorted(items))


def test_an_empty_shell_is_no_data(tmp_path: Path) -> None:
    line = enriched("ada", basic_profile={}, experience={"employment_details": {"past": []}})

    answer = _answer(tmp_path, line)

    assert (answer["status"], answer["items"]) == ("no_data", ("profile",))


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("current.inferred", ["matched", "not_found", "redacted"]),
        ("seed-era.inferred", ["matched", "not_found"]),
    ],
)
def test_identify_tells_who_was_found(name: str, statuses: list[str]) -> None:
    path = _PAYLOADS / f"results-batch-person-identify.{name}.jsonl"

    answers = read_answers(path, line_of("identify")).answers

    assert [answer.status for answer in answers] == statuses
    assert [answer.items for answer in answers] == [("match",), (), ()][: len(statuses)]
    assert answers[0].person_id == 900001


def test_identify_tells_the_profile_url_of_who_was_found() -> None:
    path = _PAYLOADS / "results-batch-person-identify.current.inferred.jsonl"

    answers = read_answers(path, line_of("identify")).answers

    assert [answer.profile_url for answer in answers] == [url("sam-sandbox"), None, None]


def test_the_person_of_several_matches_is_the_surest(tmp_path: Path) -> None:
    matches = [
        {"confidence_score": score, "person_data": {"crustdata_person_id": person}}
        for person, score in ((1, 0.2), (2, 0.9), (3, None))
    ]
    line = {"matched_on": "a@example.com", "matches": matches}

    assert _answer(tmp_path, line, "identify")["person_id"] == 2


def test_contact_tells_which_types_came_back() -> None:
    path = _PAYLOADS / "results-batch-person-contact-enrich.envelope.inferred.jsonl"

    full, empty = read_answers(path, line_of("contact")).answers

    assert (full.status, full.items) == (
        "matched",
        ("business_email", "personal_email", "phone_number"),
    )
    assert (empty.status, empty.items) == ("no_data", ())


@pytest.mark.parametrize(
    ("line", "status", "items"),
    [
        ({"professional_network_url": "x", "business_email": "a@b.example"}, "matched", 1),
        ({"original_identifier": "x", "data": {"business_email": ["", None]}}, "not_found", 0),
        ({"original_identifier": "x", "data": None}, "not_found", 0),
        ({"matched_on": "x", "matches": []}, "not_found", 0),
        ({"matched_on": "x", "match_status": "redacted", "matches": []}, "redacted", 0),
        ({"person_id": "5", "professional_network_url": "x"}, "no_data", 0),
    ],
)
def test_contact_lines_of_all_shapes_are_understood(
    tmp_path: Path, line: dict[str, Any], status: str, items: int
) -> None:
    answer = _answer(tmp_path, line, "contact")

    assert (answer["status"], len(answer["items"])) == (status, items)


def test_an_email_among_the_phone_numbers_is_no_phone_number(tmp_path: Path) -> None:
    contact = {"personal_contact_info": {"phone_numbers": ["a@b.example"]}}

    assert (
        _answer(tmp_path, {"original_identifier": "x", "data": contact}, "contact")["items"] == ()
    )


def test_good_lines_are_read_beside_bad_ones(tmp_path: Path) -> None:
    answers = _read(
        tmp_path, b"{", enriched("ada"), b"", {"data": {}}, {"original_identifier": "x"}
    )

    assert answers.lines == 5
    assert [answer.identifier for answer in answers.answers] == [url("ada")]
    assert answers.unreadable == ((1, None), (3, None), (4, None), (5, "x"))


def test_of_a_file_that_is_cut_off_the_whole_lines_are_answers(tmp_path: Path) -> None:
    file = landed(tmp_path, [enriched("ada"), enriched("bo")], asked=[])
    content = gzip.decompress(file.path.read_bytes())
    file.path.write_bytes(gzip.compress(content, compresslevel=0)[:-20])

    answers = read_answers(file.path, line_of("enrich"))

    assert [answer.identifier for answer in answers.answers] == [url("ada")]
    assert answers.unreadable == ((0, None),)


def test_no_line_of_a_damaged_file_is_an_answer(tmp_path: Path) -> None:
    file = landed(tmp_path, [enriched("ada")], asked=[])
    file.path.write_bytes(file.path.read_bytes()[:-8] + b"\0" * 8)

    answers = read_answers(file.path, line_of("enrich"))

    assert answers.answers == ()
    assert answers.unreadable == ((0, None),)
