"""The warehouse: the lake's content in one transaction, readers respected, deaths survived."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from crust_pipeline.tables.specs import TABLES
from crust_pipeline.tables.store import warehouse as warehouse_module
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline.tables.store.warehouse import LostPartitionsError, Warehouse, publish_views
from crust_pipeline_tests.tables.landing import DAY, LOADED_AT, NEXT_DAY

_RUN: dict[str, Any] = {"run_id": "run-1", "loaded_at": LOADED_AT}


class _Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time() -> _Time:
    return _Time()


@pytest.fixture
def warehouse(tmp_path: Path, time: _Time) -> Warehouse:
    return Warehouse(tmp_path / "warehouse.duckdb", clock=time.clock, sleep=time.sleep)


def _outcomes(lake: Lake, *row_ids: str, day: Any = DAY) -> None:
    rows = [{"row_id": row_id, "operation": "enrich", "outcome": "matched"} for row_id in row_ids]
    lake.write_rows("outcomes", day, rows, **_RUN)


def _row_ids(path: Path) -> list[str]:
    with duckdb.connect(path, read_only=True) as connection:
        rows = connection.execute("SELECT row_id FROM outcomes ORDER BY ALL").fetchall()
    return [row_id for (row_id,) in rows]


_READER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def _reader_elsewhere(path: Path) -> Iterator[None]:
    """Hold the file open in another process."""
    command = [sys.executable, "-c", _READER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield
        assert process.stdin is not None
        process.stdin.close()


def test_a_load_brings_all_that_is_new(lake: Lake, warehouse: Warehouse) -> None:
    _outcomes(lake, "a", "b")
    _outcomes(lake, "c", day=NEXT_DAY)

    report = warehouse.load(lake)

    assert (report.loaded, report.rows, report.behind, report.reason) == (2, 3, 0, None)
    assert _row_ids(warehouse.path) == ["a", "b", "c"]
    assert warehouse.verify(lake) == []


def test_a_load_without_news_loads_nothing(lake: Lake, warehouse: Warehouse) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)

    assert warehouse.load(lake).loaded == 0


def test_a_partition_written_again_with_the_same_content_is_not_loaded(
    lake: Lake, warehouse: Warehouse
) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)
    _outcomes(lake, "a")

    assert warehouse.load(lake).loaded == 0
    assert warehouse.behind(lake) == 0


def test_a_partition_that_changed_is_replaced(lake: Lake, warehouse: Warehouse) -> None:
    _outcomes(lake, "a", "b")
    _outcomes(lake, "c", day=NEXT_DAY)
    warehouse.load(lake)
    _outcomes(lake, "z")

    assert warehouse.behind(lake) == 1
    assert warehouse.load(lake).loaded == 1
    assert _row_ids(warehouse.path) == ["c", "z"]


def test_rows_stay_when_their_file_is_gone_from_the_lake(lake: Lake, warehouse: Warehouse) -> None:
    _outcomes(lake, "a")
    _outcomes(lake, "b", day=NEXT_DAY)
    warehouse.load(lake)
    lake.path("outcomes", DAY).unlink()
    _outcomes(lake, "c", day=NEXT_DAY)

    report = warehouse.load(lake)

    assert (report.loaded, report.behind) == (1, 0)
    assert _row_ids(warehouse.path) == ["a", "c"]
    (note,) = report.notes
    assert "`crust-pipeline rebuild --from 2026-01-05 --to 2026-01-05`" in note
    assert warehouse.verify(lake) == [
        "outcomes 2026-01-05: 1 rows in the warehouse, and no file in the lake"
    ]
    _outcomes(lake, "a")
    assert warehouse.load(lake).notes == ()
    assert warehouse.verify(lake) == []


def test_a_file_of_the_lake_that_cannot_be_read_keeps_no_other_out(
    lake: Lake, warehouse: Warehouse
) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)
    path = lake.path("outcomes", DAY)
    path.write_bytes(path.read_bytes()[:100])
    _outcomes(lake, "b", day=NEXT_DAY)

    report = warehouse.load(lake)

    assert (report.loaded, report.behind, len(report.notes)) == (1, 0, 1)
    assert _row_ids(warehouse.path) == ["a", "b"]


def test_a_partition_that_became_empty_is_emptied(lake: Lake, warehouse: Warehouse) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)
    _outcomes(lake)

    assert warehouse.load(lake).loaded == 1
    assert _row_ids(warehouse.path) == []


def test_a_table_made_anew_keeps_the_rows_that_only_it_holds(
    lake: Lake, warehouse: Warehouse
) -> None:
    _outcomes(lake, "a")
    _outcomes(lake, "b", day=NEXT_DAY)
    warehouse.load(lake)
    lake.path("outcomes", DAY).unlink()
    with duckdb.connect(warehouse.path) as connection:
        connection.execute("ALTER TABLE outcomes DROP COLUMN detail")

    warehouse.load(lake)

    assert _row_ids(warehouse.path) == ["a", "b"]


def test_all_tables_are_there_with_their_descriptions(lake: Lake, warehouse: Warehouse) -> None:
    warehouse.load(lake)

    with duckdb.connect(warehouse.path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'main'"
        ).fetchall()
    assert dict(rows) == {table.name: table.description for table in TABLES.values()}


def test_a_table_whose_spec_changed_is_made_anew_from_the_lake(
    lake: Lake, warehouse: Warehouse
) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)
    with duckdb.connect(warehouse.path) as connection:
        connection.execute("ALTER TABLE outcomes DROP COLUMN detail")

    assert warehouse.behind(lake) == 1
    assert warehouse.load(lake).loaded == 1
    assert warehouse.verify(lake) == []


def test_rows_that_need_more_memory_than_expected_are_loaded(
    lake: Lake, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = [{"row_id": f"{number}", "detail": "x" * 1_000_000} for number in range(20)]
    lake.write_rows("outcomes", DAY, large, **_RUN)
    monkeypatch.setattr("crust_pipeline.tables.store.warehouse._MEMORY", "10MB")

    report = warehouse.load(lake)

    assert (report.rows, report.behind) == (20, 0)
    assert warehouse.verify(lake) == []


def test_a_file_that_is_replaced_while_it_is_loaded_is_loaded_again(
    lake: Lake, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    _outcomes(lake, "old")
    replace_rows = warehouse_module._replace

    def replace_rows_and_file(*arguments: Any) -> int:
        rows = replace_rows(*arguments)
        if "old" in lake.read("outcomes")["row_id"].to_list():
            _outcomes(lake, "new", "newer")
        return rows

    monkeypatch.setattr(warehouse_module, "_replace", replace_rows_and_file)

    report = warehouse.load(lake)

    assert report.rows == 2
    assert _row_ids(warehouse.path) == ["new", "newer"]
    assert warehouse.behind(lake) == 0


def test_a_file_that_is_replaced_again_and_again_leaves_the_warehouse_behind(
    lake: Lake, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crust_pipeline.tables.store.replaced._PAUSES_SECONDS", (0.0,))
    _outcomes(lake, "old")
    replace_rows = warehouse_module._replace

    def replace_rows_and_file(*arguments: Any) -> int:
        rows = replace_rows(*arguments)
        _outcomes(lake, "new")
        return rows

    monkeypatch.setattr(warehouse_module, "_replace", replace_rows_and_file)

    report = warehouse.load(lake)

    assert (report.loaded, report.behind) == (0, 1)
    assert "outcomes.parquet was replaced each time" in (report.reason or "")
    monkeypatch.undo()
    assert warehouse.load(lake).loaded == 1
    assert _row_ids(warehouse.path) == ["new"]


def test_rows_that_somebody_changed_are_found(lake: Lake, warehouse: Warehouse) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)
    with duckdb.connect(warehouse.path) as connection:
        connection.execute("UPDATE outcomes SET outcome = 'dropped'")

    (difference,) = warehouse.verify(lake)

    assert difference == (
        "outcomes 2026-01-05: 1 rows in the warehouse, 1 in the lake, with other content"
    )


def test_a_reader_elsewhere_leaves_the_warehouse_behind_until_the_next_load(
    lake: Lake, warehouse: Warehouse, time: _Time
) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)
    _outcomes(lake, "b")
    _outcomes(lake, "c", day=NEXT_DAY)

    with _reader_elsewhere(warehouse.path):
        report = warehouse.load(lake, wait_seconds=30)

    assert (report.loaded, report.behind) == (0, 2)
    assert "another program has warehouse.duckdb open" in str(report.reason)
    assert 30 <= time.now < 31
    assert _row_ids(warehouse.path) == ["a"]
    assert warehouse.load(lake).loaded == 2
    assert _row_ids(warehouse.path) == ["b", "c"]


def test_a_reader_in_the_way_of_nothing_is_no_matter(lake: Lake, warehouse: Warehouse) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)

    with _reader_elsewhere(warehouse.path):
        report = warehouse.load(lake, wait_seconds=1)

    assert (report.behind, report.reason) == (0, None)


def test_a_reader_who_leaves_in_time_is_waited_for(lake: Lake, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    _outcomes(lake, "a")
    warehouse.load(lake)
    _outcomes(lake, "b")
    with ExitStack() as reader:
        reader.enter_context(_reader_elsewhere(warehouse.path))

        waiting = Warehouse(warehouse.path, sleep=lambda _seconds: reader.close())

        assert waiting.load(lake).loaded == 1


def test_another_connection_of_the_same_process_is_waited_for_too(
    lake: Lake, warehouse: Warehouse
) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)
    _outcomes(lake, "b")

    with duckdb.connect(warehouse.path, read_only=True):
        assert warehouse.load(lake, wait_seconds=1).behind == 1


def test_a_load_that_is_running_is_waited_for(lake: Lake, warehouse: Warehouse) -> None:
    _outcomes(lake, "a")
    script = (
        "import fcntl, sys; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX);"
        "print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, f"{warehouse.path}.lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        report = warehouse.load(lake, wait_seconds=1)
        process.communicate()

    assert (report.behind, report.reason) == (1, "another load of this warehouse is running")


def _damage(path: Path, how: str) -> None:
    if how == "no database":
        path.write_text("not a database, but long enough to be looked at " * 100)
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("how", ["no database", "cut in half"])
def test_a_damaged_file_leaves_the_warehouse_behind_and_is_made_anew_by_the_command_that_is_named(
    lake: Lake, warehouse: Warehouse, how: str, time: _Time
) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)
    _damage(warehouse.path, how)

    report = warehouse.load(lake)

    assert (report.loaded, report.behind, time.now) == (0, 1, 0)
    assert "`crust-pipeline warehouse rebuild`" in (report.reason or "")
    assert "\n" not in (report.reason or "")
    rebuilt, aside = warehouse.rebuild(lake)
    assert (rebuilt.loaded, rebuilt.behind) == (1, 0)
    assert aside == warehouse.path.with_name("warehouse.duckdb.replaced")
    assert _row_ids(warehouse.path) == ["a"]
    assert warehouse.load(lake).behind == 0


def test_a_warehouse_is_not_made_anew_while_only_it_holds_some_days(
    lake: Lake, warehouse: Warehouse
) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)
    lake.path("outcomes", DAY).unlink()

    with pytest.raises(LostPartitionsError, match="crust-pipeline rebuild"):
        warehouse.rebuild(lake)
    assert _row_ids(warehouse.path) == ["a"]


# Lets no file grow beyond a size, as a full disk would; then loads the warehouse.
_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from crust_pipeline.tables import Lake
from crust_pipeline.tables.store.warehouse import Warehouse

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
report = Warehouse(Path(sys.argv[2])).load(Lake(Path(sys.argv[1])))
print(report.behind, report.reason)
"""


