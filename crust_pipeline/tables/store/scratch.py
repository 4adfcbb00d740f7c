"""Scratch folders: for what a step needs on disk only while it runs.

They lie below the data folder, so that its encryption and its quota hold for them too. Each holds a
lock as long as its process lives; one that does not was left by a process that was killed, and the
next step that needs a scratch folder removes it.
"""

import fcntl
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Final

from crust_pipeline.errors import full_disk_named
from crust_pipeline.private_files import make_private_folder, open_private

_LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True)
class ScratchUsage:
    """What scratch folders take.

    Args:
        folders: How many there are.
        abandoned: How many of them belong to processes that are gone.
        size_bytes: The bytes of all files in them.
    """

    folders: int
    abandoned: int
    size_bytes: int


class Scratch:
    """The folder below which scratch folders are made."""

    def __init__(self, root: Path) -> None:
        """Take the folder; it is made when something is written."""
        self.root = root

    @contextmanager
    def folder(self, purpose: str) -> Generator[Path]:
        """Give a new scratch folder, which is removed at the end.

        Args:
            purpose: Begins its name.

        Raises:
            DiskFullError: there is no space left for what was written into it.
        """
        with full_disk_named(self.root), ExitStack() as at_end:
            make_private_folder(self.root)
            with self._alone():
                self._remove_abandoned()
                path = Path(mkdtemp(prefix=f"{purpose}-", dir=self.root))
                at_end.callback(rmtree, path, ignore_errors=True)
                lock = at_end.enter_context(open_private(path / _LOCK))
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield path

    @contextmanager
    def spill(self) -> Generator[str]:
        """Give DuckDB a folder for what does not fit into memory; "", which is none, if it cannot.

        A folder that may only be read, or is full, must not keep anybody from reading.
        """
        with ExitStack() as at_end:
            try:
                path = at_end.enter_context(self.folder("duckdb"))
            except OSError:
                path = ""
            yield str(path)

    def remove_abandoned(self) -> None:
        """Remove the folders of processes that are gone."""
        if self.root.is_dir():
            with self._alone():
                self._remove_abandoned()

    def usage(self) -> ScratchUsage:
        """Count the folders and what they take."""
        folders = list(self._folders())
        files = (path for folder in folders for path in folder.rglob("*"))
        return ScratchUsage(
            folders=len(folders),
            abandoned=sum(map(_is_abandoned, folders)),
            size_bytes=sum(map(_size_bytes, files)),
        )

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Keep others from removing a folder before its lock is held."""
        with open_private(self.root / _LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _remove_abandoned(self) -> None:
        for folder in self._folders():
            if _is_abandoned(folder):
                rmtree(folder, ignore_errors=True)

    def _folders(self) -> Iterator[Path]:
        if self.root.is_dir():
            yield from (path for path in self.root.iterdir() if path.is_dir())


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        # Killed before it had a lock, or just removed by its own process.
        return folder.exists()
    return True


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:  # removed meanwhile
        return 0
