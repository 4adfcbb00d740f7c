"""Every order of vendors for every type of contact data: who is asked, and what it costs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal

import pytest

from crust_pipeline.app.days import plan_days
from crust_pipeline.app.orders import operations_of
from crust_pipeline.ledger import queries, spending
from crust_pipeline.ledger.outcomes import OPEN_OUTCOMES, TROUBLED_OUTCOMES
from crust_pipeline.sandbox.pronto.account import ProntoSwitches
from crust_pipeline.sandbox.serve import running_sandbox
from crust_pipeline.sandbox.state import DEFAULT_CREDITS
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline_tests.people import write_people
from crust_pipeline_tests.waterfall.conftest import (
    COLUMNS,
    DAY,
    SandboxedInstallation,
    installed,
    served_inbox,
)

PEOPLE = [f"person-{number}" for number in range(30)]
PRONTO = {
    "business_email": "bulk_contact",
    "personal_email": "bulk_contact_personal_email",
    "phone_number": "bulk_contact_phone_number",
}
# What comes of somebody who was asked for.
ASKED = {"matched", "not_found", "no_data", "dropped"}
DELIVERED = {
    "business_email": "contact_emails WHERE email_type = 'business' AND status <> 'invalid' "
    "AND status <> 'unknown'",
    "personal_email": "contact_emails WHERE email_type = 'personal' AND status <> 'invalid' "
    "AND status <> 'unknown'",
    "phone_number": "contact_phones WHERE true",
}
EVERY_TYPE = pytest.mark.parametrize("contact_type", PRONTO)
EVERY_ORDER = pytest.mark.parametrize(
    "order", ["crustdata", "pronto", "crustdata,pronto", "pronto,crustdata"]
)
BOTH_ORDERS = pytest.mark.parametrize("order", ["crustdata,pronto", "pronto,crustdata"])
Bought = Callable[..., SandboxedInstallation]


def setting_of(contact_type: str) -> str:
    return f"CRUST_{contact_type.upper()}_VENDORS"


def steps(installation: SandboxedInstallation) -> list[str]:
    """The operations that ask for contact data, in order."""
    operations = operations_of(installation.pipeline.settings)
    return [name for name in operations if name not in {"identify", "enrich"}]


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bought]:
    """What an order of vendors buys for thirty people, bought once for all tests."""
    known: dict[object, SandboxedInstallation] = {}
    with ExitStack() as stack:

        def buy_once(**orders: str) -> SandboxedInstallation:
            key = frozenset(orders.items())
            if key not in known:
                folder = tmp_path_factory.mktemp("waterfall")
                sandbox = stack.enter_context(running_sandbox(switches=Switches(instant_jobs=True)))
                sandbox.pronto.switches = ProntoSwitches(seconds=0)
                ledger_url = f"sqlite:///{folder / 'ledger.db'}"
                rows = [
                    (DAY, f"https://www.linkedin.com/in/{who}", "Ada", f"Example-{who}", "Example")
                    for who in PEOPLE
                ]
                write_people(folder / "profile_urls.csv", rows, columns=COLUMNS)
                settings = {
                    "CRUSTDATA_API_KEY": sandbox.api_key,
                    "CRUSTDATA_BASE_URL": sandbox.base_url,
                    "CRUST_DATA_DIR": str(folder),
                    "CRUST_LEDGER_URL": ledger_url,
                    "CRUST_INBOX_URL": stack.enter_context(served_inbox(ledger_url)),
                    "CRUST_POLL_SECONDS": "0",
                    "CRUST_PERSONAL_CONTACT_CONSENT": "true",
                }
                vendors = {setting_of(name): orders.get(name, "none") for name in PRONTO}
                known[key] = installed(settings, sandbox, **vendors)
                report = known[key].run(*steps(known[key]))
                assert report.stopped is None
            return known[key]

        yield buy_once


def keys(installation: SandboxedInstallation, operation: str, *outcomes: str) -> set[str | None]:
    """The people who had one of these outcomes."""
    found = queries.outcomes(installation.pipeline.ledger, operation, [DAY])
    return {item.profile_key for item in found if item.outcome in outcomes}


def deliverable(installation: SandboxedInstallation, contact_type: str, vendor: str) -> set[str]:
    """The people of whom a vendor has delivered something that can be used."""
    query = f"SELECT DISTINCT profile_key FROM {DELIVERED[contact_type]} AND vendor = '{vendor}'"
    return {key for (key,) in installation.rows(query)}


@EVERY_TYPE
@BOTH_ORDERS
def test_the_second_vendor_is_asked_for_those_who_are_left_and_nobody_else(
    bought: Bought, contact_type: str, order: str
) -> None:
    installation = bought(**{contact_type: order})
    first, second = steps(installation)
    everybody = keys(installation, first, *ASKED, "redacted")
    assert len(everybody) == len(PEOPLE)
    found = deliverable(installation, contact_type, order.partition(",")[0])
    assert 0 < len(found) < len(PEOPLE)
    redacted = keys(installation, first, "redacted")
    asked_second = keys(installation, second, *ASKED)
    assert asked_second == everybody - found - redacted
    assert keys(installation, second, "reused") == found
    assert keys(installation, second, "redacted") >= redacted


@EVERY_TYPE
@pytest.mark.parametrize("order", ["crustdata", "pronto"])
def test_a_vendor_alone_is_the_only_one_asked(
    bought: Bought, contact_type: str, order: str
) -> None:
    installation = bought(**{contact_type: order})
    sandbox = installation.sandbox
    contact = {"crustdata": "contact", "pronto": PRONTO[contact_type]}
    assert steps(installation) == [contact[order]]
    jobs, searches = len(sandbox.state.jobs), len(sandbox.pronto.searches)
    assert (bool(jobs), bool(searches)) == (order == "crustdata", order == "pronto")


@EVERY_TYPE
@EVERY_ORDER
def test_at_each_step_the_rows_add_up(bought: Bought, contact_type: str, order: str) -> None:
    installation = bought(**{contact_type: order})
    ledger = installation.pipeline.ledger
    for operation in steps(installation):
        (counts,) = queries.outcome_counts(ledger, operation, [DAY]).values()
        assert counts.total() == len(PEOPLE)
        assert not counts.keys() & (OPEN_OUTCOMES | TROUBLED_OUTCOMES)


@EVERY_TYPE
@EVERY_ORDER
def test_each_vendor_s_credits_are_what_its_own_account_paid(
    bought: Bought, contact_type: str, order: str
) -> None:
    installation = bought(**{contact_type: order})
    computed = dict.fromkeys(["crustdata", "pronto"], Decimal(0))
    for operation in steps(installation):
        for usage in spending.credit_usage(installation.pipeline.ledger, operation, [DAY]):
            computed[usage.vendor] += usage.credits_computed or 0
    sandbox = installation.sandbox
    assert computed == {
        "crustdata": sandbox.state.account.spent,
        "pronto": DEFAULT_CREDITS - sandbox.pronto.balance,
    }


@EVERY_TYPE
@EVERY_ORDER
def test_planning_again_asks_nobody_again_and_changes_no_outcome(
    bought: Bought, contact_type: str, order: str
) -> None:
    pipeline = bought(**{contact_type: order}).pipeline
    operations = steps(bought(**{contact_type: order}))
    before = [list(queries.outcomes(pipeline.ledger, name, [DAY])) for name in operations]
    for name in operations:
        assert not plan_days(pipeline, name, [DAY], policy=pipeline.policy).batches
    after = [list(queries.outcomes(pipeline.ledger, name, [DAY])) for name in operations]
    assert after == before


ALL_AT_ONCE = {
    "business_email": "crustdata,pronto",
    "personal_email": "pronto",
    "phone_number": "pronto,crustdata",
}


def test_each_type_follows_its_own_order(bought: Bought) -> None:
    installation = bought(**ALL_AT_ONCE)
    assert steps(installation) == [
        "bulk_contact_personal_email",
        "bulk_contact_phone_number",
        "contact",
        "bulk_contact",
    ]
    phones = deliverable(installation, "phone_number", "pronto")
    batches = queries.batches(installation.pipeline.ledger)
    asked = {
        batch["submission_id"]: set(batch["fields"])
        for batch in batches
        if batch["operation"] == "contact"
    }
    phone = "personal_contact_info.phone_numbers"
    assert sorted(map(sorted, asked.values())) == [
        ["business_email"],
        ["business_email", phone],
    ]
    found = queries.outcomes(installation.pipeline.ledger, "contact", [DAY])
    for row in found:
        fields = asked[row.submission_id or ""]
        assert (phone in fields) == (row.profile_key not in phones)
    emails = deliverable(installation, "business_email", "crustdata")
    assert keys(installation, "bulk_contact", "reused") == emails


def test_each_type_is_a_submission_of_its_own_at_pronto(bought: Bought) -> None:
    installation = bought(**ALL_AT_ONCE)
    asked = {(batch["operation"], *batch["fields"]) for batch in installation.batches()}
    assert asked == {(operation, contact_type) for contact_type, operation in PRONTO.items()}
    assert {search.kind for search in installation.sandbox.pronto.searches} == {
        "email",
        "personal_email",
        "phone",
    }


def test_all_that_was_found_is_in_the_tables_with_its_vendor(bought: Bought) -> None:
    installation = bought(**ALL_AT_ONCE)
    values = "SELECT vendor, email_type FROM contact_emails UNION SELECT vendor, 'phone' FROM"
    assert set(installation.rows(f"{values} contact_phones")) == {
        ("crustdata", "business"),
        ("crustdata", "phone"),
        ("pronto", "business"),
        ("pronto", "personal"),
        ("pronto", "phone"),
    }
    assert installation.rows("SELECT count(*) FROM quarantine") == [(0,)]
