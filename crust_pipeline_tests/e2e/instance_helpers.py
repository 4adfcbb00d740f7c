"""What tests of real processes share: waiting for something to come true, and who is alive."""

import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from crust_pipeline.local_dagster.instance import DagsterInstance
from crust_pipeline_tests.waiting import NothingHappensError, events_of_runs, wait_for_progress


def wait_for(
    what: str, condition: Callable[[], bool], *, instance: DagsterInstance, home: Path
) -> None:
    """Wait until the condition holds, as long as runs go on.

    Fails at once when a process of the instance, whose history is in `home`, has died.
    """

    def holds() -> bool:
        if condition():
            return True
        instance.check()
        return False

    wait_for_progress(what, holds, progress=lambda: events_of_runs(home))


def all_end(pids: set[int]) -> bool:
    """Whether these processes end: wait as long as one after another does."""

    def left() -> set[int]:
        return pids & living().keys()

    with suppress(NothingHappensError):
        wait_for_progress("ends", lambda: not left(), progress=left, patience_seconds=60)
    return not left()


def living() -> dict[int, int]:
    """Return the parent of every process that has not ended."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in listing.stdout.splitlines()]
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}


def family_of(pid: int) -> set[int]:
    """Return the processes that this one has started, and those that they have started."""
    parents = living()
    family = {pid}
    while more := {each for each, parent in parents.items() if parent in family} - family:
        family |= more
    return family - {pid}
