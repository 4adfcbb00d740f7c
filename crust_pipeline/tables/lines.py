"""First look at the landed files: who each line is about, and where its text is from now on.

Lines are decoded only so far that their identifier is known and that they are JSON; most bad lines
show here. The inflated text goes to a file on disk (the spool), from which lines are taken later
in the order in which their rows are stored.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

import msgspec
import pyarrow as pa

from crust_pipeline.tables.drift import unknown_keys
from crust_pipeline.tables.files import ReadFile
from crust_pipeline.tables.judge import Judge, Verdict
from crust_pipeline.tables.landed import DamagedFile, LandedText, stored_text
from crust_pipeline.tables.specs import LINES

LINES_SCHEMA: Final = pa.schema(
    [
        ("file_number", pa.int32()),
        ("source_line", pa.int64()),
        ("identifier", pa.string()),
        ("start", pa.int64()),
        ("size", pa.int64()),
    ]
)
# More bad lines than this in one file mean that the vendor's format has changed.
BAD_LINES_LIMIT: Final = 1000
# Looked at for unknown keys: so many lines at the start, then one of each chunk (1 MB).
_SAMPLE_LINES: Final = 100


def read_lines(read: ReadFile) -> pa.Table:
    """Copy a file's text into its spool; give where the lines are that are about somebody.

    The others get verdicts. A damaged file is set aside.
    """
    columns, judge = _Columns(), Judge(read.landed.operation)
    text = LandedText(read.landed.path)
    sample: list[bytes] = []
    try:
        with read.spool.open("wb") as spool:
            for chunk in text.chunks():
                spool.write(chunk)
                sample += chunk.split(b"\n", 1 if sample else _SAMPLE_LINES)[:-1]
                _look_at(read, judge, _lines(chunk), columns)
    except DamagedFile as damage:
        read.set_aside = str(damage)
    read.note = text.note
    read.drifted |= bool(unknown_keys(read.landed.operation, sample))
    return pa.table(
        {
            "file_number": pa.array([read.number] * len(columns.sizes), pa.int32()),
            "source_line": columns.numbers,
            "identifier": columns.identifiers,
            "start": columns.starts,
            "size": columns.sizes,
        },
        schema=LINES_SCHEMA,
    )


def line_text(read: ReadFile, start: int, size: int) -> bytes:
    """Give a line's text, without its end."""
    with read.spool.open("rb") as spool:
        spool.seek(start)
        return spool.read(size)


def set_aside_if_hopeless(read: ReadFile) -> bool:
    """Set a file aside that has too many bad lines; tell whether it is set aside."""
    bad = [verdict for verdict in read.verdicts if not verdict.field]
    if len(bad) > BAD_LINES_LIMIT:
        read.set_aside = (
            f"more than {BAD_LINES_LIMIT} lines cannot be used, the first because: "
            f"{bad[0].reason}. The vendor's format seems to have changed"
        )
    return read.set_aside is not None


class _Columns:
    """The columns of the table of lines while it grows."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.identifiers: list[str] = []
        self.starts: list[int] = []
        self.sizes: list[int] = []
        self.next_start = 0


def _lines(chunk: bytes) -> Iterator[memoryview]:
    """Give the lines of a chunk, without their ends; copying them takes as long as decoding."""
    view, end = memoryview(chunk), -1
    while (start := end + 1) < len(chunk):
        end = chunk.index(b"\n", start)
        yield view[start:end]


def _look_at(read: ReadFile, judge: Judge, lines: Iterable[memoryview], columns: _Columns) -> None:
    decode = _decoder(read.landed.operation).decode
    paths = [path.split(".") for path in LINES[read.landed.operation].identifiers]
    for line in lines:
        start = columns.next_start
        columns.next_start += len(line) + 1
        read.lines += 1
        if read.set_aside is not None:
            continue
        try:
            identifier = next(_identifiers(decode(line), paths), None)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            identifier = None
        if identifier is None:
            text = bytes(line)
            reason = judge.no_answer_reason(text) or "no answer in this line"
            read.verdicts.append(Verdict(read.lines, reason, stored_text(text), field=False))
            set_aside_if_hopeless(read)
            continue
        columns.numbers.append(read.lines)
        columns.identifiers.append(identifier)
        columns.starts.append(start)
        columns.sizes.append(len(line))


@cache
def _decoder(operation: str) -> msgspec.json.Decoder[Any]:
    """Give the decoder of what makes a line an answer; it passes over everything else."""
    line = LINES[operation]
    heads = dict.fromkeys(path.split(".")[0] for path in line.identifiers)
    nested = {path.split(".")[0]: path.split(".")[1:] for path in line.identifiers}
    identifiers = [(name, _nested(nested[name]), None) for name in heads]
    required = [(name, msgspec.defstruct(name, [])) for name in line.required]
    return msgspec.json.Decoder(msgspec.defstruct("Line", [*required, *identifiers]))


def _nested(names: list[str]) -> Any:  # noqa: ANN401 - a type made at run time
    if not names:
        return Any
    return msgspec.defstruct(names[0], [(names[0], _nested(names[1:]), None)]) | None


def _identifiers(line: object, paths: list[list[str]]) -> Iterator[str]:
    for path in paths:
        value = line
        for name in path:
            value = getattr(value, name, None)
        if value is not None:
            yield value if isinstance(value, str) else msgspec.json.encode(value).decode()