def test_a_full_disk_leaves_the_warehouse_behind_until_there_is_room(
    lake: Lake, warehouse: Warehouse
) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)
    large = [{"row_id": f"{n}", "detail": f"{n**40}"} for n in range(100_000)]
    lake.write_rows("outcomes", DAY, large, **_RUN)
    limit = str(warehouse.path.stat().st_size + 100_000)

    told = subprocess.run(
        [sys.executable, "-c", _ON_A_FULL_DISK, str(lake.root), str(warehouse.path), limit],
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.stdout.startswith(f"1 No space is left in {warehouse.path.parent}: "), told
    assert warehouse.load(lake).rows == 100_000
    assert warehouse.verify(lake) == []


# Dies at the n-th statement of a load.
_DIES = """
import os, signal, sys
from pathlib import Path
import crust_pipeline.tables.store.warehouse as warehouse
from crust_pipeline.tables import Lake
from crust_pipeline.tables.store.lake import open_duckdb
from contextlib import ExitStack, contextmanager

left = int(sys.argv[3])

class Connection:
    def __init__(self, inner):
        self.inner = inner
    def execute(self, *arguments):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return self.inner.execute(*arguments)
    def __getattr__(self, name):
        return getattr(self.inner, name)

@contextmanager
def dying(**config):
    with open_duckdb(**config) as connection:
        yield Connection(connection)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

warehouse.open_duckdb = dying
warehouse.Warehouse(Path(sys.argv[2])).load(Lake(Path(sys.argv[1])))
print("left", left)
"""


def _load_and_die(lake: Lake, path: Path, statements: int) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", _DIES, str(lake.root), str(path), str(statements)]
    return subprocess.run(command, capture_output=True, check=False)


@pytest.mark.parametrize("first", [True, False], ids=["no file yet", "replacing"])
def test_killed_at_any_statement_the_warehouse_holds_the_old_or_the_new(
    lake: Lake, tmp_path: Path, first: bool
) -> None:
    path = tmp_path / "warehouse.duckdb"
    old: list[str] = []
    if not first:
        _outcomes(lake, "old-1")
        _outcomes(lake, "old-2", day=NEXT_DAY)
        Warehouse(path).load(lake)
        old = ["old-1", "old-2"]
    _outcomes(lake, "new-1")
    _outcomes(lake, "new-2", day=NEXT_DAY)
    statements = int(_load_and_die(lake, tmp_path / "spare.duckdb", 10_000).stdout.split()[1])
    total = 10_000 - statements
    assert total > 20

    # All statements around the transaction's end, and every fifth of the many before it.
    for died_at in sorted({*range(0, total, 5), *range(total - 6, total + 1)}):
        assert _load_and_die(lake, path, died_at).returncode in {-signal.SIGKILL, 0}
        if not path.exists() or not path.stat().st_size:
            continue
        with duckdb.connect(path) as connection:
            tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
        if "outcomes" in tables:
            found = _row_ids(path)
            assert found in (old, ["new-1", "new-2"]), f"after dying at statement {died_at}"
            if found != old:
                break
    assert Warehouse(path).load(lake).behind == 0
    assert _row_ids(path) == ["new-1", "new-2"]
    assert Warehouse(path).verify(lake) == []


def test_compacting_keeps_everything(lake: Lake, warehouse: Warehouse) -> None:
    _outcomes(lake, "a")
    warehouse.load(lake)

    before, after = warehouse.compact()

    assert before > 0
    assert after > 0
    assert warehouse.behind(lake) == 0
    assert warehouse.verify(lake) == []
    with duckdb.connect(warehouse.path, read_only=True) as connection:
        (comment,) = connection.execute(
            "SELECT comment FROM duckdb_tables() WHERE table_name = 'people'"
        ).fetchall()
    assert comment == (TABLES["people"].description,)


def test_the_views_show_days_that_are_written_later(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "lake.duckdb"
    _outcomes(lake, "a")
    publish_views(lake, path)
    with duckdb.connect(path, read_only=True) as reader:
        _outcomes(lake, "b", day=NEXT_DAY)
        rows = reader.execute("SELECT row_id, partition_date FROM outcomes ORDER BY 1").fetchall()
        publish_views(lake, path)
        people = reader.execute("SELECT count(*) FROM people").fetchall()

    assert rows == [("a", DAY), ("b", NEXT_DAY)]
    assert people == [(0,)]


def test_files_are_made_in_a_version_that_duckdb_1_5_reads(
    lake: Lake, warehouse: Warehouse, tmp_path: Path
) -> None:
    warehouse.load(lake)
    publish_views(lake, tmp_path / "lake.duckdb")

    for path in (warehouse.path, tmp_path / "lake.duckdb"):
        with duckdb.connect(path, read_only=True) as connection:
            (tags,) = connection.execute(
                "SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal"
            ).fetchall()
        assert str(tags[0]).startswith("v1.4")
