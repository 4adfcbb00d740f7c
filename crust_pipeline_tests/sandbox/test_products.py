"""What each product delivers, and what it costs."""

from typing import Any

import pytest

from crust_pipeline.sandbox.people import contacts, person_of_slug
from crust_pipeline.sandbox.records import person
from crust_pipeline_tests.sandbox.conftest import (
    CONTACT,
    ENRICH,
    IDENTIFY,
    LIVE,
    NO_CONTACT,
    NOBODY,
    REMOVED,
    SAM,
    SYNC_CONTACT,
    SYNC_ENRICH,
    SYNC_IDENTIFY,
    Caller,
    by,
)

URLS = "professional_network_profile_urls"
DEFAULTS = {"crustdata_person_id", "basic_profile", "social_handles"}
ALL_CONTACT = ["business_email", "personal_contact_info"]
MANY = [f"https://www.linkedin.com/in/person-{n}" for n in range(300)]


def sam(*groups: str) -> dict[str, Any]:
    record = person("sam-sandbox")
    assert record is not None
    return {name: record[name] for name in groups}


# Enrich


def test_enrich_without_fields_gives_the_defaults(caller: Caller) -> None:
    (line,) = caller.lines(ENRICH, **{URLS: [SAM]})
    assert line["original_identifier"] == SAM
    assert line["internal_id"] == line["data"]["crustdata_person_id"]
    assert line["data"] == sam(*DEFAULTS)


def test_enrich_adds_the_fields_asked_for_to_the_defaults(caller: Caller) -> None:
    (line,) = caller.lines(ENRICH, **{URLS: [SAM], "fields": ["skills", "education"]})
    assert line["data"] == sam(*DEFAULTS, "skills", "education")


def test_a_dotted_field_brings_only_that_leaf(caller: Caller) -> None:
    asked = ["experience.employment_details.current.title", "certifications.name"]
    (line,) = caller.lines(ENRICH, **{URLS: [SAM], "fields": asked})
    roles = line["data"]["experience"]["employment_details"]
    assert list(roles) == ["current"]
    assert all(list(role) == ["title"] for role in roles["current"])
    assert line["data"]["certifications"] == [
        {"name": sam("certifications")["certifications"][0]["name"]}
    ]


def test_enrich_drops_whom_it_cannot_resolve(caller: Caller) -> None:
    asked = [SAM, NOBODY, REMOVED, "https://example.com/in/sam", "not a URL"]
    done = caller.finish(caller.submit(ENRICH, **{URLS: asked}))
    assert (done["entities_requested"], done["entities_fulfilled"]) == (5, 1)
    (line,) = caller.file(done["download_url"])
    assert line["original_identifier"] == SAM


@pytest.mark.parametrize(
    "written",
    [
        "http://linkedin.com/in/sam-sandbox/",
        "https://il.linkedin.com/in/Sam-Sandbox?trk=x#top",
        "www.linkedin.com/in/sam%2Dsandbox/details/experience/",
        "linkedin.com/in/sam%252dsandbox",
    ],
)
def test_the_identifier_is_echoed_as_sent_and_the_record_is_canonical(
    caller: Caller, written: str
) -> None:
    (line,) = caller.lines(ENRICH, **{URLS: [written]})
    assert line["original_identifier"] == written
    assert line["data"] == sam(*DEFAULTS)


def test_enrich_takes_business_emails(caller: Caller) -> None:
    emails = ["sam@example.com", "nobody@example.com", "removed@example.com"]
    (line,) = caller.lines(ENRICH, business_emails=emails)
    assert (line["original_identifier"], line["data"]) == ("sam@example.com", sam(*DEFAULTS))


def test_a_profile_costs_one_credit_and_nobody_costs_nothing(caller: Caller) -> None:
    caller.finish(caller.submit(ENRICH, **{URLS: [SAM, NOBODY, REMOVED]}))
    assert caller.balance() == 100_000 - 1


