"""The input: the table of people to ask for, from CSV or Parquet files.

CSV is read line by line here rather than by DuckDB, because one broken quote must cost one line,
and one line in another encoding must cost nothing. Only rows of the wanted days are looked at
closely.
"""

import csv
import json
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from glob import glob, has_magic
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import IO, Final

import pyarrow as pa

from crust_pipeline.errors import CrustError
from crust_pipeline.keys import ERASED_KEY, InvalidIdentifier, row_key
from crust_pipeline.tables.spec import arrow_type, literal, quoted
from crust_pipeline.tables.specs import TABLES
from crust_pipeline.tables.store.lake import StorageError, open_duckdb
from crust_pipeline.tables.store.replaced import retry_replaced, unreplaced
from crust_pipeline.vendors.landed import BadLine, stored_text

_IDENTIFIERS: Final = ("profile_url", "business_email")
_KNOWN: Final = (
    "added_on",
    *_IDENTIFIERS,
    "first_name",
    "last_name",
    "company_name",
    "company_domain",
    "external_id",
    "source",
)
# What may stay of a row when the person is erased.
_IMPERSONAL: Final = ("partition_date", "row_id", "added_on")
_DELIMITERS: Final = ",;\t|"
_PARQUET_SUFFIX: Final = ".parquet"


class UpstreamError(CrustError, ValueError):
    """The input cannot be read at all. The message says what is missing and where."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """The input rows of some days.

    Args:
        rows: In the shape of table `profile_urls`.
        unplaced: Rows, of the whole input, that belong to no partition: dated before the first day
            or after today, or with a date that cannot be read.
        quarantined: Lines that are no rows.
        notes: What people should know about how the input was read.
    """

    rows: pa.Table
    unplaced: int
    quarantined: tuple[BadLine, ...]
    notes: tuple[str, ...]


def read_upstream(source: str, *, start: date, end: date, first_day: date, today: date) -> Upstream:
    """Read the input rows that were added from `start` to `end`.

    Args:
        source: A path or glob of CSV or Parquet files, or a URL that DuckDB can read.
        start: The first wanted day.
        end: The last wanted day.
        first_day: The first day that is a partition.
        today: The last day that is one.

    Raises:
        UpstreamError: a file or a column is missing, or a file cannot be read at all.
        ReplacedError: a file was replaced each time that it was read.
    """
    import duckdb

    def read() -> Upstream:
        reading = _Reading(start=start, end=end, first_day=first_day, today=today)
        for name in _files(source):
            parquet = name.endswith(_PARQUET_SUFFIX)
            try:
                with unreplaced([Path(name)]):
                    reading.take(_parquet_rows(name) if parquet else _CsvFile(name, reading).rows())
            except (duckdb.Error, StorageError, OSError) as error:
                cause = str(error).partition("\n")[0]
                raise UpstreamError(f"{name} cannot be read: {cause}") from error
        return reading.result()

    return retry_replaced(read)


def upstream_rows(rows: Iterable[Mapping[str, object]], *, day: date) -> pa.Table:
    """Return rows that come from elsewhere than a file the shape of table `profile_urls`.

    Args:
        rows: Columns as in an input file; `added_on` is not needed.
        day: The partition they belong to.
    """
    reading = _Reading(start=day, end=day, first_day=day, today=day)
    reading.take(
        {name: str(value) for name, value in row.items() if value not in (None, "")}
        | {"added_on": day.isoformat()}
        for row in rows
    )
    return reading.result().rows


def without_people(rows: pa.Table, keys: Collection[str]) -> pa.Table | list[Mapping[str, object]]:
    """Return rows of `profile_urls`; of people among `keys` only that there is a row.

    Args:
        rows: In the shape of the table.
        keys: Profile keys of the people, e-mail addresses among them.
    """
    about = [
        key in keys or (email or "").strip().lower() in keys
        for key, email in zip(
            rows["profile_key"].to_pylist(), rows["business_email"].to_pylist(), strict=True
        )
    ]
    if not any(about):
        return rows
    return [
        _impersonal(row) if gone else row for gone, row in zip(about, rows.to_pylist(), strict=True)
    ]


def _impersonal(row: Mapping[str, object]) -> dict[str, object]:
    kept: dict[str, object] = {name: row[name] for name in _IMPERSONAL if name in row}
    return kept | {"profile_key": ERASED_KEY}


@dataclass(slots=True)
class _Reading:
    """Collects the rows of the wanted days."""

    start: date
    end: date
    first_day: date
    today: date
    unplaced: int = 0
    rows: list[Mapping[str, object]] = field(default_factory=list[Mapping[str, object]])
    seen: Counter[bytes] = field(default_factory=Counter[bytes])
    quarantined: list[BadLine] = field(default_factory=list[BadLine])
    notes: list[str] = field(default_factory=list[str])

    def take(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Take rows; columns that are empty are left out of them."""
        days: dict[str, date | None] = {}
        for row in rows:
            text = row.get("added_on", "")
            if text not in days:
                days[text] = _day(text)
            day = days[text]
            if day is None or not self.first_day <= day <= self.today:
                self.unplaced += 1
            elif self.start <= day <= self.end:
                self.rows.append(self._placed(day, row))

    def result(self) -> Upstream:
        columns = TABLES["profile_urls"].columns
        table = pa.table(
            {
                column.name: pa.array(
                    [row.get(column.name) for row in self.rows], arrow_type(column.type)
                )
                for column in columns
            }
        )
        return Upstream(table, self.unplaced, tuple(self.quarantined), tuple(self.notes))

    def _placed(self, day: date, row: Mapping[str, str]) -> Mapping[str, object]:
        url, email = row.get("profile_url"), row.get("business_email")
        try:
            key = row_key(url, email)
        except InvalidIdentifier:
            key = None
        extra = {name: text for name, text in row.items() if name not in _KNOWN}
        known = {name: row[name] for name in _KNOWN if name in row}
        return known | {
            "partition_date": day,
            "added_on": day,
            "row_id": self._row_id(day, row),
            "profile_key": key,
            "extra": json.dumps(extra, ensure_ascii=False) if extra else None,
        }

    def _row_id(self, day: date, row: Mapping[str, str]) -> str:
        """Return the id by which a row is known again when the input has grown."""
        parts = [day.isoformat(), *(row.get(n) for n in ("external_id", *_IDENTIFIERS))]
        digest = blake2b(json.dumps(parts).encode(), digest_size=8)
        self.seen[digest.digest()] += 1
        nth = self.seen[digest.digest()]
        return digest.hexdigest() if nth == 1 else f"{digest.hexdigest()}-{nth}"


