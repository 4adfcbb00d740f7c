"""The assets that hold what came back, what they show, and their checks."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow.parquet as pq
import pytest

from crust_pipeline.app import days
from crust_pipeline.ledger import queries
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.tables.flatten.flattening import FlattenReport, flatten
from crust_pipeline_tests.defs.conftest import (
    SandboxedInstallation,
    checks_of,
    range_tags,
    reason_of,
)
from crust_pipeline_tests.people import DAYS, write_people


def test_each_day_shows_its_own_rows_credits_and_outcomes(
    installation: SandboxedInstallation,
) -> None:
    installation.buy(DAYS)
    installation.settle()
    shown = [installation.metadata("people", day) for day in DAYS]
    assert [day["dagster/partition_row_count"] for day in shown] == [6, 2, 1]
    assert [day["crust/credits_reserved"] for day in shown] == [12, 4, 4]
    assert [day["crust/outcome_matched"] for day in shown] == [6, 2, 1]
    assert [day["crust/fill_rate"] for day in shown] == [1, 1, 0.5]
    spent = sum(day["crust/credits_computed"] for day in shown)
    assert 0 < spent <= 20
    (batch_id,) = {id_ for day in shown for id_ in day["crust/batch_ids"]}
    assert len(batch_id) == 36


def test_credits_computed_are_what_the_vendor_charged(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    installation.buy(DAYS)
    installation.settle()
    shown = [installation.metadata("people", day)["crust/credits_computed"] for day in DAYS]
    assert sum(shown) == sandbox.state.account.spent


def test_columns_and_where_they_come_from_are_shown(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    installation.settle()
    spec = installation.defs.resolve_asset_graph().get(dg.AssetKey("people"))
    columns = {column.name: column for column in spec.metadata["dagster/column_schema"].columns}
    assert columns["headline"].type == "VARCHAR"
    assert columns["headline"].description
    lineage = installation.metadata("people", DAYS[-1])["dagster/column_lineage"]
    (source,) = lineage.deps_by_column["headline"]
    assert source.asset_key == dg.AssetKey("enrich_batches")
    assert source.column_name == "data.basic_profile.headline"


def test_nothing_personal_is_shown(installation: SandboxedInstallation, tmp_path: Path) -> None:
    installation.buy(DAYS)
    installation.settle()
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb"), read_only=True) as con:
        names = {row[0] for row in con.execute("SELECT name FROM people").fetchall()}
    assert names
    runs = installation.instance.get_runs()
    shown = str([installation.instance.all_logs(run.run_id) for run in runs])
    assert "enrich_batches" in shown
    for personal in {*names, "person-1", "sandbox-key"}:
        assert personal not in shown


def test_an_upstream_that_changed_since_is_no_loss(
    installation: SandboxedInstallation, upstream: Path
) -> None:
    installation.buy(DAYS)
    installation.settle()
    people = [f"https://www.linkedin.com/in/person-{number}" for number in (1, 30)]
    write_people(upstream, [(DAYS[0], url) for url in people])
    installation.materialize("profile_urls", days=DAYS)
    result = installation.run("load_enrich", tags=range_tags(DAYS))
    assert result.success
    checks = checks_of(result)
    assert checks["outcomes_add_up"].passed
    assert not checks["every_row_is_planned"].passed
    assert checks["every_row_is_planned"].metadata["rows_to_plan"].value == 1


def test_a_row_that_is_not_written_stops_the_run_before_the_warehouse(
    installation: SandboxedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.buy(DAYS)
    installation.settle()

    def one_short(*files: Any, **options: Any) -> FlattenReport:
        report = flatten(*files, **options)
        path = options["lake"].path("people", DAYS[0])
        pq.write_table(pq.ParquetFile(path).read().slice(1), path)
        return report

    monkeypatch.setattr(days, "flatten", one_short)
    result = installation.run("load_enrich", tags=range_tags(DAYS))
    check = checks_of(result)["lines_add_up"]
    assert not check.passed
    assert check.metadata["lines_not_in_the_lake"].value == 1
    started = {event.step_key for event in result.all_events if event.is_step_start}
    assert not result.success
    assert "warehouse" not in started


@pytest.mark.parametrize("switches", [Switches()])
def test_result_tables_materialised_too_early_are_empty_and_say_pending(
    installation: SandboxedInstallation,
) -> None:
    installation.buy(DAYS)
    assert installation.run("load_enrich", tags=range_tags(DAYS)).success
    shown = installation.metadata("people", DAYS[0])
    assert shown["dagster/partition_row_count"] == 0
    assert shown["crust/outcome_pending"] == 6
    assert installation.metadata("outcomes", DAYS[0])["dagster/partition_row_count"] == 6


@pytest.mark.parametrize("switches", [Switches()])
def test_days_loaded_too_early_are_loaded_again_when_they_are_final(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    installation.buy(DAYS)
    assert installation.run("load_enrich", tags=range_tags(DAYS)).success
    sandbox.clock.advance(3600)
    installation.settle()
    assert installation.metadata("people", DAYS[0])["dagster/partition_row_count"] == 6


def test_days_that_were_never_planned_can_be_materialised(
    installation: SandboxedInstallation,
) -> None:
    assert installation.run("load_enrich", tags=range_tags(DAYS)).success
    assert installation.metadata("people", DAYS[0])["dagster/partition_row_count"] == 0


def break_day(monkeypatch: pytest.MonkeyPatch, bad: date) -> None:
    """Nothing of a day can be flattened."""

    def failing(files: Any, *, days: Sequence[date], **how: Any) -> FlattenReport:
        if bad in days:
            raise duckdb.InvalidInputException("somebody@example.com")
        return flatten(files, days=days, **how)

    monkeypatch.setattr(days, "flatten", failing)


def test_a_run_with_a_bad_day_loads_the_others_and_fails_at_its_end(
    installation: SandboxedInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.buy(DAYS)
    installation.requests()
    assert installation.run("advance_job").success
    with monkeypatch.context() as broken:
        break_day(broken, DAYS[1])
        result = installation.run("load_enrich", tags=range_tags(DAYS))
    assert not result.success
    assert f"load of day {DAYS[1]} of enrich: InvalidInputException" in reason_of(result)
    good = {day.isoformat() for day in (DAYS[0], DAYS[2])}
    assert installation.materialized("people") == good
    assert installation.metadata("people", DAYS[0])["dagster/partition_row_count"] == 6
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb"), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM people").fetchall() == [(7,)]
        assert con.execute("SELECT count(*) FROM outcomes").fetchall() == [(13,)]
    (request,) = installation.requests()
    assert {**request.tags, **range_tags(DAYS[1:2])} == request.tags
    assert installation.run("load_enrich", tags=request.tags).success
    assert not installation.requests()


def test_the_warehouse_holds_what_the_lake_holds(
    installation: SandboxedInstallation, tmp_path: Path
) -> None:
    installation.buy(DAYS)
    installation.settle()
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb"), read_only=True) as con:
        counted = con.execute("SELECT count(*) FROM people").fetchall()
        outcomes = con.execute("SELECT count(*) FROM outcomes").fetchall()
    assert (counted, outcomes) == ([(9,)], [(13,)])


def test_a_reader_leaves_the_warehouse_behind_but_the_run_succeeds(
    installation: SandboxedInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "WAREHOUSE_WAIT_SECONDS", 0.0)
    assert installation.materialize("warehouse").success
    installation.buy(DAYS)
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb"), read_only=True):
        installation.settle()
    assert latest(installation, "warehouse")["crust/partitions_behind"] > 0
    assert installation.materialize("warehouse").success
    assert latest(installation, "warehouse")["crust/partitions_behind"] == 0


def test_a_damaged_warehouse_is_left_behind_but_the_run_succeeds(
    installation: SandboxedInstallation, tmp_path: Path
) -> None:
    assert installation.materialize("warehouse").success
    (tmp_path / "data" / "warehouse.duckdb").write_bytes(b"no database " * 1000)
    installation.buy(DAYS)
    installation.settle()
    assert latest(installation, "warehouse")["crust/partitions_behind"] > 0
    installation.pipeline.warehouse.rebuild(installation.pipeline.lake)
    assert installation.materialize("warehouse").success
    assert latest(installation, "warehouse")["crust/partitions_behind"] == 0


def test_a_day_whose_raw_file_is_altered_fails_by_itself_and_keeps_its_tables(
    installation: SandboxedInstallation,
) -> None:
    for some in (DAYS[:1], DAYS[1:]):
        installation.buy(some)
        installation.settle()
    (batch,) = queries.batches(installation.pipeline.ledger, first_partitions=DAYS[:1])
    raw = installation.pipeline.settings.raw / batch["source_file"]
    raw.chmod(0o600)
    raw.write_bytes(raw.read_bytes()[:100])
    installation.pipeline.lake.path("people", DAYS[1]).unlink()

    result = installation.run("load_enrich", tags=range_tags(DAYS))

    assert not result.success
    assert f"raw file {batch['source_file']} of batch {batch['submission_id']}" in reason_of(result)
    parts = [installation.pipeline.lake.partition("people", day) for day in DAYS]
    assert [part.rows if part else None for part in parts] == [6, 2, 1]


def latest(installation: SandboxedInstallation, asset: str) -> dict[str, Any]:
    event = installation.instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event
    assert event.asset_materialization
    return {name: entry.value for name, entry in event.asset_materialization.metadata.items()}


def test_a_line_that_cannot_be_read_is_quarantined_and_a_check_warns(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    sandbox.fail("malformed_lines", value=1)
    installation.buy(DAYS)
    installation.settle()
    result = installation.run("load_enrich", tags=range_tags(DAYS))
    check = checks_of(result)["no_line_is_unreadable"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert result.success
    assert sum(installation.outcomes(DAYS).values()) == 13


def test_a_line_of_the_upstream_that_is_no_csv_is_quarantined(
    installation: SandboxedInstallation, upstream: Path
) -> None:
    with upstream.open("a") as file:
        file.write("2026-01-05,a,b,c,d\n")
    installation.buy(DAYS)
    installation.settle()
    assert installation.metadata("profile_urls", DAYS[0])["crust/lines_quarantined"] == 1
    assert installation.metadata("quarantine", DAYS[0])["dagster/partition_row_count"] == 1


def test_a_link_that_died_is_told_in_the_run_and_in_the_outcomes(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    sandbox.state.change(links_renewed=False)
    installation.buy(DAYS)
    installation.requests()
    for clock in (sandbox.clock, installation.clock):
        clock.advance(6 * 86400)
    installation.settle()
    assert installation.outcomes(DAYS) == {"expired": 12, "invalid_input": 1}


def test_a_preview_shows_what_is_filled_but_nobody(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    installation.settle()
    shown = installation.metadata("people", DAYS[-1])["crust/preview"]
    assert "| profile_key |" in shown
    assert "characters)" in shown
    assert "person-" not in shown


def test_every_line_of_the_files_is_accounted_for_in_a_check(
    installation: SandboxedInstallation,
) -> None:
    installation.buy(DAYS)
    installation.settle()
    checks = checks_of(installation.run("load_enrich", tags=range_tags(DAYS)))
    numbers = {name: entry.value for name, entry in checks["lines_add_up"].metadata.items()}
    assert checks["lines_add_up"].passed
    assert numbers["lines_landed"] == numbers["lines_loaded"] == 9
    assert numbers["lines_quarantined"] == 0
