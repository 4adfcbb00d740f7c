"""What the API refuses, and how it says so."""

from typing import get_args

import pytest

from crust_pipeline.sandbox.refusals import RefusalBody
from crust_pipeline_tests.sandbox.conftest import (
    COMPANY,
    CONTACT,
    ENRICH,
    HEADERS,
    IDENTIFY,
    LIVE,
    SAM,
    SYNC_CONTACT,
    SYNC_ENRICH,
    SYNC_IDENTIFY,
    Caller,
)

URLS = "professional_network_profile_urls"
BODIES = {
    ENRICH: {},
    LIVE: {},
    COMPANY: {},
    IDENTIFY: {},
    CONTACT: {"fields": ["business_email"]},
    SYNC_CONTACT: {},
    SYNC_ENRICH: {},
    SYNC_IDENTIFY: {},
}
every_endpoint = pytest.mark.parametrize("path", BODIES)


@every_endpoint
def test_a_profile_url_is_accepted(caller: Caller, path: str) -> None:
    assert caller.post(path, **{URLS: [SAM]}, **BODIES[path]).status_code == 200


@every_endpoint
def test_a_request_without_a_key_is_refused(caller: Caller, path: str) -> None:
    del caller.api.headers["authorization"]
    response = caller.post(path, **{URLS: [SAM]})
    assert (response.status_code, response.json()) == (
        401,
        {"message": "Missing API key in request"},
    )


@pytest.mark.parametrize("value", ["Bearer wrong", "Token sandbox-key", "sandbox-key", "Bearer "])
def test_an_unknown_key_or_another_scheme_is_refused(caller: Caller, value: str) -> None:
    response = caller.api.get("/batch", headers={"authorization": value})
    assert (response.status_code, response.json()) == (
        401,
        {"message": "Invalid API key in request"},
    )


@every_endpoint
@pytest.mark.parametrize("version", [None, "2024-01-01"])
def test_a_submission_needs_the_version_header(
    caller: Caller, path: str, version: str | None
) -> None:
    del caller.api.headers["x-api-version"]
    headers = {} if version is None else {"x-api-version": version}
    response = caller.api.post(path, json={URLS: [SAM]}, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request"


def test_the_key_is_checked_before_the_version(caller: Caller) -> None:
    response = caller.api.post(ENRICH, json={}, headers={"authorization": "", "x-api-version": ""})
    assert response.status_code == 401


def test_the_status_of_a_batch_needs_no_version_header(caller: Caller) -> None:
    batch_id = caller.submit(ENRICH, **{URLS: [SAM]})
    del caller.api.headers["x-api-version"]
    assert caller.api.get(f"/batch/{batch_id}").status_code == 200


@every_endpoint
def test_a_request_without_an_identifier_is_refused(caller: Caller, path: str) -> None:
    assert caller.error(path, **BODIES[path])["status"] == 400
    assert caller.error(path, **{URLS: []}, **BODIES[path])["status"] == 400
    assert caller.error(path, **{URLS: [" "]}, **BODIES[path])["status"] == 400


@pytest.mark.parametrize("path", [ENRICH, IDENTIFY, SYNC_CONTACT])
def test_two_identifier_types_are_refused(caller: Caller, path: str) -> None:
    body = {URLS: [SAM], "business_emails": ["sam@example.com"]}
    assert caller.error(path, **body)["type"] == "invalid_request"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (CONTACT, "business_emails"),
        (LIVE, "business_emails"),
        (ENRICH, "emails"),
        (SYNC_ENRICH, "business_emails"),
        (SYNC_IDENTIFY, "business_emails"),
    ],
)
def test_an_identifier_type_the_endpoint_does_not_take_is_refused(
    caller: Caller, path: str, name: str
) -> None:
    assert caller.error(path, **{name: ["sam@example.com"]}, **BODIES[path])["status"] == 400


@pytest.mark.parametrize(
    ("path", "cap"),
    [
        (ENRICH, 10_000),
        (COMPANY, 10_000),
        (LIVE, 300),
        (IDENTIFY, 300),
        (CONTACT, 300),
        (SYNC_CONTACT, 25),
        (SYNC_ENRICH, 25),
        (SYNC_IDENTIFY, 25),
    ],
)
def test_the_cap_is_the_last_size_accepted(caller: Caller, path: str, cap: int) -> None:
    urls = [f"https://www.linkedin.com/in/person-{n}" for n in range(cap + 1)]
    assert caller.post(path, **{URLS: urls[:cap]}, **BODIES[path]).status_code == 200
    assert caller.error(path, **{URLS: urls}, **BODIES[path])["status"] == 400


