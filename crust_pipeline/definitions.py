"""The one place where the Dagster code location is put together."""

import dagster as dg

from crust_pipeline.defs.buying import build_batches_asset, profile_urls
from crust_pipeline.defs.checks import asset_checks
from crust_pipeline.defs.graph import FILLS_TABLES, OPERATIONS
from crust_pipeline.defs.marts import marts
from crust_pipeline.defs.monitoring import advance_job, batch_monitor, load_jobs
from crust_pipeline.defs.report import daily_report, report, report_job
from crust_pipeline.defs.resource import PipelineResource
from crust_pipeline.defs.results import accounts, build_result_assets, warehouse
from crust_pipeline.defs.schedules import daily_plan, late_jobs, plan_job, upstream_monitor


def build_defs(
    *,
    upstream: dg.AssetsDefinition = profile_urls,
    resource_overrides: dict[str, object] | None = None,
) -> dg.Definitions:
    """Everything that Dagster shows and runs.

    Args:
        upstream: writes the table `profile_urls`, by day; the one that reads `CRUST_UPSTREAM`
            unless you bring your own (see docs/upstream.md).
        resource_overrides: takes the place of resources of the same name; tests and special
            installations build the same graph with other means.
    """
    return dg.Definitions(
        assets=[
            upstream,
            *(build_batches_asset(operation) for operation in OPERATIONS),
            *(build_result_assets(operation) for operation in FILLS_TABLES),
            accounts,
            warehouse,
            marts,
            report,
        ],
        asset_checks=asset_checks,
        jobs=[advance_job, plan_job, *load_jobs.values(), *late_jobs.values(), report_job],
        sensors=[batch_monitor, upstream_monitor],
        schedules=[daily_plan, daily_report],
        resources={"crust": PipelineResource(), **(resource_overrides or {})},
        # About 2 s from request to asset code and one process, instead of one more for every step.
        executor=dg.in_process_executor,
    )


defs = build_defs()
