"""What is asked of Pronto, and what is made of its answers."""

import json
from typing import Any

import httpx
import pytest

from crust_pipeline.vendors import errors
from crust_pipeline.vendors.known import KnownPerson
from crust_pipeline.vendors.pronto.client import EnrichmentType, ProntoClient
from crust_pipeline.vendors.pronto.lines import RESULT
from crust_pipeline.vendors.pronto.products import lacks
from crust_pipeline_tests.vendors.fakes import KEY, NOW, Vendor

ID = "5cf0a0c2-5b0c-4c5c-9f51-2a3f1a5f9a10"
HOOK = "https://inbox.example/hooks/secret"
ADA = KnownPerson(firstname="Ada", lastname="Example", domain="example.com", key="k1")
BOB = KnownPerson(firstname="Bob", lastname="Example", company_name="Example Ltd", key="k2")


def client(vendor: Vendor, base_url: str = "https://pronto.example/api/v2") -> ProntoClient:
    return ProntoClient(
        api_key=f" {KEY}\n",
        base_url=base_url,
        transport=httpx.MockTransport(vendor),
        now=lambda: NOW,
        sleep=vendor.slept.append,
    )


def started() -> Vendor:
    return Vendor(httpx.Response(200, json={"enrichment_id": ID}))


def sent(vendor: Vendor) -> Any:
    return json.loads(vendor.requests[-1].content)


def test_a_bulk_request_is_written_as_documented() -> None:
    vendor = started()
    kind = EnrichmentType.EMAIL
    assert client(vendor).bulk_enrich([ADA, BOB], kind=kind, webhook_url=HOOK) == ID
    assert vendor.requests[0].url.path == "/api/v2/contacts/bulk_enrich"
    assert vendor.requests[0].headers["x-api-key"] == KEY
    assert sent(vendor) == {
        "contacts": [
            {
                "firstname": "Ada",
                "lastname": "Example",
                "domain": "example.com",
                "custom": {"key": "k1"},
            },
            {
                "firstname": "Bob",
                "lastname": "Example",
                "company_name": "Example Ltd",
                "custom": {"key": "k2"},
            },
        ],
        "enrichment_type": ["email"],
        "webhook_url": HOOK,
    }


@pytest.mark.parametrize(
    ("base_url", "path"),
    [
        ("https://app.prontohq.com/api/v2", "/api/v2/contacts/bulk_enrich"),
        ("https://app.pipecorn.com/api/v2/", "/api/v2/contacts/bulk_enrich"),
        ("https://api.pipecorn.com/v2", "/v2/contacts/bulk_enrich"),
    ],
)
def test_every_known_address_is_used_as_it_is_given(base_url: str, path: str) -> None:
    vendor = started()
    client(vendor, base_url).bulk_enrich([ADA, BOB], kind=EnrichmentType.EMAIL, webhook_url=HOOK)
    assert vendor.requests[0].url.path == path


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"enrichment_id": ID}),
        (202, {"enrichment_id": ID, "status": "queued"}),
        (201, {"id": ID, "status": "processing"}),
    ],
)
def test_every_documented_way_to_accept_is_understood(status: int, body: dict[str, str]) -> None:
    vendor = Vendor(httpx.Response(status, json=body))
    assert client(vendor).single_enrich(ADA, kind=EnrichmentType.EMAIL) == ID


def test_a_success_without_an_id_may_have_started() -> None:
    vendor = Vendor(httpx.Response(200, json={"status": "queued"}))
    with pytest.raises(errors.MaybeStarted):
        client(vendor).single_enrich(ADA, kind=EnrichmentType.EMAIL)


@pytest.mark.parametrize("count", [0, 1, 101])
def test_a_bulk_request_of_another_size_is_not_sent(count: int) -> None:
    vendor = started()
    with pytest.raises(ValueError, match="2 to 100"):
        client(vendor).bulk_enrich([ADA] * count, kind=EnrichmentType.EMAIL, webhook_url=HOOK)
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("person", "contact_type", "problem"),
    [
        (KnownPerson(firstname="", lastname="E", domain="d", key="k"), "business_email", "name"),
        (KnownPerson(firstname="A", lastname="", domain="d", key="k"), "business_email", "name"),
        (KnownPerson(firstname="A", lastname="E", key="k"), "business_email", "company"),
        (KnownPerson(firstname="A", lastname="E", domain="d", key="k"), "phone_number", "URL"),
        (KnownPerson(firstname="A", lastname="E", domain="d", key="k"), "personal_email", "URL"),
    ],
)
def test_what_is_missing_to_look_for_a_person_is_said(
    person: KnownPerson, contact_type: str, problem: str
) -> None:
    assert problem in (lacks(contact_type, person) or "")


