"""Reading files that somebody may replace meanwhile.

DuckDB 2.0 opens a Parquet file anew between its footer and its rows. When another file was renamed
into its place meanwhile, the one's footer meets the other's rows: mostly an error, in many words,
but sometimes a value too many and no word at all. So whatever was read, or went wrong, counts only
if the files are still the same afterwards; else they are read again.
"""

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from crust_pipeline.errors import CrustError

# A run over many days replaces their files one after the other, within a few seconds.
_PAUSES_SECONDS: Final = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

_T = TypeVar("_T")


class ReplacedError(CrustError, RuntimeError):
    """A file was replaced while it was read."""


@contextmanager
def unreplaced(paths: Iterable[Path]) -> Generator[None]:
    """Read files in here.

    Raises:
        ReplacedError: one of them was replaced meanwhile, and what was read must not be used.
    """
    import duckdb

    stamps = {path: known for path in paths if (known := stamp(path))}
    try:
        yield
    except duckdb.InterruptException:
        raise
    except Exception:
        _check(stamps)
        raise
    _check(stamps)


def retry_replaced(read: Callable[[], _T], *, sleep: Callable[[float], None] = time.sleep) -> _T:
    """Return what `read` gives, which reads again when files were replaced while it read them.

    Args:
        read: Reads; raises `ReplacedError` when it must be called again.
        sleep: Waits for seconds; for tests.

    Raises:
        ReplacedError: files were replaced each time.
    """
    for pause in _PAUSES_SECONDS:
        try:
            return read()
        except ReplacedError:
            sleep(pause)
    return read()


def stamp(path: Path) -> str | None:
    """Return what changes when a file is replaced; None for what is no file here, such as a URL."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"


def _check(stamps: Mapping[Path, str]) -> None:
    for path, known in stamps.items():
        if stamp(path) != known:
            raise ReplacedError(
                f"{path} was replaced each time that it was read. "
                "Ask again when nothing writes it any more."
            )
