"""The demonstration: the sample people, the sandbox and a real Dagster, on free loopback ports.

It does what a user would do in the UI, through the running instance, and shows what came of it.
"""

import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console

from crust_pipeline.app.days import days_between
from crust_pipeline.app.orders import operations_of
from crust_pipeline.app.run_loop import Progress
from crust_pipeline.cli.display import ProgressDisplay, open_console, print_table
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.outcomes import OPEN_OUTCOMES, TROUBLED_OUTCOMES, fill_rate
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.local_dagster.client import InstanceError
from crust_pipeline.local_dagster.instance import DagsterInstance
from crust_pipeline.local_dagster.processes import TetheredProcess
from crust_pipeline.private_files import make_private_folder
from crust_pipeline.settings import Settings
from crust_pipeline.tables.specs import TABLES

SAMPLE = Path(__file__).parents[2] / "data" / "profile_urls.csv"
SAMPLE_DAYS = days_between(date(2026, 11, 2), date(2026, 11, 8))
FOLDER = Path(".demo")
API_KEY = "sandbox-key"
# Sandbox jobs take minutes, as the vendor's do; in the demonstration they take seconds.
TIME_SCALE = 20
GIVES_UP_AFTER_SECONDS = 600


def run_demo(console: Console, *, exits: bool) -> bool:
    """Show a backfill of the sample days from beginning to end.

    Args:
        console: where to print.
        exits: end afterwards; otherwise the UI stays up until Ctrl-C.

    Returns:
        Whether every input row has an outcome and nothing is in trouble.
    """
    began = time.monotonic()
    _end_on_sigterm()
    _claim_folder()
    logs = FOLDER / "logs"
    make_private_folder(logs)
    console.print("Starting the sandbox and Dagster ...")
    sandbox = TetheredProcess(
        [sys.executable, "-m", "crust_pipeline", "sandbox", "--time-scale", str(TIME_SCALE)],
        environment=dict(os.environ),
        log=logs / "sandbox.log",
    )
    inbox: TetheredProcess | None = None
    try:
        crustdata, _, pronto = sandbox.first_lines(3)
        environment = _environment(crustdata, pronto)
        inbox = TetheredProcess(
            [sys.executable, "-m", "crust_pipeline", "inbox"],
            environment=environment,
            log=logs / "inbox.log",
        )
        (environment["CRUST_INBOX_URL"],) = inbox.first_lines(1)
        settings = Settings.from_env(environment)
        with DagsterInstance.running(
            home=FOLDER / "dagster", environment=environment, log_dir=logs, daemon=False
        ) as instance:
            console.print(f"Dagster's UI: {instance.ui_url}")
            # The daemon looks for backfills when it starts, and then every 30 s (Dagster 1.13).
            instance.launch_backfill(
                ["profile_urls", *(f"{name}_batches" for name in operations_of(settings))],
                [day.isoformat() for day in SAMPLE_DAYS],
            )
            instance.start_daemon()
            ledger = Ledger(settings.ledger_url, account=settings.account)
            with ProgressDisplay(
                open_console(stderr=True), max_active=settings.max_active_batches
            ) as display:
                _follow(instance, ledger, display, operations=operations_of(settings))
            done = print_summary(console, settings)
            console.print(
                f"\nDone in {time.monotonic() - began:.0f} s. Tables: {settings.warehouse}"
            )
            if not exits:
                console.print(f"Dagster's UI stays at {instance.ui_url} until you press Ctrl-C.")
                _until_interrupted(instance)
    finally:
        for server in (sandbox, inbox):
            if server is not None:
                server.stop()
    return done


def run_dev(console: Console, *, port: int, module: str) -> None:
    """Run Dagster on the environment's settings, with a module's definitions, until Ctrl-C."""
    _end_on_sigterm()
    folder = Settings.from_env().data_dir
    with DagsterInstance.running(
        home=folder / "dagster",
        environment=dict(os.environ),
        # Not in the home: Dagster 1.13 takes its folder `logs` for telemetry, moves and uploads it.
        log_dir=folder / "logs",
        port=port,
        module=module,
    ) as instance:
        if instance.sensor_state("batch_monitor") != "RUNNING":
            instance.start_sensor("batch_monitor")
        console.print(f"Dagster's UI: {instance.ui_url} (Ctrl-C ends it; logs in {folder}/logs)")
        _until_interrupted(instance)


