"""The report as an asset, run by its job as the schedule does."""

from pathlib import Path
from typing import Any

import dagster as dg

from crust_pipeline.definitions import defs
from crust_pipeline_tests.defs.conftest import SandboxedInstallation
from crust_pipeline_tests.people import DAYS


def test_the_report_is_written_and_tells_its_numbers(
    installation: SandboxedInstallation, tmp_path: Path
) -> None:
    installation.buy(DAYS)
    installation.settle()
    assert installation.run("write_report").success
    page = tmp_path / "data" / "report.html"
    assert "What was bought" in page.read_text(encoding="utf-8")
    event = installation.instance.get_latest_materialization_event(dg.AssetKey("report"))
    assert event
    assert event.asset_materialization
    shown: dict[str, Any] = {
        name: entry.value for name, entry in event.asset_materialization.metadata.items()
    }
    assert shown["dagster/uri"] == page.as_uri()
    assert shown["crust/credits_spent"] > 0
    assert (shown["crust/rows_open"], shown["crust/unknown_submits"]) == (0, 0)


def test_the_report_of_nothing_can_be_written(installation: SandboxedInstallation) -> None:
    assert installation.run("write_report").success


def test_what_is_written_every_day_has_a_freshness_policy() -> None:
    graph = defs.resolve_asset_graph()
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    # Whether a day is planned is a person's decision; what follows from a plan is not.
    without = {name for name, node in nodes.items() if node.freshness_policy is None}
    assert without == {name for name in nodes if name.endswith("_batches")}
