"""From landed files to the partitions of their tables: read once, write each table, lose no line.

Files are cut into pieces, pieces are read by as many workers as there are cores, whom each line
belongs to is settled for all together (`assigning`), and each partition is written sorted.
"""

import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from crust_pipeline.tables.assigning import assign, finished_select, quarantined_select
from crust_pipeline.tables.drift import unknown_keys
from crust_pipeline.tables.files import FileReport, LandedFile, ReadFile
from crust_pipeline.tables.judge import Verdict
from crust_pipeline.tables.lake import (
    Lake,
    PartitionWritten,
    content_hash,
    digest_columns,
    in_order,
    open_duckdb,
)
from crust_pipeline.tables.landed import DamagedFile, LandedText, Piece
from crust_pipeline.tables.spec import PARTITION, Table, quoted
from crust_pipeline.tables.specs import TABLES, tables_of
from crust_pipeline.tables.staging import (
    create_scratch_tables,
    gather_scratch_tables,
    load_piece,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# More bad lines than this in one file mean that the vendor's format has changed.
BAD_LINES_LIMIT: Final = 1000
# Two pieces of the larger size at a time fit into the memory below; for less than the smaller, the
# planning of the statements (0.1 s a piece) would cost more than a second worker saves.
_PIECE_BYTES: Final = 40 << 20
_SMALL_PIECE_BYTES: Final = 8 << 20
_MEMORY: Final = "384MB"
_MOST_WORKERS: Final = 2
# Rows of a partition that are sorted together.
SORTED_AT_ONCE: Final = 60_000


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
    reads = [ReadFile(number, file, drifted=count_all_keys) for number, file in enumerate(files)]
    tables = [
        table
        for table in dict.fromkeys(table for name in operations for table in tables_of(name))
        if not only or table.name in only
    ]
    with (
        TemporaryDirectory(prefix="flatten-") as folder,
        # The workers are the threads; DuckDB's own would only be in their way.
        open_duckdb(threads=1, memory_limit=_MEMORY, temp_directory=folder) as connection,
    ):
        create_scratch_tables(connection, tables)
        _read(connection, reads, tables, Path(folder))
        gather_scratch_tables(connection, tables)
        assign(connection, reads, days=days, run_id=run_id, loaded_at=loaded_at)
        writer = _Writer(connection, reads, tuple(operations), sorted(days), lake)
        partitions = writer.write_tables(tables)
        if not only:
            partitions += writer.write_quarantine()
    return FlattenReport(tuple(partitions), tuple(read.report() for read in reads))


def _read(
    connection: "DuckDBPyConnection", reads: list[ReadFile], tables: list[Table], folder: Path
) -> None:
    """Read all files into the scratch tables, their pieces side by side."""
    pieces = _pieces(reads, folder)
    lock = threading.Lock()

    def work() -> None:
        cursor = connection.cursor()
        while True:
            with lock:
                item = next(pieces, None)
            if item is None:
                return
            read, piece = item
            verdicts: list[Verdict] = []
            if read.set_aside is None:
                wanted = [table for table in tables if read.landed.operation in table.operations]
                verdicts = load_piece(cursor, read.number, read.landed.operation, piece, wanted)
            piece.path.unlink()
            drifted = bool(unknown_keys(read.landed.operation, piece.sample))
            with lock:
                read.lines += piece.lines
                read.verdicts += verdicts
                read.drifted |= drifted
                if sum(not verdict.field for verdict in read.verdicts) > BAD_LINES_LIMIT:
                    read.set_aside = (
                        f"more than {BAD_LINES_LIMIT} lines cannot be used, the first because: "
                        f"{read.verdicts[0].reason}. The vendor's format seems to have changed"
                    )

    _side_by_side([work] * _workers())


def _pieces(reads: list[ReadFile], folder: Path) -> Iterator[tuple[ReadFile, Piece]]:
    for read in reads:
        text = LandedText(read.landed.path)
        place = folder / str(read.number)
        place.mkdir()
        try:
            for piece in text.pieces(place, _piece_bytes(text.size())):
                yield read, piece
        except DamagedFile as damage:
            read.set_aside = str(damage)
        read.note = text.note


def _piece_bytes(text_bytes: int) -> int:
    """Give the size of pieces that keeps all workers busy to the end."""
    pieces = -(-text_bytes // _PIECE_BYTES)
    if text_bytes > 2 * _SMALL_PIECE_BYTES:
        pieces += -pieces % _workers()
    # A little more, for what line ends and blocks add up to.
    return min(_PIECE_BYTES, text_bytes // max(pieces, 1) + (text_bytes >> 5) + 1)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes partitions out of the scratch tables."""

    connection: "DuckDBPyConnection"
    reads: list[ReadFile]
    operations: tuple[str, ...]
    days: list[date]
    lake: Lake

    def write_tables(self, tables: list[Table]) -> list[PartitionWritten]:
        """Write the partitions of result tables."""
        notes = self._notes()
        rows = {table: finished_select(self.connection, table) for table in tables}
        digests: dict[Table, dict[date, tuple[int, str]]] = {}
        _side_by_side([partial(self._digest, table, rows[table], digests) for table in tables])
        partitions = {
            PartitionWritten(table.name, day, count, content_hash(table, count, total)): table
            for table in tables
            for day in self.days
            for count, total in [digests[table].get(day, (0, "0"))]
        }

        def write(table: Table, part: PartitionWritten) -> None:
            cursor = self.connection.cursor()
            query = self._in_order(cursor, table, rows[table], part)
            self.lake.write(cursor, table, query, part, metadata=notes[part.day])

        _side_by_side([partial(write, table, part) for part, table in partitions.items()])
        return list(partitions)

    def _digest(
        self, table: Table, rows: str, digests: dict[Table, dict[date, tuple[int, str]]]
    ) -> None:
        found = self.connection.cursor().execute(
            f"SELECT {PARTITION}, {digest_columns(table)} FROM ({rows}) GROUP BY {PARTITION}"
        )
        digests[table] = {day: (count, total) for day, count, total in found.fetchall()}

    def write_quarantine(self) -> list[PartitionWritten]:
        """Write the partitions of quarantine, of which other operations' rows stay."""
        notes = self._notes()
        table = TABLES["quarantine"]
        rows = quarantined_select(self.connection, self.reads)
        return [
            self.lake.replace(
                self.connection,
                table,
                day,
                self._of_day(table, rows, day),
                operations=self.operations,
                metadata=notes[day],
            )
            for day in self.days
        ]

    def _in_order(
        self, cursor: "DuckDBPyConnection", table: Table, rows: str, part: PartitionWritten
    ) -> str:
        """Give a partition's rows in order; many of them are put in order range by range.

        DuckDB 2.0 runs out of memory when it sorts more wide rows than fit, although it can spill.
        """
        query = self._of_day(table, rows, part.day)
        ranges = -(-part.rows // SORTED_AT_ONCE)
        if ranges <= 1:
            return in_order(table, query)
        ((places,),) = cursor.execute("SELECT max(place) FROM answers").fetchall()
        ordered = f"{quoted(table.name)}.{quoted(f'in order {part.day}')}"
        cursor.execute(f"CREATE TABLE {ordered} AS {query} LIMIT 0")
        width = places // ranges + 1
        for start in range(1, places + 1, width):
            of_range = f"{query} AND place >= {start} AND place < {start + width}"
            cursor.execute(f"INSERT INTO {ordered} {in_order(table, of_range)}")
        return f"FROM {ordered}"

    @staticmethod
    def _of_day(table: Table, query: str, day: date) -> str:
        columns = ", ".join(quoted(column.name) for column in table.stored_columns())
        return f"SELECT {columns} FROM ({query}) WHERE {PARTITION} = DATE '{day}'"

    def _notes(self) -> dict[date, dict[str, str]]:
        """Give what each day's files say about where their rows come from."""
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


def _side_by_side(tasks: Sequence[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(_workers()) as pool:
        for future in [pool.submit(task) for task in tasks]:
            future.result()


def _workers() -> int:
    # Each holds a piece in memory, so more cores must not mean more memory.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, _MOST_WORKERS)
