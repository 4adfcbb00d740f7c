"""The sandbox's answers against the vendor's example payloads: the same keys, of the same types."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

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
    Fail,
)

URLS = "professional_network_profile_urls"
PAYLOADS = Path(__file__).parent / "payloads"
MANY = [f"https://www.linkedin.com/in/person-{n}" for n in range(250)]
Shape = dict[str, set[str]]


def payload(name: str) -> Any:
    text = (PAYLOADS / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if "jsonl" in name else json.loads(text)


def shape(value: Any, path: str = "") -> Shape:
    """Types by path; a list's elements share a path."""
    if isinstance(value, dict):
        below = [shape(item, f"{path}.{key}") for key, item in value.items()]
    elif isinstance(value, list):
        below = [shape(item, f"{path}[]") for item in value]
    else:
        below = []
    kind = "number" if type(value) in (int, float) else type(value).__name__
    whole: Shape = {path: {kind}}
    for each in below:
        for name, kinds in each.items():
            whole.setdefault(name, set()).update(kinds)
    return whole


def assert_same_shape(answer: Any, name: str) -> None:
    """Equal keys everywhere, and types that agree wherever both sides have a value."""
    got, documented = shape(answer), shape(payload(name))
    assert set(got) == set(documented)
    for path, kinds in documented.items():
        theirs, ours = kinds - {"NoneType"}, got[path] - {"NoneType"}
        assert not theirs or not ours or theirs == ours, path


def assert_within(answer: Any, name: str) -> None:
    """Every key of a shortened example is in the answer, with its type."""
    got = shape(answer)
    for path, kinds in shape(payload(name)).items():
        assert kinds - {"NoneType"} <= got[path], path


def error_of(response: httpx.Response) -> Any:
    assert response.is_error
    return response.json()


# Submissions


@pytest.mark.parametrize(
    ("path", "request_name", "response_name"),
    [
        (
            ENRICH,
            "submit-batch-person-enrich.request.json",
            "submit-batch-person-enrich.response.json",
        ),
        (
            CONTACT,
            "submit-batch-person-contact-enrich.request.json",
            "submit-batch-person-contact-enrich.response.json",
        ),
        (
            IDENTIFY,
            "submit-batch-person-identify.request.inferred.json",
            "submit-batch-person-identify.response.inferred.json",
        ),
        (
            LIVE,
            "submit-batch-person-live-enrich.request.inferred.json",
            "submit-batch-person-live-enrich.response.inferred.json",
        ),
    ],
)
def test_a_documented_submission_is_answered_as_documented(
    caller: Caller, path: str, request_name: str, response_name: str
) -> None:
    answer = caller.post(path, **payload(request_name)).json()
    assert_same_shape(answer, response_name)
    documented = payload(response_name)
    ids = {"batch_id", "status_url"}
    assert {k: v for k, v in answer.items() if k not in ids} == {
        k: v for k, v in documented.items() if k not in ids
    }
    assert answer["status_url"] == f"/batch/{answer['batch_id']}"


# Statuses


def test_a_pending_batch(caller: Caller) -> None:
    answer = caller.status(caller.submit(ENRICH, **{URLS: MANY}))
    assert_same_shape(answer, "batch-status.pending.inferred.json")


def test_a_batch_in_work(caller: Caller) -> None:
    batch_id = caller.submit(ENRICH, **{URLS: MANY})
    caller.sandbox.clock.advance(12)
    answer = caller.status(batch_id)
    assert_same_shape(answer, "batch-status.processing.inferred.json")
    assert (
        answer["result_count"] == payload("batch-status.processing.inferred.json")["result_count"]
    )


def test_a_batch_completed_in_parts(caller: Caller) -> None:
    answer = caller.finish(caller.submit(ENRICH, **{URLS: MANY}))
    name = "batch-status.completed.person-enrich-partial-multipart.inferred.json"
    assert_same_shape(answer, name)
    assert len(answer["download_urls"]) == len(payload(name)["download_urls"])


def test_a_batch_completed_without_results(caller: Caller) -> None:
    answer = caller.finish(caller.submit(ENRICH, **{URLS: [NOBODY]}))
    assert_same_shape(answer, "batch-status.completed.zero-results.inferred.json")


def test_a_failed_batch(caller: Caller, fail: Fail) -> None:
    fail("job_fails")
    answer = caller.finish(caller.submit(ENRICH, **{URLS: MANY}))
    assert_same_shape(answer, "batch-status.failed.inferred.json")
    assert answer["result_count"] == answer["entities_fulfilled"] == 0


def test_the_list_of_batches(caller: Caller) -> None:
    for _ in range(3):
        caller.sandbox.add_foreign_job(seconds=1)
    caller.sandbox.clock.advance(60)
    answer = caller.api.get("/batch", params={"limit": 2}).json()
    assert_same_shape(answer, "batch-list.json")


