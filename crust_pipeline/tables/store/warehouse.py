"""The warehouse: the lake's partitions as real tables in one DuckDB file.

DuckDB lets one writer in, or many readers. A load waits for its turn for a bounded time and
otherwise ends well, with the warehouse behind; the next load catches up, for it loads every
partition whose content differs from what is loaded, in one transaction. Readers who stay connected
use `lake.duckdb`.

A partition whose file is gone from the lake, or cannot be read, keeps its rows here: a lost file is
no order to delete. A partition that became empty has a file, without rows.
"""

import fcntl
import os
import random
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from crust_pipeline.errors import CrustError, DiskFullError, full_disk_named
from crust_pipeline.private_files import close_to_others, make_private_folder, open_private
from crust_pipeline.tables.spec import PARTITION, Table, literal, quoted
from crust_pipeline.tables.specs import TABLES
from crust_pipeline.tables.store.lake import Lake, StorageError, open_duckdb, storage_error
from crust_pipeline.tables.store.partition import sync
from crust_pipeline.tables.store.replaced import ReplacedError, retry_replaced, stamp, unreplaced
from crust_pipeline.tables.store.scratch import Scratch

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# A tenth of DuckDB's default: a day's rows are compressed and written while they are inserted, side
# by side, and not all at the end.
_ROWS_PER_GROUP: Final = 6 * 2048
# Far less than DuckDB would take, and as fast.
_MEMORY: Final = "256MB"
# Every load closes the file, which ends in a checkpoint anyway. A commit that makes it at once
# writes its rows once, not first into the log.
_CHECKPOINT: Final = "1KB"
# DuckDB 1.4 and later read files of this version; what 2.0 makes by itself, only 2.0 reads.
_MADE_WITH: Final = f"STORAGE_VERSION 'v1.4.0', ROW_GROUP_SIZE {_ROWS_PER_GROUP}"
_LONGEST_PAUSE_SECONDS: Final = 0.5

_NOTED: Final = pa.schema(
    [
        ("table_name", pa.string()),
        (PARTITION, pa.date32()),
        ("content_hash", pa.string()),
        ("stamp", pa.string()),
    ]
)

# A partition: its table and its day.
Key = tuple[str, date]
# What is loaded: content hash, and the stamp of the file it was read from.
_Loaded = dict[Key, tuple[str, str]]


class WarehouseBusyError(CrustError, RuntimeError):
    """Another program holds the warehouse file."""


class WarehouseDamagedError(StorageError):
    """The warehouse file cannot be used; the lake has everything that was in it."""

    def __init__(self, path: Path, said: str) -> None:
        """Name the file and the command that makes it anew."""
        super().__init__(
            f"{path} cannot be used ({said}). The lake is complete: if this stays so, "
            "`crust-pipeline warehouse rebuild` makes the file anew from it"
        )


