"""Traces: whether every line that landed stands in the lake, as a row or in quarantine.

The ledger counted the lines of each file when it landed, and noted which of them is about whom.
Here that is held against what flattening read, and against what was written.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from crust_pipeline.app.checks import Finding
from crust_pipeline.app.installation import Installation
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import queries
from crust_pipeline.tables.flatten.files import FileReport
from crust_pipeline.tables.specs import operations_sharing, tables_of
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline.vendors.catalog import line_of

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection


def lines_add_up(
    installation: Installation, operation: str, days: Sequence[date], files: Sequence[FileReport]
) -> Finding:
    """Return whether every landed line is a row or in quarantine, by independent counts.

    Args:
        installation: the installation.
        operation: whose tables were written.
        days: for which days.
        files: what flattening says of the files.
    """
    of_days = queries.first_partitions_of(installation.ledger, days)
    landed = {
        batch["source_file"]: batch["file_lines"]
        for batch in queries.batches(installation.ledger, first_partitions=of_days)
    }
    # A file that is set aside is in quarantine as a whole, which another check tells.
    used = {file.source_file: file for file in files if file.set_aside is None}
    traces = [
        _lines_in_the_lake(installation, name, days, used) for name in operations_sharing(operation)
    ]
    looked_for, lost = (sum(numbers) for numbers in zip(*traces, strict=True))
    read = sum(file.lines for file in used.values())
    loaded = sum(file.records for file in used.values())
    quarantined = sum(file.quarantined for file in used.values())
    as_landed = all(landed.get(name) == file.lines for name, file in used.items())
    return Finding(
        as_landed and read == loaded + quarantined and lost == 0,
        {
            "files": len(files),
            "files_set_aside": len(files) - len(used),
            "lines_landed": sum(landed.get(name) or 0 for name in used),
            "lines_read": read,
            "lines_loaded": loaded,
            "lines_quarantined": quarantined,
            "lines_answered_before": sum(file.duplicates for file in used.values()),
            "lines_looked_for_in_the_lake": looked_for,
            "lines_not_in_the_lake": lost,
        },
    )


def _lines_in_the_lake(
    installation: Installation, operation: str, days: Sequence[date], used: Collection[str]
) -> tuple[int, int]:
    """Return how many lines of an operation should be in the lake, and how many are missing.

    A line that delivered something must be in the table that has a row for every line, or, where
    there is none, in one of the tables; a line about nobody who was asked for, in quarantine.
    """
    import pyarrow as pa

    ledger = installation.ledger_of(operation)
    found = ledger_load.found_lines(ledger, operation, days)
    whole = ledger_load.files_of_only(ledger, operation, days)
    tables = tables_of(operation)
    with_all = [table for table in tables if table.has_every(line_of(operation))]
    # One after the other, so that the large tables are read only for what the first do not have.
    somewhere = [*(table.name for table in with_all[:1] or tables), "quarantine"]
    given = {
        "used": pa.table({"source_file": pa.array(list(used), pa.string())}),
        "found": pa.table(
            {
                "source_file": pa.array(found.source_file, pa.string()),
                "source_line": pa.array(found.source_line, pa.int64()),
                "matched": pa.array(found.matched, pa.bool_()),
            }
        ),
        "whole": pa.table(
            {
                "source_file": pa.array(list(whole), pa.string()),
                "lines": pa.array(list(whole.values()), pa.int64()),
            }
        ),
    }
    scans = {name: installation.lake.scan(name, days[0], days[-1]) for name in somewhere}
    return installation.lake.consistent_read(
        lambda: _count_lines(installation.lake, given, scans),
        tables=scans,
        start=days[0],
        end=days[-1],
    )


def _count_lines(
    lake: Lake, given: "Mapping[str, pa.Table]", scans: Mapping[str, str]
) -> tuple[int, int]:
    with lake.open() as con:
        for name, rows in given.items():
            con.register(name, rows)
        con.execute(
            "CREATE TABLE delivered AS SELECT source_file, source_line FROM found "
            "SEMI JOIN used USING (source_file) WHERE matched; "
            "CREATE TABLE others AS SELECT * FROM ("
            "SELECT source_file, unnest(range(1, lines + 1)) AS source_line FROM whole "
            "SEMI JOIN used USING (source_file)) "
            "ANTI JOIN found USING (source_file, source_line)"
        )
        looked_for = _count(con, "delivered") + _count(con, "others")
        for lines, names in (("delivered", scans), ("others", ["quarantine"])):
            for name in names:
                if _count(con, lines):
                    con.execute(
                        f"CREATE OR REPLACE TABLE {lines} AS FROM {lines} "
                        f"ANTI JOIN {scans[name]} USING (source_file, source_line)"
                    )
        return looked_for, _count(con, "delivered") + _count(con, "others")


def _count(con: "DuckDBPyConnection", table: str) -> int:
    ((count,),) = con.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608 - our own names
    return count
