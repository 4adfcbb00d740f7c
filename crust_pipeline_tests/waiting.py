"""Waiting for other processes: as long as something happens, however slow the machine is."""

import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 180.0


class NothingHappensError(AssertionError):
    """What is waited for has not come, and nothing has changed for long."""


def wait_for_progress(
    what: str,
    condition: Callable[[], bool],
    *,
    progress: Callable[[], object],
    patience_seconds: float = PATIENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until the condition holds.

    Args:
        what: is waited for, in the message.
        condition: asked again and again.
        progress: anything that is unequal to what it was before when something has happened.
        patience_seconds: how long nothing may happen.
        clock: the time in seconds.
        sleep: between two looks.

    Raises:
        NothingHappensError: nothing has happened for too long.
    """
    last, since = progress(), clock()
    while not condition():
        if (now := progress()) != last:
            last, since = now, clock()
        elif clock() - since >= patience_seconds:
            raise NothingHappensError(
                f"nothing has happened for {patience_seconds:.0f} s while waiting for {what}"
            )
        sleep(0.05)  # the processes work in their own time


def events_of_runs(home: Path) -> dict[str, int]:
    """The sizes of what Dagster's runs have written: they grow with every event of a run.

    Its other files are no sign of progress: an idle daemon writes its heartbeat too.
    """
    sizes: dict[str, int] = {}
    for path in (home / "history" / "runs").glob("*.db*"):
        try:
            sizes[path.name] = path.stat().st_size
        except FileNotFoundError:  # SQLite takes a journal away when it is done
            continue
    return sizes
