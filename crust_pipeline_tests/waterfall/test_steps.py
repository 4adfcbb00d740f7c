"""A step of the waterfall: whom it waits for, whom it leaves alone, what it still asks for."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crust_pipeline.app.days import load_results, load_upstream, plan_days
from crust_pipeline.app.installation import Installation
from crust_pipeline.app.orders import operations_before, operations_of
from crust_pipeline.app.waterfall import found_already
from crust_pipeline.buying.advance import advance_all
from crust_pipeline.buying.poll import poll_jobs
from crust_pipeline.buying.submit import fill_slots
from crust_pipeline.ledger import queries
from crust_pipeline.sandbox.pronto.account import ProntoSwitches
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.settings import Settings
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline_tests.people import DAYS, write_people
from crust_pipeline_tests.waterfall.conftest import (
    COLUMNS,
    DAY,
    SandboxedInstallation,
    installed,
    served_inbox,
)

REMOVED = "linkedin.com/in/removed-person"
PRONTO_FIRST = {"CRUST_BUSINESS_EMAIL_VENDORS": "pronto,crustdata"}
WITH_PERSONAL = {
    **PRONTO_FIRST,
    "CRUST_PERSONAL_EMAIL_VENDORS": "crustdata",
    "CRUST_PERSONAL_CONTACT_CONSENT": "true",
    "CRUST_CONTACT_VERIFIED": "true",
}


@pytest.fixture
def inbox(tmp_path: Path, sandbox: RunningSandbox) -> Iterator[dict[str, str]]:
    """The settings of an installation with an inbox, at a Pronto that is quick."""
    sandbox.pronto.switches = ProntoSwitches(seconds=0)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with served_inbox(url) as address:
        yield {"CRUST_LEDGER_URL": url, "CRUST_INBOX_URL": address}


@pytest.fixture
def with_removed(upstream: Path) -> None:
    """Five people, and one who has asked Crustdata for removal."""
    slugs = [*(f"person-{number}" for number in range(5)), "removed-person"]
    urls = [f"https://www.linkedin.com/in/{slug}" for slug in slugs]
    rows = [(DAY, url, "Ada", "Example", "Example") for url in urls]
    write_people(upstream, rows, columns=COLUMNS)


def outcomes(installation: SandboxedInstallation, operation: str) -> dict[str | None, str]:
    found = queries.outcomes(installation.pipeline.ledger, operation, [DAY])
    return {item.profile_key: item.outcome for item in found}


@pytest.mark.usefixtures("with_removed")
@pytest.mark.parametrize("order", ["crustdata,pronto", "pronto,crustdata", "pronto"])
def test_whoever_asked_for_removal_is_not_asked_for_at_another_vendor(
    settings: dict[str, str], inbox: dict[str, str], sandbox: RunningSandbox, order: str
) -> None:
    more = inbox | {"CRUST_BUSINESS_EMAIL_VENDORS": order}
    installation = installed(settings, sandbox, **more)
    # In one go: who may turn out to have asked for it is waited for.
    operations = operations_of(installation.pipeline.settings)
    report = installation.run(*(name for name in operations if name != "enrich"))
    assert report.stopped is None
    assert outcomes(installation, "bulk_contact")[REMOVED] == "redacted"
    slugs = {search.contact["linkedin_url"] for search in sandbox.pronto.searches}
    assert slugs
    assert not any("removed" in slug for slug in slugs)


def planned(installation: SandboxedInstallation, *operations: str) -> None:
    """Plan operations one after the other, with nothing answered in between."""
    pipeline = installation.pipeline
    load_upstream(pipeline, start=DAY, end=DAY, run_id="test")
    for name in operations:
        plan_days(pipeline, name, [DAY], policy=pipeline.policy)


def test_contact_waits_while_pronto_is_asked_first(
    settings: dict[str, str], inbox: dict[str, str], sandbox: RunningSandbox, people: int
) -> None:
    installation = installed(settings, sandbox, **inbox, **PRONTO_FIRST)
    planned(installation, "bulk_contact", "contact")
    assert set(outcomes(installation, "contact").values()) == {"pending"}
    batches = queries.batches(installation.pipeline.ledger)
    # The one without a name cannot be asked for at Pronto, and waits for nothing there.
    asked = [batch["identifier_count"] for batch in batches if batch["operation"] == "contact"]
    assert asked == [1]
    report = installation.run("bulk_contact", "contact")
    assert report.stopped is None
    assert report.outcomes["contact"].total() == people
    assert report.rows_open == 0


def test_of_other_rows_only_what_is_missing_is_asked_for(
    settings: dict[str, str], inbox: dict[str, str], sandbox: RunningSandbox, people: int
) -> None:
    assert people
    installation = installed(settings, sandbox, **inbox, **WITH_PERSONAL)
    report = installation.run("bulk_contact", "contact")
    assert report.outcomes["contact"]["reused"] == 0
    batches = queries.batches(installation.pipeline.ledger)
    sent: Counter[tuple[str, ...]] = Counter()
    for batch in batches:
        if batch["operation"] == "contact":
            sent[tuple(batch["fields"])] += batch["identifier_count"]
    personal = "personal_contact_info.personal_emails"
    found = report.outcomes["bulk_contact"]["matched"]
    # Nobody whose address was found is to have it checked either.
    assert sent == {
        (personal,): found,
        ("business_email", personal, "verified"): people - found,
    }


def test_a_row_that_waits_because_of_one_type_waits_with_the_others(
    settings: dict[str, str], inbox: dict[str, str], sandbox: RunningSandbox, people: int
) -> None:
    assert people
    installation = installed(settings, sandbox, **inbox, **WITH_PERSONAL)
    planned(installation, "bulk_contact", "contact")
    pending = [one for one in outcomes(installation, "contact").values() if one == "pending"]
    fill_slots(installation.pipeline.accounts["crustdata"])
    assert len(pending) == people
    assert sandbox.state.account.spent <= 4  # the one without a name


def land_everything(pipeline: Installation) -> None:
    while set(queries.summary(pipeline.ledger, now=pipeline.clock()).batches) != {"landed"}:
        advance_all(list(pipeline.accounts.values()), run_id="test")
        poll_jobs(pipeline.accounts["crustdata"])


def test_whoever_was_found_on_another_day_is_found(
    settings: dict[str, str], sandbox: RunningSandbox, upstream: Path
) -> None:
    people = [f"https://www.linkedin.com/in/person-{number}" for number in range(10)]
    rows = [(day, url, "Ada", "Example", "Example") for day in DAYS[:2] for url in people]
    write_people(upstream, rows, columns=COLUMNS)
    pipeline = installed(settings, sandbox).pipeline
    load_upstream(pipeline, start=DAYS[0], end=DAYS[1], run_id="test")
    plan_days(pipeline, "contact", DAYS[:2], policy=pipeline.policy)
    land_everything(pipeline)
    # The first day bought them, and its tables are not written yet.
    report = plan_days(pipeline, "bulk_contact", [DAYS[1]], policy=pipeline.policy)
    verdicts = report.verdicts[DAYS[1]]
    assert verdicts["reuse"] > 0
    assert verdicts["ask"] < len(people)


@pytest.mark.usefixtures("with_removed")
def test_what_lands_while_a_step_is_planned_is_waited_for(
    settings: dict[str, str], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = installed(settings, sandbox).pipeline
    load_upstream(pipeline, start=DAY, end=DAY, run_id="test")
    plan_days(pipeline, "contact", [DAY], policy=pipeline.policy)

    def load_and_land(*given: Any, **more: Any) -> object:
        report = load_results(*given, **more)
        land_everything(pipeline)
        return report

    monkeypatch.setattr("crust_pipeline.app.days.load_results", load_and_land)
    report = plan_days(pipeline, "bulk_contact", [DAY], policy=pipeline.policy)
    assert report.verdicts[DAY] == {"await": 6}


def test_a_step_that_was_never_planned_is_not_waited_for(
    settings: dict[str, str], inbox: dict[str, str], sandbox: RunningSandbox, people: int
) -> None:
    report = installed(settings, sandbox, **inbox, **PRONTO_FIRST).run("contact")
    assert report.rows_open == 0
    assert report.outcomes["contact"].total() == people
    assert not sandbox.pronto.searches


@pytest.mark.parametrize(
    ("vendor", "status", "counts"),
    [
        ("crustdata", "deliverable", True),
        ("crustdata", "catch_all", True),
        ("crustdata", "invalid", False),
        ("crustdata", "unknown", False),
        ("pronto", "deliverable", True),
        ("pronto", "catch_all", True),
        ("pronto", "valid", True),
        ("pronto", "invalid", False),
        ("pronto", "N/A", False),
        ("pronto", "unheard-of", False),
        ("crustdata", None, True),
    ],
)
@pytest.mark.parametrize("email_type", ["business", "personal"])
def test_an_address_counts_as_found_by_its_status(
    tmp_path: Path, vendor: str, status: str | None, counts: bool, email_type: str
) -> None:
    lake = Lake(tmp_path)
    row = {
        "profile_key": REMOVED,
        "email": "ada@example.com",
        "email_type": email_type,
        "status": status,
        "vendor": vendor,
        "submission_id": "s",
    }
    lake.write_rows("contact_emails", DAY, [row], run_id="r", loaded_at=datetime.now(UTC))
    assert bool(found_already(lake, f"{email_type}_email", [REMOVED], vendor=vendor)) is counts
    other = "pronto" if vendor == "crustdata" else "crustdata"
    assert not found_already(lake, f"{email_type}_email", [REMOVED], vendor=other)


@pytest.mark.parametrize(
    ("orders", "operations"),
    [
        ({}, ("identify", "contact", "enrich")),
        ({"BUSINESS_EMAIL": "none"}, ("identify", "enrich")),
        ({"BUSINESS_EMAIL": "pronto"}, ("identify", "enrich", "bulk_contact")),
        (
            {"BUSINESS_EMAIL": "crustdata,pronto"},
            ("identify", "contact", "enrich", "bulk_contact"),
        ),
        (
            {"BUSINESS_EMAIL": "pronto,crustdata", "PHONE_NUMBER": "crustdata,pronto"},
            ("identify", "enrich", "bulk_contact", "contact", "bulk_contact_phone_number"),
        ),
    ],
)
def test_operations_are_those_that_a_setting_names_each_after_what_it_needs(
    orders: dict[str, str], operations: tuple[str, ...]
) -> None:
    environment = {f"CRUST_{name}_VENDORS": order for name, order in orders.items()}
    settings = Settings.from_env(environment)
    assert operations_of(settings) == operations
    for place, operation in enumerate(operations):
        needed = set(operations_before(settings, operation))
        # A name comes from enrich only where Pronto asks by it.
        assert needed <= set(operations[:place])
