"""The second vendor, from the plan to the tables, against the sandbox and a real inbox."""

import gzip
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from crust_pipeline.app.days import load_upstream, plan_days, preview_plan
from crust_pipeline.buying.land import land_files
from crust_pipeline.cli.main import main
from crust_pipeline.ledger import inbox
from crust_pipeline.ledger.inbox import Delivery, Receipt
from crust_pipeline.sandbox.pronto.account import ProntoSwitches
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.sandbox.state import DEFAULT_CREDITS
from crust_pipeline.settings import SettingsError
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.pronto.client import ProntoClient
from crust_pipeline_tests.people import write_people
from crust_pipeline_tests.waterfall.conftest import (
    COLUMNS,
    DAY,
    SandboxedInstallation,
    installed,
    served_inbox,
)


def test_who_has_no_deliverable_e_mail_goes_to_the_next_vendor(
    installation: SandboxedInstallation,
) -> None:
    report = installation.run()
    assert report.stopped is None
    outcomes = report.outcomes["bulk_contact"]
    assert outcomes.total() == 41
    assert outcomes["invalid_input"] <= 1
    found = set(
        installation.rows(
            "SELECT DISTINCT profile_key FROM contact_emails WHERE vendor = 'crustdata' "
            "AND coalesce(status, '') NOT IN ('invalid', 'unknown')"
        )
    )
    asked = set(
        installation.rows(
            "SELECT profile_key FROM outcomes WHERE operation = 'bulk_contact' "
            "AND outcome IN ('matched', 'not_found')"
        )
    )
    assert found
    assert asked
    assert not found & asked
    assert outcomes["reused"] == len(found)
    assert outcomes["matched"] > 0


def test_both_vendors_are_in_the_tables(installation: SandboxedInstallation) -> None:
    report = installation.run()
    vendors = dict(
        installation.rows(
            "SELECT vendor, count(DISTINCT profile_key) FROM contact_emails GROUP BY 1"
        )
    )
    assert set(vendors) == {"crustdata", "pronto"}
    assert vendors["pronto"] == report.outcomes["bulk_contact"]["matched"]
    usage = dict(
        installation.rows(
            "SELECT vendor, sum(credits_computed) FROM credit_usage "
            "WHERE operation IN ('contact', 'bulk_contact') GROUP BY 1"
        )
    )
    assert usage["pronto"] == 3 * vendors["pronto"]
    assert usage["pronto"] == DEFAULT_CREDITS - installation.sandbox.pronto.balance
    assert installation.rows("SELECT count(*) FROM quarantine") == [(0,)]


def test_a_second_run_buys_nothing_again(installation: SandboxedInstallation) -> None:
    first = installation.run()
    requests = installation.sandbox.pronto.requests["POST /contacts/bulk_enrich"]
    again = installation.run()
    assert installation.sandbox.pronto.requests["POST /contacts/bulk_enrich"] == requests
    assert again.outcomes == first.outcomes


def test_a_preview_buys_and_writes_nothing(installation: SandboxedInstallation) -> None:
    pipeline = installation.pipeline
    report = preview_plan(pipeline, "bulk_contact", start=DAY, end=DAY, policy=pipeline.policy)
    assert report.rows == 41
    assert sum(len(batch.identifiers) for batch in report.batches) == 40
    assert installation.batches() == []


def test_the_files_hold_the_deliveries_as_they_came(installation: SandboxedInstallation) -> None:
    installation.run("bulk_contact")
    batch = installation.batches()[0]
    kept = inbox.delivered(installation.pipeline.ledger, batch["submission_id"])
    path = installation.pipeline.settings.raw / batch["source_file"]
    assert sorted(gzip.decompress(path.read_bytes()).splitlines()) == sorted(kept)
    assert path.stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize("trouble", ["twice", "forged"])
