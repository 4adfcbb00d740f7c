"""Advance: the one step that may spend and may take long. Slots first, then files."""

from collections.abc import Callable
from dataclasses import dataclass

from crust_pipeline.batching.dispatch import Dispatched, fill_slots
from crust_pipeline.batching.engine import Engine
from crust_pipeline.batching.land import Landed, land_files


@dataclass(frozen=True, slots=True)
class Advanced:
    """What an advance came to."""

    dispatched: Dispatched
    landed: Landed


def advance(
    engine: Engine, *, run_id: str | None = None, may_go_on: Callable[[], bool] = lambda: True
) -> Advanced:
    """Fill the free slots, then land every completed file."""
    dispatched = fill_slots(engine, run_id=run_id)
    return Advanced(dispatched, land_files(engine, may_go_on=may_go_on))
