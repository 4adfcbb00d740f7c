"""A landed file: its text, inflated, checked, cut into lines; and what those lines answer.

isal inflates several times faster than DuckDB would, and checks the CRC, which DuckDB does not. A
file that is not gzip is read as it is: some programs inflate while downloading.
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


class DamagedFile(CrustError, ValueError):  # noqa: N818 - named for what it is
    """The file's check sum does not match: any of its lines may be damaged and still be JSON."""


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
    """

    def __init__(self, path: Path, *, sha256: str | None = None) -> None:
        """Take the file's path; nothing is read yet.

        Args:
            path: Where it is.
            sha256: What its SHA-256 must be; None: that is not known. It is taken of the very bytes
                that are inflated, and compared when the last of them has been read.
        """
        self.note: str | None = None
        self._path = path
        self._sha256 = sha256
        self._cut_off = False

    def lines(self) -> Iterator[bytes]:
        """Return the lines, without their ends. A line that is cut off is left out.

        Raises:
            AlteredFile: its SHA-256 is another one; nothing that was read may be used.
            DamagedFile: the check sum does not match, or what is compressed makes no sense.
        """
        for chunk in self.chunks():
            yield from chunk[:-1].split(b"\n")

    def chunks(self) -> Iterator[bytes]:
        """Return the text in chunks of some whole lines, each line with its end.

        Raises:
            AlteredFile: as for `lines`.
            DamagedFile: as for `lines`.
        """
        parts: list[bytes] = []
        for block in self._blocks():
            end = block.rfind(b"\n") + 1
            if end:
                yield b"".join([*parts, block[:end]])
                parts = [block[end:]]
            else:
                parts.append(block)
        rest = b"".join(parts)
        if rest and not self._cut_off:
            yield rest + b"\n"

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


def read_answers(path: Path, line: Line, *, sha256: str | None = None) -> FileAnswers:
    """Read what a landed file answers.

    Of a file that is cut off, the whole lines are read; of one whose check sum does not match,
    none.

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
