"""`crust-pipeline demo`, run as its user does; and ended in every way it can be ended."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from crust_pipeline_tests.e2e.instance_helpers import all_end, family_of
from crust_pipeline_tests.waiting import events_of_runs, wait_for_progress

pytestmark = pytest.mark.e2e

UI = "Dagster's UI: "


@pytest.fixture
def demo(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "crust_pipeline", "demo", "--exit"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        process.kill()


def until_it_shows_its_ui(demo: "subprocess.Popen[str]") -> set[int]:
    """Read on until Dagster runs; return the processes that the demo has started by then."""
    assert demo.stdout
    for line in demo.stdout:
        if line.startswith(UI):
            return family_of(demo.pid)
    raise AssertionError("it ended before Dagster ran")


def test_the_demo_ends_well_with_an_outcome_for_every_row_and_no_process_left(
    demo: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    started = until_it_shows_its_ui(demo)
    second = subprocess.run(demo.args, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "Another demonstration runs" in second.stderr
    wait_for_progress(
        "the end of the demonstration",
        lambda: demo.poll() is not None,
        progress=lambda: events_of_runs(tmp_path / ".demo" / "dagster"),
    )
    shown, _ = demo.communicate()
    assert demo.returncode == 0, shown
    assert started
    assert all_end(started)
    with duckdb.connect(str(tmp_path / ".demo/data/warehouse.duckdb"), read_only=True) as con:
        counts = con.execute(
            "SELECT operation, count(*) = (SELECT count(*) FROM profile_urls), "
            "count(*) FILTER (outcome IN ('pending', 'unknown', 'failed', 'expired')) "
            "FROM outcomes GROUP BY operation ORDER BY operation"
        ).fetchall()
        (quarantined,) = con.execute("SELECT count(*) FROM quarantine").fetchall()[0]
    assert counts == [(name, True, 0) for name in ("bulk_contact", "contact", "enrich", "identify")]
    assert quarantined == 0


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_demo_that_is_ended_leaves_no_process(
    demo: "subprocess.Popen[str]", ending: signal.Signals
) -> None:
    started = until_it_shows_its_ui(demo)
    assert len(started) > 5
    demo.send_signal(ending)
    assert demo.wait(timeout=60) != 0
    assert all_end(started)