def test_the_last_page_of_the_list(caller: Caller) -> None:
    assert caller.api.get("/batch").json() == payload("batch-list.last-page.inferred.json")


# Lines


def test_an_enrich_line(caller: Caller) -> None:
    lines = caller.lines(ENRICH, **{URLS: [SAM], "fields": payload_fields()})
    assert_within(lines, "results-batch-person-enrich.documented.jsonl")
    assert set(lines[0]) == set(payload("results-batch-person-enrich.documented.jsonl")[0])


def payload_fields() -> list[str]:
    return payload("submit-batch-person-enrich.request.json")["fields"]


def test_a_whole_person_record(caller: Caller) -> None:
    name = "person-record.all-groups.inferred.json"
    (line,) = caller.lines(ENRICH, **{URLS: [SAM], "fields": list(payload(name))})
    assert_same_shape(line["data"], name)
    assert line["data"] == person("sam-sandbox")


def test_identify_lines(caller: Caller) -> None:
    name = "results-batch-person-identify.current.inferred.jsonl"
    asked = [line["matched_on"] for line in payload(name)]
    caller.sandbox.change(line_order="input")
    lines = caller.lines(IDENTIFY, emails=asked)
    assert_same_shape(lines, name)
    told = [[line[key] for key in ("matched_on", "match_type", "match_status")] for line in lines]
    assert told == [
        [line[key] for key in ("matched_on", "match_type", "match_status")]
        for line in payload(name)
    ]


def test_older_identify_lines(caller: Caller) -> None:
    name = "results-batch-person-identify.seed-era.inferred.jsonl"
    caller.sandbox.change(identify_lines="old")
    asked = [line["matched_on"] for line in payload(name)]
    assert_same_shape(caller.lines(IDENTIFY, emails=asked), name)


def test_contact_lines_in_the_envelope(caller: Caller) -> None:
    name = "results-batch-person-contact-enrich.envelope.inferred.jsonl"
    asked = [line["original_identifier"] for line in payload(name)]
    assert asked == [SAM, NO_CONTACT]
    fields = ["business_email", "personal_contact_info"]
    caller.sandbox.change(contact_lines="envelope")
    assert_same_shape(caller.lines(CONTACT, **{URLS: asked, "fields": fields}), name)


# Sync


def test_a_sync_contact_answer(caller: Caller) -> None:
    request = payload("sync-person-contact-enrich.request.json")
    answer = caller.post(SYNC_CONTACT, **{**request, URLS: [SAM]}).json()
    documented = "sync-person-contact-enrich.response.json"
    assert_same_shape(answer, documented)


def test_a_sync_contact_answer_without_a_match(caller: Caller) -> None:
    answer = caller.post(SYNC_CONTACT, **{URLS: [NOBODY]}).json()
    assert answer == payload("sync-person-contact-enrich.no-match.inferred.json")


def test_a_sync_contact_answer_in_which_no_address_passes(caller: Caller) -> None:
    body = {URLS: [NO_CONTACT], "fields": ["contact.business_emails"], "verified": True}
    answer = caller.post(SYNC_CONTACT, **body).json()
    assert_same_shape(answer, "sync-person-contact-enrich.verified-none-survive.inferred.json")


def test_a_sync_enrich_answer(caller: Caller) -> None:
    answer = caller.post(SYNC_ENRICH, **{URLS: [SAM]}).json()
    assert_within(answer, "sync-person-enrich.response.trimmed.json")
    assert "professional_network_profile_urls" in payload("sync-person-enrich.request.json")


def test_a_sync_contact_answer_by_email_is_of_the_documented_form(caller: Caller) -> None:
    name = "sync-person-enrich.no-match.json"
    asked = [entry["matched_on"] for entry in payload(name)]
    assert caller.post(SYNC_CONTACT, business_emails=asked).json() == payload(name)


def test_a_sync_identify_answer(caller: Caller) -> None:
    name = "sync-person-identify.current.inferred.json"
    asked = [entry["matched_on"] for entry in payload(name)]
    assert asked == [SAM, NOBODY, REMOVED]
    answer = caller.post(SYNC_IDENTIFY, **{URLS: asked}).json()
    assert_same_shape(answer, name)
    assert [e["match_status"] for e in answer] == [e["match_status"] for e in payload(name)]


# Account


def test_the_account_and_its_credits(caller: Caller) -> None:
    answer = caller.api.get("/account/credits").json()
    assert_same_shape(answer, "account-credits.inferred-values.json")
    date = "recurring_credits_refresh_date"
    documented = payload("account-credits.inferred-values.json")
    assert answer["account"][date] == documented["account"][date]


def test_the_credits_of_the_user(caller: Caller) -> None:
    assert_same_shape(caller.api.get("/user/credits").json(), "user-credits.json")


