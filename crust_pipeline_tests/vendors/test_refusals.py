"""What each refusal means, in every shape of the body that the documents show."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import httpx
import pytest

from crust_pipeline.vendors import errors
from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.refusals import refusal
from crust_pipeline_tests.vendors.fakes import JANE, KEY, NOW, Vendor, answer


def refused(said: httpx.Response) -> errors.VendorError:
    """The error of a submit that is answered so."""
    with Vendor(said).client() as client, pytest.raises(errors.VendorError) as caught:
        client.submit(
            CONTACT, identifier_type="profile_url", identifiers=[JANE], fields=CONTACT.fields
        )
    return caught.value


def error(status: int, message: str, *, kind: str = "", metadata: object = ()) -> httpx.Response:
    body = {"error": {"type": kind, "message": message, "metadata": metadata}}
    return httpx.Response(status, json=body)


def written(status: int, body: object, **headers: str) -> httpx.Response:
    """A refusal as a server writes it: JSON, or a page if it is text."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, str):
        return httpx.Response(status, content=body.encode(), headers=named)
    return httpx.Response(status, json=body, headers=named)


def by_shape(words: str) -> dict[str, object]:
    """The same words in every shape of a body that clients have met."""
    return {
        "error.message": {"error": {"type": "x", "message": words, "metadata": []}},
        "error.reason": {"error": {"reason": words}},
        "error": {"error": words},
        "error beside a message": {"error": "Oops", "message": words, "status": 400},
        "message": {"message": words},
        "detail": {"detail": words},
        "details": {"detail": [{"loc": ["body", "fields", 0], "msg": words, "type": "x"}]},
        "reason": {"reason": words},
        "description": {"description": words},
        "non_field_errors": {"non_field_errors": [words]},
        "by field": {"fields": [words]},
        "by field and place": {"fields": {"0": [words]}},
        "errors": {"errors": [{"fields": words}]},
        "list": [words],
        "text": words,
        "page": "<html><head><style>p { color: red }</style><title>Oops</title></head>"
        f"<body><h1>Sorry</h1><p>{words}</p></body></html>",
    }


SHAPES = tuple(by_shape(""))

