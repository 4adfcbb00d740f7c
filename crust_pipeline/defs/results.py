"""The assets that hold what came back: result tables, the accounts kept of them, the warehouse."""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg

from crust_pipeline.app import checks, traces
from crust_pipeline.app.days import (
    day_accounts,
    load_accounts,
    load_results,
    load_warehouse,
    rows_in_lake,
)
from crust_pipeline.app.installation import Installation
from crust_pipeline.defs.checks import check_result
from crust_pipeline.defs.graph import Graph
from crust_pipeline.defs.metadata import (
    EVERY_DAY,
    OWNER,
    PREVIEWED_DAYS,
    ROWS,
    add_by_day,
    column_lineage,
    day_metadata,
    drift_metadata,
    previews,
    show_days,
    table_schema,
)
from crust_pipeline.defs.partitions import days_of, one_run
from crust_pipeline.defs.resource import PipelineResource, failures_as_dagster
from crust_pipeline.errors import Failures
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.tables.flatten.flattening import FlattenReport
from crust_pipeline.tables.spec import Table
from crust_pipeline.tables.specs import TABLES, operations_sharing, tables_of

ACCOUNTS = ("outcomes", "credit_usage", "batches", "quarantine")


def _spec(graph: Graph, table: Table, *, deps: list[str], group: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        table.name,
        deps=deps,
        description=table.description,
        group_name=group,
        kinds={"parquet"},
        code_version=table.version,
        owners=[OWNER],
        partitions_def=graph.daily,
        freshness_policy=EVERY_DAY,
        metadata={"dagster/column_schema": table_schema(table)},
    )


LINES_ADD_UP, NO_UNKNOWN_KEYS = "lines_add_up", "no_unknown_keys"
_FILE_CHECKS = {
    LINES_ADD_UP: "Every line that landed, by the ledger's count, is a row or in quarantine.",
    NO_UNKNOWN_KEYS: "The vendor sent no key that no column reads.",
}


def build_result_assets(graph: Graph, operation: str) -> dg.AssetsDefinition:
    """Build the tables that an operation's files are flattened into, all in one pass."""
    tables = tables_of(operation)
    sources = graph.batches_of(operation)
    file_checks = {
        name: dg.AssetCheckSpec(
            name, asset=tables[0].name, description=description, blocking=name == LINES_ADD_UP
        )
        for name, description in _FILE_CHECKS.items()
    }

    @dg.multi_asset(
        name=f"{operation}_tables",
        specs=[_spec(graph, table, deps=sources, group=operation) for table in tables],
        backfill_policy=one_run,
        check_specs=list(file_checks.values()),
    )
    def results(
        context: dg.AssetExecutionContext, crust: PipelineResource
    ) -> Iterator[dg.MaterializeResult]:
        installation = crust.get_pipeline()
        days, failures = days_of(context), Failures()
        with failures_as_dagster():
            report = load_results(
                installation, operation, days, run_id=context.run.run_id, failures=failures
            )
            accounts = day_accounts(installation, operation, days)
            if failures:
                # The steps after this one are skipped: what they would do for the other days.
                written = _written(installation, operations_sharing(operation), days)
                load_accounts(installation, days, run_id=context.run.run_id, failures=failures)
                load_warehouse(installation)
                for table in tables:
                    rows = _rows(report, table)
                    show_days(
                        context,
                        table.name,
                        {d: {ROWS: rows.get(d, 0), **day_metadata(accounts[d])} for d in written},
                    )
                failures.raise_at_end()
            asked_of_files = {
                LINES_ADD_UP: traces.lines_add_up(installation, operation, days, report.files),
                NO_UNKNOWN_KEYS: checks.no_key_is_unknown(report.files),
            }
        drift = [found for file in report.files for found in file.drift]
        for table in tables:
            rows = _rows(report, table)
            by_day = {day: {ROWS: rows.get(day, 0), **day_metadata(accounts[day])} for day in days}
            add_by_day(context, table.name, by_day)
            add_by_day(
                context, table.name, previews(installation.lake, table, days[-PREVIEWED_DAYS:])
            )
            context.add_asset_metadata(
                {"dagster/column_lineage": column_lineage(table, dg.AssetKey(sources[0]))},
                asset_key=dg.AssetKey(table.name),
                partition_key=days[-1].isoformat(),
            )
            found = asked_of_files if table is tables[0] else {}
            yield dg.MaterializeResult(
                asset_key=table.name,
                metadata=drift_metadata(drift),
                check_results=[
                    check_result(file_checks[name], found[name], days) for name in found
                ],
            )

    return results


