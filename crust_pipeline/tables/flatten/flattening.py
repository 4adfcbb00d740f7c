"""From landed files to the partitions of their tables: read once, write each table, lose no line.

Whom each line belongs to is settled first (`lines`, `assigning`). Then the lines are parsed in the
order in which their rows are stored, piece by piece, by as many workers as there are cores, and
each piece's rows are appended to the partitions' files. Nothing is sorted that is larger than a
piece, and nothing but a piece for each worker is held in memory.
"""

import os
import threading
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Final, TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from crust_pipeline.tables.flatten.assigning import assign, quarantined_select
from crust_pipeline.tables.flatten.files import FileReport, LandedFile, ReadFile
from crust_pipeline.tables.flatten.judge import Verdict
from crust_pipeline.tables.flatten.lines import LINES_SCHEMA, read_lines, set_aside_if_too_bad
from crust_pipeline.tables.flatten.staging import Rows, Staged, finished
from crust_pipeline.tables.spec import PARTITION, Table, quoted
from crust_pipeline.tables.specs import TABLES, tables_of
from crust_pipeline.tables.store.lake import Lake, open_duckdb
from crust_pipeline.tables.store.partition import PartitionFile, PartitionWritten
from crust_pipeline.vendors.catalog import line_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_T = TypeVar("_T")
_R = TypeVar("_R")

# Text of a day that becomes one row group of each table: at most this, and half of a full batch.
# Two at a time fit well into the memory below; for less than a quarter, the planning of the
# statements (50 ms a piece) costs more than it saves.
BLOCK_BYTES: Final = 46 << 20
_MEMORY: Final = "256MB"
# Far more than anything was seen to need.
_MORE_MEMORY: Final = "4GB"
_MOST_WORKERS: Final = 2


@dataclass(frozen=True, slots=True)
class FlattenReport:
    """What `flatten` wrote."""

    partitions: tuple[PartitionWritten, ...]
    files: tuple[FileReport, ...]


def flatten(
    files: Sequence[LandedFile],
    *,
    operations: Collection[str],
    days: Collection[date],
    lake: Lake,
    run_id: str,
    loaded_at: datetime,
    only: Collection[str] = (),
    count_all_keys: bool = False,
) -> FlattenReport:
    """Write the result tables of some operations, and quarantine, for some days.

    Each partition is replaced by what these files hold for it; one for which they hold nothing
    becomes an empty file. A bad line never stops the others.

    Args:
        files: All landed files of these operations that concern these days.
        operations: Whose tables to write.
        days: Which partitions to write. Other days that are asked for in a file are left alone.
        lake: Where to.
        run_id: Fills the column of that name.
        loaded_at: Fills the column of that name; has a time zone.
        only: Names of tables; others, quarantine included, are left alone. Empty: all.
        count_all_keys: Look for unknown keys in every line, and not in a sample first.
    """
    tables = [
        table
        for table in dict.fromkeys(table for name in operations for table in tables_of(name))
        if not only or table.name in only
    ]
    with lake.scratch.folder("flatten") as folder, ThreadPoolExecutor(_workers()) as pool:
        reads = [
            ReadFile(number, file, folder / f"{number}.spool", drifted=count_all_keys)
            for number, file in enumerate(files)
        ]
        looked_at = pool.map(read_lines, reads)
        # The workers are the threads; DuckDB's own would only be in their way.
        with open_duckdb(threads=1, memory_limit=_MEMORY, temp_directory=str(folder)) as connection:
            lines = pa.concat_tables([LINES_SCHEMA.empty_table(), *looked_at])
            bad_in_lines = [list(read.verdicts) for read in reads]
            while True:
                assign(connection, reads, lines, days=days, run_id=run_id, loaded_at=loaded_at)
                writer = _Writer(connection, reads, lake, sorted(days), tables, folder)
                if (partitions := writer.write()) is not None:
                    break
                for read, verdicts in zip(reads, bad_in_lines, strict=True):
                    read.forget(verdicts)
            if not only:
                partitions += writer.write_quarantine(operations)
            return FlattenReport(tuple(partitions), tuple(read.report() for read in reads))


