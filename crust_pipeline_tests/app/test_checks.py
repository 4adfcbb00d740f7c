"""What the checks find, on a few invented rows: they pass on good ones and say what is wrong."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crust_pipeline.app import checks
from crust_pipeline.app.installation import Installation
from crust_pipeline.buying.decide import InputRow
from crust_pipeline.buying.plan import plan
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.settings import Settings
from crust_pipeline.tables.specs import TABLES
from crust_pipeline.vendors.pronto.products import BULK_CONTACTS

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Installation]:
    pipeline = Installation(
        settings=Settings.from_env({"CRUST_DATA_DIR": str(tmp_path)}), clock=lambda: NOW
    )
    yield pipeline
    pipeline.ledger.close()


def put(pipeline: Installation, table: str, rows: list[dict[str, Any]], *, day: date = DAY) -> None:
    pipeline.lake.write_rows(table, day, rows, run_id="run", loaded_at=NOW)


def outcomes(**counts: int) -> list[dict[str, Any]]:
    names = [name for name, count in counts.items() for _ in range(count)]
    return [
        {"row_id": str(number), "operation": "enrich", "outcome": name}
        for number, name in enumerate(names)
    ]


def test_a_row_that_is_there_twice_is_found(pipeline: Installation) -> None:
    put(pipeline, "outcomes", outcomes(matched=2))
    assert checks.keys_are_unique(pipeline, TABLES["outcomes"], [DAY]).passed
    put(pipeline, "outcomes", [*outcomes(matched=2), *outcomes(dropped=1)])
    found = checks.keys_are_unique(pipeline, TABLES["outcomes"], [DAY])
    assert not found.passed
    assert found.numbers["rows_again"] == 1


@pytest.mark.parametrize("table", TABLES)
def test_what_the_lake_writes_is_as_specified(pipeline: Installation, table: str) -> None:
    put(pipeline, table, [])
    found = checks.columns_are_as_specified(pipeline, TABLES[table], [DAY])
    assert found.passed, found.numbers
    assert found.numbers["files"] == 1


def test_a_column_of_another_type_is_named(pipeline: Installation) -> None:
    put(pipeline, "outcomes", outcomes(matched=1))
    path = pipeline.lake.path("outcomes", DAY)
    table = pq.ParquetFile(path).read()
    number = table.column_names.index("row_id")
    pq.write_table(table.set_column(number, "row_id", pa.array([1])), path)
    found = checks.columns_are_as_specified(pipeline, TABLES["outcomes"], [DAY])
    assert found.numbers["columns_wrong"] == "row_id"


def test_a_row_without_an_outcome_is_found(pipeline: Installation) -> None:
    put(pipeline, "outcomes", [{"row_id": "1", "operation": "enrich"}])
    found = checks.columns_are_as_specified(pipeline, TABLES["outcomes"], [DAY])
    assert found.numbers["rows_with_forbidden_nulls"] == 1


@pytest.mark.parametrize(
    ("matched", "passed"), [(80, True), (75, True), (40, False)], ids=["same", "chance", "drop"]
)
def test_a_fill_rate_that_fell_is_noticed(
    pipeline: Installation, matched: int, *, passed: bool
) -> None:
    for days in (1, 9):
        before = DAY - timedelta(days=days)
        put(pipeline, "outcomes", outcomes(matched=80, dropped=20), day=before)
    put(pipeline, "outcomes", outcomes(matched=matched, dropped=100 - matched, duplicate=50))
    found = checks.fill_rate_is_usual(pipeline, "enrich", [DAY])
    assert found.passed is passed
    assert found.numbers["fill_rate"] == matched / 100
    assert found.numbers["fill_rate_before"] == 0.8


def test_the_first_days_have_nothing_to_be_compared_with(pipeline: Installation) -> None:
    put(pipeline, "outcomes", outcomes(dropped=9))
    assert checks.fill_rate_is_usual(pipeline, "enrich", [DAY]).passed


def test_a_status_that_nobody_knows_is_counted(pipeline: Installation) -> None:
    address = {"email": "a@example.com", "submission_id": "s", "source_file": "f"}
    put(pipeline, "contact_emails", [address | {"status": "deliverable"}])
    assert checks.email_statuses_are_usual(pipeline, [DAY]).passed
    put(pipeline, "contact_emails", [address | {"status": "guessed"}])
    found = checks.email_statuses_are_usual(pipeline, [DAY])
    assert not found.passed
    assert found.numbers["addresses_of_unknown_status"] == 1


def test_credits_that_differ_from_the_vendors_are_found(pipeline: Installation) -> None:
    usage = {"submission_id": "s", "operation": "enrich", "credits_computed": Decimal(4)}
    put(pipeline, "credit_usage", [usage | {"credits_reported": Decimal(4)}, usage])
    assert checks.credits_are_as_reported(pipeline, [DAY]).passed
    put(pipeline, "credit_usage", [usage | {"credits_reported": Decimal(6)}])
    assert checks.credits_are_as_reported(pipeline, [DAY]).numbers == {
        "batches_with_a_report": 1,
        "batches_that_differ": 1,
        "credits_computed": 4.0,
        "credits_reported": 6.0,
    }


@pytest.mark.parametrize("whose", ["computed", "reported"])
def test_a_cost_beyond_what_was_reserved_is_found(pipeline: Installation, whose: str) -> None:
    usage = {"submission_id": "s", "operation": "enrich", "credits_reserved": Decimal(5)}
    put(pipeline, "credit_usage", [usage | {f"credits_{whose}": Decimal(5)}, usage])
    assert checks.costs_are_within_what_was_reserved(pipeline, [DAY]).passed
    put(pipeline, "credit_usage", [usage | {f"credits_{whose}": Decimal("5.5")}])
    found = checks.costs_are_within_what_was_reserved(pipeline, [DAY])
    assert not found.passed
    assert found.numbers["credits_over_what_was_reserved"] == 0.5


def test_an_empty_ledger_has_nothing_unknown_and_no_old_link(pipeline: Installation) -> None:
    assert checks.no_submit_is_unknown(pipeline).passed
    assert checks.no_link_is_near_its_end(pipeline).passed
    assert checks.files_are_as_long_as_the_vendor_says(pipeline, [DAY]).passed


def test_an_unknown_submit_to_a_second_vendor_is_found(tmp_path: Path) -> None:
    settings = {"CRUST_DATA_DIR": str(tmp_path), "CRUST_BUSINESS_EMAIL_VENDORS": "crustdata,pronto"}
    pipeline = Installation(settings=Settings.from_env(settings), clock=lambda: NOW)
    ledger = pipeline.ledgers[1]
    report = plan(
        ledger,
        {"profile_url": BULK_CONTACTS["bulk_contact"]},
        rows=[InputRow(DAY, str(number), f"linkedin.com/in/p{number}") for number in range(2)],
        partitions=[DAY],
        fields=BULK_CONTACTS["bulk_contact"].fields,
        policy=pipeline.policy,
        now=NOW,
    )
    ledger_submit.claim_next(ledger, max_active=5, owner="one", now=NOW)
    lost = report.batches[0].submission_id
    ledger_submit.record_unknown(ledger, lost, reason="no answer", now=NOW)
    found = checks.no_submit_is_unknown(pipeline)
    assert not found.passed
    assert found.numbers == {"unknown_submits": 1, "identifiers": 2, "batches": lost}


def test_a_warehouse_behind_the_lake_is_noticed(pipeline: Installation) -> None:
    put(pipeline, "outcomes", outcomes(matched=1))
    assert checks.warehouse_is_up_to_date(pipeline).numbers == {"partitions_behind": 1}
    pipeline.warehouse.load(pipeline.lake)
    assert checks.warehouse_is_up_to_date(pipeline).passed


@pytest.mark.parametrize("table", ["people", "identities"])
def test_a_record_of_somebody_else_is_found(pipeline: Installation, table: str) -> None:
    def found() -> checks.Finding:
        return checks.profiles_are_of_those_asked_for(pipeline, TABLES[table], [DAY])

    row = {"profile_key": "linkedin.com/in/someone"}
    put(pipeline, table, [row | {"identity_mismatch": False}, row])
    assert found() == checks.Finding(
        passed=True, numbers={"rows": 2, "rows_compared": 1, "rows_of_somebody_else": 0}
    )
    put(pipeline, table, [row | {"identity_mismatch": True}])
    assert not found().passed
    assert found().numbers["rows_of_somebody_else"] == 1
    assert "someone" not in str(found())
