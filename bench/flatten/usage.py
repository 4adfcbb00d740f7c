"""What a process used, for contenders that know nothing of this project."""

import os
import resource
import sys


def peak_mb() -> float:
    """Give the most memory that this process, or the largest of its children, has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    most = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return most * unit / 1e6


def cpu_seconds() -> float:
    """Give the processor time so far of this process and its children."""
    times = os.times()
    return sum(times[:4])
