"""One piece of a landed file: from text to unnested rows in the scratch database.

The strict read comes first, for all lines together. Only when DuckDB refuses a piece, or finds
fewer answers than lines, are the lines looked at one by one; a clean file never pays for that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from crust_pipeline.tables.judge import NO_ANSWER, Judge, Verdict, divide
from crust_pipeline.tables.landed import Piece, stored_text
from crust_pipeline.tables.reading import (
    columns_in_lines,
    identifier_sql,
    readings,
    unusable_sql,
)
from crust_pipeline.tables.shape import read_columns
from crust_pipeline.tables.spec import Table, literal, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# DuckDB sizes its buffers by this, a quarter of its default; a longer line needs more, and gets it.
_OBJECT_BYTES: Final = 4 << 20
# line_id is the file's number above this bit and the line's number below.
_LINE_BITS: Final = 32


def line_id(file_number: int, line_number: int) -> int:
    """Give the id of a line among all lines of a flattening."""
    return (file_number << _LINE_BITS) + line_number


def line_of(identity: int) -> tuple[int, int]:
    """Give file number and line number of a line id."""
    return identity >> _LINE_BITS, identity & ((1 << _LINE_BITS) - 1)


def scratch_name(table: Table) -> str:
    """Give the name under which the scratch database has all unnested rows of a table."""
    return quoted(f"unnested_{table.name}")


def create_scratch_tables(connection: "DuckDBPyConnection", tables: Iterable[Table]) -> None:
    """Prepare the scratch database for `load_piece`."""
    connection.execute("CREATE TABLE lines (line_id BIGINT, identifier VARCHAR)")
    for table in tables:
        # One table per piece: appending to a common one would copy all rows once more.
        connection.execute(f"CREATE SCHEMA {quoted(table.name)}")


def gather_scratch_tables(connection: "DuckDBPyConnection", tables: Iterable[Table]) -> None:
    """Make the unnested rows of all pieces visible under their `scratch_name`s."""
    for table in tables:
        columns = ", ".join(
            f"NULL::{column.type} AS {quoted(column.name)}" for column in columns_in_lines(table)
        )
        pieces = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = ?", [table.name]
        ).fetchall()
        rows = " UNION ALL BY NAME ".join(
            [
                f"SELECT NULL::BIGINT AS line_id, false AS odd, {columns} WHERE false",
                *(f"FROM {quoted(table.name)}.{quoted(name)}" for (name,) in pieces),
            ]
        )
        connection.execute(f"CREATE VIEW {scratch_name(table)} AS {rows}")


def load_piece(
    connection: "DuckDBPyConnection",
    file_number: int,
    operation: str,
    piece: Piece,
    tables: Iterable[Table],
) -> list[Verdict]:
    """Read a piece into the scratch tables.

    Args:
        connection: A cursor of its own, on which nothing else runs.
        file_number: The number of the landed file among those of the flattening.
        operation: Whose file it is.
        piece: The piece; its file may be rewritten.
        tables: The tables whose rows are wanted.

    Returns:
        What was wrong with which line.
    """
    verdicts = _Stage(connection, operation, piece).fill()
    start = line_id(file_number, piece.first_line)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW answers AS SELECT rowid + {start} AS line_id, * "
        f"FROM staged WHERE NOT ({unusable_sql(operation)})"
    )
    connection.execute(
        f"INSERT INTO lines SELECT line_id, {identifier_sql(operation)} FROM answers"
    )
    for table in tables:
        found = readings(table, operation, "answers")
        rows = " UNION ALL BY NAME ".join(reading.select for reading in found)
        into = f"{quoted(table.name)}.{quoted(str(start))}"
        connection.execute(f"CREATE TABLE {into} AS {rows}")
        ((odd,),) = connection.execute(f"SELECT count(*) FROM {into} WHERE odd").fetchall()
        if odd:
            odd_values = " UNION ALL ".join(reading.odd_values for reading in found)
            verdicts += [
                Verdict(line_of(identity)[1], reason, stored_text(value.encode()), field=True)
                for identity, reason, value in connection.execute(odd_values).fetchall()
            ]
    connection.execute("DROP VIEW answers; DROP TABLE staged")
    return verdicts


@dataclass(frozen=True, slots=True)
class _Stage:
    """Fills the temporary table `staged` with one row per line of a piece."""

    connection: "DuckDBPyConnection"
    operation: str
    piece: Piece

    def fill(self) -> list[Verdict]:
        """Read strictly; mend what cannot be read and read again."""
        if self._read() and self._answers() == self.piece.lines:
            return []
        verdicts = Judge(self.operation).mend(self.piece)
        if not self._read():
            verdicts += self._set_aside_refused()
        bad = sum(not verdict.field for verdict in verdicts)
        if self._answers() + bad != self.piece.lines:
            # Judge and SQL disagree about what an answer is: an error of ours, and lines at stake.
            raise AssertionError(f"{self.piece.lines} lines, {bad} bad, {self._answers()} answers")
        return verdicts

    def _set_aside_refused(self) -> list[Verdict]:
        """Replace the lines that only DuckDB can tell are bad."""
        path = self.piece.path
        lines = path.read_bytes().split(b"\n")[:-1]

        def readable(some: list[bytes]) -> bool:
            path.write_bytes(b"".join(line + b"\n" for line in some))
            return self._read()

        verdicts: list[Verdict] = []
        for index in divide(lines, readable):
            reason = "refused by the reader: a key that stands twice, or a number beyond all bounds"
            content = stored_text(lines[index])
            number = self.piece.first_line + index
            verdicts.append(Verdict(number, reason, content, field=False))
        for verdict in verdicts:
            lines[verdict.line_number - self.piece.first_line] = NO_ANSWER
        if not readable(lines):
            raise AssertionError("a piece is refused although each of its lines can be read")
        return verdicts

    def _answers(self) -> int:
        count = f"SELECT count(*) FROM staged WHERE NOT ({unusable_sql(self.operation)})"
        ((answers,),) = self.connection.execute(count).fetchall()
        return answers

    def _read(self) -> bool:
        # An explicit schema, `records` and `auto_detect` keep DuckDB from sampling, which costs
        # more than reading. Insertion order is kept, so that `rowid` counts lines.
        size = max(_OBJECT_BYTES, self.piece.longest_bytes)
        try:
            self.connection.execute(
                "CREATE OR REPLACE TEMP TABLE staged AS SELECT * FROM read_json("
                f"{literal(str(self.piece.path))}, format = 'newline_delimited', records = true, "
                f"auto_detect = false, compression = 'uncompressed', maximum_object_size = {size}, "
                f"columns = {read_columns(self.operation)})"
            )
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            return False
        return True
