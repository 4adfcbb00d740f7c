"""What the command line shows: progress while people wait, tables to read, JSON for scripts."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from crust_pipeline.app.run_loop import Progress

LOG_EVERY_SECONDS = 10.0
NO_WIDTH = 1_000_000


def plain(value: Any) -> Any:  # noqa: ANN401 - anything a report may hold
    """Return a value as JSON can hold it; whole credits as whole numbers."""
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case date() | datetime():
            return value.isoformat()
        case _ if is_dataclass(value) and not isinstance(value, type):
            return asdict(value)
        case set() | frozenset():
            return sorted(value)
        case _:
            return str(value)


def print_json(console: Console, value: Any) -> None:  # noqa: ANN401
    """Print one JSON document, unwrapped and uncoloured."""
    console.out(json.dumps(value, default=plain, indent=2), highlight=False)


def print_table(
    console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Print a table; numbers stand to the right."""
    rows = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        numeric = all(isinstance(row[number], int | float | Decimal) for row in rows)
        table.add_column(column, justify="right" if numeric and rows else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _cell(value: Any) -> str:  # noqa: ANN401
    match value:
        case None:
            return ""
        case Decimal():
            return f"{value.normalize():f}"
        case _:
            return str(value)


def counts_in_words(counts: Mapping[str, int]) -> str:
    """Return `{"matched": 3, "dropped": 1}` as `3 matched, 1 dropped`, the largest first."""
    words = [
        f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1])
    ]
    return ", ".join(word for word in words if not word.startswith("0 ")) or "none"


def progress_line(progress: "Progress", *, max_active: int) -> str:
    """Return how a run stands, in one line."""
    summary = progress.summary
    line = (
        f"{progress.rows - progress.rows_open:,} of {progress.rows:,} rows done | "
        f"slots {summary.slots_held} of {max_active} | "
        f"batches: {counts_in_words(summary.batches)} | "
        f"credits: {summary.credits_reserved.normalize():,f} reserved, "
        f"{summary.credits_computed.normalize():,f} spent"
    )
    return f"{line} | waiting: {summary.pause.detail}" if summary.pause else line


def open_console(*, stderr: bool = False) -> Console:
    """Return standard output, or error, that shows text as it is; in a pipe uncut."""
    console = Console(stderr=stderr, soft_wrap=True, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = NO_WIDTH
    return console


class ProgressDisplay:
    """One line that is kept up to date in a terminal, and a line now and then in a log."""

    def __init__(self, console: Console, *, max_active: int) -> None:
        """Show on `console`, which should be standard error, so that output can be piped."""
        self._console = console
        self._max_active = max_active
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._last = ("", 0.0)

    def __enter__(self) -> Self:
        """Start showing."""
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last line standing."""
        if self._live:
            self._live.stop()

    def show(self, progress: "Progress") -> None:
        """Say how things stand."""
        line = progress_line(progress, max_active=self._max_active)
        if self._live:
            self._live.update(Text(line))
            return
        before, at = self._last
        if line != before and time.monotonic() - at >= LOG_EVERY_SECONDS:
            self._console.print(f"{datetime.now().astimezone():%H:%M:%S} {line}", soft_wrap=True)
            self._last = (line, time.monotonic())
