"""A client of a running Dagster web server, in GraphQL.

All queries of the product are in this file. Dagster itself is not imported: each method does what a
click in the UI does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from crust_pipeline.errors import CrustError

# The name Dagster gives to the repository of a `Definitions` object.
REPOSITORY = "__repository__"

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
BACKFILL_TAG = "dagster/backfill"

_LOCATION = """
query Location($name: String!) {
  workspaceLocationEntryOrError(name: $name) {
    __typename
    ... on WorkspaceLocationEntry {
      loadStatus
      locationOrLoadError { __typename ... on PythonError { className message } }
    }
    ... on Error { message }
  }
}"""
_LAUNCH_BACKFILL = """
mutation LaunchBackfill($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on Error { message }
  }
}"""
_RUNS = """
query Runs($filter: RunsFilter, $limit: Int) {
  runsOrError(filter: $filter, limit: $limit) {
    __typename
    ... on Runs { results { id jobName status creationTime startTime endTime tags { key value } } }
    ... on Error { message }
  }
}"""
_SENSOR = """
query Sensor($selector: SensorSelector!) {
  sensorOrError(sensorSelector: $selector) {
    __typename
    ... on Sensor { sensorState { id status } }
    ... on Error { message }
  }
}"""
_START_SENSOR = """
mutation StartSensor($selector: SensorSelector!) {
  startSensor(sensorSelector: $selector) { __typename ... on Error { message } }
}"""


class InstanceError(CrustError, RuntimeError):
    """Dagster did not do what it was asked. The message says what and why."""


class InstanceUnreachableError(InstanceError):
    """The web server does not answer: it is starting, or gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run; times in seconds since the epoch, None for what has not happened yet."""

    run_id: str
    job: str
    status: str
    created: float
    started: float | None
    ended_at: float | None
    tags: Mapping[str, str]

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen in this run."""
        return self.status in {"SUCCESS", "FAILURE", "CANCELED"}


class DagsterClient:
    """Speaks to the web server at `ui_url` about one code location.

    Every method raises `InstanceError` when the server cannot be reached or refuses.
    """

    def __init__(self, ui_url: str, *, location: str) -> None:
        """Connect lazily: nothing is sent before the first question."""
        self.ui_url = ui_url
        self._location = location
        # `trust_env=False`: a proxy variable must not reroute a question to the loopback address.
        self._http = httpx.Client(base_url=ui_url, timeout=60.0, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def location_loaded(self) -> bool:
        """Tell whether the code is loaded; False while it is still being loaded.

        Raises:
            InstanceError: it cannot be loaded, and why.
        """
        entry = self._ask(_LOCATION, name=self._location)
        loaded = entry["locationOrLoadError"]
        if entry["loadStatus"] != "LOADED" or loaded is None:
            return False
        # The web server is up before the code server; it tries again by itself.
        if loaded.get("className") == "DagsterUserCodeUnreachableError":
            return False
        if "message" in loaded:
            raise InstanceError(f"The definitions do not load: {loaded['message'].strip()}")
        return True

    def launch_backfill(self, assets: Sequence[str], partitions: Sequence[str]) -> str:
        """Ask the daemon to fill these partitions of these assets; return the backfill's id.

        The daemon looks for backfills at its start, then every 30 s (fixed in Dagster 1.13).
        """
        params = {"assetSelection": asset_keys(assets), "partitionNames": list(partitions)}
        return self._ask(_LAUNCH_BACKFILL, params=params)["backfillId"]

    def runs(self, *, backfill_id: str | None = None, limit: int = 100) -> list[Run]:
        """Return the latest runs, newest first, of one backfill if it is given."""
        tags = [{"key": BACKFILL_TAG, "value": backfill_id}] if backfill_id else []
        return self._runs({"tags": tags}, limit=limit)

    def sensor_state(self, sensor: str) -> str:
        """Return 'RUNNING' or 'STOPPED'."""
        return self._sensor(sensor)["status"]

    def start_sensor(self, sensor: str) -> None:
        """Start the sensor."""
        self._ask(_START_SENSOR, selector=self._selector(sensorName=sensor))

    def _runs(self, chosen: Mapping[str, object], *, limit: int) -> list[Run]:
        results: list[dict[str, Any]] = self._ask(_RUNS, filter=chosen, limit=limit)["results"]
        return [
            Run(
                run_id=found["id"],
                job=found["jobName"],
                status=found["status"],
                created=found["creationTime"],
                started=found["startTime"],
                ended_at=found["endTime"],
                tags={tag["key"]: tag["value"] for tag in found["tags"]},
            )
            for found in results
        ]

    def _sensor(self, sensor: str) -> dict[str, str]:
        return self._ask(_SENSOR, selector=self._selector(sensorName=sensor))["sensorState"]

    def _selector(self, **names: object) -> dict[str, object]:
        return {"repositoryName": REPOSITORY, "repositoryLocationName": self._location, **names}

    def _ask(self, query: str, **variables: object) -> dict[str, Any]:
        """Send one query and return its one answer."""
        try:
            response = self._http.post("/graphql", json={"query": query, "variables": variables})
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            message = f"Dagster's web server at {self.ui_url} does not answer: {error}."
            raise InstanceUnreachableError(message) from error
        if not isinstance(body, dict) or not body.keys() & {"data", "errors"}:
            raise InstanceUnreachableError(f"What answers at {self.ui_url} is not Dagster.")
        if "errors" in body:
            raise InstanceError(f"Dagster refused the question: {body['errors'][0]['message']}")
        (answer,) = body["data"].values()
        if "message" in answer or "errors" in answer:
            why = answer.get("message") or "; ".join(each["message"] for each in answer["errors"])
            raise InstanceError(f"Dagster refused ({answer['__typename']}): {why.strip()}")
        return answer


def asset_keys(assets: Sequence[str]) -> list[dict[str, list[str]]]:
    """Return assets, named by their paths, as GraphQL wants them."""
    return [{"path": asset.split("/")} for asset in assets]
