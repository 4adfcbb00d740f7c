"""Kill programs at random moments, several faults at a time, and keep the vendors' books.

    python -m bench.campaign [--runs 3] [--first-seed 1] [--only daemon] [--postgres URL]

Each run is made from its seed: people, faults, moments. It ends with runs that nobody disturbs, and
what the sandbox has sold is compared with what the ledger says. Ends 1 if anything was billed twice
or lost. `--postgres` (a database that may be written to) adds two daemons that share a ledger.
`disk` mounts small file systems, which takes the rights for that.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.campaign.kinds import Kind, kinds
from bench.campaign.shop import Shop
from crust_pipeline.sandbox.pronto.account import ProntoSwitches
from crust_pipeline.sandbox.serve import SandboxConfig, running_sandbox
from crust_pipeline.sandbox.switches import Switches

COLUMNS = "kind | seed | s | killed | faults | billed | twice | computed / billed | rows | outcomes"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=3, help="of each kind")
    arguments.add_argument("--first-seed", type=int, default=1)
    arguments.add_argument("--only", action="append", help="kinds, by name")
    arguments.add_argument("--postgres", metavar="URL")
    given = arguments.parse_args()
    found = kinds(postgres=given.postgres)
    print(f"| {COLUMNS} |\n{'|---' * 10}|", flush=True)
    problems = 0
    for name in given.only or found:
        for seed in range(given.first_seed, given.first_seed + given.runs):
            problems += _campaign(name, found[name], seed)
    return 1 if problems else 0


def _campaign(name: str, kind: Kind, seed: int) -> int:
    draw = random.Random(f"{name} {seed}")  # noqa: S311 - reproducible, not secret
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    config = SandboxConfig(
        switches=Switches(job_seconds=tuple(draw.uniform(0.2, 4.0) for _ in range(20))),
        pronto=ProntoSwitches(seconds=1.0, deliveries="twice", tries=50),
    )
    with running_sandbox(config=config) as sandbox:
        shop = Shop(draw, sandbox, folder)
        shop.write_people()
        try:
            kind(shop)
            if shop.audit is None:
                shop.finish()
        finally:
            shop.stop()
    audit = shop.audit
    assert audit
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(audit.outcomes.items()))
    print(
        f"| {name} | {seed} | {time.monotonic() - began:.0f} | {shop.killed} "
        f"| {shop.faults.total()} | {audit.identifiers_billed} | {audit.billed_twice} "
        f"| {audit.credits_computed.normalize():f} / {audit.credits_billed.normalize():f} "
        f"| {audit.rows_accounted_for} of {audit.rows} | {outcomes} |",
        flush=True,
    )
    for problem in audit.problems:
        print(f"PROBLEM: {problem}; kept: {folder}", flush=True)
    if not audit.problems:
        shutil.rmtree(folder)
    return len(audit.problems)


if __name__ == "__main__":
    sys.exit(main())
