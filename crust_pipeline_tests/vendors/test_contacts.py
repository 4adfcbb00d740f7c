"""The synchronous contact lookup, which is paid like a submit but answers at once."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from crust_pipeline.vendors import errors
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC
from crust_pipeline.vendors.models import Answers
from crust_pipeline_tests.vendors.fakes import JANE, Vendor, answer, payload


def look_up(client: CrustdataClient, **arguments: Any) -> Answers:
    return client.answer_at_once(
        CONTACT_SYNC,
        **{
            "identifier_type": "profile_url",
            "identifiers": [JANE],
            "fields": ["contact.business_emails"],
            **arguments,
        },
    )


def test_the_request_is_as_documented() -> None:
    documented = payload("sync-person-contact-enrich.request")
    vendor = Vendor(answer("sync-person-contact-enrich.response"))

    with vendor.client() as client:
        look_up(
            client,
            identifiers=documented["professional_network_profile_urls"],
            fields=documented["fields"],
        )

    assert vendor.bodies == [documented]
    assert vendor.requests[0].url.path == "/person/contact/enrich"


def test_an_email_is_looked_up_in_reverse() -> None:
    vendor = Vendor(answer("sync-person-contact-enrich.no-match.inferred"))

    with vendor.client() as client:
        look_up(
            client,
            identifier_type="email",
            identifiers=["jane@example.com"],
            fields=["contact.business_emails", "verified"],
        )

    assert vendor.bodies == [
        {
            "business_emails": ["jane@example.com"],
            "fields": ["contact.business_emails"],
            "verified": True,
        }
    ]


@pytest.mark.parametrize(
    "name",
    [
        "sync-person-contact-enrich.response",
        "sync-person-contact-enrich.no-match.inferred",
        "sync-person-contact-enrich.verified-none-survive.inferred",
    ],
)
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_both_shapes_of_the_answer_are_read(name: str, *, is_wrapped: bool) -> None:
    rows = payload(name)
    document = {"results": rows} if is_wrapped else rows
    vendor = Vendor(httpx.Response(200, json=document, headers={"x-credits-used": "0.5"}))

    with vendor.client() as client:
        answers = look_up(client)

    assert [json.loads(line) for line in answers.lines] == rows
    assert answers.credits_used == Decimal("0.5")


@pytest.mark.parametrize("document", [{}, {"results": None}, "later", None])
def test_an_answer_that_is_no_list_may_be_billed(document: object) -> None:
    vendor = Vendor(httpx.Response(200, json=document))

    with vendor.client() as client, pytest.raises(errors.MaybeStarted):
        look_up(client)

    assert len(vendor.requests) == 1


def test_more_than_25_are_not_sent() -> None:
    vendor = Vendor(answer("sync-person-contact-enrich.response"))

    with vendor.client() as client, pytest.raises(ValueError, match="1 to 25"):
        look_up(client, identifiers=[JANE] * 26)

    assert vendor.requests == []


def test_a_request_that_would_buy_everything_is_not_sent() -> None:
    vendor = Vendor(answer("sync-person-contact-enrich.response"))

    with vendor.client() as client, pytest.raises(ValueError, match="needs fields"):
        look_up(client, fields=[])

    assert vendor.requests == []


def test_what_was_found_is_not_shown_in_passing() -> None:
    vendor = Vendor(answer("sync-person-contact-enrich.response"))

    with vendor.client() as client:
        assert "sam" not in repr(look_up(client))


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ('[{"a": 1.10, "b": "x\\n"},{"a":12345678901234567890.5}]', 2),
        ('{"results": [{"a": 1E400} , null]}', 2),
        ('[\n  {\n    "a": "\u2028"\r\n  }\n]\n', 1),
        ("[ ]", 0),
    ],
)
def test_each_answer_is_kept_as_it_was_written(body: str, lines: int) -> None:
    vendor = Vendor(httpx.Response(200, content=body.encode()))

    with vendor.client() as client:
        answers = look_up(client)

    assert len(answers.lines) == lines
    kept = "".join(answers.lines)
    assert not {"\n", "\r"} & set(kept)
    assert "".join(kept.split()) in "".join(body.split()).replace("},", "}").replace(
        ",null", "null"
    )


@pytest.mark.parametrize(
    "body", [b'{"took": 3, "results": [{"a": 1}]}', '[{"a": 1}]'.encode("utf-16")]
)
def test_an_answer_that_is_written_in_another_way_is_written_anew(body: bytes) -> None:
    vendor = Vendor(httpx.Response(200, content=body))

    with vendor.client() as client:
        assert look_up(client).lines == ('{"a": 1}',)
