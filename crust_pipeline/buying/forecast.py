"""Forecast: when each day's last job will have ended, if jobs take as long as before. Pure."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from statistics import median

from crust_pipeline.ledger.queue import Queued
from crust_pipeline.ledger.states import BatchState

OperationDay = tuple[str, date]


@dataclass(frozen=True, slots=True)
class DaysDone:
    """Days next to each other that are done at the same time; None: nothing to go by yet."""

    operation: str
    start: date
    end: date
    at: datetime | None


def day_ends(
    queue: Sequence[Queued],
    *,
    finished_seconds: Callable[[str, int], Sequence[float]],
    slots: int,
    now: datetime,
) -> dict[OperationDay, datetime | None]:
    """Return when the last job of each day ends; None while nobody can tell.

    Args:
        queue: batches that hold a slot, then planned ones in their order.
        finished_seconds: (product, identifiers) -> how long such jobs took.
        slots: the vendor's jobs at a time.
        now: the present time.
    """
    ends: dict[OperationDay, datetime | None] = {}
    free = [now] * slots
    for batch in queue:
        end = _end(batch, free, finished_seconds(batch.product, batch.identifier_count), now=now)
        for day in batch.days:
            known = ends.get(day, now)
            ends[day] = None if end is None or known is None else max(known, end)
    return ends


def _end(
    batch: Queued, free: list[datetime], took: Sequence[float], *, now: datetime
) -> datetime | None:
    """Return when a batch ends; takes its slot until then."""
    if not batch.takes_slot:
        return now
    slot = heapq.heappop(free) if free else None
    if slot is None or batch.state is BatchState.UNKNOWN or not took:
        # A slot of which nobody knows when it is free is not counted on.
        if slot is not None and batch.state is BatchState.PLANNED:
            heapq.heappush(free, slot)
        return None
    start = batch.submitted_at if batch.state is not BatchState.PLANNED else None
    end = max((start or slot) + timedelta(seconds=median(took)), now)
    heapq.heappush(free, end)
    return end


def in_ranges(ends: Mapping[OperationDay, datetime | None]) -> Iterator[DaysDone]:
    """Yield the same, with neighbouring days that are done together as one range."""

    def stretch(item: tuple[int, OperationDay]) -> tuple[str, int, datetime | None]:
        number, (operation, day) = item
        return operation, day.toordinal() - number, ends[operation, day]

    for (operation, _, at), group in groupby(enumerate(sorted(ends)), key=stretch):
        days = [day for _, (_, day) in group]
        yield DaysDone(operation, days[0], days[-1], at)