# What is said, with the status it is said with, and the class that it gets in every shape.
CAUSES: dict[str, tuple[int, str, type[errors.VendorError]]] = {
    "payment required": (402, "Please top up", errors.OutOfCredits),
    "credits": (403, "Insufficient credits for this request", errors.OutOfCredits),
    "other credits": (403, "Not enough credits", errors.OutOfCredits),
    "credits as a bad request": (400, "You have no credits left", errors.OutOfCredits),
    "permission": (
        403,
        "You do not have permission to perform this action.",
        errors.NotPermitted,
    ),
    "fields": (403, "Access denied to fields: honors, skills", errors.FieldsDenied),
    "key": (401, "Invalid API key in request", errors.InvalidKey),
    "key as forbidden": (403, "Authentication credentials were not provided.", errors.InvalidKey),
    "token as forbidden": (403, "Invalid token.", errors.InvalidKey),
    "throttle": (
        429,
        "Request was throttled. Expected available in 12 seconds.",
        errors.RateLimited,
    ),
    "rate": (429, "Rate limit exceeded: 15 requests/min", errors.RateLimited),
    "too many": (429, "Too Many Requests", errors.RateLimited),
    "slots": (429, "Too many active batch jobs (5).", errors.SlotsFull),
    "rate of slots": (429, "Rate limit exceeded: 5 concurrent jobs", errors.SlotsFull),
    "version": (400, "API version 2025-11-01 is no longer supported", errors.InvalidRequest),
    "cap": (413, "No more than 300 elements", errors.InvalidRequest),
    "unknown field": (400, "Unsupported field: 'salary'", errors.FieldsUnsupported),
    "unknown choice": (422, '"salary" is not a valid choice.', errors.FieldsUnsupported),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_gets_its_class_in_whatever_shape_it_is_written(cause: str, shape: str) -> None:
    status, words, kind = CAUSES[cause]
    said = written(status, by_shape(words)[shape])
    found = refusal(said, paid=True, secret=KEY, now=lambda: NOW)

    assert type(found) is kind
    assert words in found.vendor_message


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (answer("error-400.invalid-request"), errors.InvalidRequest),
        (answer("error-400.missing-version-header.inferred"), errors.InvalidRequest),
        (answer("error-400.preview-not-available.inferred"), errors.InvalidRequest),
        (answer("error-400.unsupported-field.metadata-list.inferred"), errors.FieldsUnsupported),
        (answer("error-400.unsupported-field.metadata-object.inferred"), errors.FieldsUnsupported),
        (answer("error-401.invalid-key"), errors.InvalidKey),
        (answer("error-401.missing-key"), errors.InvalidKey),
        (answer("error-402.insufficient-credits.inferred"), errors.OutOfCredits),
        (error(403, "no", kind="insufficient_credits"), errors.OutOfCredits),
        (error(403, "Insufficient credits", kind="permission_error"), errors.OutOfCredits),
        (written(403, {"code": "insufficient_credits"}), errors.OutOfCredits),
        (answer("error-403.endpoint-not-enabled.inferred"), errors.NotPermitted),
        (answer("error-403.permission-denied-fields.observed-shape"), errors.FieldsDenied),
        (written(403, "<html>Forbidden</html>"), errors.NotPermitted),
        (written(403, None), errors.NotPermitted),
        (answer("error-404.batch-not-found.inferred"), errors.NotFound),
        (written(405, ""), errors.InvalidRequest),
        (written(413, ["too", "large"]), errors.InvalidRequest),
        (written(422, {"error": "No such thing"}), errors.InvalidRequest),
        (written(400, "[" * 100_000), errors.InvalidRequest),
        (
            written(429, {"detail": "Too many active batch jobs (5)."}, x_ratelimit_reset="5"),
            errors.SlotsFull,
        ),
    ],
    ids=str,
)
def test_every_refusal_has_its_class(said: httpx.Response, kind: type[errors.VendorError]) -> None:
    assert type(refused(said)) is kind


def test_words_by_field_name_the_field() -> None:
    body = {"professional_network_profile_urls": ["no more than 300 elements"], "status": "error"}
    found = refused(written(400, body))

    assert found.vendor_message == "professional_network_profile_urls: no more than 300 elements"


def test_a_body_with_an_error_for_everybody_is_told_in_a_few_words() -> None:
    body = {"urls": {str(number): ["not valid"] for number in range(10_000)}}
    found = refused(written(400, body))

    assert found.vendor_message.startswith("urls.0: not valid; urls.1: not valid")
    assert len(found.vendor_message) <= 300


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Request was throttled. Expected available in 12 seconds.", 12),
        ("Request was throttled. Expected available in 1 second.", 1),
        ("Too many requests. Try again in 2 minutes.", 120),
    ],
)
def test_a_wait_that_stands_in_the_words_is_kept(words: str, seconds: float) -> None:
    found = refused(written(429, {"detail": words}))

    assert isinstance(found, errors.RateLimited)
    assert found.retry_after_seconds == seconds


@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_what_was_charged_is_told_of_an_error_too(status: int) -> None:
    found = refused(written(status, {"detail": "no"}, x_credits_used="2.50"))

    assert found.credits_used == Decimal("2.5")
    assert "it charged 2.5 credits" in str(found)


@pytest.mark.parametrize("shape", ["list", "object"])
def test_the_available_fields_are_given(shape: str) -> None:
    found = refused(answer(f"error-400.unsupported-field.metadata-{shape}.inferred"))

    assert isinstance(found, errors.FieldsUnsupported)
    assert found.available_fields == (
        "business_email",
        "personal_contact_info",
        "personal_contact_info.personal_emails",
        "personal_contact_info.phone_numbers",
    )


