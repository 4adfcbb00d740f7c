"""What plans without a person: the daily schedule and the sensor of the upstream.

Both are off at first, because they spend credits. What they plan goes before backfills.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import dagster as dg

from crust_pipeline.app.installation import Installation
from crust_pipeline.app.late_rows import late_days, upstream_mark
from crust_pipeline.defs.buying import SCHEDULED_TAGS, new_rows_only
from crust_pipeline.defs.graph import Graph
from crust_pipeline.defs.partitions import range_tags
from crust_pipeline.defs.resource import PipelineResource, failures_as_dagster
from crust_pipeline.ledger.load import ranges
from crust_pipeline.settings import Settings

if TYPE_CHECKING:
    # Dagster has no public name for what `define_asset_job` makes.
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition as Job,
    )

# Published; made when a module of a user's asks for it (see `__getattr__`).
plan_job: "Job"


def __getattr__(name: str) -> object:
    """Make `plan_job` of the environment's settings, for modules that were written before 0.1.0.

    `build_plan_job(Graph(settings))` is what goes together with `build_defs(settings=settings)`.
    """
    if name == "plan_job":
        return build_plan_job(Graph(Settings.from_env()))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# Dagster takes two jobs of one name only when they are the same object.
@cache
def build_plan_job(graph: Graph) -> "Job":
    """Build the job that plans a day."""
    return dg.define_asset_job(
        "plan_day",
        selection=["profile_urls", *(f"{operation}_batches" for operation in graph.operations)],
        description="Reads the upstream table of a day, plans its batches and submits what fits.",
    )


def _late_job(operation: str) -> str:
    return f"plan_late_{operation}"


# Dagster takes two jobs of one name only when they are the same object.
@cache
def build_late_jobs(graph: Graph) -> "tuple[Job, ...]":
    """Build the jobs that plan rows that came late, one for each operation."""
    return tuple(
        dg.define_asset_job(
            _late_job(operation),
            selection=["profile_urls", f"{operation}_batches"],
            description="Reads days of the upstream table again and asks for rows that came late.",
        )
        for operation in graph.operations
    )


def build_daily_plan(graph: Graph) -> dg.ScheduleDefinition:
    """Build the schedule that plans yesterday."""
    hour, zone = graph.settings.daily_hour, graph.settings.daily_time_zone

    @dg.schedule(
        job=build_plan_job(graph),
        cron_schedule=f"0 {hour} * * *",
        execution_timezone=zone,
        description=(
            f"Plans yesterday, at {hour}:00 {zone} (CRUST_DAILY_HOUR, CRUST_DAILY_TIME_ZONE). "
            "Off until you turn it on: it spends credits."
        ),
    )
    def daily_plan(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Ask for a run over the day before."""
        day = (context.scheduled_execution_time - timedelta(days=1)).date().isoformat()
        if not graph.daily.has_partition_key(day):
            return dg.SkipReason(f"{day} is before the first partition.")
        return dg.RunRequest(run_key=f"plan:{day}", partition_key=day, tags=dict(SCHEDULED_TAGS))

    return daily_plan


def build_upstream_monitor(graph: Graph) -> dg.SensorDefinition:
    """Build the sensor of the upstream."""

    @dg.sensor(
        jobs=build_late_jobs(graph),
        minimum_interval_seconds=60,
        description=(
            "When the upstream file or the asset `profile_urls` has changed, plans rows that came "
            "late to planned days, and days after the last planned one. Only new rows are paid "
            "for. Off until you turn it on: it spends credits."
        ),
    )
    def upstream_monitor(
        context: dg.SensorEvaluationContext, crust: PipelineResource
    ) -> dg.SensorResult | dg.SkipReason:
        """Ask for small runs over days that have grown, whenever the upstream has changed."""
        with failures_as_dagster():
            installation = crust.get_pipeline()
            mark = f"{upstream_mark(installation)}|{_last_materialized(context)}"
            if mark == context.cursor:
                return dg.SkipReason("The upstream table has not changed.")
            requests = list(_late_requests(installation, graph.operations))
        if not requests:
            context.update_cursor(mark)
            return dg.SkipReason("The upstream table has changed; no planned day has grown.")
        return dg.SensorResult(run_requests=requests, cursor=mark)

    return upstream_monitor


def _last_materialized(context: dg.SensorEvaluationContext) -> float | None:
    event = context.instance.get_latest_materialization_event(dg.AssetKey("profile_urls"))
    return event.timestamp if event else None


def _late_requests(
    installation: Installation, operations: Iterable[str]
) -> Iterator[dg.RunRequest]:
    moment = int(installation.clock().timestamp())
    for operation in operations:
        for start, end in ranges(late_days(installation, operation)):
            yield dg.RunRequest(
                run_key=f"late:{operation}:{start}:{end}:{moment}",
                job_name=_late_job(operation),
                tags={**range_tags(start, end), **SCHEDULED_TAGS},
                run_config=new_rows_only(operation),
            )
