"""The days, and how a run's partition keys become dates."""

from datetime import date

import dagster as dg

from crust_pipeline.settings import Settings

# One run over a range packs the identifiers of many days into full batches.
one_run = dg.BackfillPolicy.single_run()

# Published; made when a module of a user's asks for it (see `__getattr__`).
daily: dg.DailyPartitionsDefinition


def __getattr__(name: str) -> object:
    """Make `daily` of the environment's settings, for modules that were written before 0.1.0.

    With other settings it would be other days than those of the graph: `daily_partitions(settings)`
    is what goes together with `build_defs(settings=settings)`.
    """
    if name == "daily":
        return daily_partitions(Settings.from_env())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Make the days that are partitions."""
    # end_offset: today's is one too, so that rows can be asked for on the day they are added.
    return dg.DailyPartitionsDefinition(
        start_date=settings.partitions_start.isoformat(), end_offset=1
    )


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """Return the days that this run is for, in order."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


def range_tags(start: date, end: date) -> dict[str, str]:
    """Return the tags of one run over the days from start to end."""
    return {
        "dagster/asset_partition_range_start": start.isoformat(),
        "dagster/asset_partition_range_end": end.isoformat(),
    }
