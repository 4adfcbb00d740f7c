"""Reading files that are replaced meanwhile."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from crust_pipeline.tables.store.replaced import ReplacedError, retry_replaced, unreplaced


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("old")
    return path


def _replace(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def test_what_was_read_of_a_file_that_stayed_is_given(file: Path) -> None:
    def read() -> str:
        with unreplaced([file]):
            return file.read_text()

    assert retry_replaced(read, sleep=_never) == "old"


def test_what_was_read_of_a_file_that_was_replaced_is_read_again(file: Path) -> None:
    def read() -> str:
        with unreplaced([file]):
            text = file.read_text()
            if text == "old":
                _replace(file, "new")
            return text

    assert retry_replaced(read, sleep=_no_time) == "new"


def test_an_error_of_a_file_that_was_replaced_is_forgotten(file: Path) -> None:
    def read() -> str:
        with unreplaced([file]):
            if file.read_text() == "old":
                _replace(file, "new")
                raise ValueError("no such codec")
            return file.read_text()

    assert retry_replaced(read, sleep=_no_time) == "new"


def test_a_file_that_is_replaced_each_time_is_an_error_that_names_it(file: Path) -> None:
    pauses: list[float] = []

    def read() -> None:
        with unreplaced([file]):
            _replace(file, file.read_text() + "r")

    with pytest.raises(ReplacedError, match=f"{file} was replaced each time"):
        retry_replaced(read, sleep=pauses.append)

    assert 5 < sum(pauses) < 10


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (lambda: duckdb.execute("SELEC"), duckdb.ParserException),
        (lambda: duckdb.execute("FROM nobody"), duckdb.CatalogException),
    ],
)
def test_what_is_wrong_with_a_question_is_told_at_once(
    file: Path, error: Callable[[], object], kind: type[Exception]
) -> None:
    def read() -> None:
        with unreplaced([file]):
            error()

    with pytest.raises(kind):
        retry_replaced(read, sleep=_never)


@pytest.mark.parametrize("error", [KeyboardInterrupt, duckdb.InterruptException])
def test_who_interrupts_is_not_made_to_wait(file: Path, error: type[BaseException]) -> None:
    def read() -> None:
        with unreplaced([file]):
            _replace(file, "new")
            raise error("interrupted")

    with pytest.raises(error):
        retry_replaced(read, sleep=_never)


def test_a_long_address_is_no_file_and_no_error() -> None:
    with unreplaced([Path("https://example.com/people.parquet?signature=" + "x" * 300)]):
        pass


def test_a_file_that_comes_meanwhile_is_no_replacement(file: Path) -> None:
    other = file.with_name("other")

    def read() -> str:
        with unreplaced([file, other]):
            other.write_text("of another day")
            return file.read_text()

    assert retry_replaced(read, sleep=_never) == "old"


def _never(_seconds: float) -> None:
    raise AssertionError("there was no reason to wait")


def _no_time(_seconds: float) -> None:
    """Do not wait."""
