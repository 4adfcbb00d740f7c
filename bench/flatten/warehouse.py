"""What replacing a day in the warehouse costs as it grows: `python -m bench.flatten.warehouse`.

Each size is a lake of days of 10,000 rows, loaded once; then single days are replaced. At the end,
how much 200 replaced days make the file grow, and what compacting gives back.
"""

import argparse
import statistics
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from crust_pipeline.tables.spec import quoted
from crust_pipeline.tables.specs import TABLES
from crust_pipeline.tables.store.lake import Lake, open_duckdb
from crust_pipeline.tables.store.warehouse import Warehouse

_FIRST = date(2020, 1, 1)
_ROWS_PER_DAY = 10_000
_SKILLS = TABLES["skills"]


def _write_days(lake: Lake, days: list[date], version: int) -> None:
    """Write days of invented skills, the same for the same version."""
    values = {
        "profile_key": "'linkedin.com/in/invented-' || (i // 12)",
        "crustdata_person_id": "i // 12",
        "position": "1 + i % 12",
        "skill": f"'skill ' || hash(i * {version}) % 5000",
        "source_line": "1 + i // 12",
        "source_file": "'enrich/file.jsonl.gz'",
        "loaded_at": f"TIMESTAMPTZ '{datetime(2026, 1, 6, tzinfo=UTC)}'",
    }
    columns = ", ".join(
        f"({values.get(column.name, 'NULL')})::{column.type} AS {quoted(column.name)}"
        for column in _SKILLS.stored_columns()
    )
    with open_duckdb() as connection:
        for day in days:
            lake.replace(
                connection, _SKILLS, day, f"SELECT {columns} FROM range({_ROWS_PER_DAY}) AS r(i)"
            )


def _timed_load(warehouse: Warehouse, lake: Lake) -> float:
    start = time.perf_counter()
    assert warehouse.load(lake).behind == 0
    return time.perf_counter() - start


def measure(rows: int, replaced: int, folder: Path) -> None:
    """Fill a warehouse, replace days one by one, print what each took."""
    lake, warehouse = Lake(folder / "lake"), Warehouse(folder / "warehouse.duckdb")
    days = [_FIRST + timedelta(days=number) for number in range(rows // _ROWS_PER_DAY)]
    _write_days(lake, days, 1)
    filled = _timed_load(warehouse, lake)
    size = warehouse.path.stat().st_size
    took: list[float] = []
    for number in range(replaced):
        day = days[number * 7 % len(days)] if days else _FIRST
        _write_days(lake, [day], number + 2)
        took.append(_timed_load(warehouse, lake))
    grown = warehouse.path.stat().st_size
    before, after = warehouse.compact()
    assert warehouse.verify(lake) == []
    print(
        f"| {rows:,} | {filled:.2f} | {statistics.median(took) * 1000:.0f} | {max(took):.2f} "
        f"| {size / 1e6:.1f} | {grown / 1e6:.1f} | {before / 1e6:.1f} to {after / 1e6:.1f} |"
    )


def main() -> None:
    """Run all sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--replaced", type=int, default=200)
    options = parser.parse_args()
    print(
        f"| rows | first load s | replace a day, median ms | slowest s | MB "
        f"| MB after {options.replaced} | compacted MB |"
    )
    print("|---|---|---|---|---|---|---|")
    for rows in options.rows or [0, 1_000_000, 10_000_000]:
        with tempfile.TemporaryDirectory(prefix="bench-warehouse-") as name:
            measure(rows, options.replaced, Path(name))


if __name__ == "__main__":
    main()
