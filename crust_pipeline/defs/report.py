"""The report as an asset: one page, written anew every morning."""

from datetime import timedelta

import dagster as dg

from crust_pipeline.defs.metadata import OWNER
from crust_pipeline.defs.resource import PipelineResource, failures_as_dagster
from crust_pipeline.marts import MARTS


@dg.asset(
    deps=list(MARTS),
    group_name="marts",
    kinds={"html"},
    owners=[OWNER],
    # Its schedule is on by default, so it can be held to the hour.
    freshness_policy=dg.FreshnessPolicy.cron(
        deadline_cron="0 8 * * *", lower_bound_delta=timedelta(hours=2), timezone="UTC"
    ),
)
def report(crust: PipelineResource) -> dg.MaterializeResult:
    """One HTML page: spend, funnel, fill rate, slots in use and how each day stands."""
    # Here, because drawing needs packages that a worker need not have.
    from crust_pipeline.report.page import write_report

    installation = crust.get_pipeline()
    path = installation.settings.data_dir / "report.html"
    with failures_as_dagster():
        facts = write_report(installation, path)
    return dg.MaterializeResult(
        metadata={
            "dagster/uri": path.resolve().as_uri(),
            "crust/credits_spent": sum(row["credits"] for row in facts.spend),
            "crust/rows_open": sum(row["open"] for row in facts.days),
            "crust/unknown_submits": facts.unknown_submits,
        }
    )


report_job = dg.define_asset_job(
    "write_report", selection=["report"], description="Writes the report; buys and asks nothing."
)


@dg.schedule(
    job=report_job,
    cron_schedule="0 7 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Writes the report at 7:00 UTC. On by default: it costs nothing.",
)
def daily_report() -> dg.RunRequest:
    """Asks for one run of the job."""
    return dg.RunRequest()
