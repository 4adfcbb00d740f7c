"""Paid requests: what is sent, what is read, and what each failure proves."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import httpx
import pytest

from crust_pipeline.keys import KeyKind
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.crustdata.products import ENRICH, IDENTIFY, LIVE_ENRICH
from crust_pipeline.vendors.models import Accepted, JobStatus
from crust_pipeline.vendors.product import Product
from crust_pipeline_tests.vendors.fakes import (
    BATCH_ID,
    JANE,
    KEY,
    LoopbackServer,
    Vendor,
    answer,
    payload,
    reset,
    send,
    send_raw,
)

ACCEPTED = "submit-batch-person-enrich.response"


def submit(client: CrustdataClient, identifiers: Sequence[str] = (JANE,)) -> Accepted:
    return client.submit(
        ENRICH, identifier_type="profile_url", identifiers=identifiers, fields=ENRICH.fields
    )


@pytest.mark.parametrize(
    ("operation", "name", "identifier_type"),
    [
        (ENRICH, "submit-batch-person-enrich.request", "profile_url"),
        (IDENTIFY, "submit-batch-person-identify.request.inferred", "email"),
        (CONTACT, "submit-batch-person-contact-enrich.request", "profile_url"),
    ],
    ids=["enrich", "identify", "contact"],
)
def test_the_request_is_as_documented(
    operation: Product, name: str, identifier_type: KeyKind
) -> None:
    documented = payload(name)
    vendor = Vendor(answer(ACCEPTED))

    with vendor.client() as client:
        client.submit(
            operation,
            identifier_type=identifier_type,
            identifiers=documented[operation.identifier_keys[identifier_type]],
            fields=documented.get("fields", ()),
            webhook_url=documented.get("webhook_url"),
        )

    assert vendor.bodies == [documented]
    request = vendor.requests[0]
    assert (request.method, request.url.path) == ("POST", operation.path)
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-api-version"] == "2025-11-01"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("crust-pipeline/")


def test_verified_is_sent_only_when_asked_for() -> None:
    vendor = Vendor(answer("submit-batch-person-contact-enrich.response"))

    with vendor.client() as client:
        for flags in (("verified",), ()):
            client.submit(
                CONTACT,
                identifier_type="profile_url",
                identifiers=[JANE],
                fields=(*CONTACT.fields, *flags),
            )

    assert vendor.bodies[0]["verified"] is True
    assert "verified" not in vendor.bodies[1]


def test_an_identifier_with_a_comma_stays_one_identifier() -> None:
    vendor = Vendor(answer(ACCEPTED))

    with vendor.client() as client:
        submit(client, [JANE, "https://www.linkedin.com/in/doe,jane"])

    assert vendor.bodies[0]["professional_network_profile_urls"] == [
        JANE,
        "https://www.linkedin.com/in/doe,jane",
    ]


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    ("name", "action"),
    [
        (ACCEPTED, "enrich"),
        ("submit-batch-person-identify.response.inferred", "identify"),
        ("submit-batch-person-contact-enrich.response", "contact_enrich"),
        ("submit-batch-person-live-enrich.response.inferred", "enrich_live"),
    ],
)
def test_every_2xx_with_a_batch_id_is_an_accepted_job(name: str, action: str, status: int) -> None:
    vendor = Vendor(
        answer(name, status=status, headers={"x-credits-used": "0.3", "x-request-id": "r-1"})
    )

    with vendor.client() as client:
        accepted = submit(client)

    assert accepted == Accepted(
        batch_id=payload(name)["batch_id"],
        status=JobStatus.PENDING,
        entity=payload(name).get("entity"),
        action=action,
        identifier_count=payload(name)["identifier_count"],
        entities_requested=payload(name)["entities_requested"],
        credits_used=Decimal("0.3"),
        request_id="r-1",
    )


def test_an_answer_with_nothing_but_the_batch_id_is_an_accepted_job() -> None:
    vendor = Vendor(httpx.Response(200, json={"batch_id": BATCH_ID, "identifier_count": "2"}))

    with vendor.client() as client:
        accepted = submit(client)

    assert (accepted.batch_id, accepted.identifier_count) == (BATCH_ID, 2)
    assert (accepted.action, accepted.credits_used, accepted.request_id) == (None, None, None)


@pytest.mark.parametrize(
    "said",
    [
        httpx.Response(200),
        httpx.Response(200, content=b"<html>Welcome</html>"),
        httpx.Response(200, content=b'{"batch_id": "22f8'),
        httpx.Response(200, content=b"\xff\xfe\x00"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"status": "pending"}),
        httpx.Response(200, json={"batch_id": ""}),
        httpx.Response(200, json={"batch_id": None}),
        httpx.Response(204),
        httpx.Response(302, headers={"location": "https://elsewhere.example/"}),
        httpx.Response(500, json={"error": {"type": "internal_error", "message": "no"}}),
        httpx.Response(503),
        httpx.ReadTimeout("timed out"),
        httpx.WriteTimeout("timed out"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("disconnected"),
        httpx.DecodingError("bad gzip"),
    ],
    ids=str,
)
def test_a_submit_that_may_have_started_is_not_sent_again(said: httpx.Response | Exception) -> None:
    vendor = Vendor(said)

    with vendor.client() as client, pytest.raises(errors.MaybeStarted, match="billed"):
        submit(client)

    assert len(vendor.requests) == 1
    assert vendor.slept == []


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("name or service not known"),
        httpx.ConnectTimeout("timed out"),
        httpx.PoolTimeout("busy"),
        httpx.ProxyError("407"),
    ],
    ids=repr,
)
def test_a_submit_that_cannot_have_reached_the_vendor_is_not_sent(error: Exception) -> None:
    vendor = Vendor(error)

    with vendor.client() as client, pytest.raises(errors.NotSent, match="nothing was sent"):
        submit(client)

    assert len(vendor.requests) == 1


def test_a_refused_submit_is_not_sent_again() -> None:
    vendor = Vendor(answer("error-429.rate-limit.inferred", headers={"retry-after": "1"}))

    with vendor.client() as client, pytest.raises(errors.RateLimited):
        submit(client)

    assert len(vendor.requests) == 1
    assert vendor.slept == []


@pytest.mark.parametrize(
    ("operation", "arguments", "reason"),
    [
        (ENRICH, {"identifiers": []}, "1 to 10000"),
        (IDENTIFY, {"identifiers": [JANE] * 301}, "1 to 300"),
        (CONTACT, {"identifiers": [JANE], "fields": []}, "needs fields"),
        (CONTACT, {"identifier_type": "email", "identifiers": ["a@example.com"]}, "takes no email"),
        (LIVE_ENRICH, {"identifier_type": "email", "identifiers": ["a@b.example"]}, "no email"),
        (IDENTIFY, {"identifiers": [JANE], "fields": ["basic_profile"]}, "takes no fields"),
    ],
)
def test_a_request_that_cannot_be_right_is_not_sent(
    operation: Product, arguments: dict[str, Any], reason: str
) -> None:
    vendor = Vendor(answer(ACCEPTED))

    with vendor.client() as client, pytest.raises(ValueError, match=reason):
        client.submit(
            operation, **{"identifier_type": "profile_url", "fields": operation.fields, **arguments}
        )

    assert vendor.requests == []


def test_a_connection_reset_after_the_request_may_have_started_a_job() -> None:
    with (
        LoopbackServer(reset) as server,
        CrustdataClient(api_key=KEY, base_url=server.url()) as client,
        pytest.raises(errors.MaybeStarted),
    ):
        submit(client)

    assert len(server.requests) == 1
    assert JANE in server.requests[0]


@pytest.mark.parametrize(
    "behaviour",
    [
        send("HTTP/1.1 200 OK", body=b'{"batch_id": "1', length=100),
        send_raw(b"no HTTP at all"),
        send_raw(b""),
    ],
    ids=["cut short", "not HTTP", "nothing"],
)
def test_an_answer_that_breaks_off_may_have_started_a_job(behaviour: Any) -> None:
    with (
        LoopbackServer(behaviour) as server,
        CrustdataClient(api_key=KEY, base_url=server.url()) as client,
        pytest.raises(errors.MaybeStarted),
    ):
        submit(client)

    assert len(server.requests) == 1


def test_a_refused_connection_is_not_sent() -> None:
    with LoopbackServer() as server:
        closed = server.url()

    with CrustdataClient(api_key=KEY, base_url=closed) as client, pytest.raises(errors.NotSent):
        submit(client)


def test_a_failed_encryption_is_not_sent() -> None:
    with (
        LoopbackServer(send_raw(b"what?")) as server,
        CrustdataClient(api_key=KEY, base_url=server.url(scheme="https")) as client,
        pytest.raises(errors.NotSent),
    ):
        submit(client)


def test_every_submit_has_a_connection_of_its_own() -> None:
    accept = send("HTTP/1.1 200 OK", "Connection: keep-alive", body=b'{"batch_id": "1"}')

    with (
        LoopbackServer(accept, accept) as server,
        CrustdataClient(api_key=KEY, base_url=server.url()) as client,
    ):
        submit(client)
        submit(client)

    assert len(server.requests) == 2
