"""The assets that hold what came back: result tables, the accounts kept of them, the warehouse."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from crust_pipeline import checking
from crust_pipeline.defs.checks import check_result
from crust_pipeline.defs.metadata import (
    OWNER,
    ROWS,
    add_by_day,
    column_lineage,
    day_metadata,
    drift_metadata,
    preview,
    table_schema,
)
from crust_pipeline.defs.operations import FILLS_TABLES, OPERATIONS, batches_of
from crust_pipeline.defs.partitions import daily, days_of, one_run
from crust_pipeline.defs.resource import PipelineResource, told_as_failure
from crust_pipeline.steps import (
    day_accounts,
    load_accounts,
    load_results,
    load_warehouse,
    rows_in_lake,
)
from crust_pipeline.tables import TABLES, Table, tables_of

ACCOUNTS = ("outcomes", "credit_usage", "batches", "quarantine")


def _spec(table: Table, *, deps: list[str], group: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        table.name,
        deps=deps,
        description=table.description,
        group_name=group,
        kinds={"parquet"},
        code_version=table.version,
        owners=[OWNER],
        partitions_def=daily,
        metadata={"dagster/column_schema": table_schema(table)},
    )


LINES_ADD_UP, NO_UNKNOWN_KEYS = "lines_add_up", "no_unknown_keys"
_FILE_CHECKS = {
    LINES_ADD_UP: "Every line that landed, by the ledger's count, is a row or in quarantine.",
    NO_UNKNOWN_KEYS: "The vendor sent no key that no column reads.",
}


def build_result_assets(operation: str) -> dg.AssetsDefinition:
    """The tables that an operation's files are flattened into, all in one pass over the files."""
    tables = tables_of(operation)
    sources = batches_of(operation)
    file_checks = {
        name: dg.AssetCheckSpec(
            name, asset=tables[0].name, description=description, blocking=name == LINES_ADD_UP
        )
        for name, description in _FILE_CHECKS.items()
    }

    @dg.multi_asset(
        name=f"{operation}_tables",
        specs=[_spec(table, deps=sources, group=operation) for table in tables],
        backfill_policy=one_run,
        check_specs=list(file_checks.values()),
    )
    def results(
        context: dg.AssetExecutionContext, crust: PipelineResource
    ) -> Iterator[dg.MaterializeResult]:
        pipeline = crust.get_pipeline()
        days = days_of(context)
        with told_as_failure():
            report = load_results(pipeline, operation, days, run_id=context.run.run_id)
            accounts = day_accounts(pipeline, operation, days)
            asked_of_files = {
                LINES_ADD_UP: checking.lines_add_up(pipeline, operation, days, report.files),
                NO_UNKNOWN_KEYS: checking.no_key_is_unknown(report.files),
            }
        drift = [found for file in report.files for found in file.drift]
        for table in tables:
            rows = {part.day: part.rows for part in report.partitions if part.table == table.name}
            by_day = {day: {ROWS: rows.get(day, 0), **day_metadata(accounts[day])} for day in days}
            add_by_day(context, table.name, by_day)
            context.add_asset_metadata(
                {"dagster/column_lineage": column_lineage(table, dg.AssetKey(sources[0]))},
                asset_key=dg.AssetKey(table.name),
                partition_key=days[-1].isoformat(),
            )
            found = asked_of_files if table is tables[0] else {}
            yield dg.MaterializeResult(
                asset_key=table.name,
                metadata={
                    **drift_metadata(drift),
                    "crust/preview": preview(pipeline.lake, table, days[-1]),
                },
                check_results=[check_result(file_checks[name], found[name]) for name in found],
            )

    return results


@dg.multi_asset(
    name="accounts",
    specs=[
        _spec(
            TABLES[name],
            deps=[table.name for operation in FILLS_TABLES for table in tables_of(operation)],
            group="accounts",
        )
        for name in ACCOUNTS
    ],
    backfill_policy=one_run,
    check_specs=[
        dg.AssetCheckSpec(
            "outcomes_add_up",
            asset="outcomes",
            blocking=True,
            description="Every input row of the days has exactly one outcome for each operation.",
        ),
        dg.AssetCheckSpec(
            "no_line_is_unreadable",
            asset="quarantine",
            description="No line of a vendor's file had to be set aside.",
        ),
    ],
)
def accounts(
    context: dg.AssetExecutionContext, crust: PipelineResource
) -> Iterator[dg.MaterializeResult]:
    """What became of every input row, every batch and every credit, from the ledger."""
    pipeline = crust.get_pipeline()
    days = days_of(context)
    with told_as_failure():
        rows = load_accounts(pipeline, days, run_id=context.run.run_id)
        rows["quarantine"] = rows_in_lake(pipeline, "quarantine", days)
        inputs = sum(rows_in_lake(pipeline, "profile_urls", days).values())
        by_operation = {name: day_accounts(pipeline, name, days) for name in OPERATIONS}
    for name in ACCOUNTS:
        add_by_day(context, name, {day: {ROWS: rows[name].get(day, 0)} for day in days})
    for operation, by_day in by_operation.items():
        add_by_day(
            context,
            "outcomes",
            {day: day_metadata(by_day[day], prefix=f"crust/{operation}") for day in days},
        )
    counted = {
        operation: sum(account.outcomes.total() for account in by_day.values())
        for operation, by_day in by_operation.items()
    }
    unreadable = sum(rows["quarantine"].values())
    checks = {
        "outcomes": dg.AssetCheckResult(
            asset_key="outcomes",
            check_name="outcomes_add_up",
            # An operation that was not planned for these days has no outcomes at all.
            passed=all(count in {0, inputs} for count in counted.values()),
            metadata={"input_rows": inputs, **{f"{name}_rows": n for name, n in counted.items()}},
        ),
        "quarantine": dg.AssetCheckResult(
            asset_key="quarantine",
            check_name="no_line_is_unreadable",
            passed=unreadable == 0,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"lines": unreadable},
        ),
    }
    for name in ACCOUNTS:
        check_results = [checks[name]] if name in checks else []
        yield dg.MaterializeResult(asset_key=name, check_results=check_results)


@dg.asset(
    deps=[*(name for name in TABLES)],
    group_name="accounts",
    kinds={"duckdb"},
    owners=[OWNER],
    pool="duckdb_writer",
    # A day that is planned is loaded within hours; after two days without a load somebody looks.
    freshness_policy=dg.FreshnessPolicy.time_window(
        warn_window=timedelta(hours=30), fail_window=timedelta(hours=54)
    ),
)
def warehouse(context: dg.AssetExecutionContext, crust: PipelineResource) -> dg.MaterializeResult:
    """All tables in one DuckDB file, brought up to the lake; behind while a reader holds it."""
    with told_as_failure():
        report = load_warehouse(crust.get_pipeline())
    if report.behind:
        context.log.warning(
            "The warehouse is %s partitions behind: %s", report.behind, report.reason
        )
    return dg.MaterializeResult(
        metadata={
            "crust/partitions_loaded": report.loaded,
            "crust/rows_loaded": report.rows,
            "crust/partitions_behind": report.behind,
        }
    )
