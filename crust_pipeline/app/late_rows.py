"""Late rows: days of the upstream table that have grown since they were planned.

They are planned with `new_rows_only`, so that only rows which nobody has asked for are paid.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from glob import glob
from pathlib import Path

from crust_pipeline.app.days import days_between, rows_in_lake, today_of
from crust_pipeline.app.installation import Installation
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.tables.upstream import UpstreamError, read_upstream


def grown_days(planned: Mapping[date, int], rows: Mapping[date, int]) -> list[date]:
    """Return days with more rows than were planned, and days with rows after the last planned one.

    Earlier days that were never planned are left alone: a past is bought on purpose only.

    Args:
        planned: rows of each planned day, of one operation.
        rows: rows that each day has now.
    """
    if not planned:
        return []
    last = max(planned)
    return sorted(
        day
        for day, count in rows.items()
        if count > planned.get(day, 0) and (day in planned or day > last)
    )


def late_days(installation: Installation, operation: str) -> list[date]:
    """Return days with late rows, from the upstream table or from `profile_urls`."""
    return grown_days(
        ledger_load.days_planned(installation.ledger, operation), rows_now(installation)
    )


def rows_now(installation: Installation) -> dict[date, int]:
    """Return how many rows each day has: in the upstream table, or in `profile_urls` if more."""
    first, today = installation.settings.partitions_start, today_of(installation)
    rows = Counter(rows_in_lake(installation, "profile_urls", days_between(first, today)))
    try:
        upstream = read_upstream(
            installation.settings.upstream, start=first, end=today, first_day=first, today=today
        )
    except UpstreamError:
        return rows  # brought by an asset of one's own, or missing: that is said when it is planned
    days = (day for day in upstream.rows["partition_date"].to_pylist() if day)
    return rows | Counter(days)  # the larger count of each day


def upstream_mark(installation: Installation) -> str:
    """Return what changes whenever a local upstream file does; '' for object storage."""
    files = sorted(glob(installation.settings.upstream, recursive=True))  # noqa: PTH207 - absolute too
    states = ((name, Path(name).stat()) for name in files)
    return ";".join(f"{name}:{state.st_mtime_ns}:{state.st_size}" for name, state in states)
