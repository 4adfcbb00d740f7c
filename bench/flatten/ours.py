"""This project, and the floor beneath it, each in a process of its own.

The floor is what no program with these tools can avoid: inflate, parse into structs, write the
unnested tables. It keeps no order, no hash, no lineage and no promise.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from shutil import rmtree

import duckdb
from isal import igzip

from bench.flatten.people import landed_file
from bench.flatten.usage import cpu_seconds, peak_mb
from crust_pipeline.tables.flatten.files import LandedFile
from crust_pipeline.tables.flatten.flattening import flatten
from crust_pipeline.tables.flatten.reading import readings
from crust_pipeline.tables.flatten.shape import read_columns
from crust_pipeline.tables.specs import tables_of
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline.tables.store.warehouse import Warehouse

# What `people` gives everybody; as a list it costs its columns, not the record.
_ASSESSMENT = b'"assessment":{"authenticity":{"verdict":"clearly_genuine","tier":0}}'

DAYS = [date(2026, 1, 5) + timedelta(days=number) for number in range(30)]


def _files(folder: Path, days: list[date]) -> list[LandedFile]:
    made = json.loads((folder / "files.json").read_text())
    return [landed_file(folder / name, people, seed, days) for name, people, seed in made]


def _flatten(folder: Path, files: list[LandedFile], days: list[date]) -> Lake:
    rmtree(folder / "lake", ignore_errors=True)
    lake = Lake(folder / "lake")
    flatten(
        files,
        operations=["enrich"],
        days=days,
        lake=lake,
        run_id="bench",
        loaded_at=datetime(2026, 2, 6, tzinfo=UTC),
    )
    return lake


def ours_lake(folder: Path) -> Callable[[], None]:
    """Raw gzip to all lake tables."""
    files = _files(folder, DAYS[:1])
    return lambda: _flatten(folder, files, DAYS[:1]) and None


def ours_month(folder: Path) -> Callable[[], None]:
    """Write the same people, spread over 30 days."""
    files = _files(folder, DAYS)
    return lambda: _flatten(folder, files, DAYS) and None


def ours_one_bad(folder: Path) -> Callable[[], None]:
    """Write the same files with one bad line."""
    return _with_bad_lines(folder, 1)


def ours_many_bad(folder: Path) -> Callable[[], None]:
    """Write the same files with a thousand bad lines, as many as are borne."""
    return _with_bad_lines(folder, 1000)


def _with_bad_lines(folder: Path, bad: int) -> Callable[[], None]:
    """Spoil lines of the first file: cut off, a key that stands twice, a list for an object."""
    first, *others = _files(folder, DAYS[:1])
    lines = igzip.decompress(first.path.read_bytes()).splitlines()
    for number, index in enumerate(range(0, len(lines), -(-len(lines) // bad))):
        line = lines[index]
        lines[index] = (
            line[: len(line) // 2],
            line.replace(b'"data":{', b'"internal_id":1,"data":{', 1),
            line.replace(_ASSESSMENT, b'"assessment":[1]', 1),
        )[number % 3]
    spoilt = first.path.with_name(f"spoilt-{bad}.jsonl.gz")
    spoilt.write_bytes(igzip.compress(b"\n".join([*lines, b""])))
    files = [replace(first, path=spoilt), *others]
    return lambda: _flatten(folder, files, DAYS[:1]) and None


def ours_warehouse(folder: Path) -> Callable[[], None]:
    """Raw gzip to all lake tables, and those into the warehouse."""
    files = _files(folder, DAYS[:1])
    path = folder / "warehouse.duckdb"
    path.unlink(missing_ok=True)

    def run() -> None:
        assert Warehouse(path).load(_flatten(folder, files, DAYS[:1])).rows > 0

    return run


def _stage(folder: Path, connection: duckdb.DuckDBPyConnection, name: str) -> None:
    plain = folder / "plain.jsonl"
    with igzip.open(folder / name, "rb") as packed, plain.open("wb") as unpacked:
        while block := packed.read(1 << 18):
            unpacked.write(bytes(block))  # pyright: ignore[reportArgumentType]  # isal's stub
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
            f"TO '{folder / table.name}.parquet' "
            "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )


def floor_read(folder: Path) -> Callable[[], None]:
    """Isal gunzip and DuckDB parse, nothing kept."""
    return lambda: _floor(folder, write=False)


def floor(folder: Path) -> Callable[[], None]:
    """Isal gunzip, DuckDB parse, unnest and write Parquet."""
    return lambda: _floor(folder, write=True)


CONTENDERS = {
    prepare.__name__: prepare
    for prepare in (
        floor_read,
        floor,
        ours_lake,
        ours_one_bad,
        ours_many_bad,
        ours_month,
        ours_warehouse,
    )
}


def main() -> None:
    """Run one contender and print what it took."""
    run = CONTENDERS[sys.argv[1]](Path(sys.argv[2]))
    # Imports are not what is measured, and Arrow imports pandas when it is first used.
    import_module("pandas")
    duckdb.connect().close()
    start, cpu = time.perf_counter(), cpu_seconds()
    run()
    took = {"seconds": time.perf_counter() - start, "cpu_seconds": cpu_seconds() - cpu}
    took["peak_mb"] = peak_mb()
    print(json.dumps(took))


if __name__ == "__main__":
    main()
