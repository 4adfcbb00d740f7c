"""A Dagster instance for tests: it can be crashed, and ordered to do what only tests ask for."""

import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from crust_pipeline.local_dagster.client import (
    RANGE_END_TAG,
    RANGE_START_TAG,
    InstanceError,
    Run,
    asset_keys,
)
from crust_pipeline.local_dagster.instance import DagsterInstance

# The name Dagster gives to the job of assets that are selected by hand.
ASSET_JOB = "__ASSET_JOB"
PARTITION_TAG = "dagster/partition"

_BACKFILL = """
query Backfill($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    __typename
    ... on PartitionBackfill { id status numPartitions error { message } }
    ... on Error { message }
  }
}"""
_LAUNCH_RUN = """
mutation LaunchRun($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { id } }
    ... on Error { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
_RUN_EVENTS = """
query RunEvents($id: ID!) {
  logsForRun(runId: $id) {
    __typename
    ... on EventConnection {
      events {
        __typename
        ... on MessageEvent { message }
        ... on EngineEvent { metadataEntries { label ... on TextMetadataEntry { text } } }
      }
    }
    ... on Error { message }
  }
}"""
_STOP_SENSOR = """
mutation StopSensor($id: String!) {
  stopSensor(id: $id) { __typename ... on Error { message } }
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """A backfill as the daemon sees it; `error` is set when the daemon gave it up."""

    backfill_id: str
    status: str
    partitions: int
    error: str | None


def partitions_of(run: Run) -> tuple[str, str] | None:
    """Return the first and the last partition of a run, None for a run without partitions."""
    single = run.tags.get(PARTITION_TAG)
    first, last = run.tags.get(RANGE_START_TAG, single), run.tags.get(RANGE_END_TAG, single)
    return (first, last) if first and last else None


class CrashableInstance(DagsterInstance):
    """A running Dagster whose processes can be killed."""

    def kill_web_server(self) -> None:
        """Kill the web server as a crash would. Daemon and runs go on."""
        self._processes.pop("webserver").kill()

    def kill_daemon(self) -> None:
        """Kill the daemon as a crash would. Runs go on; nothing new starts."""
        self._processes.pop("daemon").kill()

    def kill_run_workers(self) -> int:
        """Kill the processes of the runs being executed; return how many there were."""
        pids = self.run_worker_pids()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)

    def kill(self) -> None:
        """Kill everything, as a power cut would."""
        for process in self._processes.values():
            process.kill()
        self._processes.clear()

    def backfill(self, backfill_id: str) -> Backfill:
        """Return how a backfill stands."""
        found = self._ask(_BACKFILL, id=backfill_id)
        return Backfill(
            backfill_id=found["id"],
            status=found["status"],
            partitions=found["numPartitions"] or 0,
            error=found["error"] and found["error"]["message"],
        )

    def materialize(self, assets: Sequence[str], partitions: Sequence[str] = ()) -> str:
        """Launch one run of these assets over the range from the first to the last of `partitions`.

        Does not wait for the backfill daemon. Every asset of the range must have
        `BackfillPolicy.single_run`. Returns the run's id.
        """
        tags: dict[str, str] = {}
        if partitions:
            tags = {RANGE_START_TAG: partitions[0], RANGE_END_TAG: partitions[-1]}
        return self._launch(ASSET_JOB, tags, assetSelection=asset_keys(assets))

    def launch_run(self, job: str, *, tags: Mapping[str, str] | None = None) -> str:
        """Launch a run of a job; return the run's id."""
        return self._launch(job, tags or {})

    def run(self, run_id: str) -> Run:
        """Return how a run stands.

        Raises:
            InstanceError: also when there is no such run.
        """
        found = self._runs({"runIds": [run_id]}, limit=1)
        if not found:
            raise InstanceError(f"Dagster knows no run {run_id}.")
        return found[0]

    def run_worker_pids(self) -> set[int]:
        """Return the process ids of the runs that are being executed."""
        running = self._runs({"statuses": ["STARTING", "STARTED", "CANCELING"]}, limit=100)
        return {pid for run in running for pid in self._pids_of(run.run_id)}

    def stop_sensor(self, sensor: str) -> None:
        """Let the sensor tick no more."""
        self._ask(_STOP_SENSOR, id=self._sensor(sensor)["id"])

    def _launch(self, job: str, tags: Mapping[str, str], **selection: object) -> str:
        params = {
            "selector": self._selector(jobName=job, **selection),
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
        }
        return self._ask(_LAUNCH_RUN, params=params)["run"]["id"]

    def _pids_of(self, run_id: str) -> Iterable[int]:
        for event in self._ask(_RUN_EVENTS, id=run_id)["events"]:
            for entry in event.get("metadataEntries", ()):
                if entry["label"] == "pid":
                    yield int(entry["text"])