class LostPartitionsError(CrustError):
    """The lake lacks partitions that the warehouse holds."""

    def __init__(self, lost: Collection[Key]) -> None:
        """Name their days and the command that makes them anew."""
        first, last = min(day for _, day in lost), max(day for _, day in lost)
        super().__init__(
            f"{len(lost)} partitions of {', '.join(sorted({table for table, _ in lost}))} from "
            f"{first} to {last} are gone from the lake or cannot be read. Their rows stay in the "
            f"warehouse. `crust-pipeline rebuild --from {first} --to {last}` makes the files anew; "
            "it buys nothing."
        )


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did.

    Args:
        loaded: Partitions replaced or removed.
        rows: Rows now in them.
        behind: Partitions whose content in the warehouse is not that of the lake.
        reason: Why the warehouse is behind; None if it is not.
        notes: What else a person must know: what the lake has lost.
    """

    loaded: int
    rows: int
    behind: int
    reason: str | None
    notes: tuple[str, ...] = ()


class Warehouse:
    """The DuckDB file."""

    def __init__(
        self,
        path: Path,
        *,
        scratch: Scratch | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the path; the file is made by the first load.

        Args:
            path: The DuckDB file.
            scratch: Where files lie that are needed only for a while. Default: beside the file.
            clock: Gives seconds; for tests.
            sleep: Waits for seconds; for tests.
        """
        self.path = path
        self._scratch = scratch or Scratch(path.with_name("scratch"))
        self._clock = clock
        self._sleep = sleep

    def load(self, lake: Lake, *, wait_seconds: float = 60.0) -> LoadReport:
        """Make the warehouse hold what the lake holds, in one transaction.

        Args:
            lake: Where the partitions are.
            wait_seconds: How long to wait for other programs to let go of the file.
        """
        try:
            with self._writable(wait_seconds) as connection:
                return _load_in_little_memory(connection, lake)
        except (WarehouseBusyError, ReplacedError, StorageError, OSError) as error:
            # The lake is complete, whatever is the matter with this file.
            behind = self.behind(lake)
            reason = str(error) if behind else None
            return LoadReport(loaded=0, rows=0, behind=behind, reason=reason)

    def behind(self, lake: Lake) -> int:
        """Count the partitions whose content in the warehouse is not that of the lake."""
        if not self.path.exists():
            return len(_lake_files(lake))
        try:
            with self._readable() as connection:
                loaded = _loaded(connection)
                return len(_stale(_outdated(connection), _state(lake, loaded), loaded))
        except WarehouseBusyError:
            # Another program is writing. What is newer than the file is not in it.
            loaded_at = self.path.stat().st_mtime
            return sum(path.stat().st_mtime > loaded_at for path in _lake_files(lake).values())
        except (StorageError, OSError):
            return len(_lake_files(lake))

    def verify(self, lake: Lake, *, only: Collection[Key] | None = None) -> list[str]:
        """Compare the rows of partitions with the lake's; give one sentence per difference.

        Args:
            lake: Where the partitions are.
            only: The partitions to compare; None: all.

        Raises:
            WarehouseBusyError: another program is writing to the file.
            WarehouseDamagedError: the file cannot be used.
        """
        with self._readable() as connection:
            outdated, lost = _outdated(connection), _lost(lake, _loaded(connection))
            return [
                difference
                for table in TABLES.values()
                for difference in _compare(
                    connection,
                    table,
                    lake,
                    is_there=table.name not in outdated,
                    only=None if only is None else _days(table, only),
                    lost=_days(table, lost),
                )
            ]

    def rebuild(self, lake: Lake, *, wait_seconds: float = 60.0) -> tuple[LoadReport, Path | None]:
        """Make the file anew from the lake, whatever is the matter with it.

        Returns:
            What was loaded, and where the file now is that was there before.

        Raises:
            WarehouseBusyError: another load was running for too long.
            LostPartitionsError: the lake lacks partitions that only this file holds.
            StorageError: the new file could not be written; the old one is as it was.
        """
        with suppress(WarehouseBusyError, StorageError), self._readable() as connection:
            if lost := _lost(lake, _loaded(connection)):
                raise LostPartitionsError(lost)
        new = Warehouse(self.path.with_name(f".{self.path.name}.rebuilding"), scratch=self._scratch)
        with self._alone(self._clock() + wait_seconds):
            _remove(new.path)
            report = new.load(lake)
            if report.reason:
                _remove(new.path)
                raise StorageError(report.reason)
            sync(new.path)
            aside = None
            if self.path.exists():
                aside = self.path.with_name(f"{self.path.name}.replaced")
                _move(self.path, aside)
            _move(new.path, self.path)
        return report, aside

    def compact(self, *, wait_seconds: float = 60.0) -> tuple[int, int]:
        """Write the file anew without the gaps that replaced partitions leave.

        Returns:
            Its size before and after, in bytes.

        Raises:
            WarehouseBusyError: other programs held the file for too long.
        """
        before = self.path.stat().st_size
        new = self.path.with_name(f".{self.path.name}.compacting")
        new.unlink(missing_ok=True)
        with self._writable(wait_seconds) as connection:
            connection.execute(f"ATTACH {literal(str(new))} AS compacted ({_MADE_WITH})")
            close_to_others(new)
            connection.execute("COPY FROM DATABASE warehouse TO compacted; DETACH compacted")
            sync(new)
            new.replace(self.path)
        return before, self.path.stat().st_size

    @contextmanager
    def _writable(self, wait_seconds: float) -> "Generator[DuckDBPyConnection]":
        """Open the file for writing, alone.

        The lock file keeps our own programs in line; DuckDB's own lock keeps everybody else's.
        """
        end = self._clock() + wait_seconds
        # Rows of a row group stay together, and both cores insert; order among groups is not
        # worth a third of the time.
        with (
            self._damage_named(),
            self._alone(end),
            self._scratch.spill() as folder,
            open_duckdb(temp_directory=folder, preserve_insertion_order=False) as connection,
        ):
            self._until(end, lambda: _attach(connection, self.path, read_only=False))
            connection.execute(f"SET checkpoint_threshold = '{_CHECKPOINT}'; USE warehouse")
            yield connection

    @contextmanager
    def _readable(self) -> "Generator[DuckDBPyConnection]":
        """Open the file for reading, beside other readers."""
        with (
            self._damage_named(),
            self._scratch.spill() as folder,
            open_duckdb(temp_directory=folder) as connection,
        ):
            _attach(connection, self.path, read_only=True)
            yield connection

    @contextmanager
    def _damage_named(self) -> Generator[None]:
        """Name the file, and what to do, where DuckDB only says what it could not read."""
        try:
            yield
        except WarehouseDamagedError:
            raise
        except StorageError as error:
            raise WarehouseDamagedError(self.path, str(error)) from error

    @contextmanager
    def _alone(self, end: float) -> Generator[None]:
        """Keep other loads away; wait for one that is running until a time."""
        with full_disk_named(self.path.parent):
            make_private_folder(self.path.parent)
            with open_private(self.path.with_name(f"{self.path.name}.lock")) as lock:
                self._until(end, lambda: _lock(lock.fileno()))
                yield

    def _until(self, end: float, attempt: Callable[[], None]) -> None:
        while True:
            try:
                attempt()
            except WarehouseBusyError:
                left = end - self._clock()
                if left <= 0:
                    raise
                # Random, so that two waiting programs do not keep meeting.
                pause = random.uniform(0.02, _LONGEST_PAUSE_SECONDS)  # noqa: S311 - no secret
                self._sleep(min(left, pause))
            else:
                return


