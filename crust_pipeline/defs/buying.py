"""The assets that decide and spend: the upstream table and, for each operation, its batches."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import Field

from crust_pipeline.app.days import load_upstream, notes_of, plan_days, rows_in_lake
from crust_pipeline.buying.submit import fill_slots
from crust_pipeline.defs.graph import Graph
from crust_pipeline.defs.metadata import (
    EVERY_DAY,
    OWNER,
    ROWS,
    add_by_day,
    show_days,
    table_schema,
)
from crust_pipeline.defs.partitions import days_of, one_run
from crust_pipeline.defs.resource import PipelineResource, failures_as_dagster
from crust_pipeline.errors import Failures
from crust_pipeline.ledger.states import Verdict
from crust_pipeline.tables.specs import TABLES
from crust_pipeline.vendors.catalog import vendor_of

# Scheduled days go before backfills, so that today is not stuck behind a year.
SCHEDULED_PRIORITY, BACKFILL_PRIORITY = 10, 100
# Dagster's own tags tell what asked for a run, not whether it may go first.
SCHEDULED_TAGS: Mapping[str, str] = {"crust/scheduled": "true"}


class BuyingConfig(dg.Config):
    """What a person may choose for a run that plans."""

    refresh: bool = Field(
        default=False, description="Buy again what is bought and still fresh. It costs credits."
    )
    new_rows_only: bool = Field(
        default=False, description="Leave rows alone that an earlier plan has asked for."
    )


def build_upstream_asset(graph: Graph) -> dg.AssetsDefinition:
    """Build the asset that reads the upstream table, as `CRUST_UPSTREAM` names it."""

    @dg.asset(
        partitions_def=graph.daily,
        backfill_policy=one_run,
        group_name="upstream",
        owners=[OWNER],
        freshness_policy=EVERY_DAY,
        kinds={"parquet"},
        code_version=TABLES["profile_urls"].version,
        metadata={"dagster/column_schema": table_schema(TABLES["profile_urls"])},
        check_specs=[
            dg.AssetCheckSpec(
                "rows_have_a_day",
                asset="profile_urls",
                description="Rows dated before the first partition, after today or not at all are "
                "in no day.",
            )
        ],
    )
    def profile_urls(
        context: dg.AssetExecutionContext, crust: PipelineResource
    ) -> dg.MaterializeResult:
        """List the people to ask about: one row per input row, with its canonical profile key."""
        days = days_of(context)
        with failures_as_dagster():
            installation = crust.get_pipeline()
            upstream = load_upstream(
                installation, start=days[0], end=days[-1], run_id=context.run.run_id
            )
        rows = rows_in_lake(installation, "profile_urls", days)
        add_by_day(context, "profile_urls", {day: {ROWS: rows[day]} for day in days})
        return dg.MaterializeResult(
            metadata={
                "crust/notes": list(upstream.notes),
                "crust/lines_quarantined": len(upstream.quarantined),
            },
            check_results=[
                dg.AssetCheckResult(
                    passed=upstream.unplaced == 0,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={"rows_in_no_partition": upstream.unplaced},
                )
            ],
        )

    return profile_urls


def build_batches_asset(graph: Graph, operation: str) -> dg.AssetsDefinition:
    """Build the asset that plans an operation's batches and submits what there are slots for."""
    name = f"{operation}_batches"

    @dg.asset(
        name=name,
        deps=["profile_urls", *graph.assets_before(operation)],
        partitions_def=graph.daily,
        backfill_policy=one_run,
        # Beside the tables that it fills: with them elsewhere the graph would have ways back.
        group_name=graph.sharing(operation)[0],
        owners=[OWNER],
        kinds={vendor_of(operation).name},
        description=(
            f"Batches of {operation}: planned for the days of the run, filled up to the vendor's "
            "cap, submitted while slots are free. Nothing is bought twice. The run ends without "
            "waiting; `batch_monitor` sees to the rest."
        ),
    )
    def batches(
        context: dg.AssetExecutionContext, config: BuyingConfig, crust: PipelineResource
    ) -> dg.MaterializeResult:
        installation = crust.get_pipeline()
        days = days_of(context)
        scheduled = SCHEDULED_TAGS.items() <= context.run.tags.items()
        policy = replace(
            installation.policy,
            refresh=config.refresh,
            new_rows_only=config.new_rows_only,
            priority=SCHEDULED_PRIORITY if scheduled else BACKFILL_PRIORITY,
        )
        failures = Failures()
        with failures_as_dagster():
            report = plan_days(
                installation, operation, days, policy=policy, run_id=context.run.run_id
            )
            for note in notes_of(installation, report):
                context.log.warning("%s", note)
            if config.refresh:
                context.log.warning(
                    "Refresh: %s identifiers are bought, those that are bought already among them; "
                    "at worst %s credits.",
                    sum(len(batch.identifiers) for batch in report.batches),
                    f"{report.credits_reserved.normalize():,f}",
                )
            dispatched = fill_slots(
                installation.account_for(operation), run_id=context.run.run_id, failures=failures
            )
        by_day = {day: _counts(report.verdicts[day]) for day in days}
        if failures:
            show_days(context, name, by_day)  # planned they are
        with failures_as_dagster():
            failures.raise_at_end()
        add_by_day(context, name, by_day)
        metadata: dict[str, Any] = {
            "crust/batches_planned": len(report.batches),
            "crust/batches_submitted": len(dispatched.submitted),
            "crust/credits_reserved": float(report.credits_reserved),
        }
        if dispatched.pause:
            metadata["crust/waits_for"] = dispatched.pause.detail
        return dg.MaterializeResult(metadata=metadata)

    return batches


def new_rows_only(operation: str) -> Mapping[str, Any]:
    """Return the run config of a plan that asks only for rows that no earlier plan asked for."""
    return {"ops": {f"{operation}_batches": {"config": {"new_rows_only": True}}}}


def _counts(verdicts: dict[str, int]) -> dict[str, int]:
    return {f"crust/rows_{verdict}": verdicts.get(verdict, 0) for verdict in Verdict}
