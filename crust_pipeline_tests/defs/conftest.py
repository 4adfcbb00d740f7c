"""The Dagster layer in this process: one installation, an instance that forgets, no daemon."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg
import pytest

from crust_pipeline.app.installation import Installation
from crust_pipeline.buying.recover import SEARCHES_BEFORE_DECIDING
from crust_pipeline.definitions import build_defs
from crust_pipeline.defs import monitoring, resource
from crust_pipeline.defs.resource import PipelineResource, build_resource
from crust_pipeline.ledger import queries
from crust_pipeline.local_dagster.client import RANGE_END_TAG, RANGE_START_TAG
from crust_pipeline.settings import Settings
from crust_pipeline_tests.people import DAYS


@dataclass
class Clock:
    """The pipeline's time: the real one, plus what a test lets pass, some of it at each look."""

    passed: timedelta = timedelta(0)
    passes_at_each_look: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        self.passed += self.passes_at_each_look
        return datetime.now(UTC) + self.passed

    def advance(self, seconds: float) -> None:
        self.passed += timedelta(seconds=seconds)


@dataclass
class SandboxedInstallation:
    """What a daemon and its run workers would do, call by call."""

    environment: Mapping[str, str]
    clock: Clock
    instance: dg.DagsterInstance
    pipeline: Installation = field(init=False)
    defs: dg.Definitions = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self, *, upstream: dg.AssetsDefinition | None = None, **variables: str) -> None:
        """Start, or start anew with other settings; a variable without a text is not set."""
        self.environment = {**self.environment, **variables}
        settings = Settings.from_env(self.environment)
        self.pipeline = Installation(settings=settings, clock=self.clock)
        self.defs = build_defs(settings=settings, upstream=upstream)

    @property
    def resource(self) -> PipelineResource:
        return build_resource(self.pipeline.settings)

    def materialize(
        self, *assets: str, days: Sequence[date] = (), config: Mapping[str, Any] | None = None
    ) -> dg.ExecuteInProcessResult:
        """One run of some assets over a range of days, as a backfill makes it."""
        job = self.defs.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(name) for name in assets],
            tags=range_tags(days) if days else {},
            run_config=config and {"ops": dict(config)},
            raise_on_error=False,
        )

    def buy(self, days: Sequence[date]) -> None:
        """Plan days and submit what fits; a little later the first poll is due."""
        assert self.materialize("profile_urls", "enrich_batches", days=days).success
        self.clock.advance(seconds=5)

    def run(self, job: str, *, tags: Mapping[str, str] | None = None) -> dg.ExecuteInProcessResult:
        """One run of a job."""
        return self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance, tags=dict(tags or {}), raise_on_error=False
        )

    def tick(self) -> dg.SensorResult | dg.SkipReason:
        """One evaluation of the sensor."""
        return self.look("batch_monitor")

    def look(self, sensor: str, *, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
        """One evaluation of a sensor."""
        context = dg.build_sensor_context(
            instance=self.instance, resources={"crust": self.resource}, cursor=cursor
        )
        found = self.defs.resolve_sensor_def(sensor)(context)
        assert isinstance(found, dg.SensorResult | dg.SkipReason)
        return found

    def requests(self) -> list[dg.RunRequest]:
        """What one evaluation of the sensor asks for."""
        found = self.tick()
        return list(found.run_requests or []) if isinstance(found, dg.SensorResult) else []

    def settle(self) -> None:
        """Tick and do what is asked for, with time passing, until nothing is left to do."""
        for _ in range(20):
            requests = self.requests()
            for request in requests:
                assert request.job_name
                assert self.run(request.job_name, tags=request.tags).success
            if not requests and not self._waits():
                return
            self.clock.advance(300 if not requests else 0)
        raise AssertionError("it never comes to an end")

    def _waits(self) -> bool:
        waiting = queries.waiting_rows(
            self.pipeline.ledger, ["enrich"], DAYS, searches=SEARCHES_BEFORE_DECIDING
        )
        return waiting.rows_open > 0

    def metadata(self, asset: str, day: date) -> dict[str, Any]:
        """What the latest materialisation of a day shows."""
        records = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[day.isoformat()]),
            limit=1,
        ).records
        assert records, f"{asset} of {day} is not materialised"
        materialization = records[0].asset_materialization
        assert materialization
        return {name: entry.value for name, entry in materialization.metadata.items()}

    def materialized(self, asset: str) -> set[str]:
        """The days of an asset that are materialised."""
        return self.instance.get_materialized_partitions(dg.AssetKey(asset))

    def outcomes(self, days: Sequence[date]) -> dict[str, int]:
        """How many input rows had which outcome for enrich."""
        counted: dict[str, int] = {}
        for counts in queries.outcome_counts(self.pipeline.ledger, "enrich", days).values():
            for name, count in counts.items():
                counted[name] = counted.get(name, 0) + count
        return counted


def range_tags(days: Sequence[date]) -> dict[str, str]:
    return {RANGE_START_TAG: days[0].isoformat(), RANGE_END_TAG: days[-1].isoformat()}


def reason_of(result: dg.ExecuteInProcessResult) -> str:
    """Why the one step that failed did, as Dagster shows it; it failed on purpose, and once."""
    assert not any(event.is_step_up_for_retry for event in result.all_events)
    (event,) = [event for event in result.all_events if event.is_step_failure]
    told = event.step_failure_data.user_failure_data
    assert told, event.step_failure_data
    assert told.description
    return told.description


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


@pytest.fixture
def installation(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[SandboxedInstallation]:
    with dg.DagsterInstance.ephemeral() as instance:
        clock = Clock()
        monkeypatch.setattr(resource, "Installation", partial(Installation, clock=clock))
        monkeypatch.setattr(monitoring, "LOOK_SECONDS", 0)  # one look, without waiting
        installation = SandboxedInstallation(settings, clock, instance)
        yield installation
        installation.pipeline.ledger.close()
