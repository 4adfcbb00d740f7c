"""Days that grow after they were planned, or could not be paid for: planned again by themselves."""

import csv
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from crust_pipeline.app.late_rows import grown_days
from crust_pipeline.defs import monitoring
from crust_pipeline.defs.buying import BACKFILL_PRIORITY, SCHEDULED_PRIORITY
from crust_pipeline.defs.graph import Graph
from crust_pipeline.defs.schedules import build_upstream_monitor
from crust_pipeline.ledger import queries
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.settings import Settings
from crust_pipeline_tests.defs.conftest import SandboxedInstallation
from crust_pipeline_tests.people import DAYS


def add_people(upstream: Path, day: date, numbers: Sequence[int]) -> None:
    """Write more rows at the end of the upstream table."""
    with upstream.open("a", newline="", encoding="utf-8") as file:
        rows = ((day, f"https://www.linkedin.com/in/person-{number}") for number in numbers)
        csv.writer(file).writerows(rows)


def look(
    installation: SandboxedInstallation, cursor: str | None = None
) -> dg.SensorResult | dg.SkipReason:
    """One evaluation of the sensor of the upstream."""
    return installation.look("upstream_monitor", cursor=cursor)


def do(installation: SandboxedInstallation, found: dg.SensorResult | dg.SkipReason) -> None:
    """Do the runs that it asks for."""
    assert isinstance(found, dg.SensorResult)
    for request in found.run_requests or ():
        assert request.job_name
        job = installation.defs.resolve_job_def(request.job_name)
        done = job.execute_in_process(
            instance=installation.instance, tags=request.tags, run_config=request.run_config
        )
        assert done.success


def test_the_sensor_of_the_upstream_is_off_at_first() -> None:
    sensor = build_upstream_monitor(Graph(Settings()))
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED


def test_an_upstream_that_nobody_has_planned_asks_for_nothing(
    installation: SandboxedInstallation,
) -> None:
    assert isinstance(look(installation), dg.SkipReason)


def test_a_day_that_grew_is_planned_again_and_only_its_new_rows_are_bought(
    installation: SandboxedInstallation, sandbox: RunningSandbox, upstream: Path
) -> None:
    installation.buy(DAYS)
    installation.settle()
    add_people(upstream, DAYS[0], [20, 21])
    do(installation, look(installation))
    installation.settle()
    counts = [job.identifier_count for job in sandbox.state.jobs.values()]
    assert counts == [10, 2]
    assert installation.outcomes(DAYS[:1])["matched"] >= 6


def test_late_rows_go_before_a_backfill(
    installation: SandboxedInstallation, upstream: Path
) -> None:
    installation.buy(DAYS)
    add_people(upstream, DAYS[2], [20])
    do(installation, look(installation))
    priorities = [batch["priority"] for batch in queries.batches(installation.pipeline.ledger)]
    assert priorities == [BACKFILL_PRIORITY, SCHEDULED_PRIORITY]


def test_after_a_look_an_unchanged_upstream_is_not_read_again(
    installation: SandboxedInstallation, upstream: Path
) -> None:
    installation.buy(DAYS)
    add_people(upstream, DAYS[0], [20])
    found = look(installation)
    assert isinstance(found, dg.SensorResult)
    assert isinstance(look(installation, found.cursor), dg.SkipReason)


def test_a_new_materialisation_of_profile_urls_is_a_change(
    installation: SandboxedInstallation, upstream: Path
) -> None:
    installation.buy(DAYS)
    add_people(upstream, DAYS[0], [20])
    found = look(installation)
    assert isinstance(found, dg.SensorResult)
    assert installation.materialize("profile_urls", days=DAYS).success
    assert isinstance(look(installation, found.cursor), dg.SensorResult)


def test_only_planned_days_and_those_after_them_count_as_grown() -> None:
    before, first, last, after = (date(2026, 1, day) for day in (1, 2, 3, 4))
    planned = {first: 5, last: 5}
    assert grown_days(planned, {before: 9, first: 5, last: 6, after: 1}) == [last, after]


def test_a_day_that_shrank_is_not_planned_again() -> None:
    assert not grown_days({DAYS[0]: 5}, {DAYS[0]: 4})


def test_rows_over_the_budget_are_planned_again_on_the_next_day(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    installation.start(CRUST_CREDIT_LIMIT_PER_DAY="12")
    installation.buy(DAYS)
    installation.settle()
    assert not [request for request in installation.requests() if "budget" in str(request.run_key)]
    assert installation.outcomes(DAYS)["over_budget"]
    installation.clock.passed += timedelta(days=1)
    requests = [request for request in installation.requests() if "budget" in str(request.run_key)]
    assert requests
    do(installation, dg.SensorResult(run_requests=requests))
    bought = sum(job.identifier_count for job in sandbox.state.jobs.values())
    assert bought > 6


def test_people_of_a_scheduled_day_who_were_identified_go_on_going_first(
    installation: SandboxedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = installation.pipeline.ledger
    monkeypatch.setattr(monitoring.ledger_load, "days_of_priority", lambda *_, **__: {DAYS[1]})
    by_priority = monitoring._by_priority(ledger, DAYS)  # pyright: ignore[reportPrivateUsage]  # no e-mails needed
    assert by_priority == [
        (monitoring.SCHEDULED_TAGS, [DAYS[1]]),
        ({}, [DAYS[0], DAYS[2]]),
    ]
