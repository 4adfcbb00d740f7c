"""Synchronous contact: the same tables as from batches, and no more paid than was delivered."""

import pytest

from crust_pipeline.sandbox.switches import Fault, FaultKind
from crust_pipeline_tests.operations.conftest import (
    EVERYBODY,
    KNOWN,
    NOBODYS_EMAIL,
    SAM,
    SAMS_EMAIL,
    WITH_CONSENT,
    Buy,
)

PATH = "/person/contact/enrich"
SYNC = {"CRUST_CONTACT_MODE": "sync"}
EVERYTHING = SYNC | WITH_CONSENT


def test_it_gives_the_tables_of_the_batch(usual: Buy) -> None:
    sync, batch = usual("contact", settings=EVERYTHING), usual("contact", settings=WITH_CONSENT)
    for table in ("contact_emails", "contact_phones"):
        assert sync.rows(table) == batch.rows(table)
    assert sync.outcomes == batch.outcomes
    assert sync.computed == sync.billed == batch.computed


def test_websites_come_with_it_for_nothing(buy: Buy) -> None:
    sync = buy("contact", *(f"linkedin.com/in/person-{n}" for n in range(60)), settings=SYNC)
    assert sync.rows("contact_websites")
    assert sync.computed == sync.billed


def test_the_older_answer_that_wraps_the_list_is_the_same(buy: Buy, usual: Buy) -> None:
    wrapped = buy("contact", switches={"sync_answers": "wrapped"}, settings=EVERYTHING)
    assert wrapped.tables() == usual("contact", settings=EVERYTHING).tables()
    assert wrapped.computed == wrapped.billed


def test_every_call_is_in_the_ledger_with_what_the_vendor_took(usual: Buy) -> None:
    for batch in usual("contact", settings=EVERYTHING).batches:
        assert batch["intent_at"] <= batch["submitted_at"]
        assert batch["credits_reported"] == batch["credits_computed"]
        assert batch["source_file"]


def test_no_request_holds_more_than_25_people(buy: Buy) -> None:
    people = [f"linkedin.com/in/person-{number}" for number in range(30)]
    bought = buy("contact", *people, settings=SYNC)
    assert {batch["identifier_count"] for batch in bought.batches} == {25, 5}


def test_addresses_are_looked_up_in_reverse(buy: Buy) -> None:
    bought = buy("contact", SAMS_EMAIL, NOBODYS_EMAIL, "someone@gmail.com")
    assert bought.outcomes == {
        SAMS_EMAIL: "matched",
        NOBODYS_EMAIL: "not_found",
        "someone@gmail.com": "not_found",
    }


def test_addresses_among_the_phone_numbers_are_no_phone_numbers(buy: Buy, usual: Buy) -> None:
    mixed = buy("contact", switches={"contact_phones": "with_emails"}, settings=EVERYTHING)
    assert mixed.tables() == usual("contact", settings=EVERYTHING).tables()
    assert mixed.computed == mixed.billed


def test_what_nobody_asked_for_is_flagged_and_paid(buy: Buy) -> None:
    bought = buy("contact", SAM, switches={"contact_narrowing": "ignored"}, settings=SYNC)
    (usage,) = bought.usage
    assert (usage.unrequested, usage.credits_computed, usage.credits_reported) == (1, 5, 5)


def test_people_of_whom_no_address_passes_cost_nothing(buy: Buy) -> None:
    bought = buy("contact", settings={**SYNC, "CRUST_CONTACT_VERIFIED": "true"})
    assert {row["status"] for row in bought.rows("contact_emails")} == {"deliverable"}
    assert bought.computed == bought.billed
    assert bought.counts["no_data"] > 1


@pytest.mark.parametrize("denied", ["contact.personal_emails", "contact.phone_numbers"])
@pytest.mark.parametrize("listed", [True, False])
def test_a_denied_kind_is_left_out_and_remembered(buy: Buy, denied: str, *, listed: bool) -> None:
    switches = {"denied_fields": [denied], "endpoints_listed": listed}
    bought = buy("contact", SAM, switches=switches, settings=EVERYTHING)
    items = {purchase.item for purchase in bought.sandbox.state.account.purchases}
    everything = {"business_email", "personal_email", "phone_number"}
    assert len(items) == 2 < len(everything)
    bought.ask_too(KNOWN[0])
    assert bought.sandbox.state.requests[f"POST {PATH}"] == (2 if listed else 3)


def test_a_key_that_may_not_use_it_buys_nothing(buy: Buy) -> None:
    bought = buy("contact", switches={"disabled_endpoints": [PATH]}, settings=SYNC)
    assert bought.counts == {"not_permitted": len(EVERYBODY)}
    assert bought.billed == 0


@pytest.mark.parametrize(
    "fault", [FaultKind.CONNECTION_LOST_AFTER_ACCEPT, FaultKind.UNREADABLE_ANSWER]
)
def test_a_lost_answer_is_unknown_and_held(buy: Buy, fault: FaultKind) -> None:
    bought = buy("contact", SAM, faults=(Fault(kind=fault, path=PATH),), settings=SYNC)
    assert bought.outcomes == {SAM: "unknown"}
    assert bought.sandbox.state.requests[f"POST {PATH}"] == 1