def _rows(report: FlattenReport, table: Table) -> dict[date, int]:
    """Return how many rows of a table were written for each day."""
    return {part.day: part.rows for part in report.partitions if part.table == table.name}


def _written(
    installation: Installation, operations: Sequence[str], days: Sequence[date]
) -> list[date]:
    """Return those of the days whose tables could be written."""
    failed = {
        day.partition_date
        for day in ledger_load.failed_days(installation.ledger)
        if day.operation in operations
    }
    return [day for day in days if day not in failed]


def build_accounts_asset(graph: Graph) -> dg.AssetsDefinition:
    """Build the tables that say what became of every input row, batch and credit."""

    @dg.multi_asset(
        name="accounts",
        specs=[
            _spec(
                graph,
                TABLES[name],
                deps=[
                    table.name for operation in graph.fills_tables for table in tables_of(operation)
                ],
                group="accounts",
            )
            for name in ACCOUNTS
        ],
        backfill_policy=one_run,
    )
    def accounts(
        context: dg.AssetExecutionContext, crust: PipelineResource
    ) -> Iterator[dg.MaterializeResult]:
        """Tell what became of every input row, every batch and every credit, from the ledger."""
        installation = crust.get_pipeline()
        days, failures = days_of(context), Failures()
        with failures_as_dagster():
            rows = load_accounts(installation, days, run_id=context.run.run_id, failures=failures)
            rows["quarantine"] = rows_in_lake(installation, "quarantine", days)
            if failures:
                load_warehouse(installation)  # its step is skipped
                written = _written(installation, graph.operations, days)
                for name in ACCOUNTS:
                    show_days(
                        context, name, {day: {ROWS: rows[name].get(day, 0)} for day in written}
                    )
                failures.raise_at_end()
            by_operation = {
                name: day_accounts(installation, name, days) for name in graph.operations
            }
        for name in ACCOUNTS:
            add_by_day(context, name, {day: {ROWS: rows[name].get(day, 0)} for day in days})
        for operation, by_day in by_operation.items():
            add_by_day(
                context,
                "outcomes",
                {day: day_metadata(by_day[day], prefix=f"crust/{operation}") for day in days},
            )
        for name in ACCOUNTS:
            yield dg.MaterializeResult(asset_key=name)

    return accounts


@dg.asset(
    # These come after all other tables; an arrow from each of those would only hide the way.
    deps=[*ACCOUNTS],
    group_name="accounts",
    kinds={"duckdb"},
    owners=[OWNER],
    pool="duckdb_writer",
    freshness_policy=EVERY_DAY,
)
def warehouse(context: dg.AssetExecutionContext, crust: PipelineResource) -> dg.MaterializeResult:
    """All tables in one DuckDB file, brought up to the lake; behind while a reader holds it."""
    with failures_as_dagster():
        report = load_warehouse(crust.get_pipeline())
    if report.behind:
        context.log.warning(
            "The warehouse is %s partitions behind: %s", report.behind, report.reason
        )
    for note in report.notes:
        context.log.warning("%s", note)
    return dg.MaterializeResult(
        metadata={
            "crust/partitions_loaded": report.loaded,
            "crust/rows_loaded": report.rows,
            "crust/partitions_behind": report.behind,
        }
    )