def test_repeated_and_forged_deliveries_change_nothing(
    installation: SandboxedInstallation, trouble: str
) -> None:
    switches = installation.sandbox.pronto.switches
    installation.sandbox.pronto.switches = (
        replace(switches, deliveries="twice")
        if trouble == "twice"
        else replace(switches, forged=True)
    )
    report = installation.run("bulk_contact")
    assert report.outcomes["bulk_contact"]["unknown"] == 0
    emails = installation.rows("SELECT email FROM contact_emails")
    assert len(emails) == report.outcomes["bulk_contact"]["matched"]
    assert ("forged@example.net",) not in emails


def test_lost_deliveries_are_unknown_when_the_deadline_has_passed(
    installation: SandboxedInstallation,
) -> None:
    installation.sandbox.pronto.switches = ProntoSwitches(seconds=0, deliveries="lossy")

    def when_all_is_delivered() -> bool:
        pronto = installation.sandbox.pronto
        if 0 < len(pronto.searches) == pronto.posts_ended:
            installation.clock.added = timedelta(days=2)
        return True

    report = installation.run("bulk_contact", until=when_all_is_delivered)
    assert report.outcomes["bulk_contact"]["unknown"] >= 8
    assert report.rows_troubled >= 8
    # One of them comes after all: it is accepted, and loaded by the next run.
    lost = installation.rows(
        "SELECT profile_key FROM outcomes WHERE operation = 'bulk_contact' AND outcome = 'unknown'"
    )
    search = next(
        search
        for search in installation.sandbox.pronto.searches
        if search.contact["linkedin_url"].endswith(lost[0][0].rpartition("/")[2])
    )
    assert search.webhook_url is not None
    token = search.webhook_url.rpartition("/")[2]
    body = (
        b'{"status": "finished", "email": "late@example.com", "email_status": "deliverable", '
        b'"custom": {"key": "%s"}}' % search.contact["custom"]["key"].encode()
    )
    now = installation.clock()
    kept = inbox.keep(installation.pipeline.ledger, [Delivery(token, body)], now=now)
    assert kept == [Receipt.KEPT]
    assert len(land_files(installation.pipeline.accounts["pronto"]).landed) == 1
    after = installation.run("bulk_contact")
    unknown = report.outcomes["bulk_contact"]["unknown"]
    assert after.outcomes["bulk_contact"]["unknown"] == unknown - 1
    assert ("late@example.com",) in installation.rows("SELECT email FROM contact_emails")


def test_without_an_inbox_everybody_is_asked_for_alone_and_polled(
    settings: dict[str, str], sandbox: RunningSandbox, upstream: Path
) -> None:
    rows = [
        (DAY, f"https://www.linkedin.com/in/person-{n}", "Ada", f"Example{n}", "Example")
        for n in range(5)
    ]
    write_people(upstream, rows, columns=COLUMNS)
    sandbox.pronto.switches = ProntoSwitches(seconds=0)
    report = installed(settings, sandbox).run("bulk_contact")
    outcomes = report.outcomes["bulk_contact"]
    assert outcomes["matched"] + outcomes["not_found"] == 5
    assert sandbox.pronto.requests["POST /contacts/bulk_enrich"] == 0
    assert sandbox.pronto.requests["POST /contacts/single_enrich"] == 5


