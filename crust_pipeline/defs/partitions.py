"""The days, and how a run's partition keys become dates."""

from datetime import date

import dagster as dg

from crust_pipeline.settings import Settings

# end_offset: today's partition exists, so that rows can be asked for on the day they are added.
daily = dg.DailyPartitionsDefinition(
    start_date=Settings.from_env().partitions_start.isoformat(), end_offset=1
)

# One run over a range packs the identifiers of many days into full batches.
one_run = dg.BackfillPolicy.single_run()


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """The days that this run is for, in order."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


def range_tags(start: date, end: date) -> dict[str, str]:
    """Tags of one run over the days from start to end."""
    return {
        "dagster/asset_partition_range_start": start.isoformat(),
        "dagster/asset_partition_range_end": end.isoformat(),
    }
