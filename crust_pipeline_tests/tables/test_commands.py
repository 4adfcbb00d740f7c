"""The commands that make tables anew: what they say and how they end."""

from datetime import date
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

import crust_pipeline
from crust_pipeline.cli.main import main
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline_tests.tables.landing import DAY, LOADED_AT


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRUST_DATA_DIR", str(tmp_path))
    return tmp_path


def _write(data_dir: Path, *row_ids: str) -> None:
    rows = [{"row_id": row_id, "operation": "enrich"} for row_id in row_ids]
    Lake(data_dir / "lake").write_rows("outcomes", DAY, rows, run_id="r", loaded_at=LOADED_AT)


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_refresh_loads_what_is_new(data_dir: Path) -> None:
    _write(data_dir, "a", "b")

    result = _run("warehouse", "refresh")

    assert (result.exit_code, result.stdout) == (0, "warehouse: 1 partitions loaded, 2 rows\n")
    with duckdb.connect(data_dir / "lake.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM outcomes").fetchall() == [(2,)]


def test_verify_tells_whether_the_warehouse_holds_what_the_lake_holds(data_dir: Path) -> None:
    _write(data_dir, "a")
    _run("warehouse", "refresh")
    same = _run("warehouse", "verify")
    _write(data_dir, "b", "c")

    other = _run("warehouse", "verify")

    assert same.exit_code == 0
    assert other.exit_code == 1
    assert "outcomes 2026-01-05: 1 rows in the warehouse, 2 in the lake" in other.stderr


def test_compact_tells_the_sizes(data_dir: Path) -> None:
    _write(data_dir, "a")
    _run("warehouse", "refresh")

    result = _run("warehouse", "compact")

    assert result.exit_code == 0
    assert "MB before" in result.stdout


@pytest.mark.parametrize("command", ["verify", "compact"])
def test_without_a_warehouse_it_is_said_how_to_make_one(data_dir: Path, command: str) -> None:
    result = _run("warehouse", command)

    assert result.exit_code == 1
    assert "`warehouse refresh` makes it" in result.stderr


def test_a_held_file_is_a_message_and_exit_code_1(data_dir: Path) -> None:
    _write(data_dir, "a")
    _run("warehouse", "refresh")
    _write(data_dir, "b")

    with duckdb.connect(data_dir / "warehouse.duckdb", read_only=True):
        result = _run("warehouse", "refresh", "--wait-seconds", "0")

    assert result.exit_code == 1
    assert "the warehouse is 1 partitions behind" in result.stderr


def test_rebuild_names_the_tables_there_are(data_dir: Path) -> None:
    result = _run("rebuild", "--from", "2026-01-05", "--to", "2026-01-05", "--table", "outcomes")

    assert result.exit_code == 2
    assert "choose from identities, contact_emails" in result.stderr


def test_rebuild_writes_only_the_named_table(data_dir: Path) -> None:
    result = _run("rebuild", "--from", "2026-01-05", "--to", "2026-01-06", "--table", "skills")

    lake = Lake(data_dir / "lake")
    assert result.exit_code == 0, result.output
    assert lake.days("skills") == [DAY, date(2026, 1, 6)]
    assert lake.days("people") == []


def test_rebuild_without_a_table_writes_all_result_tables(data_dir: Path) -> None:
    result = _run("rebuild", "--from", "2026-01-05", "--to", "2026-01-05", "--json")

    lake = Lake(data_dir / "lake")
    assert result.exit_code == 0, result.output
    assert all(lake.days(table) == [DAY] for table in ("people", "identities", "contact_phones"))


def test_notebooks_read_days_of_a_table(data_dir: Path) -> None:
    _write(data_dir, "a", "b")

    frame = crust_pipeline.read("outcomes", "2026-01-01", date(2026, 1, 31))

    assert frame["row_id"].tolist() == ["a", "b"]
    assert crust_pipeline.read("outcomes", "2026-01-06", "2026-01-31").empty
