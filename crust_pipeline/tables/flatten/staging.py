"""One piece of the answers: from lines in the spools to the finished rows of each table.

The strict read comes first, for all lines together. Only when a line is no JSON, DuckDB refuses a
piece, or finds fewer answers than lines, are the lines judged one by one; a clean file never pays
for that.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crust_pipeline.keys import InvalidIdentifier, key_of_url, kind_of
from crust_pipeline.tables.flatten.files import ReadFile
from crust_pipeline.tables.flatten.judge import NO_ANSWER, Judge, Verdict, divide
from crust_pipeline.tables.flatten.phones import e164
from crust_pipeline.tables.flatten.reading import readings, unusable_sql
from crust_pipeline.tables.flatten.shape import read_columns
from crust_pipeline.tables.spec import SUBJECT_KEYS, Table, literal
from crust_pipeline.vendors.landed import stored_text
from crust_pipeline.vendors.lines import DECODE_ERRORS, Line

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

# DuckDB sizes its buffers by this, a quarter of its default; a longer line needs more, and gets it.
_OBJECT_BYTES: Final = 1 << 20
# DuckDB holds the text of the next 2,048 lines of a file, several times: long lines, few in a file.
_FILE_BYTES: Final = 24 << 20
_COPIED_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table, and where the answer of each stands among those of the piece."""

    table: pa.Table
    places: "NDArray[np.int64]"


