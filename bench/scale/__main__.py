"""What a tick and the ledger's queries cost as history grows: `python -m bench.scale`.

Ledgers of 10, 1,000 and 10,000 batches of 100 identifiers, all loaded but the last five, which are
at the vendor; a year of days. The median of seven calls in milliseconds, and growth from the first
to the last size. The vendor is a stand-in that answers at once, so only our own work is measured.
"""

import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import cast

from bench.scale.history import DAYS, NOW, OPERATION, write_history
from crust_pipeline.buying.account import Account
from crust_pipeline.buying.decide import InputRow, Policy
from crust_pipeline.buying.forecast import day_ends
from crust_pipeline.buying.plan import plan
from crust_pipeline.buying.watch import watch
from crust_pipeline.ledger import land as ledger_land
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger import queries, spending
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.ledger.queue import queue
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.crustdata.products import ENRICH
from crust_pipeline.vendors.models import Job

SIZES = (10, 1_000, 10_000)
BATCH = 100
REPEATS = 7


def main() -> None:
    columns: list[dict[str, float]] = []
    for batches in SIZES:
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            path = Path(folder) / "ledger.db"
            ledger = Ledger(f"sqlite:///{path}", account="bench")
            write_history(ledger, batches=batches, identifiers=BATCH)
            columns.append({name: timed(call) for name, call in calls(ledger).items()})
            ledger.close()  # SQLite's write-ahead log goes into the file
            size = path.stat().st_size / 1e6
            print(f"{batches:,} batches, {batches * BATCH:,} identifiers: ledger of {size:.1f} MB")
    print("\n| ms | " + " | ".join(f"{size:,}" for size in SIZES) + " | growth |")
    print("|---" * (len(SIZES) + 2) + "|")
    for name in columns[0]:
        cells = [column[name] for column in columns]
        numbers = " | ".join(f"{cell:.1f}" for cell in cells)
        print(f"| {name} | {numbers} | x {cells[-1] / cells[0]:.1f} |")


def calls(ledger: Ledger) -> dict[str, Callable[[], object]]:
    """Measure what a tick, a status and a load of one day ask of the ledger."""
    day = DAYS[100]
    account = Account(
        ledger=ledger,
        client=cast("CrustdataClient", SimpleNamespace(job=_processing, reads_per_minute=6000)),
        products={ENRICH.name: ENRICH},
        raw=Path("raw"),
        max_active=5,
        poll_seconds=0,
        clock=lambda: NOW,
    )
    return {
        "whole tick, five jobs polled": lambda: _tick(account),
        "polls that are due": lambda: ledger_poll.due_polls(ledger, now=NOW, limit=100),
        "how long such jobs took": lambda: ledger_poll.finished_seconds(ledger, "enrich", BATCH),
        "files to land": lambda: ledger_land.due_landings(ledger, now=NOW),
        "orphaned intents": lambda: ledger_submit.orphaned_intents(ledger),
        "summary of the account": lambda: queries.summary(ledger, now=NOW),
        "days to load": lambda: ledger_load.due_days(ledger, [OPERATION]),
        "days identified meanwhile": lambda: ledger_load.days_identified(ledger),
        "days over budget": lambda: ledger_load.days_over_budget(
            ledger, OPERATION, planned_before=NOW
        ),
        "queue with forecast": lambda: day_ends(
            queue(ledger),
            finished_seconds=lambda product, count: ledger_poll.finished_seconds(
                ledger, product, count
            ),
            slots=5,
            now=NOW,
        ),
        "claim of a slot (none free)": lambda: ledger_submit.claim_next(
            ledger, max_active=5, owner="bench", now=NOW
        ),
        "outcomes of one day": lambda: queries.outcome_counts(ledger, OPERATION, [day]),
        "credit usage of one day": lambda: spending.credit_usage(ledger, OPERATION, [day]),
        "sources of one day": lambda: ledger_load.sources(ledger, OPERATION, [day]),
        "plan of 270 new rows": lambda: _plan(ledger),
    }


def _tick(account: Account) -> None:
    """All that the sensor asks of the ledger."""
    watch(account)
    for operation in ("identify", "contact", "enrich"):
        ledger_load.days_identified(account.ledger)
        ledger_load.days_over_budget(account.ledger, operation, planned_before=NOW)
        ledger_load.due_days(account.ledger, [operation])


def _plan(ledger: Ledger) -> None:
    day = date(2027, 6, 1)
    rows = [InputRow(day, str(number), f"linkedin.com/in/new-{number}") for number in range(270)]
    policy = Policy(refresh_after=timedelta(days=90), retry_not_found_after=timedelta(days=30))
    plan(
        ledger,
        {"profile_url": ENRICH},
        rows=rows,
        partitions=[day],
        fields=ENRICH.fields,
        policy=policy,
        now=NOW,
        dry_run=True,
    )


def _processing(batch_id: str) -> Job:
    return Job.read({"batch_id": batch_id, "status": "processing"})


def timed(call: Callable[[], object]) -> float:
    """Measure the median time of a call, in milliseconds."""
    spent: list[float] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        spent.append((time.perf_counter() - began) * 1000)
    return median(spent)


main()
