"""identify: every shape of its rows, several matches, and the way from an address to a person."""

import pytest

from crust_pipeline.sandbox.switches import Fault, FaultKind
from crust_pipeline_tests.operations.conftest import (
    EVERYBODY,
    KNOWN,
    NOBODY,
    NOBODYS_EMAIL,
    REMOVED,
    SAM,
    SAMS_EMAIL,
    Buy,
)

EMAILS = [SAMS_EMAIL, NOBODYS_EMAIL, "removed@example.com", "person-3@gmail.com"]


def test_match_status_tells_who_was_found_and_who_was_removed(usual: Buy) -> None:
    outcomes = usual("identify").outcomes
    assert (outcomes[SAM], outcomes[NOBODY], outcomes[REMOVED]) == (
        "matched",
        "not_found",
        "redacted",
    )


def test_the_older_row_without_match_status_is_understood(buy: Buy, usual: Buy) -> None:
    old = buy("identify", switches={"identify_lines": "old"})
    expected = usual("identify")
    # Who asked for removal cannot be told from who is unknown, without the word.
    assert old.outcomes == expected.outcomes | {REMOVED: "not_found"}
    assert _who(old.rows("identities")) == _who(expected.rows("identities"))
    assert {row["match_status"] for row in old.rows("identities")} == {"matched", "not_found"}
    assert old.computed == old.billed


def _who(rows: list[dict[str, object]]) -> list[tuple[object, object]]:
    return sorted(((row["profile_key"], row["crustdata_person_id"]) for row in rows), key=repr)


def test_of_several_matches_all_are_kept_and_the_most_confident_is_the_best(
    buy: Buy, usual: Buy
) -> None:
    bought = buy("identify", SAM, SAMS_EMAIL, switches={"identify_matches": "several"})
    rows = bought.rows("identities")
    assert sorted((row["confidence_score"], row["is_best"]) for row in rows) == [
        (0.5, False),
        (0.5, False),
        (1.0, True),
        (1.0, True),
    ]
    (sam,) = usual("identify", SAM).rows("identities")
    assert {row["crustdata_person_id"] for row in rows if row["is_best"]} == {
        sam["crustdata_person_id"]
    }
    assert bought.computed == bought.billed == 2


@pytest.mark.parametrize("word", ["business_email", "email"])
def test_whatever_an_address_is_called_in_the_answer(buy: Buy, word: str) -> None:
    bought = buy("identify", *EMAILS, switches={"emails_match_type": word})
    assert bought.outcomes == {
        SAMS_EMAIL: "matched",
        NOBODYS_EMAIL: "not_found",
        "removed@example.com": "redacted",
        "person-3@gmail.com": "matched",
    }
    matched = [row for row in bought.rows("identities") if row["match_status"] == "matched"]
    assert {row["match_type"] for row in matched} == {word}


@pytest.mark.parametrize("key", ["emails", "business_emails"])
def test_addresses_are_asked_for_under_the_newer_key_or_the_older(buy: Buy, key: str) -> None:
    bought = buy("identify", *EMAILS, settings={"CRUST_IDENTIFY_EMAIL_KEY": key})
    (job,) = bought.sandbox.state.jobs.values()
    assert job.order is not None
    assert job.order.identifier_type == key
    assert bought.outcomes[SAMS_EMAIL] == "matched"


def test_addresses_and_profile_urls_are_never_in_one_job(buy: Buy) -> None:
    bought = buy("identify", SAM, *EMAILS)
    orders = [job.order for job in bought.sandbox.state.jobs.values()]
    assert sorted((order.identifier_type, len(order.identifiers)) for order in orders if order) == [
        ("emails", 4),
        ("professional_network_profile_urls", 1),
    ]
    assert bought.computed == bought.billed


def test_a_job_of_another_name_is_still_found_after_a_lost_answer(buy: Buy) -> None:
    bought = buy("identify", SAM, switches={"identify_action": "person_identify"})
    lost = Fault(kind=FaultKind.CONNECTION_LOST_AFTER_ACCEPT, path="/batch/person/identify")
    bought.sandbox.state.faults.add(lost)
    bought.ask_too(KNOWN[0])
    assert bought.outcomes == {SAM: "matched", KNOWN[0]: "matched"}
    assert bought.sandbox.state.requests["POST /batch/person/identify"] == 2


def test_an_address_leads_to_the_person_that_contact_and_enrich_ask_for(buy: Buy) -> None:
    bought = buy("identify", SAMS_EMAIL)
    for operation in ("contact", "enrich"):
        bought.again(operation)
        assert bought.outcomes == {SAM: "matched"}
    products = [batch["product"] for batch in bought.batches]
    assert products == ["identify", "contact", "enrich"]


def test_without_the_chain_an_address_is_asked_for_as_it_is(buy: Buy) -> None:
    bought = buy("contact", SAMS_EMAIL, settings={"CRUST_IDENTIFY_FIRST": "false"})
    assert bought.outcomes == {SAMS_EMAIL: "matched"}
    assert [batch["product"] for batch in bought.batches] == ["contact_sync"]


def test_a_record_of_somebody_else_is_kept_and_marked(buy: Buy) -> None:
    wrong = buy("identify", SAM, faults=(Fault(kind=FaultKind.WRONG_PERSON, value=1),))
    (row,) = wrong.rows("identities")
    assert row["profile_key"] == SAM
    assert row["identity_mismatch"] is True


def test_regional_hosts_are_the_same_person(buy: Buy) -> None:
    bought = buy("identify", "https://il.linkedin.com/in/Sam-Sandbox/?x=1#y")
    (row,) = bought.rows("identities")
    assert (row["profile_key"], row["identity_mismatch"]) == (SAM, False)


def test_an_account_without_the_endpoint_buys_nothing(buy: Buy) -> None:
    bought = buy("identify", switches={"disabled_endpoints": ["/batch/person/identify"]})
    assert bought.counts == {"not_permitted": len(EVERYBODY)}
    assert bought.billed == 0
