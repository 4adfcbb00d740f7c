"""Buys people data through vendors' batch APIs, never twice, and lands it as tables, in Dagster."""

import os
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read"]

# Arrow reads this when it is first imported. Its own pool keeps what it once held: 60 MB more at
# the peak of flattening, for no gain in time.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def read(table: str, start: date | str, end: date | str) -> "pd.DataFrame":
    """Return a table's rows of some days, for notebooks: from the lake, in Arrow-backed types.

    Args:
        table: Its name, such as `people`.
        start: The first day, a date or YYYY-MM-DD.
        end: The last day, included.

    Raises:
        KeyError: there is no such table.
    """
    from crust_pipeline.settings import Settings
    from crust_pipeline.tables.store.lake import Lake

    first, last = (date.fromisoformat(day) if isinstance(day, str) else day for day in (start, end))
    return Lake(Settings.from_env().lake).read(table, first, last)
