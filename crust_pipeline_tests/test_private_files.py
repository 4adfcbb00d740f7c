"""Who may read what is kept: its owner alone, whatever the umask."""

import os
import stat
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crust_pipeline.app.installation import Installation
from crust_pipeline.app.run_loop import run_to_end
from crust_pipeline.report.page import write_report
from crust_pipeline.settings import Settings
from crust_pipeline_tests.command_line import crust
from crust_pipeline_tests.people import DAYS

RUN = ("run", "--from", f"{DAYS[0]}", "--to", f"{DAYS[-1]}")


@pytest.fixture(params=[0o022, 0o000], ids=["umask_022", "umask_000"], autouse=True)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(folder: Path) -> list[str]:
    """What below a folder others than its owner may do something with."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if mode_of(path) & 0o077
    )


def bought_without_the_command_line(settings: dict[str, str]) -> Path:
    """Buy, load and report as a Dagster process does, whose umask is its own."""
    installation = Installation(settings=Settings.from_env(settings))
    run_to_end(
        installation,
        operations=["identify", "contact", "enrich"],
        start=DAYS[0],
        end=date(2026, 1, 7),
        policy=installation.policy,
        run_id="run",
        show=lambda _: None,
        sleep=time.sleep,
    )
    data = Path(settings["CRUST_DATA_DIR"])
    write_report(installation, data / "reports" / "report.html")
    with installation.ledger.write():
        # The files of the ledger's log are there as long as it is open.
        assert (data / "ledger.db-wal").exists()
        assert open_to_others(data) == []
    installation.ledger.close()
    return data


def test_all_that_a_run_writes_is_for_its_owner_alone(settings: dict[str, str]) -> None:
    data = bought_without_the_command_line(settings)
    assert mode_of(data) == 0o700
    kept = {mode_of(path) for path in (data / "raw").rglob("*.gz")}
    assert kept == {0o400}
    names = {path.name for path in data.rglob("*")}
    assert {"ledger.db", "warehouse.duckdb", "lake.duckdb", "report.html"} <= names


def test_a_folder_that_was_open_stays_so_and_what_is_made_in_it_is_not(
    settings: dict[str, str],
) -> None:
    data = Path(settings["CRUST_DATA_DIR"])
    data.mkdir(mode=0o755)
    before = mode_of(data)
    bought_without_the_command_line(settings)
    assert mode_of(data) == before


def test_folders_elsewhere_are_for_their_owner_alone(
    settings: dict[str, str], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    settings |= {
        "CRUST_RAW": str(elsewhere / "a" / "raw"),
        "CRUST_LAKE": str(elsewhere / "b" / "lake"),
        "CRUST_WAREHOUSE": str(elsewhere / "c" / "warehouse.duckdb"),
        "CRUST_LEDGER_URL": f"sqlite:///{elsewhere}/d/ledger.db",
    }
    assert crust(*RUN, settings=settings).code == 0
    assert mode_of(elsewhere) == 0o700
    assert open_to_others(elsewhere) == []


def test_what_commands_write_is_for_their_owner_alone(settings: dict[str, str]) -> None:
    data = Path(settings["CRUST_DATA_DIR"])
    assert crust(*RUN, settings=settings).code == 0
    assert crust("warehouse", "rebuild", settings=settings).code == 0
    assert crust("report", settings=settings).code == 0
    assert open_to_others(data) == []


def test_a_command_leaves_the_umask_of_its_process_as_it_was(settings: dict[str, str]) -> None:
    before = os.umask(0o022)
    crust("status", settings=settings)
    assert os.umask(before) == 0o022
