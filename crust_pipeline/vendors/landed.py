"""A landed file: its text, inflated, checked, cut into lines; and what those lines answer.

isal inflates several times faster than DuckDB would, and checks the CRC, which DuckDB does not. A
file that is not gzip is read as it is: some programs inflate while downloading.

A file of a few megabytes can hold a line, or lines, of many gigabytes. So a line that is too long
is cut short and the rest of it read past, and a text out of all proportion makes the file damaged.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, Protocol, cast

from isal import isal_zlib

from crust_pipeline.errors import CrustError
from crust_pipeline.vendors.lines import Line, LineAnswer, NoAnswerError

_GZIP_MAGIC: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_READ_BYTES: Final = 1 << 16
# What is read may be a thousand times as much when inflated.
_BLOCK_BYTES: Final = 1 << 20
# isal's stubs leave out most types.
_ISAL_ERROR: Final = cast("type[Exception]", isal_zlib.error)
# Nobody needs 50 MB of a bad line to see why it is bad; the rest is still in the landed file.
_STORED_BYTES: Final = 1 << 20
# A thousand times what a usual record takes; lines are held in memory whole, several times.
MOST_LINE_BYTES: Final = 64 << 20
# A batch has at most 10,000 people, so a file of more lines is not the answer to one.
MOST_LINES: Final = 1_000_000
# JSON lines shrink to a tenth, alike ones to a fiftieth; gzip can do a thousandth.
MOST_INFLATION: Final = 200
# Small files are not suspected: this much text does no harm.
_FREE_TEXT_BYTES: Final = 256 << 20
# What is read past is not held, but takes a second for each gigabyte.
_MOST_INFLATED_BYTES: Final = 64 << 30


class DamagedFile(CrustError, ValueError):  # noqa: N818 - named for what it is
    """The text cannot be used: its check sum does not match, or it is out of all proportion.

    Of a text whose check sum does not match, any line may be damaged and still be JSON.
    """


class AlteredFile(CrustError, ValueError):  # noqa: N818 - named for what it is
    """The file is not the one that landed."""

    def __init__(self) -> None:
        """Say how that shows."""
        super().__init__("its SHA-256 is not the one that the ledger noted when it landed")


@dataclass(frozen=True, slots=True)
class FileAnswers:
    """What a file answers, as settling needs it.

    Args:
        lines: Lines in the file.
        answers: What those say that can be read.
        unreadable: The others, each with whom it is about if that much is whole; line 0 is the file
            as a whole.
    """

    lines: int
    answers: tuple[LineAnswer, ...]
    unreadable: tuple[tuple[int, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line, or one field of a line, that cannot be used.

    Args:
        source_file: The file it stands in.
        source_line: Its line, counted from 1; 0 for the file as a whole.
        reason: Why it cannot be used, without its content.
        line: The content as text.
    """

    source_file: str
    source_line: int
    reason: str
    line: str