def test_a_developer_profile_costs_one_more_where_there_is_one(caller: Caller) -> None:
    asked = {URLS: MANY, "fields": ["dev_platform_profiles"]}
    lines = caller.lines(ENRICH, **asked)
    developers = sum(bool(line["data"].get("dev_platform_profiles")) for line in lines)
    assert 0 < developers < len(lines)
    assert caller.sandbox.account.spent == len(lines) + developers


def test_social_posts_cost_five_more_where_there_are_some(caller: Caller) -> None:
    lines = caller.lines(ENRICH, **{URLS: MANY, "fields": ["social_posts"]})
    talkers = sum(bool(line["data"].get("social_posts")) for line in lines)
    assert 0 < talkers < len(lines)
    assert caller.sandbox.account.spent == len(lines) + 5 * talkers


def test_live_enrich_has_the_shape_of_enrich_and_costs_seven(caller: Caller) -> None:
    (line,) = caller.lines(LIVE, **{URLS: [SAM, NOBODY], "fields": ["experience"]})
    assert line["data"] == sam(*DEFAULTS, "experience")
    assert caller.sandbox.account.spent == 7


# Identify


def test_identify_lists_everybody_and_says_who_was_found(caller: Caller) -> None:
    rows = by(caller.lines(IDENTIFY, **{URLS: [SAM, NOBODY, REMOVED, "nonsense"]}), "matched_on")
    assert {url: row["match_status"] for url, row in rows.items()} == {
        SAM: "matched",
        NOBODY: "not_found",
        REMOVED: "redacted",
        "nonsense": "not_found",
    }
    assert [len(row["matches"]) for row in rows.values()].count(0) == 3
    assert caller.sandbox.account.spent == 1


def test_identify_tells_apart_lines_in_the_file_and_people_found(caller: Caller) -> None:
    done = caller.finish(caller.submit(IDENTIFY, **{URLS: [SAM, NOBODY, REMOVED]}))
    assert (done["result_count"], done["entities_fulfilled"]) == (3, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("emails", "business_email"), ("business_emails", "business_email")],
)
def test_identify_takes_emails_under_two_names(caller: Caller, name: str, expected: str) -> None:
    (row,) = caller.lines(IDENTIFY, **{name: ["sam@example.com"]})
    assert (row["match_type"], row["match_status"]) == (expected, "matched")


def test_the_match_type_of_emails_may_be_another(caller: Caller) -> None:
    caller.sandbox.change(emails_match_type="email")
    (row,) = caller.lines(IDENTIFY, emails=["sam@example.com"])
    assert row["match_type"] == "email"


def test_identify_alone_finds_people_by_personal_addresses(caller: Caller) -> None:
    emails = [f"person.{n}@mail.example" for n in range(25)]
    rows = caller.lines(IDENTIFY, emails=emails)
    assert 0 < sum(bool(row["matches"]) for row in rows) < len(emails)
    assert caller.finish(caller.submit(ENRICH, business_emails=emails))["result_count"] == 0
    entries = caller.post(SYNC_CONTACT, business_emails=emails).json()
    assert not any(entry["matches"] for entry in entries)


def test_a_match_by_email_claims_how_sure_it_is(caller: Caller) -> None:
    emails = [f"person.{n}@works.example" for n in range(300)]
    rows = caller.lines(IDENTIFY, emails=emails)
    claims = [row["matches"][0]["confidence_score"] for row in rows if row["matches"]]
    assert 0.5 < min(claims) < 1
    assert max(claims) <= 1


# Contact


def test_contact_lists_everybody_with_empty_values_for_those_without(caller: Caller) -> None:
    lines = by(
        caller.lines(CONTACT, **{URLS: [SAM, NO_CONTACT, NOBODY], "fields": ALL_CONTACT}),
        "professional_network_url",
    )
    empty = {
        "business_email": [],
        "personal_contact_info": {"personal_emails": [], "phone_numbers": []},
    }
    assert lines[NO_CONTACT].items() >= empty.items()
    assert lines[NOBODY] == {"professional_network_url": NOBODY, "person_id": None, **empty}
    assert lines[SAM] == {
        "professional_network_url": SAM,
        "person_id": person_of_slug("sam-sandbox").person_id,
        "business_email": [{"email": "sam@example.com", "status": "deliverable"}],
        "personal_contact_info": {
            "personal_emails": [{"email": "sam.sandbox@mail.example", "status": "catch_all"}],
            "phone_numbers": ["+1-555-0100"],
        },
    }
    assert caller.sandbox.account.spent == 1 + 2 + 2


