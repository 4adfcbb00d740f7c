"""What tests of real processes share: waiting for something to come true, and who is alive."""

import subprocess
import time
from collections.abc import Callable

from crust_pipeline.local_dagster.instance import DagsterInstance


def wait_for(
    what: str,
    condition: Callable[[], bool],
    *,
    instance: DagsterInstance,
    timeout_seconds: float = 60,
) -> None:
    """Wait until the condition holds; fail at once when a process of the instance has died."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        instance.check()
        assert time.monotonic() < deadline, f"still waiting after {timeout_seconds} s: {what}"
        time.sleep(0.05)  # the processes work in their own time


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