@dataclass(frozen=True, slots=True)
class Staged:
    """The lines of one kind in a piece, to be read into the temporary table `staged`.

    Args:
        connection: A cursor of its own, on which nothing else runs.
        line: Their kind.
        answers: The rows of table `answers` about them, in order.
        places: Where each of them stands among all answers of the piece.
        reads: The landed files, by number.
        folder: A folder of its own, for their text.
    """

    connection: "DuckDBPyConnection"
    line: Line
    answers: pa.Table
    places: "NDArray[np.int64]"
    reads: Sequence[ReadFile]
    folder: Path

    def fill(self) -> list[tuple[ReadFile, Verdict]]:
        """Read the lines strictly; mend what cannot be read and read again.

        Returns:
            What was wrong with which line of which file.
        """
        if self._write_answers() and self._read() and self._usable() == self.answers.num_rows:
            return []
        lines = [text[:-1] for text in self._texts()]
        verdicts = Judge(self.line).mend(lines)
        self._write_lines(lines)
        if not self._read():
            verdicts += self._set_aside_refused(lines)
        bad = sum(not verdict.field for verdict in verdicts)
        if self._usable() + bad != len(lines):
            # Judge and SQL disagree about what an answer is: an error of ours, and lines at stake.
            raise AssertionError(f"{len(lines)} lines, {bad} bad, {self._usable()} answers")
        return [self._located(verdict) for verdict in verdicts]

    def rows(self, table: Table) -> tuple[Rows, list[tuple[ReadFile, Verdict]]]:
        """Return the rows of a table, in order, and what was wrong with which line.

        They have the columns that come out of the lines.
        """
        found = readings(table, self.line, self._STAGED.format(unusable_sql(self.line)))
        select = " UNION ALL BY NAME ".join(reading.select for reading in found)
        rows = self.connection.sql(select).to_arrow_table()
        if len(found) > 1 or " OVER " in select:
            # Unnesting alone keeps the order.
            rows = rows.sort_by(_order(table))
        verdicts: list[tuple[ReadFile, Verdict]] = []
        if pc.any(rows["odd"]).as_py():  # pyright: ignore[reportAttributeAccessIssue]  # no stubs
            odd_values = " UNION ALL ".join(reading.odd_values for reading in found)
            verdicts = [
                self._located(Verdict(index, reason, stored_text(value.encode()), field=True))
                for index, reason, value in self.connection.execute(odd_values).fetchall()
            ]
        places = self.places[rows["line_id"].to_numpy()]
        return Rows(rows.drop_columns(["odd", "line_id"]), places), verdicts

    _STAGED = "(SELECT rowid AS line_id, * FROM staged WHERE NOT ({}))"

    def _texts(self) -> Iterator[bytes]:
        """Return the text of each line, with its end, out of the spools."""
        numbers, starts, sizes = map(self._numbers, ("file_number", "start", "size"))
        spools = {number: os.open(self.reads[number].spool, os.O_RDONLY) for number in set(numbers)}
        try:
            for number, start, size in zip(numbers, starts, sizes, strict=True):
                yield os.pread(spools[number], size + 1, start)
        finally:
            for spool in spools.values():
                os.close(spool)

    def _numbers(self, column: str) -> list[int]:
        """Return a column of the answers that has no nulls."""
        return cast("list[int]", self.answers[column].to_pylist())

    def _write_answers(self) -> bool:
        """Write all lines; tell whether they are JSON, of which DuckDB has a wider notion."""
        decode = self.line.outline.decode

        def decoded(text: bytes) -> bytes:
            decode(text)
            return text

        try:
            self._write(map(decoded, self._texts()), self._numbers("size"))
        except DECODE_ERRORS:
            return False
        return True

    def _write_lines(self, lines: Sequence[bytes]) -> None:
        self._write((line + b"\n" for line in lines), [len(line) for line in lines])

    def _write(self, texts: Iterable[bytes], sizes: Sequence[int]) -> None:
        """Write lines of these sizes, whatever was written before."""
        rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        rest = iter(texts)
        _, counts = np.unique(np.cumsum(sizes) // _FILE_BYTES, return_counts=True)
        for number, count in enumerate(counts):
            with (self.folder / f"{number:06}.jsonl").open("wb", buffering=_COPIED_BYTES) as file:
                file.writelines(islice(rest, count))

    def _located(self, verdict: Verdict) -> tuple[ReadFile, Verdict]:
        """Return the file that a place in the piece belongs to, and the verdict about its line."""
        answer = self.answers.slice(verdict.line_number, 1)
        file_number, source_line = (
            cast("int", answer[name][0].as_py()) for name in ("file_number", "source_line")
        )
        return self.reads[file_number], replace(verdict, line_number=source_line)

    def _set_aside_refused(self, lines: list[bytes]) -> list[Verdict]:
        """Replace the lines that only DuckDB can tell are bad."""

        def readable(some: list[bytes]) -> bool:
            self._write_lines(some)
            return self._read()

        reason = "refused by the reader: a key that stands twice, or a number beyond all bounds"
        verdicts = [
            Verdict(index, reason, stored_text(lines[index]), field=False)
            for index in divide(lines, readable)
        ]
        for verdict in verdicts:
            lines[verdict.line_number] = NO_ANSWER
        if not readable(lines):
            raise AssertionError("a piece is refused although each of its lines can be read")
        return verdicts

    def _usable(self) -> int:
        count = f"SELECT count(*) FROM staged WHERE NOT ({unusable_sql(self.line)})"
        ((answers,),) = self.connection.execute(count).fetchall()
        return answers

    def _read(self) -> bool:
        # An explicit schema, `records` and `auto_detect` keep DuckDB from sampling, which costs
        # more than reading. Insertion order is kept, so that `rowid` counts lines.
        size = max(_OBJECT_BYTES, max(self._numbers("size")) + 1)
        files = ", ".join(literal(str(path)) for path in sorted(self.folder.iterdir()))
        try:
            self.connection.execute(
                "CREATE OR REPLACE TEMP TABLE staged AS SELECT * FROM read_json("
                f"[{files}], format = 'newline_delimited', records = true, "
                f"auto_detect = false, compression = 'uncompressed', maximum_object_size = {size}, "
                f"columns = {read_columns(self.line)})"
            )
        except (duckdb.InvalidInputException, duckdb.ConversionException, UnicodeDecodeError):
            # The last: DuckDB 2.0 quotes the value and may cut it in the middle of a character, so
            # that Python cannot read the error.
            return False
        return True


def _order(table: Table) -> list[tuple[str, Literal["ascending", "descending"]]]:
    """Return the order of rows by line and, within a line, as the table's order says."""
    # Behind person, batch and line, that is.
    columns = (column.split() for column in ["line_id", *table.order[3:], *table.distinct])
    return [(name, "descending" if direction else "ascending") for name, *direction in columns]


def finished(table: Table, parts: Sequence[Rows], answers: pa.Table) -> Rows:
    """Put the rows of several operations in order, and give them all columns of their table.

    Args:
        table: Whose rows they are.
        parts: The rows of each operation.
        answers: The answers of the piece, whose lines they come from.
    """
    if not parts:
        return Rows(table.arrow_schema().empty_table(), np.array([], np.int64))
    rows = pa.concat_tables((part.table for part in parts), promote_options="permissive")
    places = np.concatenate([part.places for part in parts])
    if len(parts) > 1:
        order = np.argsort(places, kind="stable")
        rows, places = rows.take(order), places[order]
    known = answers.take(places)
    columns: list[Any] = []
    for column in table.stored_columns():
        if column.name == "identity_mismatch":
            columns.append(_each(_is_other, rows["profile_url"], known["subject_key"]))
        elif column.name in SUBJECT_KEYS:
            columns.append(known["subject_key"])
        elif column.name == "phone_e164":
            columns.append(_each(_e164_or_none, rows["phone_number"]))
        else:
            columns.append((rows if column.name in rows.column_names else known)[column.name])
    names = [column.name for column in table.stored_columns()]
    return Rows(pa.table(columns, names).cast(table.arrow_schema()).combine_chunks(), places)


def _each(make: Callable[..., object], *columns: "pa.ChunkedArray[Any]") -> "pa.Array[Any]":
    """Return what a function makes of the values of columns, row by row."""
    return pa.array(list(map(make, *(column.to_pylist() for column in columns))))


def _is_other(profile_url: str | None, subject_key: str) -> bool | None:
    """Tell whether a record's own profile URL is not that of who was asked for."""
    if profile_url is None or kind_of(subject_key) != "profile_url":
        return None
    try:
        return key_of_url(profile_url) != subject_key
    except InvalidIdentifier:
        return None


def _e164_or_none(phone_number: str | None) -> str | None:
    return None if phone_number is None else e164(phone_number)