class LandedText:
    """The text of a landed file.

    Attributes:
        note: None, or what is wrong with the end of a file whose lines are good. Known at the end.
        too_long: the lines, counted from 1, of which only the beginning is given. A line is in here
            before it is given.
    """

    def __init__(self, path: Path, *, sha256: str | None = None) -> None:
        """Take the file's path; nothing is read yet.

        Args:
            path: Where it is.
            sha256: What its SHA-256 must be; None: that is not known. It is taken of the very bytes
                that are inflated, and compared when the last of them has been read.
        """
        self.note: str | None = None
        self.too_long: set[int] = set()
        self._path = path
        self._sha256 = sha256
        self._cut_off = False

    def lines(self) -> Iterator[bytes]:
        """Return the lines, without their ends. A line that is cut off is left out.

        Raises:
            AlteredFile: its SHA-256 is another one; nothing that was read may be used.
            DamagedFile: the text cannot be used.
        """
        for chunk in self.chunks():
            yield from chunk[:-1].split(b"\n")

    def chunks(self) -> Iterator[bytes]:
        """Return the text in chunks of some whole lines, each line with its end.

        Raises:
            AlteredFile: as for `lines`.
            DamagedFile: as for `lines`.
        """
        most_bytes = max(_FREE_TEXT_BYTES, MOST_INFLATION * self._path.stat().st_size)
        lines = given_bytes = 0
        begun = _BegunLine()
        for block in self._blocks():
            end = block.rfind(b"\n") + 1
            if not end:
                begun.add(block)
                continue
            first = block.index(b"\n") + 1
            begun.add(block[:first])
            if begun.is_too_long:
                self.too_long.add(lines + 1)
            chunk = begun.taken() + block[first:end]
            begun.add(block[end:])
            lines += chunk.count(b"\n")
            given_bytes += len(chunk)
            if lines > MOST_LINES:
                raise DamagedFile(f"it has more than {MOST_LINES:,} lines")
            if given_bytes > most_bytes:
                raise DamagedFile(
                    f"it is a bomb: its text is more than {MOST_INFLATION} times its size"
                )
            yield chunk
        if begun.size and not self._cut_off:
            begun.add(b"\n")
            if begun.is_too_long:
                self.too_long.add(lines + 1)
            yield begun.taken()

    def _blocks(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            hashed = _Hashed(file)
            first = next(hashed, b"")
            raw = chain([first], hashed)
            blocks = self._inflated(raw) if first.startswith(_GZIP_MAGIC) else raw
            try:
                yield next(blocks, b"").removeprefix(_BOM)
                yield from blocks
            except DamagedFile:
                self._compare(hashed)
                raise
            self._compare(hashed)

    def _compare(self, hashed: "_Hashed") -> None:
        if self._sha256 is not None and hashed.sha256() != self._sha256:
            raise AlteredFile

    def _inflated(self, raw: Iterator[bytes]) -> Iterator[bytes]:
        inflated_bytes = 0
        for block in self._members(raw):
            inflated_bytes += len(block)
            if inflated_bytes > _MOST_INFLATED_BYTES:
                raise DamagedFile(f"it is a bomb: it inflates to more than {_MOST_INFLATED_BYTES}")
            yield block

    def _members(self, raw: Iterator[bytes]) -> Iterator[bytes]:
        inflater = _inflater()
        for chunk in raw:
            rest = chunk
            while rest:
                if inflater.eof:
                    if not rest.startswith(_GZIP_MAGIC):
                        if rest.strip(b"\0"):
                            self.note = "bytes follow the end of the compressed data"
                        return
                    inflater = _inflater()
                yield _inflate(inflater, rest)
                rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        while not inflater.eof:
            block = _inflate(inflater, b"")
            if not block:
                self._cut_off = True
                self.note = "the file is cut off: what follows its last whole line is missing"
                return
            yield block


class _BegunLine:
    """The beginning of a line that has not ended: held whole, until it is too long."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    @property
    def is_too_long(self) -> bool:
        """Tell whether only its beginning is held."""
        return self.size > MOST_LINE_BYTES

    def add(self, part: bytes) -> None:
        """Add what follows; the line's end comes last."""
        was_too_long = self.is_too_long
        self.size += len(part)
        if not self.is_too_long:
            self._parts.append(part)
        elif not was_too_long:
            self._parts = [b"".join([*self._parts, part])[:_STORED_BYTES]]

    def taken(self) -> bytes:
        """Return what is held, with the line's end, and begin anew."""
        held = b"".join(self._parts)
        if self.is_too_long:
            held += b"\n"
        self._parts, self.size = [], 0
        return held


def too_long_reason() -> str:
    """Return why a line that is too long is not used."""
    return f"longer than {MOST_LINE_BYTES >> 20} MB; only its beginning was looked at"


def read_answers(path: Path, line: Line, *, sha256: str | None = None) -> FileAnswers:
    """Read what a landed file answers.

    Of a file that is cut off, the whole lines are read; of one that is damaged, none.

    Args:
        path: Where the file is.
        line: How its lines are read.
        sha256: What its SHA-256 must be; None: that is not known.

    Raises:
        AlteredFile: it is another one.
    """
    text, number = LandedText(path, sha256=sha256), 0
    answers: list[LineAnswer] = []
    unreadable: list[tuple[int, str | None]] = []
    try:
        for number, content in enumerate(text.lines(), start=1):
            if number in text.too_long:
                unreadable.append((number, line.identifier_in(content)))
                continue
            try:
                answers.append(line.read(content, source_line=number))
            except NoAnswerError:
                unreadable.append((number, line.identifier_in(content)))
    except DamagedFile:
        answers, unreadable = [], [(0, None)]
    if text.note:
        unreadable.append((0, None))
    return FileAnswers(number, tuple(answers), tuple(unreadable))


class _Hashed(Iterator[bytes]):
    """The bytes of a file, piece by piece, and their SHA-256."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def __next__(self) -> bytes:
        if not (piece := self._file.read(_READ_BYTES)):
            raise StopIteration
        self._digest.update(piece)
        return piece

    def sha256(self) -> str:
        """Return the SHA-256 of the whole file; what was not read yet is read for it."""
        for _ in self:
            pass
        return self._digest.hexdigest()


class _Inflater(Protocol):
    eof: bool
    unused_data: bytes
    unconsumed_tail: bytes

    def decompress(self, data: bytes, /, max_length: int) -> bytes: ...


def _inflater() -> _Inflater:
    # 31: the data has gzip's header and trailer, which are checked.
    return cast("Any", isal_zlib).decompressobj(wbits=31)


def _inflate(inflater: _Inflater, data: bytes) -> bytes:
    try:
        return inflater.decompress(data, max_length=_BLOCK_BYTES)
    except _ISAL_ERROR as error:
        raise DamagedFile(f"the compressed data is damaged: {error}") from None


def stored_text(content: bytes) -> str:
    """Return the content of a bad line as text that any table can hold."""
    text = content[:_STORED_BYTES].decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")
    cut = len(content) - _STORED_BYTES
    return text if cut <= 0 else f"{text}… ({cut} more bytes are in the landed file)"