def test_a_submit_whose_answer_was_lost_is_known_by_its_deliveries(
    installation: SandboxedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = ProntoClient.bulk_enrich

    def lost(self: ProntoClient, *given: Any, **more: Any) -> str:
        really(self, *given, **more)
        raise errors.MaybeStarted("the connection was lost")

    monkeypatch.setattr(ProntoClient, "bulk_enrich", lost)
    report = installation.run("bulk_contact")
    assert report.outcomes["bulk_contact"]["unknown"] == 0
    assert installation.sandbox.pronto.requests["POST /contacts/bulk_enrich"] == 1


def test_an_unheard_of_refusal_stops_the_operation(installation: SandboxedInstallation) -> None:
    installation.sandbox.pronto.switches = ProntoSwitches(refusal="The stars are not right")
    report = installation.run("bulk_contact")
    assert "The stars are not right" in (report.stopped or "")
    assert installation.sandbox.pronto.requests["POST /contacts/bulk_enrich"] == 1


def test_without_consent_at_the_vendor_nobody_is_asked_for_again(
    settings: dict[str, str], sandbox: RunningSandbox, people: int, tmp_path: Path
) -> None:
    assert people
    sandbox.pronto.switches = ProntoSwitches(consent=False)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with served_inbox(url) as address:
        report = installed(
            settings,
            sandbox,
            CRUST_LEDGER_URL=url,
            CRUST_INBOX_URL=address,
            CRUST_PERSONAL_EMAIL_VENDORS="pronto",
            CRUST_PERSONAL_CONTACT_CONSENT="true",
        ).run("bulk_contact_personal_email")
    assert report.outcomes["bulk_contact_personal_email"]["not_permitted"] == 40
    assert sandbox.pronto.requests["POST /contacts/bulk_enrich"] == 1


@pytest.mark.parametrize("contact_type", ["personal_email", "phone_number"])
def test_personal_data_needs_our_own_consent_at_either_vendor(
    settings: dict[str, str], sandbox: RunningSandbox, contact_type: str
) -> None:
    orders = {f"CRUST_{contact_type.upper()}_VENDORS": "crustdata,pronto"}
    pipeline = installed(settings, sandbox, **orders).pipeline
    for operation in ("contact", f"bulk_contact_{contact_type}"):
        with pytest.raises(SettingsError, match=r"VENDORS .* CRUST_PERSONAL_CONTACT_CONSENT"):
            pipeline.fields(operation)


def test_names_come_from_what_was_bought_when_the_upstream_has_none(
    installation: SandboxedInstallation, upstream: Path
) -> None:
    write_people(upstream, [(DAY, f"https://www.linkedin.com/in/person-{n}") for n in range(30)])
    without = installation.run("bulk_contact")
    assert without.outcomes["bulk_contact"] == {"invalid_input": 30}
    report = installation.run("enrich", "bulk_contact")
    assert report.outcomes["bulk_contact"]["invalid_input"] < 30


def test_rows_wait_for_the_first_vendor(installation: SandboxedInstallation) -> None:
    pipeline = installation.pipeline
    load_upstream(pipeline, start=DAY, end=DAY, run_id="test")
    plan_days(pipeline, "contact", [DAY], policy=pipeline.policy)
    report = plan_days(pipeline, "bulk_contact", [DAY], policy=pipeline.policy)
    assert report.batches == ()
    assert report.verdicts[DAY] == {"await": 41}


def test_a_waterfall_without_a_key_is_said_before_anything_is_bought(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    pipeline = installed(settings, sandbox, PRONTO_API_KEY="").pipeline
    with pytest.raises(SettingsError, match="PRONTO_API_KEY"):
        _ = list(pipeline.accounts.values())


def test_status_tells_each_account_by_itself(
    installation: SandboxedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.run()
    settings = installation.pipeline.settings
    monkeypatch.setenv("CRUST_LEDGER_URL", settings.ledger_url)
    monkeypatch.setenv("CRUSTDATA_BASE_URL", settings.base_url)
    monkeypatch.setenv("PRONTO_BASE_URL", settings.pronto_base_url)
    monkeypatch.setenv("CRUST_BUSINESS_EMAIL_VENDORS", "crustdata,pronto")
    told = json.loads(CliRunner().invoke(main, ["status", "--json"]).stdout)
    (pronto,) = told["other_accounts"]
    assert pronto["account"] == "pronto@127.0.0.1"
    assert sum(pronto["batches"].values()) == len(installation.batches())
    shown = CliRunner().invoke(main, ["status"]).stdout
    assert shown.count("Credits:") == 2
