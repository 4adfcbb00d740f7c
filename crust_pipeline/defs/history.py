"""Dagster's history: what may be forgotten of it. The ledger needs none of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import dagster as dg

PAGE = 500
ENDED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many old runs were removed, and how many were kept because an asset shows them."""

    removed: int
    kept: int


def prune_home(home: Path, *, before: datetime) -> Pruned:
    """Prune the history of the instance whose dagster.yaml is in a folder."""
    with dg.DagsterInstance.from_config(str(home.resolve())) as instance:
        return prune(instance, before=before)


def prune(instance: dg.DagsterInstance, *, before: datetime) -> Pruned:
    """Remove ended runs with all their events, but for the latest materialisation of each day.

    Args:
        instance: whose history.
        before: runs that were touched since then stay.
    """
    old = set(_ended_runs(instance, before=before))
    shown = old & set(_runs_shown(instance))
    for run_id in old - shown:
        instance.delete_run(run_id)
    return Pruned(removed=len(old - shown), kept=len(shown))


def _ended_runs(instance: dg.DagsterInstance, *, before: datetime) -> Iterator[str]:
    filters = dg.RunsFilter(statuses=ENDED, updated_before=before)
    cursor: str | None = None
    while records := instance.get_run_records(filters, limit=PAGE, cursor=cursor):
        for record in records:
            yield record.dagster_run.run_id
        cursor = records[-1].dagster_run.run_id


def _runs_shown(instance: dg.DagsterInstance) -> Iterator[str]:
    """Return runs that an asset, or a day of one, shows as its latest materialisation."""
    for key in instance.get_asset_keys():
        latest = instance.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        ids = list(latest.values())
        for start in range(0, len(ids), PAGE):
            of_days = dg.AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + PAGE])
            for record in instance.fetch_materializations(of_days, limit=PAGE).records:
                yield record.run_id
        for record in instance.fetch_materializations(key, limit=1).records:
            yield record.run_id