def publish_views(lake: Lake, path: Path) -> None:
    """Write a DuckDB file with a view per table of the lake, and its further views, over `path`.

    Readers may keep it open for as long as they like. Days that are written later are in the views.

    Raises:
        StorageError: a file of the lake cannot be read, or the file cannot be written.
        DiskFullError: there is no space left for it.
    """
    import duckdb

    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with full_disk_named(path.parent):
            make_private_folder(path.parent)
            new.unlink(missing_ok=True)
            _write_views(lake, new)
            sync(new)
            new.replace(path)
    except duckdb.InvalidInputException as error:  # a file of the lake is cut off
        raise storage_error(error, folder=path.parent) from error
    finally:
        new.unlink(missing_ok=True)


def _write_views(lake: Lake, path: Path) -> None:
    with lake.open() as connection:
        _attach(connection, path, read_only=False)
        connection.execute("USE warehouse")
        for table in TABLES.values():
            view = quoted(table.name)
            connection.execute(f"CREATE VIEW {view} AS SELECT * FROM {lake.scan(table.name)}")
            connection.execute(f"COMMENT ON VIEW {view} IS {literal(table.description)}")
        lake.add_views(connection)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WarehouseBusyError("another load of this warehouse is running") from None


def _attach(connection: "DuckDBPyConnection", path: Path, *, read_only: bool) -> None:
    import duckdb

    option = "READ_ONLY" if read_only else _MADE_WITH
    is_new = not path.exists()  # DuckDB does not take an empty file for a new one
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS warehouse ({option})")
    except duckdb.Error as error:
        # The class differs between DuckDB 1.5 and 2.0. The second text is what another connection
        # of this very process causes.
        if "Could not set lock" in str(error) or "file handle conflict" in str(error):
            raise WarehouseBusyError(
                f"another program has {path.name} open; DuckDB lets one program write, or several "
                "read. Who stays connected should use lake.duckdb"
            ) from None
        known = storage_error(error, folder=path.parent)
        if isinstance(known, DiskFullError):
            raise known from error
        raise WarehouseDamagedError(path, str(error).splitlines()[0]) from error
    if is_new:
        close_to_others(path)


