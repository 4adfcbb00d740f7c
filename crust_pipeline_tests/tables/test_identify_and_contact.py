"""The rows of identify and contact, in every shape that documents and users have shown."""

from pathlib import Path
from typing import Any

import pytest

from crust_pipeline_tests.tables.landing import Flattened, flattened, key, landed, url


def _identify(folder: Path, *lines: object, asked: list[str]) -> Flattened:
    file = landed(folder, lines, asked=asked, operation="identify")
    return flattened(folder, file, operations=["identify"])


def _contact(folder: Path, line: dict[str, Any]) -> Flattened:
    file = landed(folder, [line], asked=[url("ada")], operation="contact")
    return flattened(folder, file, operations=["contact"])


def _match(person_id: int, confidence: float) -> dict[str, Any]:
    return {"confidence_score": confidence, "person_data": {"crustdata_person_id": person_id}}


def test_every_match_is_kept_and_the_best_is_marked(tmp_path: Path) -> None:
    line = {
        "matched_on": "ada@example.com",
        "match_type": "business_email",
        "match_status": "matched",
        "matches": [_match(1, 0.4), _match(2, 0.9), _match(3, 0.9)],
    }

    rows = _identify(tmp_path, line, asked=["ada@example.com"]).rows("identities")

    assert [(row["crustdata_person_id"], row["position"], row["is_best"]) for row in rows] == [
        (1, 1, False),
        (2, 2, True),
        (3, 3, False),
    ]


@pytest.mark.parametrize(
    ("given", "status"),
    [({}, "not_found"), ({"match_status": "redacted"}, "redacted")],
)
def test_an_identifier_without_a_match_is_one_row_without_a_person(
    tmp_path: Path, given: dict[str, str], status: str
) -> None:
    line = {"matched_on": "nobody@example.com", "match_type": "business_email", "matches": []}

    row = _identify(tmp_path, line | given, asked=["nobody@example.com"]).row("identities")

    assert row["match_status"] == status
    assert row["crustdata_person_id"] is None
    assert row["position"] is None
    assert row["is_best"] is False


def test_the_status_of_older_answers_follows_from_the_matches(tmp_path: Path) -> None:
    line = {"matched_on": "ada@example.com", "matches": [_match(1, 1.0)]}

    row = _identify(tmp_path, line, asked=["ada@example.com"]).row("identities")

    assert row["match_status"] == "matched"
    assert row["is_best"] is True


_CONTACT = {
    "business_email": [{"email": "Ada@Works.example", "status": "deliverable"}],
    "personal_contact_info": {
        "personal_emails": [{"email": "ada@example.net", "status": "catch_all"}],
        "phone_numbers": ["+1-555-0100", "not-a-number@example.com"],
    },
}
_SYNC = {
    "business_emails": _CONTACT["business_email"],
    "personal_emails": [{"email": "ada@example.net", "status": "catch_all"}],
    "phone_numbers": ["+1-555-0100"],
    "websites": ["https://ada.example"],
}


@pytest.mark.parametrize(
    "line",
    [
        {"original_identifier": url("ada"), "internal_id": 5, "data": _CONTACT},
        {"professional_network_url": url("ada"), "person_id": 5, **_CONTACT},
        {
            "matched_on": url("ada"),
            "matches": [{"person_data": {"crustdata_person_id": 5, "contact": _SYNC}}],
        },
    ],
    ids=["envelope", "flat", "synchronous"],
)
def test_all_line_shapes_give_the_same_contacts(tmp_path: Path, line: dict[str, Any]) -> None:
    result = _contact(tmp_path, line)

    assert [
        (row["crustdata_person_id"], row["email"], row["email_type"], row["status"], row["vendor"])
        for row in result.rows("contact_emails")
    ] == [
        (5, "ada@works.example", "business", "deliverable", "crustdata"),
        (5, "ada@example.net", "personal", "catch_all", "crustdata"),
    ]
    phone = result.row("contact_phones")
    assert (phone["profile_key"], phone["phone_number"]) == (key("ada"), "+1-555-0100")


@pytest.mark.parametrize(
    "emails",
    [
        [{"email": "ada@works.example", "status": "invalid"}],
        ["ada@works.example"],
        "ada@works.example",
        {"email": "ada@works.example"},
        ["ADA@works.example", {"email": "ada@works.example "}, "", None],
    ],
    ids=["objects", "texts", "one text", "one object", "repeated and empty"],
)
def test_business_email_is_read_in_every_form(tmp_path: Path, emails: object) -> None:
    line = {"original_identifier": url("ada"), "data": {"business_email": emails}}

    assert _contact(tmp_path, line).row("contact_emails")["email"] == "ada@works.example"


def test_an_invalid_address_is_kept_and_says_so(tmp_path: Path) -> None:
    emails = [{"email": "ada@works.example", "status": "invalid"}]
    line = {"original_identifier": url("ada"), "data": {"business_email": emails}}

    assert _contact(tmp_path, line).row("contact_emails")["status"] == "invalid"


def test_websites_come_from_the_synchronous_endpoint(tmp_path: Path) -> None:
    person = {"crustdata_person_id": 5, "contact": _SYNC}
    line = {"matched_on": url("ada"), "matches": [{"person_data": person}]}

    assert _contact(tmp_path, line).row("contact_websites")["website"] == "https://ada.example"


def test_nobody_found_is_no_row_and_nothing_wrong(tmp_path: Path) -> None:
    result = _contact(tmp_path, {"matched_on": url("ada"), "matches": []})

    assert result.rows("contact_emails") == []
    assert result.report.files[0].records == 1
    assert result.reasons() == []