def test_contact_tells_apart_lines_in_the_file_and_people_with_data(caller: Caller) -> None:
    body = {URLS: [SAM, NO_CONTACT, NOBODY], "fields": ALL_CONTACT}
    done = caller.finish(caller.submit(CONTACT, **body))
    assert (done["result_count"], done["entities_fulfilled"]) == (3, 1)


@pytest.mark.parametrize(
    ("fields", "data", "credits_used"),
    [
        (["business_email"], {"business_email"}, 1),
        (["personal_contact_info"], {"personal_contact_info"}, 4),
        (["personal_contact_info.phone_numbers"], {"personal_contact_info"}, 2),
    ],
)
def test_only_the_contact_fields_asked_for_come_and_cost(
    caller: Caller, fields: list[str], data: set[str], credits_used: int
) -> None:
    (line,) = caller.lines(CONTACT, **{URLS: [SAM], "fields": fields})
    assert set(line) == {"professional_network_url", "person_id"} | data
    assert caller.sandbox.account.spent == credits_used


def test_contact_fields_nobody_asked_for_may_be_empty_instead_of_absent(caller: Caller) -> None:
    caller.sandbox.change(contact_unrequested="empty")
    (line,) = caller.lines(CONTACT, **{URLS: [SAM], "fields": ["business_email"]})
    assert line["personal_contact_info"] == {"personal_emails": [], "phone_numbers": []}
    assert caller.sandbox.account.spent == 1


def test_contact_may_bring_and_bill_every_tier_whatever_was_asked(caller: Caller) -> None:
    caller.sandbox.change(contact_narrowing="ignored")
    response = caller.post(SYNC_CONTACT, **{URLS: [SAM], "fields": ["contact.business_emails"]})
    contact = response.json()[0]["matches"][0]["person_data"]["contact"]
    assert contact["phone_numbers"]
    assert response.headers["x-credits-used"] == "5"


def test_sync_contact_without_fields_is_the_dearest_call(caller: Caller) -> None:
    response = caller.post(SYNC_CONTACT, **{URLS: [SAM]})
    contact = response.json()[0]["matches"][0]["person_data"]["contact"]
    assert set(contact) == {"business_emails", "personal_emails", "phone_numbers"}
    assert response.headers["x-credits-used"] == "5"


def test_verified_costs_half_a_credit_where_an_address_passes(caller: Caller) -> None:
    body = {URLS: [SAM, NO_CONTACT], "fields": ["contact.business_emails"], "verified": True}
    response = caller.post(SYNC_CONTACT, **body)
    assert response.headers["x-credits-used"] == "1.5"
    assert caller.balance() == 99_998.5
    sam_entry, other = (e["matches"][0]["person_data"]["contact"] for e in response.json())
    assert "business_emails_message" not in sam_entry
    assert other["business_emails"] == []
    assert other["business_emails_message"]


def test_verified_drops_addresses_that_would_bounce(caller: Caller) -> None:
    body = {URLS: MANY[:25], "fields": ["contact.business_emails"], "verified": True}
    entries = caller.post(SYNC_CONTACT, **body).json()
    statuses = {
        email["status"]
        for entry in entries
        for match in entry["matches"]
        for email in match["person_data"]["contact"]["business_emails"]
    }
    assert statuses == {"deliverable"}


def test_a_business_email_leads_back_to_its_owner(caller: Caller) -> None:
    owners = {
        email: slug
        for slug in (f"person-{n}" for n in range(40))
        for email, _ in contacts(person_of_slug(slug)).business_emails
    }
    rows = caller.lines(IDENTIFY, emails=list(owners))
    for row in rows:
        (found,) = row["matches"]
        assert found["confidence_score"] == 1.0
        assert (
            found["person_data"]["crustdata_person_id"]
            == person_of_slug(owners[row["matched_on"]]).person_id
        )


