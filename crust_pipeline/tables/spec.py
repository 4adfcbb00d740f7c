"""What a table is: columns, where in the vendor's line each comes from, and what follows from that.

The DDL, the Arrow schema with its field descriptions and the version of a table are made here from
its `Table`; the SQL that reads vendor files is made in `reading`. No table is described here.

A path leads from the vendor's line to a value: `data.basic_profile.name`. `[]` enters a list;
`.name` starts at the list element that a row is made of, `.` is that element and `.#` its place in
the list.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from crust_pipeline.vendors.catalog import OPERATIONS, line_of
from crust_pipeline.vendors.lines import Line

if TYPE_CHECKING:
    import pyarrow as pa

PARTITION: Final = "partition_date"
# What a table calls the key of whom or what its rows are about.
SUBJECT_KEYS: Final = frozenset({"profile_key", "company_key"})
# What differs between two runs over the same input, and is therefore no part of a table's content.
RUN_COLUMNS: Final = frozenset({"run_id", "loaded_at"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        name: Its name in lake and warehouse.
        type: A DuckDB type.
        description: One sentence for people; goes into Parquet, DuckDB and the documentation.
        paths: Where the vendor's line has the value; the first that is not null counts.
        sql: How the value becomes the column, `{value}` standing for it, `{position}` for the row's
            place in its list and `{line}` for the whole line.
    """

    name: str
    type: str
    description: str
    paths: tuple[str, ...] = ()
    sql: str = "{value}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where one kind of vendor line holds the rows of a table.

    Args:
        line: The kind of line.
        path: The list with one element per row; empty: one row per line.
        constants: Columns that are the same for all rows of this source, as SQL.
        also_empty: Make one row, of nulls, for a line whose list is empty.
        loose: Whether a single value may stand for the list, and elements may be of any kind.
        paths: Where this source's lines hold a column, if not where the column itself says.
    """

    line: Line
    path: str = ""
    constants: Mapping[str, str] = field(default_factory=dict[str, str])
    also_empty: bool = False
    loose: bool = False
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def paths_of(self, column: Column) -> tuple[str, ...]:
        """Return where this source's lines hold a column; the first that is not null counts."""
        return self.paths.get(column.name, column.paths)


@dataclass(frozen=True, eq=False)
class Table:
    """One table of the lake and the warehouse.

    Args:
        name: Its name.
        one_row_per: What a row is, completing "one row per".
        columns: In order. `partition_date` is the name of the folder, not a column of the file.
        sources: Where vendor files hold its rows; empty for tables that vendor files do not fill.
        keep: SQL over the columns; rows for which it is not true say nothing and are left out.
        distinct: Columns by which the rows of one line differ; the first of equals is kept.
        order: What rows are sorted by, so that lookups prune and equal input gives equal files.
    """

    name: str
    one_row_per: str
    columns: tuple[Column, ...]
    sources: tuple[Source, ...] = ()
    keep: str = "true"
    distinct: tuple[str, ...] = ()
    order: tuple[str, ...] = ()

    @property
    def lines(self) -> frozenset[Line]:
        """The kinds of vendor lines that fill this table."""
        return frozenset(source.line for source in self.sources)

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations whose files fill this table."""
        return tuple(name for name in OPERATIONS if line_of(name) in self.lines)

    def has_every(self, line: Line) -> bool:
        """Tell whether each line of a kind makes at least one row."""
        return self.keep == "true" and any(
            source.line is line and (not source.path or source.also_empty)
            for source in self.sources
        )

    @property
    def description(self) -> str:
        """One line for people."""
        return f"One row per {self.one_row_per}."

    @cached_property
    def version(self) -> str:
        """A short hash that changes with anything that may change the table's content."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]

    def paths_of(self, column: Column) -> tuple[str, ...]:
        """Return where the vendors' lines hold a column, as its sources write it."""
        paths = (path for source in self.sources for path in source.paths_of(column))
        return tuple(dict.fromkeys(paths)) or column.paths

    def column(self, name: str) -> Column:
        """Return a column by name.

        Raises:
            KeyError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def stored_columns(self) -> tuple[Column, ...]:
        """Return the columns that stand in the Parquet file: all but the partition's."""
        return tuple(column for column in self.columns if column.name != PARTITION)

    def content_columns(self) -> tuple[Column, ...]:
        """Return the columns that make up the content: those stored, without the run's."""
        return tuple(column for column in self.stored_columns() if column.name not in RUN_COLUMNS)

    def create_statement(self) -> str:
        """Return the DuckDB statement that makes the empty table."""
        columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in self.columns)
        return f"CREATE TABLE {quoted(self.name)} ({columns})"

    def comment_statements(self) -> list[str]:
        """Return the DuckDB statements that describe the table and its columns."""
        table = quoted(self.name)
        return [
            f"COMMENT ON TABLE {table} IS {literal(self.description)}",
            *(
                f"COMMENT ON COLUMN {table}.{quoted(column.name)} IS {literal(column.description)}"
                for column in self.columns
            ),
        ]

    def arrow_schema(self) -> "pa.Schema":
        """Return the schema of the Parquet file, each field with its description."""
        import pyarrow as pa

        return pa.schema(
            [
                pa.field(
                    column.name,
                    arrow_type(column.type),
                    metadata={"description": column.description},
                )
                for column in self.stored_columns()
            ],
            metadata={"description": self.description},
        )


def arrow_type(duckdb_type: str) -> "pa.DataType":
    """Return the Arrow type of a DuckDB type."""
    import pyarrow as pa

    if duckdb_type.endswith("[]"):
        return pa.list_(arrow_type(duckdb_type.removesuffix("[]")))
    return {
        "VARCHAR": pa.string(),
        "JSON": pa.json_(),
        "INTEGER": pa.int32(),
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "DATE": pa.date32(),
        "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"),
        "DECIMAL(18,4)": pa.decimal128(18, 4),
    }[duckdb_type]


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"
