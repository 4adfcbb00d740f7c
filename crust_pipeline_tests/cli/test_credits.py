"""`crust-pipeline credits`: what is told side by side, and never added up across vendors."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from crust_pipeline.buying.decide import InputRow, Policy
from crust_pipeline.buying.plan import plan
from crust_pipeline.ledger import land as ledger_land
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.ledger.land import LandingRecord, Settled
from crust_pipeline.ledger.poll import JobReport
from crust_pipeline.ledger.spending import spending
from crust_pipeline.ledger.states import Answer, BatchState
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.settings import Settings
from crust_pipeline.vendors.crustdata.products import ENRICH
from crust_pipeline.vendors.product import Product
from crust_pipeline.vendors.pronto.products import BULK_CONTACTS, PRONTO
from crust_pipeline_tests.command_line import crust

MONDAY, TUESDAY = date(2026, 11, 2), date(2026, 11, 3)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Mapping[str, str]:
    """An installation that buys from two vendors."""
    return {
        "CRUST_DATA_DIR": str(tmp_path),
        "CRUST_ACCOUNT": "first",
        "CRUST_BUSINESS_EMAIL_VENDORS": "crustdata,pronto",
    }


def planned(
    settings: Mapping[str, str], product: Product, *, people: int = 3
) -> tuple[Ledger, str]:
    """One batch: the first person's day is Tuesday, the others' Monday."""
    of = Settings.from_env(settings)
    account = of.account if product.vendor == "crustdata" else PRONTO.account(of)
    ledger = Ledger(of.ledger_url, account=account)
    rows = [
        InputRow(MONDAY if number else TUESDAY, str(number), f"linkedin.com/in/p{number}")
        for number in range(people)
    ]
    report = plan(
        ledger,
        {"profile_url": product},
        rows=rows,
        partitions=[MONDAY, TUESDAY],
        fields=product.fields,
        policy=Policy(refresh_after=timedelta(90), retry_not_found_after=timedelta(30)),
        now=NOW,
    )
    return ledger, report.batches[0].submission_id


def landed(ledger: Ledger, submission_id: str, *, reported: Decimal | None) -> None:
    """Its file has come: one credit for everybody but the first person, who is not known."""
    assert ledger_submit.claim_next(ledger, max_active=5, owner="one", now=NOW)
    ledger_submit.record_accepted(
        ledger,
        submission_id,
        batch_id="job-1",
        action=None,
        poll_at=NOW,
        now=NOW,
    )
    with ledger.write() as tx:
        tx.update(submission_id, credits_reported=reported)
    ledger_poll.record_report(
        ledger, submission_id, JobReport(state=BatchState.COMPLETED), poll_at=NOW, now=NOW
    )
    with ledger.read() as con:
        keys = [row.subject_key for row in ledger_poll.identifiers_of(con, submission_id)]
    settled = [
        Settled(key, Answer.MATCHED, Decimal(1), source_line=place)
        if place
        else Settled(key, Answer.DROPPED, Decimal(0))
        for place, key in enumerate(sorted(keys))
    ]
    file = LandingRecord(source_file="a", sha256="b", size_bytes=1, lines=len(settled) - 1)
    assert ledger_land.record_landed(ledger, submission_id, file, settled=settled, now=NOW)


def test_credits_stand_side_by_side(settings: Mapping[str, str]) -> None:
    landed(*planned(settings, ENRICH), reported=Decimal("1.5"))
    told = crust("credits", "--by", "state", "--json", settings=settings).json
    assert told["groups"] == [
        {
            "vendor": "crustdata",
            "state": "landed",
            "batches": 1,
            "identifiers": 3,
            "delivered": 2,
            "credits_reserved": 6,
            "credits_computed": 2,
            "credits_reported": 1.5,
            "credits_computed_of_reported": 2,
        }
    ]


def test_a_batch_is_divided_among_its_partitions_and_counted_once(
    settings: Mapping[str, str],
) -> None:
    planned(settings, ENRICH)
    told = crust("credits", "--by", "partition", "--by", "day", "--json", settings=settings).json
    assert [
        (row["partition"], row["day"], row["batches"], row["credits_reserved"])
        for row in told["groups"]
    ] == [("2026-11-02", "2026-11-20", 1, 4), ("2026-11-03", "2026-11-20", 1, 2)]
    assert [(row["batches"], row["credits_reserved"]) for row in told["totals"]] == [(1, 6)]


def test_credits_of_two_vendors_are_never_added_up(settings: Mapping[str, str]) -> None:
    planned(settings, ENRICH)
    planned(settings, BULK_CONTACTS["bulk_contact"])
    told = crust("credits", "--json", settings=settings).json
    assert [row["vendor"] for row in told["totals"]] == ["crustdata", "pronto"]
    assert [(row["vendor"], row["operation"]) for row in told["groups"]] == [
        ("crustdata", "enrich"),
        ("pronto", "bulk_contact"),
    ]


def test_what_was_refused_reserves_nothing(settings: Mapping[str, str]) -> None:
    ledger, submission_id = planned(settings, ENRICH)
    assert ledger_submit.claim_next(ledger, max_active=5, owner="one", now=NOW)
    ledger_submit.record_rejected(ledger, submission_id, reason="refused", now=NOW)
    (found,) = spending(ledger, accounts=["first"], by=["state"])
    assert (found.group, found.credits_reserved) == ({"state": "rejected"}, 0)


def test_purchases_of_another_account_are_left_out(settings: Mapping[str, str]) -> None:
    planned(settings, ENRICH)
    told = crust("credits", "--json", settings={**settings, "CRUST_ACCOUNT": "other"}).json
    assert told == {"groups": [], "totals": [], "asked": []}


def test_people_read_a_table_and_a_sentence_for_each_vendor(settings: Mapping[str, str]) -> None:
    planned(settings, ENRICH)
    shown = crust("credits", settings=settings).out
    assert "Credits by operation" in shown
    assert (
        "crustdata: 6 reserved at worst, 0 computed from what was delivered; "
        "the vendor has reported nothing"
    ) in shown


def test_an_empty_ledger_has_nothing_to_show(settings: Mapping[str, str]) -> None:
    done = crust("credits", settings=settings)
    assert done.code == 0


def test_the_vendor_is_asked_for_its_balance_and_its_usage_report(
    settings: Mapping[str, str], sandbox: RunningSandbox
) -> None:
    account = {
        "CRUST_DATA_DIR": settings["CRUST_DATA_DIR"],
        "CRUSTDATA_API_KEY": sandbox.api_key,
        "CRUSTDATA_BASE_URL": sandbox.base_url,
        "CRUST_CONTACT_FIELDS": "business_email",
    }
    crust("lookup", "--yes", "sam@example.com", settings=account)
    sandbox.clock.advance(60)  # what was charged is reported a little later
    left = sandbox.state.account.balance
    (asked,) = crust("credits", "--ask", "--json", settings=account).json["asked"]
    assert (asked["balance"], asked["credits_charged"]) == (left, 1)
    shown = crust("credits", "--ask", settings=account).out
    assert "charged 1 credits since" in shown


def test_without_a_key_nobody_can_be_asked(settings: Mapping[str, str]) -> None:
    assert crust("credits", "--ask", settings=settings).code == 2
