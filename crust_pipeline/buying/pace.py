"""Pace: when to ask about a job again, learned from this account's finished jobs. Pure.

Asking late leaves a slot empty, asking often costs requests. So a job is left alone until the
shortest of its kind were done, and from then on it is asked about at a fixed share of its age.
"""

from collections.abc import Sequence

# A slot stays empty for half of this share of a job's duration, on average.
SHARE_OF_AGE = 0.04
SOONEST_SECONDS = 1.0
# Before the shortest duration known: when the vendor becomes faster, that is seen and learned.
BEFORE_SHORTEST = 0.9
# How much of the requests that the vendor allows the polls of all jobs together may use.
SHARE_OF_RATE = 0.5


def seconds_to_next_poll(
    *,
    age_seconds: float,
    finished_seconds: Sequence[float],
    most_seconds: float,
    active: int,
    rate_per_minute: int | None,
) -> float:
    """Return how long to wait before a job is asked about again.

    Args:
        age_seconds: since the job was submitted.
        finished_seconds: how long finished jobs of its kind and size took; () when none has.
        most_seconds: the longest wait for a job that may have ended.
        active: jobs that are polled at the same time.
        rate_per_minute: requests that the vendor allows; None when it has not told.
    """
    wait = min(max(SOONEST_SECONDS, SHARE_OF_AGE * age_seconds), most_seconds)
    if finished_seconds:
        wait = max(wait, BEFORE_SHORTEST * min(finished_seconds) - age_seconds)
    if rate_per_minute:
        wait = max(wait, active * 60 / (SHARE_OF_RATE * rate_per_minute))
    return wait
