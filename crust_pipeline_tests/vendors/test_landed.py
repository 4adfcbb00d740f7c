"""The text of landed files: every line whole and in order."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crust_pipeline.vendors import landed
from crust_pipeline.vendors.catalog import line_of
from crust_pipeline.vendors.landed import DamagedFile, LandedText, read_answers


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "file.jsonl.gz"
    path.write_bytes(gzip.compress(content, mtime=0))
    return path


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.binary(max_size=50).map(lambda line: line.replace(b"\n", b" ")), min_size=1),
    block_bytes=st.integers(1, 200),
    ended=st.booleans(),
)
def test_chunks_hold_every_line_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], block_bytes: int, ended: bool
) -> None:
    content = b"\n".join(lines) + b"\n" * ended
    if not content or content.startswith(b"\xef\xbb\xbf"):
        return
    expected = content.removesuffix(b"\n").split(b"\n")
    path = _file(tmp_path_factory.mktemp("landed"), content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crust_pipeline.vendors.landed._BLOCK_BYTES", block_bytes)
        chunks = list(LandedText(path).chunks())

    assert all(chunk.endswith(b"\n") for chunk in chunks)
    assert b"".join(chunks)[:-1].split(b"\n") == expected
    assert list(LandedText(path).lines()) == expected


def test_a_large_file_comes_in_chunks(tmp_path: Path) -> None:
    lines = [b"%d" % number * 1000 for number in range(3000)]

    chunks = list(LandedText(_file(tmp_path, b"\n".join(lines) + b"\n")).chunks())

    assert len(chunks) > 5
    assert max(map(len, chunks)) < 2 << 20


def test_a_check_sum_that_does_not_match_is_an_error_after_the_lines(tmp_path: Path) -> None:
    path = _file(tmp_path, b"a\nb\n")
    path.write_bytes(path.read_bytes()[:-8] + b"\0" * 8)

    with pytest.raises(DamagedFile, match="damaged"):
        list(LandedText(path).lines())


@pytest.mark.parametrize("size", [2000, 5000, 1_500_000])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_of_a_line_that_is_too_long_only_the_beginning_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, end: bytes
) -> None:
    monkeypatch.setattr(landed, "MOST_LINE_BYTES", 1000)
    monkeypatch.setattr(landed, "_STORED_BYTES", 10)
    monkeypatch.setattr(landed, "_BLOCK_BYTES", 700)
    text = LandedText(_file(tmp_path, b"a\nb\n" + b"x" * size + b"\nc\n" + b"y" * size + end))

    assert list(text.lines()) == [b"a", b"b", b"x" * 10, b"c", b"y" * 10]
    assert text.too_long == {3, 5}


def test_a_line_as_long_as_may_be_is_given_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landed, "MOST_LINE_BYTES", 1000)
    monkeypatch.setattr(landed, "_BLOCK_BYTES", 700)
    text = LandedText(_file(tmp_path, b"x" * 999 + b"\nc\n"))

    assert list(text.lines()) == [b"x" * 999, b"c"]
    assert text.too_long == set()


def test_a_text_out_of_all_proportion_is_a_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landed, "_FREE_TEXT_BYTES", 1 << 20)
    path = _file(tmp_path, (b" " * 9999 + b"\n") * 2000)

    with pytest.raises(DamagedFile, match="bomb"):
        list(LandedText(path).chunks())


def test_a_file_of_more_lines_than_any_batch_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landed, "MOST_LINES", 1000)
    read = read_answers(_file(tmp_path, b"\n" * 5000), line_of("enrich"))

    assert read.unreadable == ((0, None),)


def test_whose_line_was_too_long_is_read_off_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landed, "MOST_LINE_BYTES", 1000)
    monkeypatch.setattr(landed, "_BLOCK_BYTES", 700)
    bomb = b'{"original_identifier": "x", "data": {"a": "' + b"b" * 2000 + b'"}}\n'
    good = b'{"original_identifier": "y", "data": {"basic_profile": {"name": "Y"}}}\n'

    read = read_answers(_file(tmp_path, bomb + good), line_of("enrich"))

    assert read.unreadable == ((1, "x"),)
    assert [answer.identifier for answer in read.answers] == ["y"]


@pytest.mark.parametrize("depth", [900, 100_000])
@pytest.mark.parametrize("place", ["basic_profile", "skills"])
def test_a_line_nested_too_deeply_hides_no_other(tmp_path: Path, depth: int, place: str) -> None:
    deep = "[" * depth + "]" * depth
    bad = f'{{"original_identifier": "x", "data": {{"{place}": {{"name": {deep}}}}}}}\n'
    good = '{"original_identifier": "y", "data": {"basic_profile": {"name": "Y"}}}\n'

    read = read_answers(_file(tmp_path, (bad + good).encode()), line_of("enrich"))

    assert "y" in [answer.identifier for answer in read.answers]
