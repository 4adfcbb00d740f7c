"""Landed files cut into pieces: every line whole, in order, and numbered as in the file."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crust_pipeline.tables.landed import DamagedFile, LandedText, lines_at


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "file.jsonl.gz"
    path.write_bytes(gzip.compress(content, mtime=0))
    return path


def _read(path: Path, folder: Path, piece_bytes: int) -> list[tuple[int, bytes]]:
    """Give numbered lines, as their pieces have them."""
    found: list[tuple[int, bytes]] = []
    for piece in LandedText(path).pieces(folder, piece_bytes):
        lines = piece.path.read_bytes().split(b"\n")
        assert lines.pop() == b""
        assert len(lines) == piece.lines
        assert max(map(len, lines)) <= piece.longest_bytes
        found += enumerate(lines, start=piece.first_line)
    return found


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.binary(max_size=50).map(lambda line: line.replace(b"\n", b" ")), min_size=1),
    piece_bytes=st.integers(1, 200),
    ended=st.booleans(),
)
def test_pieces_hold_every_line_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], piece_bytes: int, ended: bool
) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    content = b"\n".join(lines) + b"\n" * ended
    if not content or content.startswith(b"\xef\xbb\xbf"):
        return
    expected = content.removesuffix(b"\n").split(b"\n")

    assert _read(_file(folder, content), folder, piece_bytes) == list(enumerate(expected, start=1))
    assert list(LandedText(_file(folder, content)).lines()) == expected


def test_a_large_file_is_cut_at_line_ends(tmp_path: Path) -> None:
    lines = [b"%d" % number * 1000 for number in range(3000)]
    path = _file(tmp_path, b"\n".join(lines) + b"\n")

    pieces = list(LandedText(path).pieces(tmp_path, 1 << 20))

    assert len(pieces) > 5
    assert sum(piece.lines for piece in pieces) == 3000
    assert [piece.first_line for piece in pieces][:2] == [1, pieces[0].lines + 1]


def test_a_small_file_is_sampled_as_a_whole(tmp_path: Path) -> None:
    (piece,) = LandedText(_file(tmp_path, b"a\nb\nc\n")).pieces(tmp_path, 100)

    assert piece.sample == (b"a", b"b", b"c")


def test_lines_are_found_by_number(tmp_path: Path) -> None:
    assert lines_at(_file(tmp_path, b"a\nb\nc\n"), {1, 3}) == {1: b"a", 3: b"c"}


def test_a_check_sum_that_does_not_match_is_an_error_after_the_lines(tmp_path: Path) -> None:
    path = _file(tmp_path, b"a\nb\n")
    path.write_bytes(path.read_bytes()[:-8] + b"\0" * 8)

    with pytest.raises(DamagedFile, match="damaged"):
        list(LandedText(path).lines())
