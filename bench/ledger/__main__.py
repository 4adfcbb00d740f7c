"""What it costs to look up what is bought already: `python -m bench.ledger`.

A ledger that the plan itself fills with 10,000, 100,000 and 1,000,000 bought people. At each size a
day of 10,000 rows is planned, half of them known, spread over all of history. The median of five.
At the end 200,000 new rows of one day are planned, written, and planned again.
"""

import random
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TypeVar

from crust_pipeline.buying.decide import InputRow, Policy
from crust_pipeline.buying.plan import PlanReport, plan
from crust_pipeline.ledger import plan as ledger_plan
from crust_pipeline.ledger.schema import claims, submissions
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.vendors.crustdata.products import ENRICH

T = TypeVar("T")

SIZES = (10_000, 100_000, 1_000_000)
DAY_ROWS = 10_000
MANY_ROWS = 200_000
REPEATS = 5
FIRST = date(2026, 1, 1)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
POLICY = Policy(refresh_after=timedelta(days=90), retry_not_found_after=timedelta(days=30))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-ledger-") as folder:
        path = Path(folder) / "ledger.db"
        ledger = Ledger(f"sqlite:///{path}", account="bench")
        print(f"| known people | ledger MB | look-up of {DAY_ROWS:,} ms | plan of the day ms |")
        print("|---|---|---|---|")
        known = 0
        for size in SIZES:
            for start in range(known, size, DAY_ROWS):
                buy(ledger, start, day=FIRST + timedelta(days=start // DAY_ROWS))
            known = size
            megabytes = path.stat().st_size / 1e6
            look_up, whole = timed_day(ledger, known)
            print(f"| {known:,} | {megabytes:.0f} | {look_up:.0f} | {whole:.0f} |")
        print(f"\n{MANY_ROWS:,} rows on one day, with {known:,} people known:")
        rows = rows_of([f"many-{number}" for number in range(MANY_ROWS)], FIRST)
        for words in ("planned and written", "planned again"):
            seconds, report = timed(lambda: make_plan(ledger, rows, FIRST))
            batches = len(report.batches)
            print(f"- {words}: {seconds:.1f} s, {report.rows:,} rows, {batches} new batches")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"- peak memory of the whole benchmark: {peak:.0f} MiB")
        ledger.close()


def buy(ledger: Ledger, start: int, *, day: date) -> None:
    """Plan a day of new people and count them as bought."""
    rows = rows_of([str(number) for number in range(start, start + DAY_ROWS)], day)
    make_plan(ledger, rows, day)
    with ledger.write() as tx:
        tx.con.execute(submissions.update().values(state="loaded"))
        open_claims = claims.c.answer.is_(None)
        values = {"answer": "matched", "answered_at": NOW}
        tx.con.execute(claims.update().where(open_claims).values(**values))


def timed_day(ledger: Ledger, known: int) -> tuple[float, float]:
    """Milliseconds of the look-up, and of the whole plan, of a day of which half is known."""
    draw = random.Random(0)  # noqa: S311 - reproducible, not secret
    names = [str(number) for number in draw.sample(range(known), DAY_ROWS // 2)]
    names += [f"new-{number}" for number in range(DAY_ROWS // 2)]
    day = date(2027, 1, 1)
    rows = rows_of(names, day)
    keys = sorted(row.subject_key or "" for row in rows)
    look_ups: list[float] = []
    plans: list[float] = []
    for _ in range(REPEATS):
        with ledger.write() as tx:
            seconds, found = timed(lambda: ledger_plan.claims_of(tx, "enrich", keys))
        assert len(found) == DAY_ROWS // 2
        look_ups.append(seconds * 1000)
        seconds, report = timed(lambda: make_plan(ledger, rows, day, dry_run=True))
        assert report.verdicts[day] == {"reuse": DAY_ROWS // 2, "ask": DAY_ROWS // 2}
        plans.append(seconds * 1000)
    return median(look_ups), median(plans)


def rows_of(names: Sequence[str], day: date) -> list[InputRow]:
    return [InputRow(day, name, f"linkedin.com/in/person-{name}") for name in names]


def make_plan(
    ledger: Ledger, rows: Sequence[InputRow], day: date, *, dry_run: bool = False
) -> PlanReport:
    return plan(
        ledger,
        {"profile_url": ENRICH},
        rows=rows,
        partitions=[day],
        fields=ENRICH.fields,
        policy=POLICY,
        now=NOW,
        dry_run=dry_run,
    )


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Seconds and result of a call."""
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


main()
