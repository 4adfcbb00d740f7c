"""The lake: one Parquet file per table and partition, replaced whole.

Nobody is ever in the way of readers: a file is written beside its place, synced and renamed
(`partition`), and who reads at that very moment reads again (`replaced`).
"""

import fcntl
import re
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from crust_pipeline.errors import CrustError, DiskFullError
from crust_pipeline.private_files import make_private_folder, open_private
from crust_pipeline.tables.spec import PARTITION, Table, arrow_type, literal, quoted
from crust_pipeline.tables.specs import TABLES
from crust_pipeline.tables.store.replaced import retry_replaced, unreplaced
from crust_pipeline.tables.store.scratch import Scratch

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

    from crust_pipeline.tables.store.partition import PartitionWritten

    AddViews = Callable[[duckdb.DuckDBPyConnection], None]

# A quarter of DuckDB's default: a writer holds one group in memory, and a lookup reads one.
_ROWS_PER_GROUP: Final = 15 * 2048

_T = TypeVar("_T")


class StorageError(CrustError):
    """DuckDB cannot read or write a file; the message says which, and why."""


# How DuckDB repeats the system's words for it.
_NO_SPACE: Final = re.compile(r"No space left|quota exceeded|File too large", re.IGNORECASE)
_NAMED_FILE: Final = re.compile(r'"([^"]*/[^"]+)"')


@contextmanager
def open_duckdb(
    *, temp_directory: str = "", **config: str | bool | float | list[str]
) -> "Generator[duckdb.DuckDBPyConnection]":
    """Open an in-memory DuckDB in which moments are UTC.

    Args:
        temp_directory: Where to put what does not fit into memory; "": nowhere.
        **config: DuckDB's settings.

    Raises:
        StorageError: a file could not be read or written, or memory did not suffice.
        DiskFullError: there is no space left for a file.
    """
    import duckdb

    connection = duckdb.connect(config={"temp_directory": temp_directory, **config})
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    except duckdb.Error as error:
        if not _is_of_storage(error):
            raise
        raise storage_error(error, folder=Path(temp_directory)) from error
    finally:
        connection.close()


def _is_of_storage(error: "duckdb.Error") -> bool:
    """Tell whether a file or memory is the matter, and not a statement or a value."""
    import duckdb

    kinds = (
        duckdb.IOException,
        duckdb.FatalException,
        duckdb.InternalException,
        duckdb.OutOfMemoryException,
        duckdb.SerializationException,
        duckdb.TransactionException,
    )
    # A block whose check sum is wrong is an error of no special class.
    return isinstance(error, kinds) or type(error) is duckdb.Error


def storage_error(error: "duckdb.Error", *, folder: Path) -> StorageError | DiskFullError:
    """Return DuckDB's error as one for people.

    Args:
        error: What it raised.
        folder: Where it was writing, if it does not say.
    """
    said = str(error)
    if _NO_SPACE.search(said):
        named = _NAMED_FILE.search(said)
        return DiskFullError(Path(named[1]).parent if named else folder)
    # What follows repeats the statement, which may name people.
    return StorageError(said.partition("\n")[0])


def no_views(_connection: "duckdb.DuckDBPyConnection") -> None:
    """Add no views."""


