"""The daily schedule: asks for the people of the day that has just ended."""

from datetime import timedelta

import dagster as dg

from crust_pipeline.defs.partitions import daily
from crust_pipeline.pipeline import OPERATIONS

plan_job = dg.define_asset_job(
    "plan_day",
    selection=["profile_urls", *(f"{operation}_batches" for operation in OPERATIONS)],
    description="Reads the upstream table of a day, plans its batches and submits what fits.",
)


@dg.schedule(
    job=plan_job,
    cron_schedule="0 6 * * *",
    execution_timezone="UTC",
    description="Plans yesterday, at 6:00 UTC. Off until you turn it on: it spends credits.",
)
def daily_plan(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run over the day before."""
    day = (context.scheduled_execution_time - timedelta(days=1)).date().isoformat()
    if not daily.has_partition_key(day):
        return dg.SkipReason(f"{day} is before the first partition.")
    return dg.RunRequest(run_key=f"plan:{day}", partition_key=day)