@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive answers of one day.

    Args:
        day: The day.
        start: The place of its first answer.
        end: The place after its last.
        size: The bytes of their text.
        last: Whether they are the last of their day.
        piece: Which piece they belong to, if it is not full.
    """

    day: date
    start: int
    end: int
    size: int
    last: bool
    piece: int


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes partitions from the answers in the scratch database."""

    connection: "DuckDBPyConnection"
    reads: Sequence[ReadFile]
    lake: Lake
    days: Sequence[date]
    tables: Sequence[Table]
    folder: Path
    found: set[tuple[int, Verdict]] = field(default_factory=set[tuple[int, Verdict]])

    def write(self) -> list[PartitionWritten] | None:
        """Write the partitions of result tables, all or none.

        Returns:
            What was written; None if a file turned out to be so bad that it is set aside now.
        """
        notes = self._notes()
        files = {
            (table, day): PartitionFile(self.lake.path(table.name, day), table, day, notes[day])
            for table in self.tables
            for day in self.days
        }
        try:
            turns = _Turns()
            work = partial(self._write_piece, files, turns)
            _side_by_side(work, enumerate(_pieces(self.connection)))
            self._tell_verdicts()
            fine = [read for read in self.reads if not read.set_aside]
            too_bad = [read for read in fine if set_aside_if_too_bad(read)]
            if too_bad:
                return None
            return _side_by_side(PartitionFile.publish, files.values())
        finally:
            for file in files.values():
                file.discard()

    def write_quarantine(self, operations: Collection[str]) -> list[PartitionWritten]:
        """Write the partitions of quarantine, of which other operations' rows stay."""
        notes = self._notes()
        table = TABLES["quarantine"]
        rows = quarantined_select(self.connection, self.reads)
        columns = ", ".join(quoted(column.name) for column in table.stored_columns())
        return [
            self.lake.replace(
                self.connection,
                table,
                day,
                f"SELECT {columns} FROM ({rows}) WHERE {PARTITION} = DATE '{day}'",
                operations=operations,
                metadata=notes[day],
            )
            for day in self.days
        ]

    def _write_piece(
        self,
        files: dict[tuple[Table, date], PartitionFile],
        turns: "_Turns",
        numbered: tuple[int, list[_Block]],
    ) -> None:
        number, blocks = numbered
        with turns.given_up_on_error(), self.connection.cursor() as cursor:
            answers = cursor.sql(
                f"FROM answers JOIN files USING (file_number) "
                f"WHERE place >= {blocks[0].start} AND place < {blocks[-1].end} ORDER BY place"
            ).to_arrow_table()
            staged = self._staged(cursor, number, answers)
            for table in self.tables:
                rows = self._rows(table, staged, answers)
                with turns.of(table, number):
                    self._append(files, table, rows, blocks)

    def _staged(self, cursor: "DuckDBPyConnection", number: int, answers: pa.Table) -> list[Staged]:
        """Parse the lines of a piece, those of each operation together."""
        operations = answers["operation"].to_numpy(zero_copy_only=False)
        staged: list[Staged] = []
        for operation in dict.fromkeys(operations):
            places = np.flatnonzero(operations == operation)
            folder = self.folder / f"{number}.{operation}"
            part = Staged(
                cursor.cursor(),
                line_of(operation),
                answers.take(places),
                places,
                self.reads,
                folder,
            )
            self._find(_given_memory(cursor, part.fill))
            rmtree(folder)
            staged.append(part)
        return staged

    def _rows(self, table: Table, staged: Sequence[Staged], answers: pa.Table) -> Rows:
        """Return the finished rows of a table, in order."""
        parts: list[Rows] = []
        for part in staged:
            if part.line in table.lines:
                rows, verdicts = _given_memory(part.connection, partial(part.rows, table))
                self._find(verdicts)
                parts.append(rows)
        return finished(table, parts, answers)

    def _append(
        self,
        files: dict[tuple[Table, date], PartitionFile],
        table: Table,
        rows: Rows,
        blocks: Sequence[_Block],
    ) -> None:
        """Return each block's rows to the partition of its day."""
        for block in blocks:
            of_block = (place - blocks[0].start for place in (block.start, block.end))
            start, end = np.searchsorted(rows.places, list(of_block))
            file = files[table, block.day]
            if end > start:
                file.append(rows.table.slice(start, end - start))
            if block.last:
                file.close()

    def _find(self, verdicts: Iterable[tuple[ReadFile, Verdict]]) -> None:
        # A line that belongs to several days is read for each of them.
        self.found.update((read.number, verdict) for read, verdict in verdicts)

    def _tell_verdicts(self) -> None:
        """Tell the files which of their lines turned out to be bad."""
        for number, verdict in sorted(self.found):
            self.reads[number].verdicts.append(verdict)
            self.reads[number].records -= not verdict.field

    def _notes(self) -> dict[date, dict[str, str]]:
        """Return what each day's files say about where their rows come from."""
        batches: dict[date, list[str]] = {day: [] for day in self.days}
        sources: dict[date, list[str]] = {day: [] for day in self.days}
        for file in (read.landed for read in self.reads):
            for day in set(self.days) & set(file.asked.column(PARTITION).unique().to_pylist()):
                batches[day].append(file.batch_id)
                sources[day].append(f"{file.source_file} sha256:{file.sha256}")
        return {
            day: {
                "batch_ids": ",".join(sorted(batches[day])),
                "source_files": ",".join(sorted(sources[day])),
            }
            for day in self.days
        }