def _files(source: str) -> list[str]:
    if "://" in source:
        return [source]
    names = sorted(glob(source, recursive=True)) if has_magic(source) else [source]  # noqa: PTH207 - a text with a pattern
    if not names:
        raise UpstreamError(f"No file matches {source}. Set CRUST_UPSTREAM to the table of people.")
    for name in names:
        if not Path(name).is_file():
            raise UpstreamError(
                f"There is no file {name}. Set CRUST_UPSTREAM to the table of people."
            )
    return names


def _check_columns(name: str, columns: Iterable[str]) -> None:
    have = set(columns)
    missing = [] if "added_on" in have else ["added_on"]
    if not have & set(_IDENTIFIERS):
        missing.append("profile_url or business_email")
    if missing:
        raise UpstreamError(
            f"{name} has no column {' and no column '.join(missing)}. "
            f"Its columns are: {', '.join(sorted(have)) or 'none'}."
        )


def _day(text: str) -> date | None:
    """Return the day of a date or a moment (of the latter, in UTC), or None."""
    text = text.strip()
    try:
        if len(text) == len("2026-01-31"):
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()


def _parquet_rows(name: str) -> Iterator[dict[str, str]]:
    with open_duckdb() as connection:
        scan = f"read_parquet({literal(name)}, hive_partitioning = false)"
        columns = [
            row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
        ]
        _check_columns(name, columns)
        selected = ", ".join(f"{quoted(column)}::VARCHAR" for column in columns)
        result = connection.execute(f"SELECT {selected} FROM {scan}")
        while rows := result.fetchmany(10_000):
            for row in rows:
                yield {column: text for column, text in zip(columns, row, strict=True) if text}


class _CsvFile:
    """The rows of one CSV file. A record that cannot be read costs its first line, and no other."""

    def __init__(self, name: str, reading: _Reading) -> None:
        self._name = name
        self._reading = reading
        self._other_encoding = 0

    def rows(self) -> Iterator[dict[str, str]]:
        with self._open() as file:
            lines = _Lines(self._decoded(file))
            header = next(lines, "").removeprefix("\ufeff")
            try:
                delimiter = max(
                    _DELIMITERS, key=lambda mark: len(set(_split(header, mark)) & set(_KNOWN))
                )
                columns = _split(header, delimiter)
            except csv.Error as error:
                raise UpstreamError(f"{self._name} is not CSV: {error}") from None
            _check_columns(self._name, columns)
            yield from self._records(lines, columns, delimiter)
        if self._other_encoding:
            self._reading.notes.append(
                f"{self._name}: {self._other_encoding} lines are not UTF-8 and were read as "
                "Windows-1252"
            )

    def _open(self) -> IO[bytes]:
        if "://" not in self._name:
            return Path(self._name).open("rb")
        with open_duckdb() as connection:
            found = connection.execute(
                f"SELECT content FROM read_blob({literal(self._name)})"
            ).fetchall()
        return BytesIO(b"".join(content for (content,) in found))

    def _decoded(self, file: IO[bytes]) -> Iterator[str]:
        for line in file:
            try:
                yield line.decode()
            except UnicodeDecodeError:
                self._other_encoding += 1
                # Five bytes mean nothing in Windows-1252; they become the replacement character.
                yield line.decode("cp1252", errors="replace")

    def _records(
        self, lines: "_Lines", columns: list[str], delimiter: str
    ) -> Iterator[dict[str, str]]:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            number = lines.start_record()
            values: list[str] | None = []
            reason = None
            try:
                values = next(reader, None)
            except csv.Error as error:
                reason = f"not CSV: {error}"
            if values and len(values) != len(columns):
                reason = f"{len(values)} values for {len(columns)} columns"
            if reason is not None:
                first = lines.give_back_all_but_first()
                content = stored_text(first.rstrip("\r\n").encode())
                self._reading.quarantined.append(BadLine(self._name, number, reason, content))
                reader = csv.reader(lines, delimiter=delimiter, strict=True)
            elif values is None:
                return
            elif values:
                yield {name: text for name, text in zip(columns, values, strict=True) if text}


class _Lines:
    """Lines that can be given back, for when a record turns out not to be one."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._returned: deque[str] = deque()
        self._record: list[str] = []
        self._given = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self._record.append(line)
        self._given += 1
        return line

    def start_record(self) -> int:
        """Begin a record; give the number of its first line, counted from 1."""
        self._record = []
        return self._given + 1

    def give_back_all_but_first(self) -> str:
        """Return back the lines of the record but its first, which is returned."""
        first, *others = self._record
        self._returned.extendleft(reversed(others))
        self._given -= len(others)
        return first


def _split(header: str, delimiter: str) -> list[str]:
    for names in csv.reader([header], delimiter=delimiter):
        return [name.strip() for name in names]
    return []