def _move(path: Path, to: Path) -> None:
    """Rename a DuckDB file over another one, each with its log of what is not yet in it."""
    log, old_log = _log(path), _log(to)
    old_log.unlink(missing_ok=True)
    path.replace(to)
    if log.exists():
        log.replace(old_log)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _log(path).unlink(missing_ok=True)


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _load_in_little_memory(connection: "DuckDBPyConnection", lake: Lake) -> LoadReport:
    """Load as `_load` does; rows so large that they need more memory get it."""
    import duckdb

    def load() -> LoadReport:
        try:
            return _load(connection, lake)
        except (duckdb.Error, ReplacedError):
            with suppress(duckdb.Error):  # there is none any more, or the file is lost
                connection.execute("ROLLBACK")
            raise

    connection.execute(f"SET memory_limit = '{_MEMORY}'")
    try:
        return retry_replaced(load)
    except duckdb.OutOfMemoryException:
        connection.execute("RESET memory_limit")
        return retry_replaced(load)


def _load(connection: "DuckDBPyConnection", lake: Lake) -> LoadReport:
    connection.execute(
        "BEGIN; CREATE SCHEMA IF NOT EXISTS bookkeeping; "
        "CREATE TABLE IF NOT EXISTS bookkeeping.loaded "
        f"(table_name VARCHAR, {PARTITION} DATE, content_hash VARCHAR, stamp VARCHAR)"
    )
    loaded = _loaded(connection)
    # Taken before the files are read: one that is replaced meanwhile is loaded again next time.
    state = _state(lake, loaded)
    outdated = _outdated(connection)
    stale, lost = _stale(outdated, state, loaded), loaded.keys() - state.keys()
    rows = 0
    with unreplaced(lake.path(table, day) for table, day in stale):
        for table in TABLES.values():
            if table.name in outdated:
                _make_anew(
                    connection, table, keeping={day for name, day in lost if name == table.name}
                )
            days = sorted(_days(table, stale))
            rows += _replace(connection, table, lake, days) if days else 0
    lake.add_views(connection)
    _note(connection, state, loaded)
    connection.execute("COMMIT")
    notes = (str(LostPartitionsError(lost)),) if lost else ()
    return LoadReport(loaded=len(stale), rows=rows, behind=0, reason=None, notes=notes)


def _make_anew(connection: "DuckDBPyConnection", table: Table, *, keeping: set[date]) -> None:
    """Make a table as the spec has it, without rows but those of days that only it holds."""
    name, there = quoted(table.name), _columns(connection).get(f"main.{table.name}", [])
    had = {column for column, _ in there}
    kept = ", ".join(quoted(column.name) for column in table.columns if column.name in had)
    if keeping and kept:
        connection.execute(
            f"CREATE TEMP TABLE kept AS SELECT {kept} FROM {name} WHERE {_of_days(keeping)}"
        )
    connection.execute(f"DROP TABLE IF EXISTS {name}")
    connection.execute("; ".join([table.create_statement(), *table.comment_statements()]))
    if keeping and kept:
        connection.execute(f"INSERT INTO {name} BY NAME FROM temp.kept; DROP TABLE temp.kept")


def _of_days(days: Iterable[date]) -> str:
    listed = ", ".join(f"DATE '{day}'" for day in sorted(days))
    return f"{PARTITION} IN ({listed})"


def _days(table: Table, partitions: Iterable[Key]) -> set[date]:
    return {day for name, day in partitions if name == table.name}


def _replace(connection: "DuckDBPyConnection", table: Table, lake: Lake, days: list[date]) -> int:
    name = quoted(table.name)
    connection.execute(f"DELETE FROM {name} WHERE {_of_days(days)}")
    paths = [lake.path(table.name, day) for day in days]
    files = ", ".join(literal(str(path)) for path in paths)
    ((rows,),) = connection.execute(
        f"INSERT INTO {name} BY NAME SELECT * FROM read_parquet([{files}], union_by_name = true, "
        f"hive_partitioning = true, hive_types = {{{literal(PARTITION)}: DATE}})"
    ).fetchall()
    return rows


def _lake_files(lake: Lake) -> dict[Key, Path]:
    return {(table, day): lake.path(table, day) for table in TABLES for day in lake.days(table)}


def _state(lake: Lake, loaded: _Loaded) -> _Loaded:
    """Return what the lake holds. Only files that changed since they were loaded are opened."""
    state: _Loaded = {}
    for (table, day), path in _lake_files(lake).items():
        now, known = stamp(path), loaded.get((table, day))
        if known and known[1] == now:
            state[table, day] = known
        elif now:
            # One that cannot be read counts as gone: it must not keep the others out.
            with suppress(pa.ArrowInvalid, OSError):
                if partition := lake.partition(table, day):
                    state[table, day] = (partition.content_hash, now)
    return state


