"""How full each contestant keeps the vendor's 5 slots: `python -m bench.slots`.

40 full identify jobs of 30-60 s, the same for everybody, against one sandbox each, in real time and
all at the same time (they mostly wait). `--year` instead: a year's backfill for enrich, 365 days of
270 rows. Needs some 8 minutes; with `--airbyte PYTHON`, a Python that has airbyte-cdk, its
asynchronous jobs compete too.
"""

import argparse
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.slots.account import Account, Result, write_upstream
from bench.slots.contestants import Contestant, airbyte, daemon, run, thread_pool, with_callbacks

JOBS, JOB_ROWS = 40, 300
# 30 to 60 s in a fixed disorder: 7 and 31 have no common divisor.
JOB_SECONDS = tuple(30.0 + 7 * number % 31 for number in range(JOBS))
YEAR_DAYS, YEAR_ROWS = 365, 270
YEAR_JOB_SECONDS = (60.0,)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--year", action="store_true", help="a year's backfill for enrich")
    arguments.add_argument("--airbyte", metavar="PYTHON", help="a Python that has airbyte-cdk")
    arguments.add_argument("--only", action="append", help="contestants, by name")
    arguments.add_argument("--scale", type=float, default=1.0, help="divides all durations")
    given = arguments.parse_args()
    contestants: dict[str, Contestant] = {"run": run, "daemon": daemon}
    if not given.year:
        contestants["run, callbacks"] = with_callbacks(run)
        contestants["daemon, callbacks"] = with_callbacks(daemon)
        contestants["thread pool"] = thread_pool
        if given.airbyte:
            contestants["airbyte-cdk"] = airbyte(given.airbyte)
        else:
            print("airbyte-cdk is left out: give --airbyte a Python that has it installed.")
    chosen = {name: contestants[name] for name in given.only or contestants}
    with tempfile.TemporaryDirectory(prefix="slots-") as folder:
        upstream = Path(folder) / "profile_urls.csv"
        days, rows = (YEAR_DAYS, YEAR_ROWS) if given.year else (JOBS, JOB_ROWS)
        write_upstream(upstream, days=days, rows_a_day=rows)

        def compete(name: str) -> Result:
            with Account(
                Path(folder) / re.sub(r"\W+", "-", name),
                upstream=upstream,
                operation="enrich" if given.year else "identify",
                days=days,
                job_seconds=YEAR_JOB_SECONDS if given.year else JOB_SECONDS,
                time_scale=given.scale,
            ) as account:
                chosen[name](account)
                return account.result(name)

        with ThreadPoolExecutor(len(chosen)) as pool:
            results = list(pool.map(compete, chosen))
    print(Result.header())
    for result in results:
        print(result.line())
        if result.note:
            print(f"    {result.note}")


main()
