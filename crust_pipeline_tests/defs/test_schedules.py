"""The daily schedule."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from crust_pipeline.defs.graph import Graph
from crust_pipeline.defs.schedules import build_daily_plan
from crust_pipeline.settings import Settings


def evaluated(moment: datetime, settings: Settings | None = None) -> dg.RunRequest | dg.SkipReason:
    daily_plan = build_daily_plan(Graph(settings or Settings()))
    found = daily_plan(dg.build_schedule_context(scheduled_execution_time=moment))
    assert isinstance(found, dg.RunRequest | dg.SkipReason)
    return found


def test_it_plans_the_day_that_has_just_ended() -> None:
    request = evaluated(datetime(2026, 3, 1, 6, tzinfo=UTC))
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-02-28"
    assert request.run_key == "plan:2026-02-28"


def test_it_skips_days_before_the_first_partition() -> None:
    skipped = evaluated(datetime(2025, 12, 31, 6, tzinfo=UTC))
    assert isinstance(skipped, dg.SkipReason)
    assert "2025-12-30" in (skipped.skip_message or "")


@pytest.mark.parametrize("hour", [0, 2, 3, 6])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("month", [3, 4, 10, 11])
def test_each_day_is_planned_once_when_the_clocks_change(zone: str, hour: int, month: int) -> None:
    """Also at an hour that the day of the change does not have, or has twice."""
    settings = Settings(daily_hour=hour, daily_time_zone=zone, partitions_start=date(2025, 1, 1))
    daily_plan = build_daily_plan(Graph(settings))
    start, days = date(2025, month, 1), 30
    midnight = datetime(2025, month, 1, tzinfo=ZoneInfo(zone))
    ticks = schedule_execution_time_iterator(  # what Dagster's daemon goes by
        midnight.timestamp(), f"0 {hour} * * *", zone, ascending=True
    )
    end = start + timedelta(days=days)
    planned: Counter[str] = Counter()
    for tick in takewhile(lambda tick: tick.date() < end, ticks):
        request = daily_plan(dg.build_schedule_context(scheduled_execution_time=tick))
        assert isinstance(request, dg.RunRequest)
        assert request.partition_key
        planned[request.partition_key] += 1
    before = start - timedelta(days=1)
    assert planned == {(before + timedelta(days=n)).isoformat(): 1 for n in range(days)}


def test_the_leap_day_is_planned_on_the_first_of_march() -> None:
    request = evaluated(
        datetime(2024, 3, 1, 6, tzinfo=UTC), Settings(partitions_start=date(2024, 1, 1))
    )
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2024-02-29"
