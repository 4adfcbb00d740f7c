"""Invented people as input: days, and files of them."""

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

DAYS = [date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)]


def write_people(
    path: Path,
    rows: Iterable[Sequence[object]],
    *,
    columns: Sequence[str] = ("added_on", "profile_url"),
) -> None:
    """Write an upstream table as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
