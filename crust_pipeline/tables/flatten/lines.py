"""First look at the landed files: who each line is about, and where its text is from now on.

An identifier is read off the beginning of its line, where vendors write it; only a line that begins
otherwise is decoded here. Whether a line is JSON shows when it is taken from the spool, the file on
disk that the inflated text goes to, in the order in which rows are stored.
"""

from collections.abc import Collection
from typing import Final

import pyarrow as pa

from crust_pipeline.tables.flatten.drift import unknown_keys
from crust_pipeline.tables.flatten.files import RawFileError, ReadFile
from crust_pipeline.tables.flatten.judge import Judge, Verdict
from crust_pipeline.vendors.landed import (
    AlteredFile,
    DamagedFile,
    LandedText,
    stored_text,
    too_long_reason,
)
from crust_pipeline.vendors.lines import Line

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

    Raises:
        RawFileError: it is not the file that landed, or it is gone.
    """
    landed = read.landed
    try:
        return _read_lines(read, LandedText(landed.path, sha256=landed.sha256))
    except (AlteredFile, FileNotFoundError) as error:
        problem = f"is altered: {error}" if isinstance(error, AlteredFile) else "is gone"
        raise RawFileError(landed.source_file, landed.submission_id, problem=problem) from None


def _read_lines(read: ReadFile, text: LandedText) -> pa.Table:
    columns, judge = _Columns(), Judge(read.line)
    sample: list[bytes] = []
    try:
        with read.spool.open("wb") as spool:
            for chunk in text.chunks():
                spool.write(chunk)
                sample += chunk.split(b"\n", 1 if sample else _SAMPLE_LINES)[:-1]
                _look_at(read, judge, chunk, columns, text.too_long)
    except DamagedFile as damage:
        read.set_aside = str(damage)
    read.note = text.note
    read.drifted |= bool(unknown_keys(read.line, sample))
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
    """Return a line's text, without its end."""
    with read.spool.open("rb") as spool:
        spool.seek(start)
        return spool.read(size)


def set_aside_if_too_bad(read: ReadFile) -> bool:
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
        self.chunk_start = 0


def _look_at(
    read: ReadFile, judge: Judge, chunk: bytes, columns: _Columns, too_long: Collection[int]
) -> None:
    """Add the lines of a chunk, each with its end, to the columns."""
    end = 0
    while (start := end) < len(chunk):
        end = chunk.index(b"\n", start) + 1
        read.lines += 1
        if read.set_aside is not None:
            continue
        is_too_long = read.lines in too_long
        identifier = None if is_too_long else _identifier(read.line, chunk, start, end - 1)
        if identifier is None:
            line = chunk[start : end - 1]
            reason = (
                too_long_reason()
                if is_too_long
                else judge.no_answer_reason(line) or "no answer in this line"
            )
            read.verdicts.append(Verdict(read.lines, reason, stored_text(line), field=False))
            set_aside_if_too_bad(read)
            continue
        columns.numbers.append(read.lines)
        columns.identifiers.append(identifier)
        columns.starts.append(columns.chunk_start + start)
        columns.sizes.append(end - 1 - start)
    columns.chunk_start += len(chunk)


def _identifier(line: Line, chunk: bytes, start: int, end: int) -> str | None:
    """Return whom a line is about; None if it is certainly no answer."""
    if head := line.head.match(chunk, start, end):
        try:
            return head[1].decode()
        except UnicodeDecodeError:
            return None
    return line.identifier(chunk[start:end])
