"""A day or a file that cannot be loaded stops no other: it is named, and due until it is loaded."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from crust_pipeline.app import days
from crust_pipeline.app.days import load_accounts, load_results, load_warehouse, rows_in_lake
from crust_pipeline.app.installation import Installation
from crust_pipeline.app.run_loop import RunReport, run_to_end
from crust_pipeline.errors import UnitsFailedError
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import queries
from crust_pipeline.settings import Settings
from crust_pipeline.tables.flatten.files import LandedFile
from crust_pipeline.tables.flatten.flattening import FlattenReport
from crust_pipeline_tests.command_line import crust
from crust_pipeline_tests.people import DAYS


@dataclass
class Trouble:
    """What cannot be flattened: days, and files by their end."""

    days: set[date]
    files: set[str]


@pytest.fixture
def pipeline(settings: dict[str, str]) -> Iterator[Installation]:
    pipeline = Installation(settings=Settings.from_env(settings))
    yield pipeline
    pipeline.ledger.close()


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Trouble:
    """Flattening that fails where the test says, in words that tell about somebody."""
    trouble, flatten = Trouble(set(), set()), days.flatten

    def failing(files: list[LandedFile], *, days: list[date], **how: Any) -> FlattenReport:
        if trouble.days & set(days) or trouble.files & {file.source_file for file in files}:
            raise duckdb.InvalidInputException("somebody@example.com")
        return flatten(files, days=days, **how)

    monkeypatch.setattr(days, "flatten", failing)
    return trouble


def run(pipeline: Installation, days: list[date] = DAYS) -> RunReport:
    return run_to_end(
        pipeline,
        operations=["enrich"],
        start=days[0],
        end=days[-1],
        policy=pipeline.policy,
        run_id="run",
        show=lambda _: None,
        sleep=time.sleep,
    )


def rows(pipeline: Installation, table: str = "people") -> list[int]:
    return list(rows_in_lake(pipeline, table, DAYS).values())


def behind(pipeline: Installation) -> list[date]:
    return [day.partition_date for day in ledger_load.due_days(pipeline.ledger, ["enrich"])]


def test_a_bad_day_is_named_and_the_other_days_are_loaded(
    pipeline: Installation, trouble: Trouble
) -> None:
    trouble.days = {DAYS[1]}
    report = run(pipeline)
    assert f"load of day {DAYS[1]} of enrich: InvalidInputException" in report.failed
    assert all(str(DAYS[1]) in problem for problem in report.failed)
    assert report.outcomes["enrich"]["matched"]
    assert rows(pipeline)[0] == 6
    assert rows(pipeline)[1] == 0
    assert rows(pipeline)[2] == 1
    assert behind(pipeline) == [DAYS[1]]
    (failed,) = ledger_load.failed_days(pipeline.ledger)
    assert (failed.partition_date, failed.error) == (DAYS[1], "InvalidInputException")
    with duckdb.connect(str(pipeline.settings.warehouse), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM people").fetchall() == [(7,)]
    trouble.days = set()
    assert run(pipeline).failed == ()
    assert rows(pipeline)[1] == 2
    assert ledger_load.failed_days(pipeline.ledger) == []
    assert behind(pipeline) == []


def test_a_bad_file_is_left_out_and_named_and_its_days_stay_due(
    pipeline: Installation, trouble: Trouble
) -> None:
    run(pipeline, DAYS[:1])
    run(pipeline, DAYS[1:])
    _, bad = queries.batches(pipeline.ledger)
    with pipeline.ledger.write() as tx:
        tx.con.exec_driver_sql("UPDATE days SET version = version + 1, flattened_at = NULL")
    trouble.files = {bad["source_file"]}
    with pytest.raises(UnitsFailedError) as raised:
        load_results(pipeline, "enrich", DAYS, run_id="again")
    named = f"load of file {bad['source_file']} on {DAYS[1]}: InvalidInputException"
    assert named in str(raised.value)
    assert "somebody" not in str(raised.value)
    assert rows(pipeline) == [6, 0, 0]
    load_accounts(pipeline, DAYS, run_id="again")
    assert behind(pipeline) == DAYS[1:]
    assert {day.error for day in ledger_load.failed_days(pipeline.ledger)} == {
        "1 of 1 files cannot be read into its tables"
    }


def test_rows_that_are_in_the_tables_stay_when_their_file_cannot_be_read_any_more(
    pipeline: Installation, trouble: Trouble
) -> None:
    run(pipeline)
    (batch,) = queries.batches(pipeline.ledger)
    trouble.files = {batch["source_file"]}
    with pytest.raises(UnitsFailedError, match=f"load of day {DAYS[0]} of enrich"):
        load_results(pipeline, "enrich", DAYS, run_id="again")
    assert rows(pipeline) == [6, 2, 1]


def test_a_day_whose_accounts_fail_is_named_and_the_other_days_are_written(
    pipeline: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_many = type(pipeline.lake).write_many

    def failing(lake: object, table: str, by_day: dict[date, Any], **how: Any) -> Any:
        if table == "outcomes" and DAYS[1] in by_day:
            raise KeyError("somebody@example.com")
        return write_many(pipeline.lake, table, by_day, **how)

    monkeypatch.setattr(type(pipeline.lake), "write_many", failing)
    report = run(pipeline)
    assert report.failed == (f"accounts of day {DAYS[1]}: KeyError",)
    assert rows(pipeline, "outcomes") == [6, 0, 3]
    assert behind(pipeline) == [DAYS[1]]
    monkeypatch.undo()
    load_accounts(pipeline, DAYS, run_id="again")
    load_warehouse(pipeline)
    assert rows(pipeline, "outcomes") == [6, 4, 3]
    assert behind(pipeline) == []


def test_status_names_days_and_batches_that_failed(
    pipeline: Installation, trouble: Trouble, settings: dict[str, str]
) -> None:
    trouble.days = {DAYS[1]}
    run(pipeline)
    (batch,) = queries.batches(pipeline.ledger)
    with pipeline.ledger.write() as tx:
        tx.update(batch["submission_id"], state="planned", product="company", tries=1, error="why")
    told = crust("status", "--json", settings=settings).json
    assert [(day["partition_date"], day["error"]) for day in told["days_failed"]] == [
        (DAYS[1].isoformat(), "InvalidInputException")
    ]
    (failed,) = told["troubled"]
    assert (failed["submission_id"], failed["error"]) == (batch["submission_id"], "why")
    shown = crust("status", settings=settings).out
    assert f"Failed: batch {batch['submission_id']}" in shown.replace("\n", " ")
    assert "Tables behind: enrich 2026-01-06 failed" in shown.replace("\n", " ")


def test_a_price_of_next_year_leaves_todays_price_and_every_file_lands(
    settings: dict[str, str], tmp_path: Path
) -> None:
    prices = tmp_path / "prices.json"
    row = {
        "vendor": "crustdata",
        "operation": "enrich",
        "item": "dev_platform_profiles",
        "credits": "2",
        "asked_by": ["dev_platform_profiles"],
        "source": "contract of next year",
        "valid_from": f"{date.today().year + 1}-01-01",  # noqa: DTZ011 - any day of this year
    }
    prices.write_text(json.dumps([row]))
    pipeline = Installation(settings=Settings.from_env({**settings, "CRUST_PRICES": str(prices)}))
    report = run(pipeline)
    (batch,) = queries.batches(pipeline.ledger)
    assert batch["credits_reserved"] == 2 * batch["identifier_count"]
    assert (report.failed, report.stopped, report.rows_open) == ((), None, 0)
    assert report.outcomes["enrich"]["matched"]
    pipeline.ledger.close()


def test_a_run_ends_when_only_batches_that_fail_are_left(
    pipeline: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise KeyError("somebody@example.com")

    monkeypatch.setattr("crust_pipeline.buying.land.settle", failing)
    report = run(pipeline)
    (batch,) = queries.batches(pipeline.ledger)
    assert report.failed == (f"landing of batch {batch['submission_id']}: KeyError",)
    assert report.rows_open
    assert batch["source_file"]
    monkeypatch.undo()
    again = run(pipeline)  # and at once, whatever the failed try was put off to
    assert (again.failed, again.rows_open) == ((), 0)