def _claim_folder() -> None:
    """Clear the folder, and keep it until this process ends.

    Raises:
        InstanceError: another demonstration runs there.
    """
    make_private_folder(FOLDER)
    try:
        fcntl.flock(os.open(FOLDER, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InstanceError(
            f"Another demonstration runs in {FOLDER.resolve()}. End it with Ctrl-C, or start this "
            "one in another folder."
        ) from None
    for item in FOLDER.iterdir():
        shutil.rmtree(item)


def _environment(crustdata: str, pronto: str) -> dict[str, str]:
    """Return the settings of the demonstration, from the addresses of the vendors.

    Every other is set to nothing, so that none of the user's own gets in: not their ledger, nor
    anything that their `.env` file says.
    """
    return {
        **{spec.metadata["variable"]: "" for spec in fields(Settings)},
        "CRUSTDATA_API_KEY": API_KEY,
        "CRUSTDATA_BASE_URL": crustdata,
        "PRONTO_API_KEY": API_KEY,
        "PRONTO_BASE_URL": pronto,
        "CRUST_BUSINESS_EMAIL_VENDORS": "crustdata,pronto",
        "CRUST_DATA_DIR": str((FOLDER / "data").resolve()),
        "CRUST_UPSTREAM": str(SAMPLE),
        "CRUST_POLL_SECONDS": "1",
    }


def _follow(
    instance: DagsterInstance,
    ledger: Ledger,
    display: ProgressDisplay,
    *,
    operations: Sequence[str],
) -> None:
    """Show progress until all sample days are loaded and no run is left.

    Raises:
        InstanceError: a process or a run failed, or it takes too long.
    """
    deadline = time.monotonic() + GIVES_UP_AFTER_SECONDS
    while time.monotonic() < deadline:
        instance.check()
        runs = instance.runs()
        if failed := [run for run in runs if run.status == "FAILURE"]:
            raise InstanceError(
                f"Run {failed[0].run_id} of {failed[0].job} failed; see {instance.ui_url}/runs"
            )
        waiting = queries.waiting_rows(ledger, operations, SAMPLE_DAYS, searches=0)
        summary = queries.summary(ledger, now=datetime.now(UTC))
        display.show(Progress(summary=summary, rows=waiting.rows, rows_open=waiting.rows_open))
        loaded = ledger_load.days_loaded(ledger)
        if len(loaded) == len(SAMPLE_DAYS) * len(operations) and all(run.ended for run in runs):
            return
        time.sleep(0.5)  # between two looks at what the daemon has done
    raise InstanceError(
        f"The sample days were not loaded within {GIVES_UP_AFTER_SECONDS} s; see {FOLDER}/logs"
    )


def print_summary(console: Console, settings: Settings) -> bool:
    """Print what the warehouse holds; say whether every row has an outcome, none in trouble."""
    import duckdb

    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        rows = {
            name: con.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]  # noqa: S608 - our own table names
            for name in TABLES
        }
        outcomes: list[tuple[str, str, int]] = con.execute(
            "SELECT operation, outcome, count(*) FROM outcomes GROUP BY ALL ORDER BY 1, 3 DESC"
        ).fetchall()
        credit: list[tuple[str, float, float]] = con.execute(
            "SELECT operation || ' (' || vendor || ')', sum(credits_reserved), "
            "sum(credits_computed) FROM credit_usage GROUP BY ALL ORDER BY 1"
        ).fetchall()
    console.print()
    print_table(console, "Rows by table", ["table", "rows"], rows.items())
    console.print()
    print_table(console, "Outcomes", ["operation", "outcome", "input rows"], outcomes)
    console.print()
    print_table(
        console,
        "Credits",
        ["operation", "reserved", "computed", "fill rate"],
        [(name, *spent, _fill_rate_in_words(outcomes, name.split()[0])) for name, *spent in credit],
    )
    counted = sum(count for _, _, count in outcomes)
    expected = rows["profile_urls"] * len(operations_of(settings))
    bad = OPEN_OUTCOMES | TROUBLED_OUTCOMES
    return counted == expected and not any(outcome in bad for _, outcome, _ in outcomes)


def _fill_rate_in_words(outcomes: list[tuple[str, str, int]], operation: str) -> str:
    rate = fill_rate({outcome: count for name, outcome, count in outcomes if name == operation})
    return "" if rate is None else f"{rate:.1%}"


def _until_interrupted(instance: DagsterInstance) -> None:
    try:
        while True:
            instance.check()
            time.sleep(1)  # Ctrl-C ends it
    except KeyboardInterrupt:
        return


def _end_on_sigterm() -> None:
    """SIGTERM ends it as Ctrl-C does: with everything stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
