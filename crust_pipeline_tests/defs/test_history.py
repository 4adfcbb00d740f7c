"""Pruning: old runs go, what an asset shows stays, and the ledger is not touched."""

from datetime import UTC, datetime, timedelta

from crust_pipeline.defs.history import prune
from crust_pipeline.ledger import queries
from crust_pipeline_tests.defs.conftest import SandboxedInstallation
from crust_pipeline_tests.people import DAYS


def later() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


def test_recent_runs_stay(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    pruned = prune(installation.instance, before=datetime.now(UTC) - timedelta(days=1))
    assert pruned.removed == 0
    assert installation.instance.get_runs_count() == 1


def test_runs_that_no_asset_shows_are_removed(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    installation.buy(DAYS)
    installation.settle()
    before = installation.instance.get_runs_count()
    pruned = prune(installation.instance, before=later())
    assert pruned.removed >= 2  # the first purchase of the days, and the advance run
    assert installation.instance.get_runs_count() == before - pruned.removed


def test_every_day_stays_materialised(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    installation.settle()
    prune(installation.instance, before=later())
    days = {day.isoformat() for day in DAYS}
    assert installation.materialized("enrich_batches") == days
    assert installation.materialized("people") == days


def test_nothing_is_bought_or_loaded_again_afterwards(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    installation.settle()
    batches = queries.batches(installation.pipeline.ledger)
    prune(installation.instance, before=later())
    assert not installation.requests()
    assert queries.batches(installation.pipeline.ledger) == batches
