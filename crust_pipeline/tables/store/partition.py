"""One partition's Parquet file: written beside its place row group by row group, then renamed.

Its metadata says what it was made from; each field has its description. A hash of the content, the
columns of the run left out, is taken from the file itself.
"""

import hashlib
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from crust_pipeline.errors import full_disk_named
from crust_pipeline.private_files import make_private_file, make_private_folder
from crust_pipeline.tables.spec import RUN_COLUMNS, Table

_PREFIX: Final = "crust_pipeline."
_DICTIONARY_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class PartitionWritten:
    """What a partition of a table holds."""

    table: str
    day: date
    rows: int
    content_hash: str


class PartitionFile:
    """A partition while it is written: a file beside its place, until it is published."""

    def __init__(self, path: Path, table: Table, day: date, metadata: Mapping[str, str]) -> None:
        """Take what it is a partition of; nothing is written yet.

        Args:
            path: Where it belongs.
            table: Its table.
            day: Its day.
            metadata: What to note in the file about where the rows come from.
        """
        self._table = table
        self._day = day
        self._path = path
        self._new = self._path.with_name(f".{table.name}.{os.getpid()}-{threading.get_ident()}.tmp")
        notes = {"table": table.name, "spec_version": table.version, **metadata}
        self._notes = {f"{_PREFIX}{key}": text for key, text in notes.items()}
        self._writer: pq.ParquetWriter | None = None
        self._closed = False

    def append(self, rows: pa.Table) -> None:
        """Add rows, which come after those that are there, as a row group."""
        with full_disk_named(self._path.parent):
            self._open().write_table(rows, row_group_size=max(rows.num_rows, 1))

    def close(self) -> None:
        """Write the end of the file."""
        if not self._closed:
            with full_disk_named(self._path.parent):
                writer = self._open()
                writer.add_key_value_metadata(self._notes)
                writer.close()
            self._closed = True

    def publish(self) -> PartitionWritten:
        """Put the file in its place, at once and for good."""
        self.close()
        with full_disk_named(self._path.parent):
            sync(self._new)
            found = written(self._table.name, self._day, self._new)
            self._new.replace(self._path)
            sync(self._path.parent)
        return found

    def discard(self) -> None:
        """Leave nothing behind, unless it was published."""
        if self._writer is not None:
            with suppress(OSError):  # on a full disk the end of the file cannot be written either
                self._writer.close()
        self._new.unlink(missing_ok=True)

    def _open(self) -> "pq.ParquetWriter":
        if self._writer is None:
            make_private_folder(self._path.parent)
            make_private_file(self._new)
            # Level 1 is a tenth faster than 3 here, and its files are no larger. So it is with
            # values that hardly repeat, when their dictionary is given up early.
            self._writer = pq.ParquetWriter(
                self._new,
                self._table.arrow_schema(),
                compression="zstd",
                compression_level=1,
                dictionary_pagesize_limit=_DICTIONARY_BYTES,
            )
        return self._writer


def written(table: str, day: date, path: Path) -> PartitionWritten:
    """Return what a file holds. Its hash is that of its bytes, without the columns of the run."""
    digest = hashlib.sha256(table.encode())
    with path.open("rb") as file:
        metadata = pq.ParquetFile(file).metadata
        notes = metadata.metadata or {}
        digest.update(notes.get(f"{_PREFIX}spec_version".encode(), b""))
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            for place in range(group.num_columns):
                chunk = group.column(place)
                if chunk.path_in_schema.split(".")[0] not in RUN_COLUMNS:
                    file.seek(chunk.dictionary_page_offset or chunk.data_page_offset)
                    digest.update(file.read(chunk.total_compressed_size))
    return PartitionWritten(table, day, metadata.num_rows, digest.hexdigest()[:32])


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
