"""Landed files for tests: invented lines, written as the vendor would, and what was asked for."""

import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from crust_pipeline.keys import key_of_echo
from crust_pipeline.tables.flatten.files import LandedFile
from crust_pipeline.tables.flatten.flattening import FlattenReport, flatten
from crust_pipeline.tables.store.lake import Lake

DAY = date(2026, 1, 5)
NEXT_DAY = date(2026, 1, 6)
LOADED_AT = datetime(2026, 1, 7, 12, 0, tzinfo=UTC)


def url(slug: str) -> str:
    """Give the profile URL of an invented person."""
    return f"https://www.linkedin.com/in/{slug}"


def key(slug: str) -> str:
    """Give that person's profile key."""
    return f"linkedin.com/in/{slug}"


def enriched(slug: str, **data: Any) -> dict[str, Any]:
    """Give an enrich line; `data` are the groups of the record."""
    return {"original_identifier": url(slug), "internal_id": 1, "data": data}


def as_line(line: object) -> bytes:
    """Give a line as bytes; bytes are taken as they are."""
    return line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()


def landed(
    folder: Path,
    lines: Iterable[object],
    *,
    asked: Sequence[str] | dict[str, Sequence[date]],
    operation: str = "enrich",
    name: str = "results.jsonl.gz",
    compressed: bytes | None = None,
) -> LandedFile:
    """Write a landed file.

    Args:
        folder: Where to.
        lines: Objects, or bytes as they are.
        asked: Identifiers as sent; with days, or all for `DAY`.
        operation: Whose file it is.
        name: Its name.
        compressed: What the file holds instead of the lines' gzip.
    """
    content = gzip.compress(b"".join(as_line(line) + b"\n" for line in lines), mtime=0)
    path = folder / name
    path.write_bytes(content if compressed is None else compressed)
    days = asked if isinstance(asked, dict) else {text: [DAY] for text in asked}
    rows = [(text, key_of_echo(text), day) for text, of in days.items() for day in of]
    return LandedFile(
        submission_id=f"submission of {name}",
        batch_id=f"batch of {name}",
        operation=operation,
        path=path,
        source_file=name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        asked=pa.table(
            {
                "identifier": pa.array([row[0] for row in rows], pa.string()),
                "subject_key": pa.array([row[1] for row in rows], pa.string()),
                "partition_date": pa.array([row[2] for row in rows], pa.date32()),
            }
        ),
    )


@dataclass(frozen=True)
class Flattened:
    """A lake and the report of what was flattened into it."""

    lake: Lake
    report: FlattenReport

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Give all rows of a table, ordered as they are stored."""
        with self.lake.connect() as connection:
            arrow = connection.sql(f"SELECT * FROM {table}").to_arrow_table()
        return arrow.to_pylist()

    def row(self, table: str) -> dict[str, Any]:
        """Give the only row of a table."""
        (row,) = self.rows(table)
        return row

    def reasons(self) -> list[str]:
        """Give why things are in quarantine."""
        return [row["reason"] for row in self.rows("quarantine")]


def flattened(
    folder: Path,
    *files: LandedFile,
    operations: Sequence[str] = ("enrich",),
    days: Sequence[date] = (DAY,),
    run_id: str = "run-1",
    loaded_at: datetime = LOADED_AT,
    only: Sequence[str] = (),
    count_all_keys: bool = False,
) -> Flattened:
    """Flatten landed files into a lake in `folder`."""
    lake = Lake(folder / "lake")
    report = flatten(
        files,
        operations=operations,
        days=days,
        lake=lake,
        run_id=run_id,
        loaded_at=loaded_at,
        only=only,
        count_all_keys=count_all_keys,
    )
    return Flattened(lake, report)
