"""The text of landed files: every line whole and in order."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crust_pipeline.vendors import landed
from crust_pipeline.vendors.crustdata.lines import PROFILE
from crust_pipeline.vendors.landed import DamagedFile, LandedText, read_answers
from crust_pipeline.vendors.lines import NoAnswerError


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


def _answer(slug: str, headline: str = "Engineer") -> bytes:
    url = f"https://www.linkedin.com/in/{slug}"
    data = f'{{"basic_profile": {{"headline": "{headline}"}}}}'
    return f'{{"original_identifier": "{url}", "data": {data}}}'.encode()


def test_a_line_that_is_too_long_is_read_past_and_the_others_come_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landed, "MOST_LINE_BYTES", 1000)
    monkeypatch.setattr(landed, "_STORED_BYTES", 200)
    monkeypatch.setattr(landed, "_BLOCK_BYTES", 64)
    lines = [_answer("first"), _answer("endless", " " * 100_000), _answer("last")]
    text = LandedText(_file(tmp_path, b"\n".join(lines) + b"\n"))
    first, cut, last = text.lines()
    assert (first, cut, last) == (lines[0], lines[1][:200], lines[2])
    assert text.too_long == {2}


def test_the_person_of_a_line_that_is_too_long_is_told_and_the_others_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landed, "MOST_LINE_BYTES", 1000)
    monkeypatch.setattr(landed, "_BLOCK_BYTES", 64)
    lines = [_answer("first"), _answer("endless", " " * 100_000), _answer("last")]
    found = read_answers(_file(tmp_path, b"\n".join(lines) + b"\n"), PROFILE)
    assert [answer.source_line for answer in found.answers] == [1, 3]
    assert found.unreadable == ((2, "https://www.linkedin.com/in/endless"),)


def test_a_text_out_of_all_proportion_to_its_file_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landed, "_FREE_TEXT_BYTES", 1000)
    lines = b"\n".join([_answer("same")] * 50_000)
    with pytest.raises(DamagedFile, match="it is a bomb: its text is more than 200 times its size"):
        list(LandedText(_file(tmp_path, lines)).lines())


def test_a_line_nested_too_deeply_is_no_answer() -> None:
    deep = b'{"original_identifier": "x", "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(NoAnswerError, match="nested too deeply"):
        PROFILE.read(deep)