def test_identifiers_may_come_as_one_comma_separated_string(caller: Caller) -> None:
    answer = caller.post(ENRICH, **{URLS: f"{SAM}, https://www.linkedin.com/in/no-contact-person"})
    assert answer.json()["identifier_count"] == 2


def test_an_identifier_with_a_comma_in_a_list_stays_whole(caller: Caller) -> None:
    url = "https://www.linkedin.com/in/jo,doe"
    assert caller.post(ENRICH, **{URLS: [url]}).json()["identifier_count"] == 1
    assert caller.post(ENRICH, **{URLS: url}).json()["identifier_count"] == 2


def test_fields_may_come_as_one_comma_separated_string(caller: Caller) -> None:
    answer = caller.post(CONTACT, **{URLS: [SAM], "fields": "business_email,personal_contact_info"})
    assert answer.status_code == 200


@pytest.mark.parametrize("value", [5, {"a": 1}, [1], [None]])
def test_identifiers_that_are_no_texts_are_refused(caller: Caller, value: object) -> None:
    assert caller.error(ENRICH, **{URLS: value})["status"] == 400


def test_an_identifier_that_is_no_valid_unicode_is_refused(caller: Caller) -> None:
    body = b'{"professional_network_profile_urls": ["https://www.linkedin.com/in/a\\ud800"]}'
    headers = {"content-type": "application/json"}
    assert caller.api.post(ENRICH, content=body, headers=headers).status_code == 400


@pytest.mark.parametrize("path", [ENRICH, LIVE, CONTACT, SYNC_CONTACT, SYNC_ENRICH])
def test_an_unsupported_field_is_refused_with_the_list_of_available_ones(
    caller: Caller, path: str
) -> None:
    error = caller.error(path, **{URLS: [SAM], "fields": ["shoe_size"]})
    assert (error["status"], error["type"]) == (400, "invalid_request")
    assert "shoe_size" not in error["metadata"][0]["available_fields"]
    assert len(error["metadata"][0]["available_fields"]) >= 4


def test_sync_and_batch_contact_do_not_share_field_names(caller: Caller) -> None:
    assert caller.error(SYNC_CONTACT, **{URLS: [SAM], "fields": ["business_email"]})
    assert caller.error(CONTACT, **{URLS: [SAM], "fields": ["contact.business_emails"]})


def test_batch_contact_needs_fields(caller: Caller) -> None:
    assert caller.error(CONTACT, **{URLS: [SAM]})["status"] == 400
    assert caller.error(CONTACT, **{URLS: [SAM], "fields": []})["status"] == 400


def test_identify_takes_neither_fields_nor_chunk_size(caller: Caller) -> None:
    assert caller.error(IDENTIFY, **{URLS: [SAM], "fields": ["basic_profile"]})["status"] == 400
    assert caller.error(IDENTIFY, **{URLS: [SAM], "chunk_size": 100})["status"] == 400


@pytest.mark.parametrize("size", [9, 1001, 0, -1, "100", 50.5, True, None])
def test_a_chunk_size_outside_its_range_is_refused(caller: Caller, size: object) -> None:
    assert caller.error(ENRICH, **{URLS: [SAM], "chunk_size": size})["status"] == 400


@pytest.mark.parametrize("size", [10, 1000])
def test_a_chunk_size_at_the_ends_of_its_range_is_accepted(caller: Caller, size: int) -> None:
    assert caller.post(ENRICH, **{URLS: [SAM], "chunk_size": size}).status_code == 200


@pytest.mark.parametrize("url", ["example.com/hook", "ftp://example.com", 5, "https://"])
def test_a_webhook_url_must_be_one(caller: Caller, url: object) -> None:
    assert caller.error(ENRICH, **{URLS: [SAM], "webhook_url": url})["status"] == 400


def test_an_unknown_key_is_refused(caller: Caller) -> None:
    assert caller.error(ENRICH, **{URLS: [SAM], "required_fields": []})["status"] == 400


