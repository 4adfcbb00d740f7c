"""A lake and a warehouse that are gone come back from ledger, landed files and upstream table."""

import shutil
from pathlib import Path

import duckdb
import pytest

from crust_pipeline.tables.specs import TABLES
from crust_pipeline_tests.command_line import crust
from crust_pipeline_tests.people import DAYS

PERIOD = ("--from", str(DAYS[0]), "--to", str(DAYS[-1]))


def contents(warehouse: Path) -> dict[str, int]:
    with duckdb.connect(str(warehouse), read_only=True) as con:
        return {
            name: con.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in TABLES
        }


@pytest.fixture
def data(settings: dict[str, str]) -> Path:
    """A data folder in which all days are bought."""
    done = crust("run", *PERIOD, settings=settings)
    assert done.code == 0, done.err
    return Path(settings["CRUST_DATA_DIR"])


def test_a_lost_lake_comes_back_whole(settings: dict[str, str], data: Path) -> None:
    before = contents(data / "warehouse.duckdb")
    assert before["outcomes"] > before["people"] > 0
    shutil.rmtree(data / "lake")
    (data / "warehouse.duckdb").unlink()
    done = crust("rebuild", settings=settings)
    assert done.code == 0, done.err
    assert contents(data / "warehouse.duckdb") == before


def test_a_lost_warehouse_comes_back_from_the_lake(settings: dict[str, str], data: Path) -> None:
    before = contents(data / "warehouse.duckdb")
    (data / "warehouse.duckdb").unlink()
    assert crust("warehouse", "refresh", settings=settings).code == 0
    assert contents(data / "warehouse.duckdb") == before


def test_input_rows_that_cannot_be_read_again_are_told_and_the_rest_comes_back(
    settings: dict[str, str], data: Path
) -> None:
    before = contents(data / "warehouse.duckdb")
    shutil.rmtree(data / "lake")
    Path(settings["CRUST_UPSTREAM"]).unlink()
    done = crust("rebuild", settings=settings)
    assert done.code == 1
    assert "input rows of 3 days are gone" in done.err
    assert "materialise it" in done.err
    assert contents(data / "warehouse.duckdb") == before  # a lost file takes no rows with it


def test_with_nothing_planned_there_is_nothing_to_rebuild(settings: dict[str, str]) -> None:
    done = crust("rebuild", settings=settings)
    assert done.code == 2
    assert "nothing to make anew" in done.err
