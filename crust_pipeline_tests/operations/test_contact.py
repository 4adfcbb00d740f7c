"""contact: every shape in which the documents or users have seen its lines ends in one table."""

import pytest

from crust_pipeline.sandbox.switches import Fault, FaultKind
from crust_pipeline.settings import SettingsError
from crust_pipeline_tests.operations.conftest import (
    NOBODY,
    REMOVED,
    SAM,
    SAMS_EMAIL,
    UNREACHABLE,
    WITH_CONSENT,
    Buy,
)


def test_everybody_has_an_outcome(usual: Buy) -> None:
    outcomes = usual("contact").outcomes
    assert outcomes[SAM] == "matched"
    assert outcomes[UNREACHABLE] == "no_data"
    assert (outcomes[NOBODY], outcomes[REMOVED]) == ("not_found", "not_found")


@pytest.mark.parametrize("settings", [{}, WITH_CONSENT], ids=["business", "all"])
def test_the_flat_line_gives_the_tables_of_the_envelope(
    buy: Buy, usual: Buy, settings: dict[str, str]
) -> None:
    envelope = buy("contact", switches={"contact_lines": "envelope"}, settings=settings)
    flat = usual("contact", settings=settings)
    assert flat.tables() == envelope.tables()
    assert flat.outcomes == envelope.outcomes
    assert flat.computed == flat.billed == envelope.computed


def test_unrequested_keys_that_are_empty_are_no_data(buy: Buy, usual: Buy) -> None:
    empty = buy("contact", switches={"contact_unrequested": "empty"})
    assert empty.tables() == usual("contact").tables()
    assert empty.outcomes == usual("contact").outcomes
    assert [usage.unrequested for usage in empty.usage] == [0]


@pytest.mark.parametrize("lines", ["envelope", "flat"])
@pytest.mark.parametrize("emails", ["texts", "one_text"])
def test_addresses_as_text_are_the_same_addresses_without_status(
    buy: Buy, usual: Buy, emails: str, lines: str
) -> None:
    switches = {"contact_emails": emails, "contact_lines": lines}
    texts = buy("contact", switches=switches, settings=WITH_CONSENT)
    expected = usual("contact", settings=WITH_CONSENT)
    assert _addresses(texts.rows("contact_emails")) == _addresses(expected.rows("contact_emails"))
    assert all(row["status"] is None for row in texts.rows("contact_emails"))
    assert (texts.outcomes, texts.computed) == (expected.outcomes, expected.computed)


def _addresses(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    columns = ("profile_key", "crustdata_person_id", "email", "email_type", "position")
    return sorted((tuple(row[name] for name in columns) for row in rows), key=repr)


def test_addresses_among_the_phone_numbers_are_no_phone_numbers(buy: Buy, usual: Buy) -> None:
    mixed = buy("contact", switches={"contact_phones": "with_emails"}, settings=WITH_CONSENT)
    assert mixed.tables() == usual("contact", settings=WITH_CONSENT).tables()
    assert mixed.computed == mixed.billed


def test_contact_data_that_nobody_asked_for_is_kept_flagged_and_paid(buy: Buy) -> None:
    bought = buy("contact", switches={"contact_narrowing": "ignored"})
    types = {row["email_type"] for row in bought.rows("contact_emails")}
    assert types == {"business", "personal"}
    assert bought.rows("contact_phones")
    (usage,) = bought.usage
    assert 0 < (usage.unrequested or 0) < usage.identifiers
    (row,) = bought.rows("credit_usage")
    assert row["unrequested"] == usage.unrequested
    assert bought.computed == bought.billed


def test_invalid_addresses_are_kept_and_marked(usual: Buy) -> None:
    statuses = {
        row["status"] for row in usual("contact", settings=WITH_CONSENT).rows("contact_emails")
    }
    assert statuses == {"deliverable", "catch_all", "invalid", "unknown"}


def test_phone_numbers_are_kept_as_delivered_beside_their_international_form(usual: Buy) -> None:
    rows = usual("contact", settings=WITH_CONSENT).rows("contact_phones")
    assert all(row["phone_number"] for row in rows)
    assert all(row["phone_e164"] is None or row["phone_e164"].startswith("+") for row in rows)


@pytest.mark.parametrize("contact_type", ["PERSONAL_EMAIL", "PHONE_NUMBER"])
def test_personal_data_without_consent_is_refused_before_anything_is_planned(
    buy: Buy, contact_type: str
) -> None:
    with pytest.raises(SettingsError, match="CRUST_PERSONAL_CONTACT_CONSENT"):
        buy("contact", SAM, settings={f"CRUST_{contact_type}_VENDORS": "crustdata"})


def test_business_addresses_alone_are_asked_for_unless_set(usual: Buy) -> None:
    (job,) = usual("contact").sandbox.state.jobs.values()
    assert job.order is not None
    assert (job.order.fields, job.order.verified) == (("business_email",), False)


def test_verified_addresses_are_asked_for_and_cost_more(buy: Buy, usual: Buy) -> None:
    verified = buy("contact", settings={"CRUST_CONTACT_VERIFIED": "true"})
    assert {row["status"] for row in verified.rows("contact_emails")} == {"deliverable"}
    assert len(verified.rows("contact_emails")) < len(usual("contact").rows("contact_emails"))
    assert verified.computed == verified.billed
    assert [batch["fields"] for batch in verified.batches] == [["business_email", "verified"]]


def test_an_address_alone_is_looked_up_in_reverse_though_batches_take_none(buy: Buy) -> None:
    bought = buy("contact", SAM, SAMS_EMAIL)
    products = {batch["product"]: batch["identifier_type"] for batch in bought.batches}
    assert products == {"contact": "profile_url", "contact_sync": "email"}
    assert bought.outcomes == {SAM: "matched", SAMS_EMAIL: "matched"}


@pytest.mark.parametrize(
    "fault", [FaultKind.UNASKED_LINES, FaultKind.DUPLICATE_LINES, FaultKind.MALFORMED_LINES]
)
def test_lines_that_do_not_belong_cost_no_other_line(
    buy: Buy, usual: Buy, fault: FaultKind
) -> None:
    spoiled = buy("contact", faults=(Fault(kind=fault, value=1),))
    expected = usual("contact").outcomes
    different = {key for key, outcome in spoiled.outcomes.items() if outcome != expected[key]}
    assert len(different) <= (fault is FaultKind.MALFORMED_LINES)
    assert spoiled.rows("quarantine")