def test_phone_countries_go_with_phones_only() -> None:
    vendor = started()
    who = KnownPerson(firstname="A", lastname="E", domain="d", linkedin_url="https://x", key="k")
    for kind in (EnrichmentType.PHONE, EnrichmentType.EMAIL):
        client(vendor).single_enrich(who, kind=kind, phone_countries=("FR", "DE"))
    phone, email = (json.loads(request.content) for request in vendor.requests)
    assert phone["phone_country_codes"] == ["FR", "DE"]
    assert "phone_country_codes" not in email


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": "Insufficient enrichment credits"}, errors.OutOfCredits),
        ({"message": "insufficient credits for this batch"}, errors.OutOfCredits),
        (
            {
                "error": "You can't use the personal email enrichment feature without consenting "
                "with our terms of use"
            },
            errors.NotPermitted,
        ),
        ({"error": "Search exceeds your monthly import limits"}, errors.NotPermitted),
        ({"errors": ["contacts must have at least 2 items"]}, errors.InvalidRequest),
        ({"errors": [{"firstname": "is missing"}]}, errors.InvalidRequest),
        ({"error": "The stars are not right"}, errors.NotUnderstood),
        ({}, errors.NotUnderstood),
    ],
)
def test_the_causes_of_a_422_are_told_apart_by_its_words(
    body: dict[str, Any], kind: type[errors.VendorError]
) -> None:
    vendor = Vendor(httpx.Response(422, json=body))
    with pytest.raises(errors.VendorError) as caught:
        client(vendor).single_enrich(ADA, kind=EnrichmentType.EMAIL)
    assert type(caught.value) is kind


def test_a_refused_contact_is_not_named() -> None:
    vendor = Vendor(httpx.Response(422, json={"error": "firstname 'Ada' is invalid"}))
    with pytest.raises(errors.InvalidRequest) as caught:
        client(vendor).single_enrich(ADA, kind=EnrichmentType.EMAIL)
    assert "Ada" not in str(caught.value)
    assert "firstname" in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_bad_key_is_said(status: int) -> None:
    vendor = Vendor(httpx.Response(status, json={"error": "Unauthorized"}))
    with pytest.raises(errors.InvalidKey):
        client(vendor).single_enrich(ADA, kind=EnrichmentType.EMAIL)


def test_a_429_says_how_long_to_wait() -> None:
    vendor = Vendor(
        httpx.Response(429, json={"error": "Too many requests"}, headers={"retry-after": "7"})
    )
    with pytest.raises(errors.RateLimited) as caught:
        client(vendor).single_enrich(ADA, kind=EnrichmentType.EMAIL)
    assert caught.value.retry_after_seconds == 7
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("body", "balance"),
    [
        ({"credits": 12}, 12),
        ({"enrichment_credits": "12.5"}, 12.5),
        ({"credits": {"remaining": 3}}, 3),
        ({"something": 1}, None),
        ([], None),
    ],
)
def test_the_balance_is_found_in_whatever_shape(body: Any, balance: float | None) -> None:
    found = client(Vendor(httpx.Response(200, json=body))).credits()
    assert found == balance


@pytest.mark.parametrize(
    "body",
    [
        {"phone": ["+33612345678"]},
        {"phones": ["+33612345678"]},
        {"phones": [{"number": "+33612345678", "type": "mobile"}]},
        {"phone": "+33612345678"},
    ],
)
def test_phones_are_read_in_every_shape(body: dict[str, Any]) -> None:
    line = json.dumps({**body, "custom": {"key": "k1"}}).encode()
    assert RESULT.read(line).items == ("phone_number",)


def test_a_result_is_read_with_our_key() -> None:
    body = {
        "enrichment_id": ID,
        "first_name": "Ada",
        "status": "finished",
        "email": "ada@example.com",
        "email_status": "deliverable",
        "personal_email_status": "N/A",
        "custom": {"key": "k1"},
    }
    found = RESULT.read(json.dumps(body).encode())
    assert (found.identifier, found.items) == ("k1", ("business_email",))