# Sync


def test_sync_answers_are_lists_in_request_order(caller: Caller) -> None:
    for path in (SYNC_ENRICH, SYNC_IDENTIFY, SYNC_CONTACT):
        entries = caller.post(path, **{URLS: [NOBODY, SAM]}).json()
        assert [(e["matched_on"], len(e["matches"])) for e in entries] == [(NOBODY, 0), (SAM, 1)]


def test_sync_fields_replace_the_defaults(caller: Caller) -> None:
    entries = caller.post(SYNC_ENRICH, **{URLS: [SAM], "fields": ["skills"]}).json()
    data = entries[0]["matches"][0]["person_data"]
    assert data == sam("crustdata_person_id", "skills")


def test_sync_fields_may_add_to_the_defaults(caller: Caller) -> None:
    caller.sandbox.change(sync_fields="plus_defaults")
    entries = caller.post(SYNC_ENRICH, **{URLS: [SAM], "fields": ["skills"]}).json()
    assert entries[0]["matches"][0]["person_data"] == sam(*DEFAULTS, "skills")


def test_a_sync_request_is_charged_at_once(caller: Caller) -> None:
    response = caller.post(SYNC_IDENTIFY, **{URLS: [SAM, NOBODY]})
    assert response.headers["x-credits-used"] == "1"
    assert caller.balance() == 99_999


# When a batch is charged


def test_a_batch_is_charged_when_it_ends(caller: Caller) -> None:
    response = caller.post(ENRICH, **{URLS: [SAM, NOBODY]})
    assert response.headers["x-credits-used"] == "0"
    assert caller.balance() == 100_000
    caller.finish(response.json()["batch_id"])
    assert caller.balance() == 99_999


def test_a_batch_may_be_charged_at_submit_and_refunded(caller: Caller) -> None:
    caller.sandbox.change(charged="at_submit")
    body = {URLS: [SAM, NOBODY], "fields": ["dev_platform_profiles"]}
    response = caller.post(ENRICH, **body)
    assert response.headers["x-credits-used"] == "4"
    assert caller.balance() == 99_996
    caller.finish(response.json()["batch_id"])
    assert caller.balance() == 99_998


def test_a_batch_charged_at_submit_needs_its_worst_case(caller: Caller) -> None:
    caller.sandbox.change(charged="at_submit")
    caller.sandbox.account.balance /= 100_000
    assert caller.error(CONTACT, **{URLS: [SAM], "fields": ALL_CONTACT})["status"] == 402
    caller.submit(ENRICH, **{URLS: [SAM]})


def test_a_job_that_runs_out_of_credits_delivers_what_they_buy(caller: Caller) -> None:
    caller.sandbox.account.balance /= 10_000
    done = caller.finish(caller.submit(ENRICH, **{URLS: MANY}))
    assert (done["status"], done["entities_fulfilled"]) == ("completed", 10)
    assert caller.balance() == 0


def test_a_job_that_runs_out_of_credits_may_fail(caller: Caller) -> None:
    caller.sandbox.change(out_of_credits="failed")
    caller.sandbox.account.balance /= 10_000
    done = caller.finish(caller.submit(ENRICH, **{URLS: MANY}))
    assert (done["status"], done["error_message"]) == ("failed", "Insufficient credits")
    assert caller.balance() == 10


def test_purchases_tell_how_often_somebody_was_submitted_and_billed(caller: Caller) -> None:
    for url in (SAM, "http://linkedin.com/in/Sam-Sandbox/", NOBODY):
        caller.finish(caller.submit(ENRICH, **{URLS: [url]}))
    submitted = caller.sandbox.times_submitted()
    assert submitted["enrich", "linkedin.com/in/sam-sandbox"] == 2
    assert submitted["enrich", "linkedin.com/in/no-such-person"] == 1
    billed = caller.sandbox.account.billed()
    assert billed == {("enrich", "profile", "linkedin.com/in/sam-sandbox"): 2}
