"""What each refusal means, in every shape of the body that the documents show."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from crust_pipeline.vendors import errors
from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline_tests.vendors.fakes import JANE, KEY, Vendor, answer


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
        (answer("error-403.endpoint-not-enabled.inferred"), errors.NotPermitted),
        (answer("error-403.permission-denied-fields.observed-shape"), errors.FieldsDenied),
        (httpx.Response(403, content=b"<html>Forbidden</html>"), errors.NotPermitted),
        (httpx.Response(403, json=None), errors.NotPermitted),
        (answer("error-404.batch-not-found.inferred"), errors.NotFound),
        (httpx.Response(405), errors.InvalidRequest),
        (httpx.Response(413, json=["too", "large"]), errors.InvalidRequest),
        (httpx.Response(422, json={"error": "No such thing"}), errors.InvalidRequest),
    ],
    ids=str,
)
def test_every_refusal_has_its_class(said: httpx.Response, kind: type[errors.VendorError]) -> None:
    assert type(refused(said)) is kind


@pytest.mark.parametrize("shape", ["list", "object"])
def test_the_available_fields_are_given(shape: str) -> None:
    refusal = refused(answer(f"error-400.unsupported-field.metadata-{shape}.inferred"))

    assert isinstance(refusal, errors.FieldsUnsupported)
    assert refusal.available_fields == (
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
    refusal = refused(error(403, message, kind="permission_error", metadata=metadata))

    assert isinstance(refusal, errors.FieldsDenied)
    assert refusal.fields == ("a", "b.c")


def test_a_denied_field_named_after_credits_is_still_a_denied_field() -> None:
    refusal = refused(error(403, "Access denied to fields: credit_score"))

    assert isinstance(refusal, errors.FieldsDenied)


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
    refusal = refused(said)

    assert isinstance(refusal, errors.SlotsFull)
    assert refusal.retry_after_seconds == seconds


def test_an_error_tells_status_words_and_request_id() -> None:
    said = answer("error-400.missing-version-header.inferred", headers={"x-request-id": "r-1"})
    refusal = refused(said)

    assert (refusal.status, refusal.request_id) == (400, "r-1")
    assert refusal.vendor_message == "Missing required header: x-api-version"
    assert str(refusal) == (
        "The vendor refused the request as it was written (HTTP 400): "
        "Missing required header: x-api-version [request r-1]"
    )


@pytest.mark.parametrize("request_id", ["", "a\x7fb"])
def test_a_request_id_that_cannot_be_shown_is_none(request_id: str) -> None:
    assert refused(httpx.Response(400, headers={"x-request-id": request_id})).request_id is None


def test_no_error_shows_anything_private() -> None:
    private: list[Any] = [JANE, "jane@example.com", KEY, "linkedin.com/in/jane"]
    refusal = refused(error(400, f"Invalid: {', '.join(private)} Bearer {KEY}"))

    for secret in private:
        assert secret not in str(refusal)
        assert secret not in repr(refusal)


def test_an_error_page_is_cut_short() -> None:
    page = b"<html><body><h1>Sorry</h1>" + b"<p>blocked</p>" * 100_000 + b"</body></html>"
    refusal = refused(httpx.Response(400, content=page))

    assert refusal.vendor_message.startswith("Sorry blocked blocked")
    assert len(refusal.vendor_message) <= 300


def test_a_success_that_cannot_be_read_says_nothing_of_its_content() -> None:
    refusal = refused(httpx.Response(200, json={"message": "Jane Doe", "name": "Jane Doe"}))

    assert isinstance(refusal, errors.MaybeStarted)
    assert "Jane" not in str(refusal)
