"""A lake with a few invented rows, and how to ask its marts."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from crust_pipeline.marts import create_marts
from crust_pipeline.tables.store.lake import Lake

DAY, NEXT_DAY = date(2026, 11, 2), date(2026, 11, 3)
NOW = datetime(2026, 11, 4, 12, tzinfo=UTC)
EARLY, LATE = datetime(2026, 11, 2, 9, tzinfo=UTC), datetime(2026, 11, 3, 9, tzinfo=UTC)

Rows = list[dict[str, Any]]


class Shop:
    """A lake to put rows into and to ask marts of."""

    def __init__(self, root: Path) -> None:
        self.lake = Lake(root, add_views=create_marts)

    def put(self, table: str, rows: Rows, *, day: date = DAY) -> None:
        self.lake.write_rows(table, day, rows, run_id="run", loaded_at=NOW)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with self.lake.connect() as con:
            return con.execute(query).fetchall()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "lake")


@pytest.fixture
def two_purchases(shop: Shop) -> Callable[[str, Rows, Rows], None]:
    """Puts rows of an earlier and of a later batch into a table."""

    def put(table: str, earlier: Rows, later: Rows) -> None:
        shop.put("batches", [{"submission_id": "early", "landed_at": EARLY}])
        shop.put("batches", [{"submission_id": "late", "landed_at": LATE}], day=NEXT_DAY)
        shop.put(table, [{"submission_id": "early", **row} for row in earlier])
        shop.put(table, [{"submission_id": "late", **row} for row in later], day=NEXT_DAY)

    return put
