"""The base of our errors, and how one bad unit stops only itself.

Here is what every package needs to know of errors. Nothing in here imports from the package.
"""

import errno
import logging
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LOGGER = logging.getLogger(__name__)
# A full disk, a used-up quota, a limit of the size of files.
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class CrustError(Exception):
    """An error with a message for people: what is wrong, what to do, and nobody's data."""


# The system's own errors name a file or a host, and never a person.
FOR_PEOPLE = (CrustError, OSError)


class DiskFullError(CrustError, OSError):
    """There is no space left in a folder."""

    def __init__(self, folder: Path) -> None:
        """Name the folder."""
        super().__init__(
            f"No space is left in {folder}: the disk is full, or a quota or a limit of file sizes "
            "is reached. Nothing that was paid for is lost. Make room, then run the same command "
            "again: it goes on."
        )


@contextmanager
def full_disk_named(folder: Path) -> Generator[None]:
    """Write below a folder in here.

    Raises:
        DiskFullError: there is no space left in it.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise DiskFullError(folder) from error
        raise


@dataclass(frozen=True, slots=True)
class Unit:
    """One step with one batch, file, day or account, which can fail by itself."""

    step: str
    kind: str
    name: str

    def __str__(self) -> str:
        """Name it for people: `landing of batch 1f3a...`."""
        return f"{self.step} of {self.kind} {self.name}"


class UnitsFailedError(CrustError):
    """Units of a pass failed; everything else of it was done.

    Attributes:
        failed: what is wrong with each.
    """

    def __init__(self, failed: Mapping[Unit, str]) -> None:
        """Name every unit that failed, with its reason."""
        self.failed = dict(failed)
        told = "; ".join(f"{unit}: {reason}" for unit, reason in failed.items())
        super().__init__(f"Everything was done but for what failed: {told}")


def in_words(error: BaseException) -> str:
    """Say what an error is: its message if that is for people, else only its class.

    The text of any other error may repeat what was read: a profile URL, an e-mail address.
    """
    return (str(error) if isinstance(error, FOR_PEOPLE) else "") or type(error).__name__


class Failures:
    """The units that failed in a pass over batches, files, days or accounts.

    A pass does the work of each unit inside `unit`, so that the others go on when one fails.
    """

    def __init__(self) -> None:
        """Start with nothing failed."""
        self._failed: dict[Unit, str] = {}

    def __bool__(self) -> bool:
        """Tell whether anything failed."""
        return bool(self._failed)

    @property
    def in_words(self) -> tuple[str, ...]:
        """Each unit with what is wrong with it."""
        return tuple(f"{unit}: {reason}" for unit, reason in self._failed.items())

    def names(self, kind: str) -> frozenset[str]:
        """Return the names of the failed units of one kind."""
        return frozenset(unit.name for unit in self._failed if unit.kind == kind)

    @contextmanager
    def unit(
        self, step: str, kind: str, name: str, *, note: Callable[[str], object] | None = None
    ) -> Generator[None]:
        """Do one step of one unit in here: what it raises is logged and kept for the end.

        A step that is tried again and goes well has not failed.

        Args:
            step: what is done with it.
            kind: what it is: batch, file, day, account.
            name: which one.
            note: writes the reason to the unit. What that raises is raised: where nothing can be
                written, nothing can go on.
        """
        unit = Unit(step, kind, name)
        try:
            yield
        except UnitsFailedError as error:
            self._failed |= error.failed
        except Exception as error:
            # Where it arose and what it is, but not its text, which may hold somebody's data.
            where = "".join(traceback.format_tb(error.__traceback__))
            _LOGGER.error("%s failed: %s\n%s", unit, type(error).__name__, where)  # noqa: TRY400
            self._failed[unit] = in_words(error)
            if note is not None:
                note(in_words(error))
        else:
            self._failed.pop(unit, None)

    def raise_at_end(self) -> None:
        """Fail if a unit has failed.

        Raises:
            UnitsFailedError: it names all of them.
        """
        if self._failed:
            raise UnitsFailedError(self._failed)


@contextmanager
def one_pass(failures: Failures | None) -> Generator[Failures]:
    """Do a pass in here: with the caller's collection of failures, or with one of its own.

    Raises:
        UnitsFailedError: units failed, and the caller does not collect them.
    """
    if failures is not None:
        yield failures
        return
    own = Failures()
    yield own
    own.raise_at_end()
