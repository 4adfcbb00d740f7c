"""The daily schedule."""

from datetime import UTC, datetime

import dagster as dg

from crust_pipeline.defs.graph import Graph
from crust_pipeline.defs.schedules import build_daily_plan
from crust_pipeline.settings import Settings


def evaluated(moment: datetime) -> dg.RunRequest | dg.SkipReason:
    daily_plan = build_daily_plan(Graph(Settings()))
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
