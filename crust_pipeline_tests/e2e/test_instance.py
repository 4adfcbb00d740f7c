"""A real Dagster, started, driven, crashed and stopped, on a toy code location."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from crust_pipeline.local_dagster.client import InstanceError, Run
from crust_pipeline_tests.e2e.crashable_instance import (
    PARTITION_TAG,
    CrashableInstance,
    partitions_of,
)
from crust_pipeline_tests.e2e.instance_helpers import family_of, living, wait_for

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
DAYS = ["2026-01-01", "2026-01-02", "2026-01-03"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("toy")


@pytest.fixture(scope="module")
def start(folder: Path) -> Callable[..., AbstractContextManager[CrashableInstance]]:
    return partial(
        CrashableInstance.running,
        home=folder / "home",
        environment={"PYTHONPATH": str(PROJECT), "TOY_FOLDER": str(folder)},
        log_dir=folder / "logs",
        module="crust_pipeline_tests.e2e.toy_definitions",
    )


@pytest.fixture(scope="module")
def others() -> set[int]:
    """Processes of this one that are not the instance's, such as the fork server of kill tests."""
    return family_of(os.getpid())


@pytest.fixture(scope="module")
def instance(
    others: set[int],
    start: Callable[..., AbstractContextManager[CrashableInstance]],
) -> Iterator[CrashableInstance]:
    del others  # looked at before the instance starts
    with start() as instance:
        yield instance


@pytest.fixture
def gate(folder: Path) -> Iterator[Path]:
    """`downstream` ends only when this file is there."""
    gate = folder / "gate"
    gate.unlink(missing_ok=True)
    yield gate
    gate.touch()


def ended(instance: CrashableInstance, run_id: str, folder: Path) -> Run:
    wait_for(
        f"the end of run {run_id}",
        lambda: instance.run(run_id).ended,
        instance=instance,
        home=folder / "home",
    )
    return instance.run(run_id)


def waits_at_gate(instance: CrashableInstance, run_id: str, folder: Path) -> None:
    # Not earlier: killed inside `upstream`, the run would keep its place in the pool for a while.
    wait_for(
        f"run {run_id} at the gate",
        (folder / f"{run_id}-waits").exists,
        instance=instance,
        home=folder / "home",
    )


def test_a_range_of_days_is_materialised_in_one_run(
    instance: CrashableInstance, gate: Path, folder: Path
) -> None:
    gate.touch()
    run = ended(instance, instance.materialize(["upstream", "downstream"], DAYS), folder)
    assert run.status == "SUCCESS"
    assert partitions_of(run) == ("2026-01-01", "2026-01-03")
    assert (folder / run.run_id).read_text().split() == DAYS


def test_a_backfill_launched_before_the_daemon_runs_when_the_daemon_starts(
    instance: CrashableInstance, folder: Path
) -> None:
    instance.kill_daemon()
    backfill_id = instance.launch_backfill(["upstream"], DAYS)
    assert not instance.runs(backfill_id=backfill_id)
    instance.start_daemon()
    wait_for(
        "a run",
        lambda: bool(instance.runs(backfill_id=backfill_id)),
        instance=instance,
        home=folder / "home",
    )
    (run,) = instance.runs(backfill_id=backfill_id)
    assert ended(instance, run.run_id, folder).status == "SUCCESS"
    assert (folder / run.run_id).read_text().split() == DAYS
    backfill = instance.backfill(backfill_id)
    assert (backfill.partitions, backfill.error) == (3, None)


def test_a_job_is_run_with_the_tags_it_is_given(
    instance: CrashableInstance, gate: Path, folder: Path
) -> None:
    gate.touch()
    run_id = instance.launch_run("all_assets", tags={PARTITION_TAG: "2026-01-05"})
    run = ended(instance, run_id, folder)
    assert (run.job, run.status) == ("all_assets", "SUCCESS")
    assert partitions_of(run) == ("2026-01-05", "2026-01-05")


def test_a_sensor_is_stopped_and_started(instance: CrashableInstance) -> None:
    assert instance.sensor_state("ticker") == "STOPPED"
    instance.start_sensor("ticker")
    assert instance.sensor_state("ticker") == "RUNNING"
    instance.stop_sensor("ticker")
    assert instance.sensor_state("ticker") == "STOPPED"


def test_a_killed_run_worker_is_a_failed_run(
    instance: CrashableInstance, gate: Path, folder: Path
) -> None:
    run_id = instance.materialize(["upstream", "downstream"], DAYS)
    waits_at_gate(instance, run_id, folder)
    assert instance.kill_run_workers() == 1
    assert ended(instance, run_id, folder).status == "FAILURE"


def test_after_a_power_cut_the_queued_run_is_done_by_the_next_start(
    instance: CrashableInstance, folder: Path
) -> None:
    instance.kill_daemon()
    run_id = instance.materialize(["upstream"], DAYS)
    instance.kill()
    instance.start(daemon=True)
    assert ended(instance, run_id, folder).status == "SUCCESS"


def test_stopping_in_the_middle_of_a_run_leaves_no_process_behind(
    instance: CrashableInstance, gate: Path, folder: Path, others: set[int]
) -> None:
    run_id = instance.materialize(["upstream", "downstream"], DAYS)
    waits_at_gate(instance, run_id, folder)
    family = family_of(os.getpid()) - others
    assert set(instance.run_worker_pids()) < family
    instance.stop()
    assert not family & living().keys()
    instance.start(daemon=True)
    assert instance.run(run_id).ended


def test_a_process_that_died_is_named_with_the_end_of_its_log(instance: CrashableInstance) -> None:
    daemon = instance._processes["daemon"]
    daemon.kill()
    with pytest.raises(InstanceError, match="daemon ended with exit code 137"):
        instance.check()
    instance.start_daemon()
    instance.check()


def test_a_refusal_says_what_dagster_said(instance: CrashableInstance) -> None:
    with pytest.raises(InstanceError, match="no_such_job"):
        instance.launch_run("no_such_job")
    with pytest.raises(InstanceError, match="no_such_sensor"):
        instance.sensor_state("no_such_sensor")
    with pytest.raises(InstanceError, match="knows no run"):
        instance.run("no-such-run")


def test_definitions_that_do_not_load_are_an_error_that_says_why(
    start: Callable[..., AbstractContextManager[CrashableInstance]], folder: Path
) -> None:
    with (
        pytest.raises(InstanceError, match="No module named 'no_such_module'"),
        start(module="no_such_module", home=folder / "other", daemon=False),
    ):
        pass
