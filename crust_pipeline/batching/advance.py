"""Advance: the one step that may spend and may take long. Slots first, then files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crust_pipeline.batching.dispatch import Dispatched, fill_slots
from crust_pipeline.batching.engine import Engine
from crust_pipeline.batching.land import Landed, land_files
from crust_pipeline.batching.monitor import Polled, poll_jobs


@dataclass(frozen=True, slots=True)
class Advanced:
    """What an advance came to."""

    dispatched: Dispatched
    landed: Landed


def advance(
    engine: Engine, *, run_id: str | None = None, may_go_on: Callable[[], bool] = lambda: True
) -> Advanced:
    """Fill the free slots, land every completed file; again while jobs have ended meanwhile."""
    done = Advanced(Dispatched(), Landed())
    while True:
        done.dispatched.add(fill_slots(engine, run_id=run_id))
        done.landed.add(land_files(engine, may_go_on=may_go_on))
        if not may_go_on() or not _has_news(poll_jobs(engine, may_go_on=may_go_on)):
            return done


def advance_all(engines: Sequence[Engine], *, run_id: str | None = None) -> Advanced:
    """Advance with every account; paused is said of the last one that is."""
    done = Advanced(Dispatched(), Landed())
    for engine in engines:
        one = advance(engine, run_id=run_id)
        done.dispatched.add(one.dispatched)
        done.landed.add(one.landed)
    return done


def _has_news(polled: Polled) -> bool:
    return bool(polled.completed or polled.failed)
