"""Files and folders that their owner alone may read, whatever the umask: they are about people.

What is there already keeps its rights, which somebody may have chosen.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

OWNER_ONLY_UMASK = 0o077
_FOLDER, _FILE, _KEPT_FILE = 0o700, 0o600, 0o400


def make_private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing.

    Raises:
        OSError: it cannot be made.
    """
    if not path.is_dir():
        if path.parent != path:
            make_private_folder(path.parent)
        path.mkdir(mode=_FOLDER, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make an empty file, for a library that opens it by its name, unless it is there.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _FILE))


def open_private(path: Path) -> BinaryIO:
    """Open a file for writing, from its beginning.

    Raises:
        OSError: it cannot be opened.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE), "wb")


def close_to_others(path: Path) -> None:
    """Close a file that a library has just made."""
    path.chmod(_FILE)


def keep_for_good(path: Path) -> None:
    """Protect a file that is whole from changes by its owner too."""
    path.chmod(_KEPT_FILE)
