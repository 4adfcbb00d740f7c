"""Reading a landed file: inflate, check, cut at line ends. What the lines mean is not known here.

isal inflates several times faster than DuckDB would, and checks the CRC, which DuckDB does not. A
file that is not gzip is read as it is: some programs inflate while downloading.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

from isal import isal_zlib

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_SIZE_BYTES: Final = 4
_BOM: Final = b"\xef\xbb\xbf"
_READ_BYTES: Final = 1 << 16
# What is read may be a thousand times as much when inflated.
_BLOCK_BYTES: Final = 1 << 20
# isal's stubs leave out most types.
_ISAL_ERROR: Final = cast("type[Exception]", isal_zlib.error)
# Nobody needs 50 MB of a bad line to see why it is bad; the rest is still in the landed file.
_STORED_BYTES: Final = 1 << 20


class DamagedFile(ValueError):  # noqa: N818 - named for what it is
    """The file's check sum does not match: any of its lines may be damaged and still be JSON."""


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


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive whole lines of a landed file, inflated, in a file of their own.

    Args:
        path: That file.
        first_line: The number, counted from 1, that its first line has in the landed file.
        lines: How many it holds.
        longest_bytes: No line is longer than this.
        sample: A few of its lines.
    """

    path: Path
    first_line: int
    lines: int
    longest_bytes: int
    sample: tuple[bytes, ...]


class LandedText:
    """The text of a landed file.

    Attributes:
        note: None, or what is wrong with the end of a file whose lines are good. Known at the end.
    """

    def __init__(self, path: Path) -> None:
        """Take the file's path; nothing is read yet."""
        self.note: str | None = None
        self._path = path
        self._cut_off = False

    def size(self) -> int:
        """Give how many bytes of text the file says it has; below 4 GB, if it says the truth."""
        with self._path.open("rb") as file:
            packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            end = file.seek(0, os.SEEK_END)
            if not packed or end < _GZIP_SIZE_BYTES:
                return end
            file.seek(-_GZIP_SIZE_BYTES, os.SEEK_END)
            return int.from_bytes(file.read(_GZIP_SIZE_BYTES), "little")

    def lines(self) -> Iterator[bytes]:
        """Give the lines, without their ends. A line that is cut off is left out.

        Raises:
            DamagedFile: the check sum does not match, or what is compressed makes no sense.
        """
        for chunk in self._chunks():
            yield from chunk[:-1].split(b"\n")

    def pieces(self, folder: Path, piece_bytes: int) -> Iterator[Piece]:
        """Write the lines into files of about `piece_bytes` in `folder`.

        Raises:
            DamagedFile: as for `lines`.
        """
        chunks = self._chunks()
        chunk = next(chunks, None)
        first_line, number = 1, 0
        while chunk is not None:
            path = folder / f"{number}.jsonl"
            lines = written = longest = 0
            sample: list[bytes] = []
            with path.open("wb") as file:
                while chunk is not None and (not written or written + len(chunk) <= piece_bytes):
                    file.write(chunk)
                    lines += chunk.count(b"\n")
                    written += len(chunk)
                    longest = max(longest, len(chunk))
                    # The first of a file in full, so that a small file is sampled as a whole.
                    many = 100 if first_line == 1 and not sample else 1
                    sample += chunk[:-1].split(b"\n", many)[:many]
                    chunk = next(chunks, None)
            yield Piece(path, first_line, lines, longest, tuple(sample))
            first_line, number = first_line + lines, number + 1

    def _chunks(self) -> Iterator[bytes]:
        """Give the text in chunks of whole lines, each ending in a line end."""
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
            start = file.read(len(_GZIP_MAGIC))
            file.seek(0)
            raw = iter(lambda: file.read(_READ_BYTES), b"")
            blocks = self._inflated(raw) if start == _GZIP_MAGIC else raw
            yield next(blocks, b"").removeprefix(_BOM)
            yield from blocks

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
    """Give the content of a bad line as text that any table can hold."""
    text = content[:_STORED_BYTES].decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")
    cut = len(content) - _STORED_BYTES
    return text if cut <= 0 else f"{text}… ({cut} more bytes are in the landed file)"


def lines_at(path: Path, numbers: set[int]) -> dict[int, bytes]:
    """Give some lines of a landed file by number, counted from 1."""
    return {
        number: line
        for number, line in enumerate(LandedText(path).lines(), start=1)
        if number in numbers
    }
