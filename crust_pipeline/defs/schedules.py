"""What plans without a person: the daily schedule and the sensor of the upstream.

Both are off at first, because they spend credits. What they plan goes before backfills.
"""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from crust_pipeline.app.installation import Pipeline
from crust_pipeline.app.late_rows import late_days, upstream_mark
from crust_pipeline.defs.buying import SCHEDULED_TAGS, new_rows_only
from crust_pipeline.defs.graph import OPERATIONS
from crust_pipeline.defs.partitions import daily, range_tags
from crust_pipeline.defs.resource import PipelineResource, told_as_failure
from crust_pipeline.ledger.load import ranges
from crust_pipeline.settings import Settings

_settings = Settings.from_env()

plan_job = dg.define_asset_job(
    "plan_day",
    selection=["profile_urls", *(f"{operation}_batches" for operation in OPERATIONS)],
    description="Reads the upstream table of a day, plans its batches and submits what fits.",
)

late_jobs = {
    operation: dg.define_asset_job(
        f"plan_late_{operation}",
        selection=["profile_urls", f"{operation}_batches"],
        description="Reads days of the upstream table again and asks for rows that came late.",
    )
    for operation in OPERATIONS
}


@dg.schedule(
    job=plan_job,
    cron_schedule=f"0 {_settings.daily_hour} * * *",
    execution_timezone=_settings.daily_time_zone,
    description=(
        f"Plans yesterday, at {_settings.daily_hour}:00 {_settings.daily_time_zone} "
        "(CRUST_DAILY_HOUR, CRUST_DAILY_TIME_ZONE). Off until you turn it on: it spends credits."
    ),
)
def daily_plan(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run over the day before."""
    day = (context.scheduled_execution_time - timedelta(days=1)).date().isoformat()
    if not daily.has_partition_key(day):
        return dg.SkipReason(f"{day} is before the first partition.")
    return dg.RunRequest(run_key=f"plan:{day}", partition_key=day, tags=dict(SCHEDULED_TAGS))


@dg.sensor(
    jobs=list(late_jobs.values()),
    minimum_interval_seconds=60,
    description=(
        "When the upstream file or the asset `profile_urls` has changed, plans rows that came late "
        "to planned days, and days after the last planned one. Only new rows are paid for. Off "
        "until you turn it on: it spends credits."
    ),
)
def upstream_monitor(
    context: dg.SensorEvaluationContext, crust: PipelineResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask for small runs over days that have grown, whenever the upstream has changed."""
    with told_as_failure():
        pipeline = crust.get_pipeline()
        mark = f"{upstream_mark(pipeline)}|{_last_materialized(context)}"
        if mark == context.cursor:
            return dg.SkipReason("The upstream table has not changed.")
        requests = list(_late_requests(pipeline))
    if not requests:
        context.update_cursor(mark)
        return dg.SkipReason("The upstream table has changed; no planned day has grown.")
    return dg.SensorResult(run_requests=requests, cursor=mark)


def _last_materialized(context: dg.SensorEvaluationContext) -> float | None:
    event = context.instance.get_latest_materialization_event(dg.AssetKey("profile_urls"))
    return event.timestamp if event else None


def _late_requests(pipeline: Pipeline) -> Iterator[dg.RunRequest]:
    moment = int(pipeline.clock().timestamp())
    for operation in OPERATIONS:
        for start, end in ranges(late_days(pipeline, operation)):
            yield dg.RunRequest(
                run_key=f"late:{operation}:{start}:{end}:{moment}",
                job_name=late_jobs[operation].name,
                tags={**range_tags(start, end), **SCHEDULED_TAGS},
                run_config=new_rows_only(operation),
            )
