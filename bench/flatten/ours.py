"""This project, and the floor beneath it, each in a process of its own.

The floor is what no program with these tools can avoid: inflate, parse into structs, write the
unnested tables. It keeps no order, no hash, no lineage and no promise.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import rmtree

import duckdb
from isal import igzip

from bench.flatten.people import landed_file
from bench.flatten.usage import peak_mb
from crust_pipeline.tables import Lake, LandedFile, Warehouse, flatten, tables_of
from crust_pipeline.tables.reading import readings
from crust_pipeline.tables.shape import read_columns

DAY = date(2026, 1, 5)


def _files(folder: Path, days: int = 1) -> list[LandedFile]:
    made = json.loads((folder / "files.json").read_text())
    wanted = [DAY + timedelta(days=number) for number in range(days)]
    return [landed_file(folder / name, people, seed, wanted) for name, people, seed in made]


def _flatten(folder: Path, files: list[LandedFile]) -> Lake:
    rmtree(folder / "lake", ignore_errors=True)
    lake = Lake(folder / "lake")
    days = sorted({day for file in files for day in file.asked["partition_date"].to_pylist()})
    flatten(
        files,
        operations=["enrich"],
        days=days,
        lake=lake,
        run_id="bench",
        loaded_at=datetime(2026, 1, 6, tzinfo=UTC),
    )
    return lake


def ours_lake(folder: Path) -> None:
    """Raw gzip to all lake tables."""
    _flatten(folder, _files(folder))


def ours_month(folder: Path) -> None:
    """The same people, spread over 30 days."""
    _flatten(folder, _files(folder, days=30))


def ours_warehouse(folder: Path) -> None:
    """Raw gzip to all lake tables, and those into the warehouse."""
    path = folder / "warehouse.duckdb"
    path.unlink(missing_ok=True)
    report = Warehouse(path).load(_flatten(folder, _files(folder)))
    assert report.rows > 0


def _stage(folder: Path, connection: duckdb.DuckDBPyConnection, name: str) -> None:
    plain = folder / "plain.jsonl"
    with igzip.open(folder / name) as packed, plain.open("wb") as unpacked:
        while block := packed.read(1 << 18):
            unpacked.write(block)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE staged AS SELECT * FROM read_json('{plain}', "
        "format = 'newline_delimited', records = true, auto_detect = false, "
        f"compression = 'uncompressed', columns = {read_columns('enrich')})"
    )


def _floor(folder: Path, *, write: bool) -> None:
    with duckdb.connect() as connection:
        for name, _, _ in json.loads((folder / "files.json").read_text()):
            _stage(folder, connection, name)
            if write:
                _write(folder, connection)


def _write(folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW answers AS SELECT rowid AS line_id, * FROM staged"
    )
    for table in tables_of("enrich"):
        parts = [reading.select for reading in readings(table, "enrich", "answers")]
        connection.execute(
            f"COPY (SELECT * EXCLUDE (odd) FROM ({' UNION ALL '.join(parts)})) "
            f"TO '{folder / table.name}.parquet' (FORMAT parquet, COMPRESSION zstd)"
        )


def floor_read(folder: Path) -> None:
    """Isal gunzip and DuckDB parse, nothing kept."""
    _floor(folder, write=False)


def floor(folder: Path) -> None:
    """Isal gunzip, DuckDB parse, unnest and write Parquet."""
    _floor(folder, write=True)


CONTENDERS: dict[str, Callable[[Path], None]] = {
    function.__name__: function
    for function in (floor_read, floor, ours_lake, ours_month, ours_warehouse)
}


def main() -> None:
    """Run one contender and print what it took."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    duckdb.connect().close()
    start, cpu = time.perf_counter(), time.process_time()
    CONTENDERS[name](folder)
    took = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": peak_mb(),
    }
    print(json.dumps(took))


if __name__ == "__main__":
    main()