class Lake:
    """The Parquet tables under one folder."""

    def __init__(
        self, root: Path, *, add_views: "AddViews" = no_views, scratch: Scratch | None = None
    ) -> None:
        """Take the folder; it is made when something is written.

        Args:
            root: The folder.
            add_views: Makes further views in every database that shows the lake's tables: the
                marts, which this layer does not know.
            scratch: Where files lie that are needed only for a while. Default: beside the folder.
        """
        self.root = root
        self.add_views = add_views
        self.scratch = scratch or Scratch(root.with_name("scratch"))

    @contextmanager
    def open(self) -> "Generator[duckdb.DuckDBPyConnection]":
        """Open an in-memory DuckDB without tables, which may use the scratch folder.

        Raises:
            StorageError: as for `open_duckdb`.
        """
        with self.scratch.spill() as folder, open_duckdb(temp_directory=folder) as connection:
            yield connection

    def path(self, table: str, day: date) -> Path:
        """Return where the file of a partition is, or would be."""
        return self.root / table / f"{PARTITION}={day.isoformat()}" / f"{table}.parquet"

    def days(self, table: str) -> list[date]:
        """Return the days for which a table has a file, in order."""
        folders = self.root.glob(f"{table}/{PARTITION}=*/{table}.parquet")
        return sorted(
            date.fromisoformat(path.parent.name.removeprefix(f"{PARTITION}=")) for path in folders
        )

    def partition(self, table: str, day: date) -> "PartitionWritten | None":
        """Return what a partition holds; None if there is no file."""
        from crust_pipeline.tables.store.partition import written

        path = self.path(table, day)
        return written(table, day, path) if path.exists() else None

    def write_rows(
        self,
        table: str,
        day: date,
        rows: "Iterable[Mapping[str, Any]] | pa.Table",
        *,
        run_id: str,
        loaded_at: datetime,
        operations: Iterable[str] = (),
    ) -> "PartitionWritten":
        """Replace a partition by rows made from the ledger or from upstream.

        Args:
            table: Its name.
            day: The partition.
            rows: As for `write_many`.
            run_id: Fills the column of that name.
            loaded_at: Fills the column of that name; has a time zone.
            operations: For `quarantine`: whose lines these rows replace; others' stay.

        Raises:
            ValueError: a row has a column that the table does not have.
        """
        (written,) = self.write_many(
            table, {day: rows}, run_id=run_id, loaded_at=loaded_at, operations=operations
        )
        return written

    def write_many(
        self,
        table: str,
        rows_by_day: "Mapping[date, Iterable[Mapping[str, Any]] | pa.Table]",
        *,
        run_id: str,
        loaded_at: datetime,
        operations: Iterable[str] = (),
    ) -> "list[PartitionWritten]":
        """Replace several partitions; cheaper than one by one.

        Args:
            table: Its name.
            rows_by_day: Per day mappings, or an Arrow table, of columns of the table; what is
                missing is null.
            run_id: Fills the column of that name.
            loaded_at: Fills the column of that name; has a time zone.
            operations: For `quarantine`: whose lines these rows replace; others' stay.

        Raises:
            ValueError: a row has a column that the table does not have.
        """
        import pyarrow as pa

        spec = TABLES[table]
        written: list[PartitionWritten] = []
        with self.open() as connection:
            for day, rows in rows_by_day.items():
                given = rows if isinstance(rows, pa.Table) else _as_arrow(spec, list(rows))
                if unknown := set(given.column_names) - {column.name for column in spec.columns}:
                    raise ValueError(f"{table} has no column {', '.join(sorted(unknown))}")
                values = {name: quoted(name) for name in given.column_names}
                values |= {"run_id": literal(run_id), "loaded_at": literal(loaded_at.isoformat())}
                columns = ", ".join(
                    f"CAST({values.get(column.name, 'NULL')} AS {column.type})"
                    f" AS {quoted(column.name)}"
                    for column in spec.stored_columns()
                )
                connection.register("given_rows", given)
                query = f"SELECT {columns} FROM given_rows"
                written.append(self.replace(connection, spec, day, query, operations=operations))
        return written

    def replace(
        self,
        connection: "duckdb.DuckDBPyConnection",
        table: Table,
        day: date,
        query: str,
        *,
        operations: Iterable[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> "PartitionWritten":
        """Replace a partition by the rows of a query, put in order.

        Args:
            connection: Where to run the query.
            table: The table.
            day: The partition.
            query: A SELECT of the table's stored columns, in order.
            operations: For `quarantine`: whose lines these rows replace; others' stay.
            metadata: What to note in the file about where the rows come from.
        """
        import pyarrow as pa

        from crust_pipeline.tables.store.partition import PartitionFile

        file = PartitionFile(self.path(table.name, day), table, day, metadata or {})
        try:
            with self._kept(table, day, operations) as kept:
                rows = f"SELECT * FROM ({query}{kept}) ORDER BY {', '.join(table.order)}"
                for batch in connection.sql(rows).to_arrow_reader(_ROWS_PER_GROUP):
                    file.append(pa.Table.from_batches([batch]).cast(table.arrow_schema()))
                return file.publish()
        finally:
            file.discard()

    def scan(
        self,
        table: str,
        start: date | None = None,
        end: date | None = None,
        *,
        days: Collection[date] | None = None,
    ) -> str:
        """Return SQL to select a table's rows from: its columns in order, `partition_date` typed.

        Without days it names a pattern, so that days written later are in it too. Files written
        before a column was added give null for it.

        Args:
            table: Its name.
            start: The first day.
            end: The last one.
            days: Only these days; no other file is opened.
        """
        spec = TABLES[table]
        nulls = ", ".join(
            f"NULL::{column.type} AS {quoted(column.name)}" for column in spec.columns
        )
        nothing = f"SELECT {nulls} WHERE false"
        files = list(self._files(table, start, end))
        if days is not None:
            files = [self.path(table, day) for day in days if self.path(table, day).exists()]
        if not files:
            return f"({nothing})"
        if start is None and end is None and days is None:
            files = [self.root.resolve() / table / f"{PARTITION}=*" / f"{table}.parquet"]
        listed = ", ".join(literal(str(file)) for file in files)
        return (
            f"({nothing} UNION ALL BY NAME SELECT * FROM read_parquet([{listed}], "
            f"union_by_name = true, hive_partitioning = true, "
            f"hive_types = {{{literal(PARTITION)}: DATE}}))"
        )

    def read(
        self, table: str, start: date | None = None, end: date | None = None
    ) -> "pd.DataFrame":
        """Return the rows of some days as a DataFrame of Arrow-backed types.

        Raises:
            KeyError: there is no such table.
            ReplacedError: files were replaced each time that they were read.
        """
        import pandas as pd

        def read() -> "pd.DataFrame":
            with self.open() as connection:
                rows = connection.sql(f"SELECT * FROM {self.scan(table, start, end)}")
                return rows.to_arrow_table().to_pandas(types_mapper=pd.ArrowDtype)

        return self.consistent_read(read, tables=[table], start=start, end=end)

    def rows(
        self,
        query: str,
        start: date | None = None,
        end: date | None = None,
        *,
        parameters: Sequence[object] = (),
        given: "Mapping[str, pa.Table] | None" = None,
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a query, in which tables of the lake stand in braces: `FROM {people}`.

        Args:
            query: SQL.
            start: The first day of the tables that is looked at.
            end: The last one.
            parameters: For the question marks in the query.
            given: Further tables, by the names that the query has for them.

        Raises:
            KeyError: there is no such table.
            ReplacedError: files were replaced each time that they were read.
        """
        tables = {name for _, name, _, _ in Formatter().parse(query) if name}

        def read() -> list[tuple[Any, ...]]:
            scans = {table: self.scan(table, start, end) for table in tables}
            with self.open() as connection:
                for name, rows in (given or {}).items():
                    connection.register(name, rows)
                return connection.execute(query.format(**scans), parameters).fetchall()

        return self.consistent_read(read, tables=tables, start=start, end=end)

    @contextmanager
    def connect(self) -> "Generator[duckdb.DuckDBPyConnection]":
        """Open an in-memory DuckDB with a view for each table, and what `add_views` makes.

        What is read from it while files are replaced may be wrong; `ask` reads again.
        """
        with self.open() as connection:
            for table in TABLES:
                connection.execute(f"CREATE VIEW {quoted(table)} AS FROM {self.scan(table)}")
            self.add_views(connection)
            yield connection

    def ask(
        self, connection: "duckdb.DuckDBPyConnection", query: str
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Return the names of a query's columns, and its rows.

        Args:
            connection: From `connect`.
            query: SQL; its tables are views of the connection.

        Raises:
            duckdb.Error: something is wrong with the query.
            ReplacedError: files were replaced each time that they were read.
        """

        def read() -> tuple[list[str], list[tuple[Any, ...]]]:
            answer = connection.execute(query)
            return [column[0] for column in answer.description or ()], answer.fetchall()

        return self.consistent_read(read)

    def consistent_read(
        self,
        read: Callable[[], _T],
        *,
        tables: Iterable[str] = tuple(TABLES),
        start: date | None = None,
        end: date | None = None,
    ) -> _T:
        """Return what `read` gives of tables of the lake, none of which is replaced meanwhile.

        Args:
            read: Reads; it may be called several times.
            tables: The tables that it reads.
            start: The first day of them.
            end: The last one.

        Raises:
            ReplacedError: files were replaced each time that they were read.
        """

        def read_once() -> _T:
            with unreplaced(path for name in tables for path in self._files(name, start, end)):
                return read()

        return retry_replaced(read_once)

    def _files(self, table: str, start: date | None, end: date | None) -> Iterator[Path]:
        for day in self.days(table):
            if (start is None or start <= day) and (end is None or day <= end):
                yield self.path(table, day)

    @contextmanager
    def _kept(self, table: Table, day: date, operations: Iterable[str]) -> "Generator[str]":
        """Return the SQL, a UNION ALL, of the rows that stay when `operations` replace theirs.

        Only quarantine is shared by operations, each of which may be run by another process at the
        same time; it is locked while this lasts.
        """
        replaced = ", ".join(literal(operation) for operation in operations)
        if table.name != "quarantine" or not replaced:
            yield ""
            return
        path = self.path(table.name, day)
        make_private_folder(path.parent)
        with open_private(path.parent.parent / ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                yield ""
                return
            columns = ", ".join(quoted(column.name) for column in table.stored_columns())
            yield (
                f" UNION ALL SELECT {columns} FROM read_parquet({literal(str(path))}, "
                f"hive_partitioning = false) WHERE operation NOT IN ({replaced})"
            )


def _as_arrow(table: Table, rows: list[Mapping[str, Any]]) -> "pa.Table":
    import pyarrow as pa

    types = {column.name: arrow_type(column.type) for column in table.columns}
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table(
        {name: pa.array([row.get(name) for row in rows], types.get(name)) for name in names}
        or {table.columns[0].name: pa.array([], pa.string())}
    )
