"""What Ctrl-C leaves behind: what is at the vendors, what waits, and how it goes on."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import ParamSpec

import click

from crust_pipeline.cli.common import INTERRUPTED, complain
from crust_pipeline.errors import FOR_PEOPLE
from crust_pipeline.settings import Settings

P = ParamSpec("P")
NOTHING_LOST = "Interrupted. Nothing is lost: run the same command again to go on."


def tells_what_is_open(command: Callable[P, int]) -> Callable[P, int]:
    """Make a command that spends or waits say, after Ctrl-C, what is at the vendors."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except (KeyboardInterrupt, click.Abort):
            try:
                complain(_in_words(_open_batches()))
            except (*FOR_PEOPLE, KeyboardInterrupt):
                complain(NOTHING_LOST)
            return INTERRUPTED

    return wrapped


def _open_batches() -> Counter[str]:
    """Count the batches of all accounts by state, in a ledger that is there and up to date."""
    from crust_pipeline.app.orders import account_names
    from crust_pipeline.ledger import queries
    from crust_pipeline.ledger.store import Ledger

    settings = Settings.from_env()
    found: Counter[str] = Counter()
    for account in account_names(settings):
        ledger = Ledger(settings.ledger_url, account=account)
        standing = ledger.standing()
        if standing.version is None or standing.pending:
            continue
        found.update(queries.summary(ledger, now=datetime.now(UTC)).batches)
        ledger.close()
    return found


def _in_words(batches: Counter[str]) -> str:
    counts = {
        "at the vendor": batches["pending"] + batches["processing"],
        "perhaps at the vendor": batches["submitting"] + batches["unknown"],
        "finished, and their files still to be fetched": batches["completed"],
        "not sent yet": batches["planned"],
    }
    told = [f"{count:,} {where}" for where, count in counts.items() if count]
    if not told:
        return NOTHING_LOST
    return (
        f"Interrupted. Batches: {', '.join(told)}. Nothing is lost: `crust-pipeline run` goes on "
        "with them and buys nothing twice."
    )
