"""Live enrich: a mode of enrich, in requests of its own size and at its own price."""

import pytest

from crust_pipeline_tests.operations.conftest import EVERYBODY, KNOWN, NOBODY, SAM, SAMS_EMAIL, Buy

PATH = "/batch/person/professional_network/enrich/live"
LIVE = {"CRUST_ENRICH_MODE": "live"}


def test_it_fills_the_tables_of_enrich(usual: Buy) -> None:
    live, batch = usual("enrich", settings=LIVE), usual("enrich")
    assert live.tables() == batch.tables()
    assert live.outcomes == batch.outcomes


def test_whom_the_vendor_does_not_know_it_leaves_out(usual: Buy) -> None:
    assert usual("enrich", settings=LIVE).outcomes[NOBODY] == "dropped"


def test_it_costs_seven_credits_a_profile(usual: Buy) -> None:
    live = usual("enrich", settings=LIVE)
    assert live.computed == live.billed == 7 * live.counts["matched"]


def test_no_request_holds_more_than_300(buy: Buy) -> None:
    people = [f"linkedin.com/in/person-{number}" for number in range(301)]
    bought = buy("enrich", *people, balance=10_000, settings=LIVE)
    assert {batch["identifier_count"] for batch in bought.batches} == {300, 1}


def test_what_one_mode_bought_the_other_does_not_buy_again(buy: Buy) -> None:
    bought = buy("enrich", SAM, settings=LIVE)
    bought.change_settings(CRUST_ENRICH_MODE="batch")
    bought.again()
    assert len(bought.batches) == 1


def test_it_takes_no_addresses(buy: Buy) -> None:
    bought = buy("enrich", SAM, SAMS_EMAIL, settings=LIVE)
    assert bought.outcomes == {SAM: "matched", SAMS_EMAIL: "invalid_input"}


def test_an_address_that_is_identified_is_asked_for_as_the_person(buy: Buy) -> None:
    bought = buy("identify", SAMS_EMAIL, settings=LIVE)
    bought.again("enrich")
    assert bought.outcomes == {SAM: "matched"}


@pytest.mark.parametrize("listed", [True, False])
def test_a_plan_without_it_buys_nothing(buy: Buy, *, listed: bool) -> None:
    switches = {"disabled_endpoints": [PATH], "endpoints_listed": listed}
    bought = buy("enrich", switches=switches, settings=LIVE)
    assert bought.counts == {"not_permitted": len(EVERYBODY)}
    assert bought.billed == 0


def test_its_denied_fields_are_left_out(buy: Buy) -> None:
    bought = buy("enrich", *KNOWN, switches={"denied_fields": ["skills"]}, settings=LIVE)
    assert not bought.rows("skills")
    assert bought.rows("people")