@pytest.mark.parametrize(
    ("message", "metadata"),
    [
        ("no", [{"denied_fields": ["a", "b.c"]}]),
        ("no", {"denied_fields": ["a", "b.c"]}),
        ("no", [{"denied_fields": ["a"]}, {"denied_fields": ["b.c"]}]),
        ("Access denied to fields: a, b.c", []),
        ("Access denied to fields: a, b.c.", None),
        ("Request failed. access denied to fields: a,b.c", "?"),
    ],
)
def test_the_denied_fields_are_given(message: str, metadata: object) -> None:
    found = refused(error(403, message, kind="permission_error", metadata=metadata))

    assert isinstance(found, errors.FieldsDenied)
    assert found.fields == ("a", "b.c")


def test_a_denied_field_named_after_credits_is_still_a_denied_field() -> None:
    found = refused(error(403, "Access denied to fields: credit_score"))

    assert isinstance(found, errors.FieldsDenied)


@pytest.mark.parametrize(
    ("message", "headers", "kind"),
    [
        ("Too many active batch jobs (max 5 per user)", {}, errors.SlotsFull),
        ("You already have 5 concurrent batches", {"x-ratelimit-remaining": "0"}, errors.SlotsFull),
        ("Maximum of 5 reached", {"retry-after": "30"}, errors.SlotsFull),
        ("no", {}, errors.SlotsFull),
        ("no", {"x-ratelimit-remaining": "29", "x-ratelimit-reset": "60"}, errors.SlotsFull),
        ("no", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"}, errors.RateLimited),
        ("no", {"x-ratelimit-reset": "60"}, errors.RateLimited),
        ("no", {"retry-after": "60"}, errors.RateLimited),
        ("Limit of 60 requests per minute for batch jobs", {}, errors.RateLimited),
    ],
)
def test_the_two_causes_of_a_429_are_told_apart(
    message: str, headers: Mapping[str, str], kind: type[errors.VendorError]
) -> None:
    said = httpx.Response(
        429,
        json={"error": {"type": "rate_limit_exceeded", "message": message, "metadata": []}},
        headers=headers,
    )

    assert type(refused(said)) is kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2026 12:01:00 GMT"}, 60.0),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "later"}, None),
        ({"x-ratelimit-reset": "60"}, None),
    ],
)
def test_full_slots_tell_how_long_to_wait_if_the_vendor_does(
    headers: Mapping[str, str], seconds: float | None
) -> None:
    said = httpx.Response(429, json={"message": "Too many active jobs"}, headers=headers)
    found = refused(said)

    assert isinstance(found, errors.SlotsFull)
    assert found.retry_after_seconds == seconds


def test_an_error_tells_status_words_and_request_id() -> None:
    said = answer("error-400.missing-version-header.inferred", headers={"x-request-id": "r-1"})
    found = refused(said)

    assert (found.status, found.request_id) == (400, "r-1")
    assert found.vendor_message == "Missing required header: x-api-version"
    assert str(found) == (
        "The vendor refused the request as it was written (HTTP 400): "
        "Missing required header: x-api-version [request r-1]"
    )


@pytest.mark.parametrize("request_id", ["", "a\x7fb"])
def test_a_request_id_that_cannot_be_shown_is_none(request_id: str) -> None:
    assert refused(httpx.Response(400, headers={"x-request-id": request_id})).request_id is None


def test_no_error_shows_anything_private() -> None:
    private: list[Any] = [JANE, "jane@example.com", KEY, "linkedin.com/in/jane"]
    found = refused(error(400, f"Invalid: {', '.join(private)} Bearer {KEY}"))

    for secret in private:
        assert secret not in str(found)
        assert secret not in repr(found)


def test_an_error_page_is_cut_short() -> None:
    page = b"<html><body><h1>Sorry</h1>" + b"<p>blocked</p>" * 100_000 + b"</body></html>"
    found = refused(httpx.Response(400, content=page))

    assert found.vendor_message.startswith("Sorry blocked blocked")
    assert len(found.vendor_message) <= 300


def test_a_success_that_cannot_be_read_says_nothing_of_its_content() -> None:
    found = refused(httpx.Response(200, json={"message": "Jane Doe", "name": "Jane Doe"}))

    assert isinstance(found, errors.MaybeStarted)
    assert "Jane" not in str(found)
