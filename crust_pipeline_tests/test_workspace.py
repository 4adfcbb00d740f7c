"""The files Dagster starts from: they agree, and put in force what the pipeline counts on."""

import shutil
import tomllib
from pathlib import Path
from typing import Any

import yaml

from crust_pipeline.local_dagster import instance

PROJECT = Path(__file__).parents[1]


def dg_project() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["dg"]["project"]


def workspace_module() -> dict[str, str]:
    (entry,) = yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"]
    return entry["python_module"]


def test_the_workspace_the_dg_project_and_the_runner_name_the_same_module() -> None:
    module = workspace_module()["module_name"]
    assert module == dg_project()["code_location_target_module"] == instance.MODULE


def test_they_give_the_code_location_the_same_name() -> None:
    # Dagster remembers a sensor's state and a run's origin under this name.
    assert workspace_module()["location_name"] == dg_project()["code_location_name"]
    assert workspace_module()["location_name"] == instance.LOCATION


def test_dagster_yaml_puts_in_force_what_the_pipeline_counts_on(tmp_path: Path) -> None:
    from dagster import DagsterInstance
    from dagster._core.instance.config import PoolGranularity

    shutil.copy(PROJECT / "dagster.yaml", tmp_path)
    with DagsterInstance.from_config(str(tmp_path)) as loaded:
        pools = loaded.get_concurrency_config().pool_config
        assert pools.pool_granularity is PoolGranularity.OP
        assert pools.default_pool_limit == 1
        assert loaded.run_monitoring_enabled
        assert loaded.run_monitoring_settings["free_slots_after_run_end_seconds"] > 0
        assert loaded.run_monitoring_max_runtime_seconds > 0
        assert not loaded.run_retries_enabled
        assert not loaded.telemetry_enabled