def test_unknown_keys_may_be_ignored(caller: Caller) -> None:
    caller.sandbox.change(unknown_keys="ignored")
    assert caller.post(ENRICH, **{URLS: [SAM], "required_fields": []}).status_code == 200


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"text"'])
def test_a_body_that_is_no_json_object_is_refused(caller: Caller, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert caller.api.post(ENRICH, content=content, headers=headers).status_code == 400


def test_a_body_of_another_content_type_is_refused(caller: Caller) -> None:
    headers = {"content-type": "text/plain"}
    assert caller.api.post(ENRICH, content=b"{}", headers=headers).status_code == 400


def test_an_endpoint_that_is_not_enabled_answers_403(caller: Caller) -> None:
    caller.sandbox.change(disabled_endpoints=[CONTACT])
    error = caller.error(CONTACT, **{URLS: [SAM], "fields": ["business_email"]})
    assert (error["status"], error["type"]) == (403, "permission_error")
    assert caller.post(ENRICH, **{URLS: [SAM]}).status_code == 200


@pytest.mark.parametrize("word", ["not_enabled", "disabled"])
@pytest.mark.parametrize("asked", ["not_enabled", "disabled"])
def test_an_endpoint_that_is_not_enabled_is_listed_under_either_word(
    caller: Caller, word: str, asked: str
) -> None:
    caller.sandbox.change(disabled_endpoints=[CONTACT], refused_word=word)
    listed = caller.api.get("/account/endpoints", params={"status": asked}).json()["endpoints"]
    assert [(row["path"], row["status"]) for row in listed] == [(CONTACT, word)]
    assert caller.api.get("/account/endpoints", params={"status": "off"}).status_code == 400


@pytest.mark.parametrize("shape", get_args(RefusalBody))
def test_a_refusal_holds_its_words_in_whatever_shape(caller: Caller, shape: str) -> None:
    caller.sandbox.change(refusal_body=shape, refusal="Nothing is sold today", refusal_status=422)
    response = caller.post(ENRICH, **{URLS: [SAM]})
    assert response.status_code == 422
    assert "Nothing is sold today" in response.text


def test_a_refusal_may_be_charged(caller: Caller) -> None:
    before = caller.sandbox.account.balance
    caller.sandbox.change(refusal="No", refusal_credits=2.5)
    response = caller.post(ENRICH, **{URLS: [SAM]})
    assert (response.status_code, response.headers["x-credits-used"]) == (400, "2.5")
    assert before - caller.sandbox.account.balance == 2.5


@pytest.mark.parametrize(
    "asked", ["basic_profile.summary", "basic_profile", "certifications", "certifications.name"]
)
def test_one_locked_field_fails_the_whole_request_and_is_named(caller: Caller, asked: str) -> None:
    locked = ["basic_profile.summary", "certifications"]
    caller.sandbox.change(denied_fields=locked)
    error = caller.error(ENRICH, **{URLS: [SAM], "fields": ["skills", asked]})
    name = next(field for field in locked if field.startswith(asked.partition(".")[0]))
    assert error == {
        "status": 403,
        "type": "permission_error",
        "message": f"Access denied to fields: {name}",
        "metadata": [{"denied_fields": [name]}],
    }


def test_locked_fields_nobody_asked_for_do_no_harm_and_are_left_out(caller: Caller) -> None:
    caller.sandbox.change(denied_fields=["basic_profile.summary"])
    (line,) = caller.lines(ENRICH, **{URLS: [SAM], "fields": ["skills"]})
    assert "summary" not in line["data"]["basic_profile"]
    assert "headline" in line["data"]["basic_profile"]


def test_preview_is_refused_unless_the_account_has_it(caller: Caller) -> None:
    assert caller.error(SYNC_ENRICH, **{URLS: [SAM], "preview": True})["status"] == 400
    caller.sandbox.change(preview_enabled=True)
    response = caller.post(SYNC_ENRICH, **{URLS: [SAM], "preview": True})
    assert (response.status_code, response.headers["x-credits-used"]) == (200, "0")


def test_any_key_of_the_account_is_accepted(caller: Caller) -> None:
    caller.sandbox.keys = frozenset(("one", "two"))
    for key in ("one", "two"):
        headers = {**HEADERS, "authorization": f"bearer {key}"}
        assert caller.api.get("/batch", headers=headers).status_code == 200


def test_an_unknown_path_has_the_usual_error_shape(caller: Caller) -> None:
    assert caller.error("/screener/person/enrich")["status"] == 404
    assert caller.api.delete("/batch").json()["error"]["message"] == "Method not allowed"
