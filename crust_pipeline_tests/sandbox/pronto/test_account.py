"""What the sandbox's Pronto accepts, finds and bills."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from crust_pipeline.sandbox.pronto.account import ProntoAccount, ProntoRefused, ProntoSwitches

HOOK = "https://inbox.example/hooks/secret"


def person(number: int) -> dict[str, Any]:
    return {
        "firstname": "Ada",
        "lastname": f"Example{number}",
        "domain": "example.com",
        "linkedin_url": f"https://www.linkedin.com/in/ada-{number}",
        "custom": {"key": f"k{number}"},
    }


def bulk(count: int = 10, kind: str = "email") -> dict[str, Any]:
    contacts = [person(number) for number in range(count)]
    return {"contacts": contacts, "enrichment_type": [kind], "webhook_url": HOOK}


@pytest.fixture
def account() -> ProntoAccount:
    made = ProntoAccount(keys=("k",), credits_at_start=Decimal(1000), switches=ProntoSwitches())
    made.clock.freeze(datetime(2026, 11, 2, tzinfo=UTC))
    return made


def refused(account: ProntoAccount, body: dict[str, Any]) -> ProntoRefused:
    with pytest.raises(ProntoRefused) as caught:
        account.start_bulk(body)
    assert account.searches == []
    return caught.value


def delivered(account: ProntoAccount, seconds: float = 60) -> list[dict[str, Any]]:
    account.clock.advance(seconds)
    return [body for _, body in account.due()]


@pytest.mark.parametrize("count", [0, 1, 101])
def test_a_bulk_request_holds_2_to_100_contacts(account: ProntoAccount, count: int) -> None:
    assert refused(account, bulk(count)).status == 422


@pytest.mark.parametrize("missing", ["firstname", "lastname"])
def test_every_contact_needs_its_names(account: ProntoAccount, missing: str) -> None:
    body = bulk()
    del body["contacts"][3][missing]
    assert missing in refused(account, body).words


@pytest.mark.parametrize("kind", ["phone", "personal_email"])
def test_some_types_need_a_profile_url(account: ProntoAccount, kind: str) -> None:
    body = bulk(kind=kind)
    del body["contacts"][0]["linkedin_url"]
    assert "linkedin_url" in refused(account, body).words


def test_e_mails_need_a_company_or_its_domain(account: ProntoAccount) -> None:
    body = bulk()
    body["contacts"][0] |= {"domain": None, "company_name": "Example"}
    account.start_bulk(body)
    del body["contacts"][1]["domain"]
    with pytest.raises(ProntoRefused, match="company_name"):
        account.start_bulk(body)


@pytest.mark.parametrize("kinds", [[], ["email", "phone"], ["fax"], "email"])
def test_a_request_is_for_one_type(account: ProntoAccount, kinds: object) -> None:
    assert refused(account, bulk() | {"enrichment_type": kinds}).status == 422


def test_without_consent_there_are_no_personal_e_mails(account: ProntoAccount) -> None:
    account.switches = ProntoSwitches(consent=False)
    assert "consent" in refused(account, bulk(kind="personal_email")).words


def test_a_batch_that_cannot_be_paid_whole_is_refused_whole(account: ProntoAccount) -> None:
    account.balance = Decimal(29)
    assert "credits" in refused(account, bulk(10)).words
    account.balance = Decimal(30)
    account.start_bulk(bulk(10))
    with pytest.raises(ProntoRefused, match="credits"):
        account.start_bulk(bulk(2))


def test_each_contact_is_delivered_once_when_it_is_ready(account: ProntoAccount) -> None:
    account.start_bulk(bulk())
    assert delivered(account, 0.3) == []
    first = delivered(account, 0.6)
    rest = delivered(account)
    assert 0 < len(first) < 10
    keys = [body["custom"]["key"] for body in first + rest]
    assert sorted(keys) == sorted(f"k{number}" for number in range(10))
    assert delivered(account) == []


def test_what_is_found_is_billed_and_the_rest_is_not(account: ProntoAccount) -> None:
    account.start_bulk(bulk(100))
    results = delivered(account)
    found = sum(bool(result["email"]) for result in results)
    assert 40 < found < 90
    assert account.balance == 1000 - 3 * found
    statuses = {result["email_status"] for result in results}
    assert statuses == {"deliverable", "catch-all", "N/A"}


def test_the_same_people_are_found_again(account: ProntoAccount) -> None:
    for _ in range(2):
        account.start_bulk(bulk())
    results = delivered(account)
    emails = [result["email"] for result in results]
    assert len(emails) == 20
    assert len({(result["last_name"], result["email"]) for result in results}) == 10


def test_a_single_search_is_pending_and_then_finished(account: ProntoAccount) -> None:
    body = person(0) | {"enrichment_type": ["phone"]}
    enrichment_id = account.start_single(body)
    assert account.result(enrichment_id)["status"] == "pending"
    account.clock.advance(60)
    result = account.result(enrichment_id)
    assert (result["status"], result["custom"]) == ("finished", {"key": "k0"})


def test_a_bulk_request_cannot_be_asked_for(account: ProntoAccount) -> None:
    enrichment_id = account.start_bulk(bulk())
    with pytest.raises(ProntoRefused, match="Not found"):
        account.result(enrichment_id)


@pytest.mark.parametrize(
    ("shape", "phones"),
    [("documented", "phone"), ("synchronous", "phones"), ("phone_objects", "phones")],
)
def test_results_come_in_the_shape_that_is_switched(
    account: ProntoAccount, shape: str, phones: str
) -> None:
    account.switches = replace(account.switches, shape=shape)  # pyright: ignore[reportArgumentType]  # a parameter
    account.balance = Decimal(10_000)
    account.start_bulk(bulk(50, "phone"))
    numbers = [number for result in delivered(account) for number in result[phones]]
    assert numbers
    assert isinstance(numbers[0], dict) == (shape == "phone_objects")


def test_more_requests_a_second_than_allowed_are_told_to_wait(account: ProntoAccount) -> None:
    for _ in range(50):
        account.admit("k")
    with pytest.raises(ProntoRefused) as caught:
        account.admit("k")
    assert (caught.value.status, caught.value.retry_after) == (429, 1)
    account.clock.advance(1)
    account.admit("k")


def test_another_key_is_not_accepted(account: ProntoAccount) -> None:
    with pytest.raises(ProntoRefused, match="Unauthorized"):
        account.admit("other")
