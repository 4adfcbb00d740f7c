"""Who competes: each takes an account and ends when all its files are here."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.slots.account import KEY, Account
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.local_dagster.instance import DagsterInstance
from crust_pipeline.settings import Settings

Contestant = Callable[[Account], None]

HERE = Path(__file__).parent


def run(account: Account) -> None:
    """`crust-pipeline run`, one process."""
    first, last = account.days[0], account.days[-1]
    days = ["--from", str(first), "--to", str(last), "--operation", account.operation]
    _call(account, [sys.executable, "-m", "crust_pipeline", "run", *days])


def daemon(account: Account) -> None:
    """Run a backfill through Dagster's web server and daemon, as shipped."""
    ledger = Ledger(
        Settings.from_env(account.environment).ledger_url,
        account=Settings.from_env(account.environment).account,
    )
    began = time.monotonic()
    with DagsterInstance.running(
        home=account.folder / "dagster",
        environment=account.environment,
        log_dir=account.folder,
        daemon=False,
    ) as instance:
        instance.launch_backfill(
            ["profile_urls", f"{account.operation}_batches"],
            [day.isoformat() for day in account.days],
        )
        instance.start_daemon()
        while len(ledger_load.days_loaded(ledger)) < len(account.days):
            instance.check()
            time.sleep(1)  # the daemon works by itself
        runs = instance.runs(limit=1000)
        used = sum(run.ended_at - run.started for run in runs if run.ended_at and run.started)
    jobs = sorted({run.job for run in runs})
    counts = ", ".join(f"{sum(run.job == job for run in runs)} {job}" for job in jobs)
    log = sum(
        file.stat().st_size for file in (account.folder / "dagster" / "history").rglob("*.db")
    )
    account.note = (
        f"{len(runs)} runs ({counts}), {used:.0f} s in runs of {time.monotonic() - began:.0f} s, "
        f"event log {log / 1e6:.1f} MB"
    )


def with_callbacks(contestant: Contestant) -> Contestant:
    """Run the same, with the inbox started and the vendor told to call back when a job ends."""

    def compete(account: Account) -> None:
        url = account.start("inbox", "--port", "0", name="inbox")
        account.more_settings["CRUST_INBOX_URL"] = url
        contestant(account)

    return compete


def thread_pool(account: Account) -> None:
    """Run the script that anybody would write."""
    _call(account, [sys.executable, str(HERE / "thread_pool.py")])


def airbyte(python: str) -> Contestant:
    """Run the asynchronous jobs of airbyte-cdk's declarative AsyncRetriever."""

    def compete(account: Account) -> None:
        _call(account, [python, str(HERE / "airbyte_jobs.py")])

    return compete


def _call(account: Account, command: list[str]) -> None:
    known = {"SLOTS_URL": account.url, "SLOTS_KEY": KEY, "SLOTS_UPSTREAM": str(account.upstream)}
    with (account.folder / "contestant.log").open("wb") as log:
        done = subprocess.run(
            command,
            env={**os.environ, **account.environment, **known},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        account.note = f"ended with {done.returncode}: " + " ".join(
            (account.folder / "contestant.log").read_text().splitlines()[-3:]
        )