def test_the_endpoints_of_the_account(caller: Caller) -> None:
    documented = payload("account-endpoints.inferred-values.json")
    caller.sandbox.change(
        disabled_endpoints=["/person/contact/enrich"], denied_fields=["certifications", "honors"]
    )
    answer = caller.api.get("/account/endpoints", params={"category": "Person"}).json()
    assert_same_shape(answer, "account-endpoints.inferred-values.json")
    for row in documented["endpoints"]:
        found = caller.api.get("/account/endpoints", params={"path": row["path"]}).json()
        (ours,) = found["endpoints"]
        assert ours["status"] == row["status"]
        assert ours["fields"]["disabled"] == row["fields"]["disabled"]
        assert set(row["fields"]["enabled"]) <= set(ours["fields"]["enabled"])


# Errors


def test_errors_of_the_key(caller: Caller) -> None:
    bad = caller.api.get("/batch", headers={"authorization": "Bearer x"})
    assert error_of(bad) == payload("error-401.invalid-key.json")
    del caller.api.headers["authorization"]
    assert error_of(caller.api.get("/batch")) == payload("error-401.missing-key.json")


def test_the_error_of_a_missing_version(caller: Caller) -> None:
    del caller.api.headers["x-api-version"]
    answer = error_of(caller.post(ENRICH, **{URLS: [SAM]}))
    assert answer == payload("error-400.missing-version-header.inferred.json")


def test_the_error_of_a_preview(caller: Caller) -> None:
    answer = error_of(caller.post(SYNC_ENRICH, **{URLS: [SAM], "preview": True}))
    assert answer == payload("error-400.preview-not-available.inferred.json")


@pytest.mark.parametrize("form", ["list", "object"])
def test_the_error_of_an_unsupported_field(caller: Caller, form: str) -> None:
    caller.sandbox.change(bad_fields_metadata=form)
    answer = error_of(caller.post(CONTACT, **{URLS: [SAM], "fields": ["phone"]}))
    documented = payload(f"error-400.unsupported-field.metadata-{form}.inferred.json")
    assert answer["error"]["metadata"] == documented["error"]["metadata"]
    assert_same_shape(answer, f"error-400.unsupported-field.metadata-{form}.inferred.json")


def test_the_error_of_a_locked_field(caller: Caller) -> None:
    caller.sandbox.change(denied_fields=["basic_profile.summary"])
    answer = error_of(caller.post(ENRICH, **{URLS: [SAM], "fields": ["basic_profile"]}))
    assert answer == payload("error-403.permission-denied-fields.observed-shape.json")


@pytest.mark.parametrize(
    ("name", "status", "change"),
    [
        ("error-400.invalid-request.json", 400, {}),
        ("error-402.insufficient-credits.inferred.json", 402, {"charged": "at_submit"}),
        ("error-403.endpoint-not-enabled.inferred.json", 403, {"disabled_endpoints": [ENRICH]}),
        ("error-429.too-many-active-batches.inferred.json", 429, {"max_active_jobs": 0}),
        ("error-429.rate-limit.inferred.json", 429, {"rate_limits_rpm": {ENRICH: 0}}),
    ],
)
def test_errors_have_the_documented_type(
    caller: Caller, name: str, status: int, change: dict[str, Any]
) -> None:
    caller.sandbox.change(**change)
    body = {} if status == 400 else {URLS: [SAM]}
    if status == 402:
        caller.sandbox.account.balance *= 0
    response = caller.post(ENRICH, **body)
    assert response.status_code == status
    assert_same_shape(response.json(), name)
    assert response.json()["error"]["type"] == payload(name)["error"]["type"]


def test_the_error_of_an_unknown_batch(caller: Caller) -> None:
    answer = error_of(caller.api.get("/batch/00000000-0000-4000-8000-000000000001"))
    assert_same_shape(answer, "error-404.batch-not-found.inferred.json")


def test_a_server_error(caller: Caller, fail: Fail) -> None:
    fail("server_error")
    answer = error_of(caller.post(ENRICH, **{URLS: [SAM]}))
    assert_same_shape(answer, "error-500.inferred.json")
    assert answer["error"]["type"] == payload("error-500.inferred.json")["error"]["type"]


# Headers


@pytest.mark.parametrize(
    "name", ["response-headers.rate-limit.json", "response-headers.usage.observed.json"]
)
def test_the_headers_of_a_sale(caller: Caller, name: str) -> None:
    headers = caller.post(ENRICH, **{URLS: [SAM]}).headers
    assert set(payload(name)) <= set(headers)
    assert all(headers[header].isdigit() for header in payload(name) if "ratelimit" in header)


def test_free_endpoints_do_not_speak_of_credits(caller: Caller) -> None:
    headers = caller.api.get("/account/credits").headers
    assert "x-credits-used" not in headers
    assert "x-request-id" in headers