def _given_memory(connection: "DuckDBPyConnection", work: Callable[[], _R]) -> _R:
    """Do some work; where a few records are so large that it needs more memory, give it.

    What was paid for shall not stay out of the tables because it is larger than expected.
    """
    try:
        return work()
    except duckdb.OutOfMemoryException:
        connection.execute(f"SET memory_limit = '{_MORE_MEMORY}'")
        return work()


def _pieces(connection: "DuckDBPyConnection") -> Iterator[list[_Block]]:
    """Cut the answers into blocks of equal size within each day, and pack blocks into pieces.

    The blocks of a day depend on that day's lines alone, so that its files, each block a row
    group, are the same whatever else is written with them.
    """
    blocks = connection.execute(f"""
        CREATE OR REPLACE TEMP MACRO parts(bytes) AS CASE
            WHEN bytes <= {BLOCK_BYTES // 4} THEN 1 ELSE 2 * ceil(bytes / {2 * BLOCK_BYTES}) END;

        WITH cut AS (
            SELECT {PARTITION}, place, size,
                sum(size) OVER (PARTITION BY {PARTITION} ORDER BY place) - size / 2 AS middle,
                sum(size) OVER (PARTITION BY {PARTITION}) AS total,
                floor(middle / total * parts(total)) AS block
            FROM answers
        ), blocks AS (
            SELECT {PARTITION}, min(place) AS start, max(place) + 1 AS until,
                sum(size)::BIGINT AS bytes, block = max(block) OVER (PARTITION BY {PARTITION})
            FROM cut GROUP BY {PARTITION}, block
        )
        SELECT *, floor((sum(bytes) OVER (ORDER BY start) - bytes / 2) / sum(bytes) OVER ()
            * parts(sum(bytes) OVER ()))::BIGINT AS piece
        FROM blocks ORDER BY start
    """).fetchall()
    piece: list[_Block] = []
    for block in (_Block(*row) for row in blocks):
        full = sum(part.size for part in piece) + block.size > BLOCK_BYTES
        if piece and (full or block.piece != piece[-1].piece):
            yield piece
            piece = []
        piece.append(block)
    if piece:
        yield piece


class _Turns:
    """Lets the pieces append to a table one after the other, in order."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next: dict[Table, int] = {}
        self._failure: BaseException | None = None

    @contextmanager
    def of(self, table: Table, number: int) -> Generator[None]:
        """Wait until all pieces before this one have appended to a table."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or self._next.get(table, 0) == number)
            if self._failure:
                raise self._failure
        yield
        with self._changed:
            self._next[table] = number + 1
            self._changed.notify_all()

    @contextmanager
    def given_up_on_error(self) -> Generator[None]:
        """Let nobody wait for a piece that failed."""
        try:
            yield
        except BaseException as failure:
            with self._changed:
                self._failure = self._failure or failure
                self._changed.notify_all()
            raise


def _side_by_side(work: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
    with ThreadPoolExecutor(_workers()) as pool:
        return list(pool.map(work, items))


def _workers() -> int:
    # Each holds a piece in memory, so more cores must not mean more memory.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, _MOST_WORKERS)
