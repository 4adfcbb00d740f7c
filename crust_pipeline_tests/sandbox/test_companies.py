"""Companies: which identifiers lead to one, what is delivered of it, and what that costs."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crust_pipeline.sandbox.companies import FIRST_ID, Company, company_of, record
from crust_pipeline.sandbox.fields import COMPANY_FIELDS
from crust_pipeline.sandbox.records import person
from crust_pipeline.sandbox.state import Sandbox
from crust_pipeline.sandbox.words import COMPANIES
from crust_pipeline_tests.sandbox.conftest import (
    COMPANY,
    ENRICH,
    SAM,
    UNHEARD_OF,
    WORKS,
    Caller,
    Fail,
    by,
    lines_of,
)
from crust_pipeline_tests.sandbox.test_people import paths

IDS = "crustdata_company_ids"
URLS = "professional_network_profile_urls"
MANY = list(range(1, 251))
FAMILIES = [name for name in COMPANY_FIELDS if "." not in name]


def payload(name: str) -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "payloads" / name).read_text())


@pytest.fixture(scope="module")
def crowd() -> list[dict[str, Any]]:
    return [record(company) for company in map(Company, range(1, 1001)) if company.known]


# Requests


def test_a_company_job_is_answered_as_documented(caller: Caller) -> None:
    accepted = caller.post(COMPANY, **{IDS: [WORKS, WORKS + 1]}).json()
    done = caller.finish(accepted["batch_id"])
    for answer, name in (
        (accepted, "submit-batch-company-enrich.response.json"),
        (done, "batch-status.completed.company-enrich.json"),
    ):
        documented = payload(name)
        assert list(answer) == list(documented)
        own = {"batch_id", "status_url", "created_at", "completed_at"}
        for key in set(documented) - own - {"download_url", "download_urls"}:
            assert answer[key] == documented[key]


@pytest.mark.parametrize(
    ("body", "echoed"),
    [
        ({IDS: [WORKS]}, "700001"),
        ({"domains": ["works.example"]}, "works.example"),
        ({"domains": "WWW.Works.example, nowhere.example"}, "WWW.Works.example"),
        ({"names": ["example works"]}, "example works"),
        ({URLS: ["https://www.linkedin.com/company/works-example/"]}, None),
        ({URLS: ["https://linkedin.com/company/10000001"]}, None),
    ],
)
def test_every_kind_of_identifier_leads_to_the_same_company(
    caller: Caller, body: dict[str, Any], echoed: str | None
) -> None:
    (line,) = caller.lines(COMPANY, **body)
    assert list(line) == ["original_identifier", "internal_id", "data"]
    assert line["original_identifier"] == (echoed or body[URLS][0])
    assert line["internal_id"] == line["data"]["crustdata_company_id"] == WORKS


@pytest.mark.parametrize(
    "body",
    [
        {},
        {IDS: []},
        {IDS: [WORKS], "domains": ["works.example"]},
        {"business_emails": ["sam@example.com"]},
        {"domains": [WORKS]},
        {"domains": [" "]},
        {IDS: ["700001"]},
        {IDS: "700001"},
        {IDS: 700001},
        {IDS: [700001.0]},
        {IDS: [True]},
        {IDS: [WORKS], "preview": True},
        {IDS: [WORKS], "chunk_size": 5},
    ],
)
def test_what_the_documents_rule_out_is_refused(caller: Caller, body: dict[str, Any]) -> None:
    assert caller.error(COMPANY, **body)["status"] == 400


@pytest.mark.parametrize("field", ["basic_profile", "basic_info.shoe_size", ""])
def test_an_unknown_field_is_refused_with_those_of_companies(caller: Caller, field: str) -> None:
    error = caller.error(COMPANY, **{IDS: [WORKS], "fields": [field]})
    assert (error["status"], error["type"]) == (400, "invalid_request")
    assert error["metadata"][0]["available_fields"] == list(COMPANY_FIELDS)


def test_an_account_without_companies_is_refused_them_and_told_so(caller: Caller) -> None:
    caller.sandbox.change(disabled_endpoints=[COMPANY])
    error = caller.error(COMPANY, **{IDS: [WORKS]})
    assert (error["status"], error["type"]) == (403, "permission_error")
    query = {"category": "Company"}
    (row,) = caller.api.get("/account/endpoints", params=query).json()["endpoints"]
    assert (row["path"], row["status"]) == (COMPANY, "not_enabled")
    assert row["fields"] == {"enabled": [], "disabled": FAMILIES}


def test_a_locked_family_is_refused_by_name(caller: Caller) -> None:
    caller.sandbox.change(denied_fields=["funding"])
    error = caller.error(COMPANY, **{IDS: [WORKS], "fields": ["basic_info", "funding.investors"]})
    assert (error["status"], error["metadata"]) == (403, [{"denied_fields": ["funding"]}])


# What is delivered


def test_without_fields_the_basics_come(caller: Caller) -> None:
    (line,) = caller.lines(COMPANY, **{IDS: [WORKS]})
    assert line["data"] == record(Company(WORKS), ["basic_info"])
    assert list(line["data"]) == ["crustdata_company_id", "basic_info"]


def test_fields_replace_the_basics_and_a_family_brings_all_of_itself(caller: Caller) -> None:
    fields = "headcount,funding.last_round_type"
    (line,) = caller.lines(COMPANY, **{IDS: [WORKS], "fields": fields})
    whole = record(Company(WORKS))
    assert line["data"] == {
        "crustdata_company_id": WORKS,
        "headcount": whole["headcount"],
        "funding": {"last_round_type": whole["funding"]["last_round_type"]},
    }


def test_the_companies_that_people_work_for_resolve_by_id_domain_and_url(caller: Caller) -> None:
    roles = [
        role
        for known in (person(f"person-{n}") for n in range(100))
        for roles in (known or {}).get("experience", {}).get("employment_details", {}).values()
        for role in roles
    ]
    assert {role["crustdata_company_id"] for role in roles} >= {WORKS, UNHEARD_OF}
    for kind, key in (
        (IDS, "crustdata_company_id"),
        ("domains", "company_website_domain"),
        (URLS, "company_professional_network_profile_url"),
    ):
        asked = {role[key]: role for role in roles if role[key]}
        lines = by(caller.lines(COMPANY, **{kind: list(asked)}), "original_identifier")
        missing = {asked[each]["crustdata_company_id"] for each in asked if str(each) not in lines}
        assert UNHEARD_OF in missing
        assert len(missing) <= 2
        for each, role in asked.items():
            if role["crustdata_company_id"] not in missing:
                assert lines[str(each)]["data"]["basic_info"]["name"] == role["name"]
                assert lines[str(each)]["internal_id"] == role["crustdata_company_id"]


def test_every_company_of_the_word_list_has_a_domain_and_name_of_its_own() -> None:
    for at in range(len(COMPANIES)):
        company = Company(FIRST_ID + at)
        for kind in ("domains", "names", IDS, URLS):
            assert company_of(kind, company.written(kind)) == company


def test_about_one_company_in_ten_is_unknown_and_left_out(caller: Caller) -> None:
    done = caller.finish(caller.submit(COMPANY, **{IDS: MANY}))
    lines = caller.file(done["download_url"])
    assert done["entities_requested"] == 250
    assert done["entities_fulfilled"] == done["result_count"] == len(lines)
    assert 0.85 < len(lines) / 250 < 0.95
    assert len(done["download_urls"]) == 3


def test_every_selectable_field_of_companies_occurs(crowd: list[dict[str, Any]]) -> None:
    seen = {".".join(path) for company in crowd for path, _ in paths(company) if path}
    # Of some families only the name is known, so their leaves cannot be asked for.
    closed = {
        name for name in FAMILIES if not any(f.startswith(f"{name}.") for f in COMPANY_FIELDS)
    }
    roles = "headcount.by_role_absolute."
    listed = {path for path in seen if path.partition(".")[0] not in closed}
    assert {path for path in listed if not path.startswith(roles)} == set(COMPANY_FIELDS) - closed
    assert closed <= seen


@pytest.mark.parametrize(
    "family", [name for name in FAMILIES[1:] if name != "crustdata_company_id"]
)
def test_families_may_be_missing(crowd: list[dict[str, Any]], family: str) -> None:
    assert {True, False} == {family in company for company in crowd}
    assert family in record(Company(WORKS))


def test_places_and_years_come_in_both_forms(crowd: list[dict[str, Any]]) -> None:
    places = {next(iter(company["locations"])) for company in crowd if "locations" in company}
    assert places == {"country", "hq_country"}
    years = {len(company["basic_info"]["year_founded"] or "") for company in crowd}
    assert years == {0, 4, 10}


@given(st.text())
def test_no_text_is_too_odd_for_a_company(text: str) -> None:
    for kind in ("domains", "names", IDS, URLS):
        assert company_of(kind, text) == company_of(kind, text)


# What it costs, and where it is counted


def test_a_delivered_company_costs_two_credits_and_an_unknown_one_nothing(caller: Caller) -> None:
    batch_id = caller.submit(COMPANY, **{IDS: [WORKS, UNHEARD_OF], "fields": FAMILIES})
    caller.finish(batch_id)
    assert caller.balance() == 100_000 - 2
    (event,) = caller.api.get("/account/usage/events").json()["events"]
    assert (event["endpoint"], event["credits_used"]) == (COMPANY, 2)
    assert event["cost_components"] == [{"component": "company", "quantity": 1, "credits": 2}]


def test_at_submit_two_credits_for_each_are_set_aside(caller: Caller) -> None:
    caller.sandbox.change(charged="at_submit")
    response = caller.post(COMPANY, **{IDS: [WORKS, UNHEARD_OF]})
    assert response.headers["x-credits-used"] == "4"
    caller.finish(response.json()["batch_id"])
    assert caller.balance() == 99_998


def test_a_company_counts_as_one_however_it_is_named(caller: Caller, sandbox: Sandbox) -> None:
    for body in ({IDS: [WORKS]}, {"domains": ["works.example"]}, {"names": ["nobody's"]}):
        caller.finish(caller.submit(COMPANY, **body))
    submitted = {"700001": 2, "nobody's": 1}
    assert sandbox.times_submitted() == {
        ("company_enrich", key): count for key, count in submitted.items()
    }
    assert sandbox.account.billed() == {("company_enrich", "company", "700001"): 2}


def test_the_job_list_tells_people_and_companies_apart_by_the_entity_only(caller: Caller) -> None:
    caller.submit(ENRICH, **{URLS: [SAM]})
    caller.submit(COMPANY, **{IDS: [WORKS]})
    jobs = caller.api.get("/batch").json()["jobs"]
    assert [(job["entity"], job["action"]) for job in jobs] == [
        ("company", "enrich"),
        ("person", "enrich"),
    ]


def test_a_company_job_is_remembered(caller: Caller, sandbox: Sandbox, tmp_path: Path) -> None:
    kept = Sandbox(clock=sandbox.clock, state_file=tmp_path / "state.jsonl")
    order = sandbox.jobs[caller.submit(COMPANY, **{IDS: [WORKS]})].order
    assert order is not None
    job = kept.submit(order, request_id="r")
    again = Sandbox(clock=sandbox.clock, state_file=tmp_path / "state.jsonl")
    assert again.status(again.job(job.batch_id)) == kept.status(job)


@pytest.mark.parametrize("kind", [IDS, "domains"])
def test_lines_may_be_of_companies_nobody_asked_for(caller: Caller, fail: Fail, kind: str) -> None:
    fail("unasked_lines", value=1)
    fail("wrong_person", value=1)
    asked = [Company(n).written(kind) for n in MANY]
    body: dict[str, Any] = {kind: MANY if kind == IDS else asked}
    done = caller.finish(caller.submit(COMPANY, **body))
    lines = lines_of(caller.storage.get(done["download_url"]).content)
    strangers = [line for line in lines if line["internal_id"] >= 90_000_000]
    assert sorted(line["original_identifier"] in asked for line in strangers) == [False, True]