def _lost(lake: Lake, loaded: _Loaded) -> set[Key]:
    """Return the partitions that are loaded and that the lake cannot give any more."""
    return loaded.keys() - _state(lake, loaded).keys()


def _stale(outdated: set[str], state: _Loaded, loaded: _Loaded) -> set[Key]:
    """Return the partitions of the lake whose content is not that of the warehouse."""
    return {
        key
        for key in state
        if key[0] in outdated or state[key][0] != loaded.get(key, (None, None))[0]
    }


def _loaded(connection: "DuckDBPyConnection") -> _Loaded:
    if "bookkeeping.loaded" not in _columns(connection):
        return {}
    rows = connection.execute(
        f"SELECT table_name, {PARTITION}, content_hash, stamp FROM warehouse.bookkeeping.loaded"
    ).fetchall()
    return {(table, day): (content_hash, stamp) for table, day, content_hash, stamp in rows}


def _note(connection: "DuckDBPyConnection", state: _Loaded, loaded: _Loaded) -> None:
    changed = [key for key in state if state[key] != loaded.get(key)]
    if not changed:
        return
    rows = [
        {"table_name": name, PARTITION: day, "content_hash": content_hash, "stamp": stamp}
        for name, day in changed
        for content_hash, stamp in [state[name, day]]
    ]
    connection.register("noted", pa.Table.from_pylist(rows, schema=_NOTED))
    connection.execute(
        f"DELETE FROM bookkeeping.loaded USING noted WHERE loaded.table_name = noted.table_name "
        f"AND loaded.{PARTITION} = noted.{PARTITION}; "
        "INSERT INTO bookkeeping.loaded SELECT * FROM noted"
    )
    connection.unregister("noted")


def _columns(connection: "DuckDBPyConnection") -> dict[str, list[tuple[str, str]]]:
    """Return the columns, with their types, of every table that the warehouse has."""
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, name, kind in connection.execute(
        "SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = 'warehouse' ORDER BY schema_name, table_name, column_index"
    ).fetchall():
        columns.setdefault(table, []).append((name, kind))
    return columns


def _outdated(connection: "DuckDBPyConnection") -> set[str]:
    """Return the tables that are not there as the spec has them."""
    there = _columns(connection)
    return {
        table.name
        for table in TABLES.values()
        if there.get(f"main.{table.name}")
        != [
            (column.name, column.type.replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"))
            for column in table.columns
        ]
    }


def _compare(
    connection: "DuckDBPyConnection",
    table: Table,
    lake: Lake,
    *,
    is_there: bool,
    only: set[date] | None,
    lost: set[date],
) -> Iterator[str]:
    in_lake = {day for day in lake.days(table.name) if only is None or day in only} - lost
    sides = [lake.scan(table.name, days=in_lake)]
    if is_there:
        which = "true" if only is None else _of_days(only) if only else "false"
        sides.append(f"(FROM warehouse.{quoted(table.name)} WHERE {which})")
    digests = [
        f"SELECT {PARTITION}, {_digest_columns(table)} FROM {side} GROUP BY ALL" for side in sides
    ]
    found = lake.consistent_read(
        lambda: [connection.execute(query).fetchall() for query in digests], tables=[table.name]
    )
    lakes, ours, *_ = [{day: (rows, total) for day, rows, total in side} for side in [*found, []]]
    for day in sorted(lakes.keys() | ours.keys()):
        there, here = lakes.get(day, (0, "")), ours.get(day, (0, ""))
        if day in lost:
            yield f"{table.name} {day}: {here[0]} rows in the warehouse, and no file in the lake"
        elif there != here:
            yield f"{table.name} {day}: {here[0]} rows in the warehouse, {there[0]} in the lake" + (
                ", with other content" if here[0] == there[0] else ""
            )


def _digest_columns(table: Table) -> str:
    """Return the SQL aggregates by which rows are compared, in whatever order they are."""
    content = ", ".join(quoted(column.name) for column in table.content_columns())
    return f"count(*) AS rows, coalesce(sum(hash({content})), 0)::VARCHAR AS total"
