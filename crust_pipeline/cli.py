"""The command line. Each command is a few lines: settings, one call, what to print, an exit code.

Heavy packages are imported by the command that uses them, so that `--help` and `status` are quick.
"""

import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import click

from crust_pipeline.settings import Settings, SettingsError

if TYPE_CHECKING:
    from rich.console import Console

    from crust_pipeline.pipeline import Pipeline
    from crust_pipeline.runner import RunReport

DONE, FAILED, WRONG_USAGE = 0, 1, 2
P = ParamSpec("P")


class Day(click.ParamType):
    """A day, YYYY-MM-DD."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:  # noqa: ANN401 - click's signature
        """Text to a date."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day; write it as 2026-01-31", param, ctx)


def _readable_errors(command: Callable[P, int | None]) -> Callable[P, None]:
    """What goes wrong for a known reason is a message, not a traceback."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
        except SettingsError as error:
            _complain(str(error))
            code = WRONG_USAGE
        except KeyboardInterrupt:
            _complain("Interrupted. Nothing is lost: run the same command again to go on.")
            code = FAILED
        except Exception as error:
            if not _is_known(error):
                raise
            _complain(str(error))
            code = FAILED
        sys.exit(code or DONE)

    return wrapped


def _is_known(error: Exception) -> bool:
    # Only the modules that were imported can have raised.
    known = {
        ("crust_pipeline.vendor.errors", "VendorError"),
        ("crust_pipeline.ledger.states", "LedgerError"),
        ("crust_pipeline.batching.plan", "OverBudgetError"),
        ("crust_pipeline.tables.upstream", "UpstreamError"),
        ("crust_pipeline.dagster_client", "InstanceError"),
    }
    return any((base.__module__, base.__name__) in known for base in type(error).__mro__)


def _complain(message: str) -> None:
    click.echo(f"Error: {message}", err=True)


def _pipeline() -> "Pipeline":
    from crust_pipeline.pipeline import Pipeline

    return Pipeline(settings=Settings.from_env())


def _console() -> "Console":
    from rich.console import Console

    return Console(soft_wrap=True)


_from = click.option("--from", "start", type=Day(), required=True, help="First day, YYYY-MM-DD.")
_to = click.option("--to", "end", type=Day(), required=True, help="Last day, included.")
_operation = click.option(
    "--operation",
    "operations",
    multiple=True,
    help="What to buy; may be given several times. Default: everything there is.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
_refresh = click.option(
    "--refresh",
    is_flag=True,
    help="Buy again what is bought and still fresh. The price is shown first.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crust-pipeline")
def main() -> None:
    """Buys people data through vendors' batch APIs, never twice, and lands it as tables.

    Settings come from the environment; docs/settings.md lists them.
    Exit codes: 0 done, 1 failed, 2 wrong usage.
    """


def _checked(start: date, end: date, operations: tuple[str, ...]) -> list[str]:
    from crust_pipeline.pipeline import OPERATIONS

    if end < start:
        raise click.BadParameter(f"--to {end} is before --from {start}")
    if unknown := set(operations) - set(OPERATIONS):
        raise click.BadParameter(
            f"there is no operation {', '.join(sorted(unknown))}; "
            f"choose from {', '.join(OPERATIONS)}"
        )
    return [name for name in OPERATIONS if not operations or name in operations]


@main.command()
@_from
@_to
@_operation
@_refresh
@_json
@_readable_errors
def run(
    *, start: date, end: date, operations: tuple[str, ...], refresh: bool, as_json: bool
) -> int:
    """Plan, submit, wait, land and load days, without a daemon.

    Ends 0 when every input row has its final outcome and none is in trouble. Run again, it resumes:
    what is bought or under way is never bought twice.
    """
    from dataclasses import replace

    from rich.console import Console

    from crust_pipeline.display import ProgressDisplay
    from crust_pipeline.runner import run_to_end

    chosen = _checked(start, end, operations)
    pipeline = _pipeline()
    _ = pipeline.engine  # a missing key is said before anything is read
    display = ProgressDisplay(Console(stderr=True), max_active=pipeline.settings.max_active_batches)
    with display:
        report = run_to_end(
            pipeline,
            operations=chosen,
            start=start,
            end=end,
            policy=replace(pipeline.policy, refresh=refresh),
            run_id=f"run-{uuid.uuid4().hex[:12]}",
            show=display.show,
            sleep=time.sleep,
        )
    _print_run(report, as_json=as_json)
    return FAILED if report.stopped or report.rows_open or report.rows_troubled else DONE


def _print_run(report: "RunReport", *, as_json: bool) -> None:
    from crust_pipeline.display import counts_in_words, print_json

    console = _console()
    if as_json:
        print_json(
            console,
            {
                "outcomes": report.outcomes,
                "rows_in_no_partition": report.unplaced,
                "warehouse_behind": report.warehouse.behind,
                "stopped": report.stopped,
            },
        )
        return
    for operation, counts in report.outcomes.items():
        console.print(f"{operation}: {counts.total():,} rows: {counts_in_words(counts)}")
    for note in report.notes:
        console.print(note)
    if report.unplaced:
        console.print(
            f"{report.unplaced:,} upstream rows are in no partition: check their added_on."
        )
    if report.warehouse.behind:
        console.print(
            f"The lake is complete; the warehouse is {report.warehouse.behind} partitions behind "
            f"({report.warehouse.reason}). The next run catches up."
        )
    if report.rows_troubled:
        console.print(
            f"{report.rows_troubled:,} rows need a decision: see `crust-pipeline status`."
        )
    if report.stopped:
        console.print(
            f"Stopped: {report.stopped}. Nothing is lost: {report.rows_open:,} rows wait. Mend the "
            "cause and run the same command again."
        )


@main.command()
@_from
@_to
@_operation
@_refresh
@_json
@_readable_errors
def plan(
    *, start: date, end: date, operations: tuple[str, ...], refresh: bool, as_json: bool
) -> int:
    """Show what a run would submit and could cost at worst. Spends and writes nothing."""
    from dataclasses import replace

    from crust_pipeline.display import counts_in_words, print_json
    from crust_pipeline.pipeline import preview_plan

    pipeline = _pipeline()
    policy = replace(pipeline.policy, refresh=refresh)
    reports = [
        preview_plan(pipeline, operation, start=start, end=end, policy=policy)
        for operation in _checked(start, end, operations)
    ]
    console = _console()
    if as_json:
        print_json(
            console,
            [
                {
                    "operation": report.operation,
                    "rows": report.rows,
                    "batches": [len(batch.identifiers) for batch in report.batches],
                    "verdicts": sum(report.verdicts.values(), start=Counter[str]()),
                    "credits_worst_case": report.credits_reserved,
                }
                for report in reports
            ],
        )
        return DONE
    for report in reports:
        verdicts = sum(report.verdicts.values(), start=Counter[str]())
        identifiers = sum(len(batch.identifiers) for batch in report.batches)
        console.print(
            f"{report.operation}: {report.rows:,} rows ({counts_in_words(verdicts)}); "
            f"{len(report.batches)} batches with {identifiers:,} identifiers to submit; "
            f"at worst {report.credits_reserved.normalize():,f} credits"
        )
    return DONE


@main.command()
@_json
@_readable_errors
def status(*, as_json: bool) -> int:
    """Batches, slots, credits, what waits and for what, and what needs a decision."""
    from crust_pipeline.display import counts_in_words, print_json
    from crust_pipeline.ledger import progress, queries
    from crust_pipeline.ledger.ledger import Ledger

    settings = Settings.from_env()
    ledger = Ledger(settings.ledger_url, account=settings.account)
    now = datetime.now().astimezone()
    summary = queries.summary(ledger, now=now)
    unknown = progress.unknown_submits(ledger)
    console = _console()
    if as_json:
        print_json(
            console,
            {
                "account": settings.account,
                "batches": summary.batches,
                "slots_held": summary.slots_held,
                "slots": settings.max_active_batches,
                "credits_reserved": summary.credits_reserved,
                "credits_computed": summary.credits_computed,
                "oldest_link": summary.oldest_link,
                "waits_for": summary.pause and summary.pause.detail,
                "unknown": [submit.submission_id for submit in unknown],
            },
        )
        return DONE
    console.print(f"Account {settings.account}: batches: {counts_in_words(summary.batches)}")
    console.print(f"Slots: {summary.slots_held} of {settings.max_active_batches} held")
    console.print(
        f"Credits: {summary.credits_reserved.normalize():,f} reserved, "
        f"{summary.credits_computed.normalize():,f} spent (computed from what was delivered)"
    )
    if summary.oldest_link:
        console.print(
            f"Oldest file not landed yet: completed {summary.oldest_link:%Y-%m-%d %H:%M} UTC"
        )
    if summary.pause:
        console.print(f"Waiting until {summary.pause.until:%H:%M:%S} UTC: {summary.pause.detail}")
    for submit in unknown:
        console.print(
            f"Unknown: batch {submit.submission_id} ({submit.operation}, {submit.identifier_count} "
            f"identifiers, sent {submit.intent_at:%Y-%m-%d %H:%M} UTC) may be running and billed; "
            f"its job was not found in {submit.searches} searches. It holds a slot. Decide with "
            "`crust-pipeline reconcile --adopt`, `--abandon` or `--resubmit`."
        )
    return DONE


@main.command()
@click.option("--adopt", nargs=2, metavar="BATCH JOB", help="This vendor job is that batch's.")
@click.option(
    "--abandon", metavar="BATCH", help="The submit never started; its people may be asked anew."
)
@click.option(
    "--resubmit", metavar="BATCH", help="Buy it again, though it may be paid for already."
)
@_readable_errors
def reconcile(*, adopt: tuple[str, str] | None, abandon: str | None, resubmit: str | None) -> int:
    """Look for the jobs of submits whose fate is unknown, or decide about one."""
    from crust_pipeline.batching import reconcile as reconciling

    engine = _pipeline().engine
    console = _console()
    if adopt:
        reconciling.adopt_by_hand(engine, adopt[0], batch_id=adopt[1])
        console.print(
            f"Batch {adopt[0]} is job {adopt[1]} now; its file will be checked when it lands."
        )
    elif abandon:
        reconciling.abandon(engine, abandon, reason="decided by hand")
        console.print(f"Batch {abandon} is given up; its slot and identifiers are free.")
    elif resubmit:
        reconciling.resubmit(engine, resubmit, reason="decided by hand")
        console.print(f"Batch {resubmit} is planned again.")
    else:
        found = reconciling.reconcile(engine, due_only=False)
        if found.trouble:
            _complain(found.trouble)
            return FAILED
        console.print(f"{len(found.adopted)} found, {len(found.held)} still unknown.")
    return DONE


@main.command()
@click.argument("query")
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
@_readable_errors
def sql(*, query: str, style: str) -> int:
    """Ask the tables a question in SQL. Reads the lake, so it never waits for a writer."""
    import duckdb

    from crust_pipeline.display import print_json, print_table
    from crust_pipeline.tables import lake_views

    pipeline = _pipeline()
    try:
        with lake_views(pipeline.lake) as con:
            answer = con.execute(query)
            columns = [column[0] for column in answer.description or ()]
            rows = answer.fetchall()
    except duckdb.Error as error:
        _complain(str(error))
        return FAILED
    console = _console()
    if style == "json":
        print_json(console, [dict(zip(columns, row, strict=True)) for row in rows])
    elif style == "csv":
        import csv

        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(rows)
    else:
        print_table(console, f"{len(rows):,} rows", columns, rows)
    return DONE


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default=True, help="The API's port; 0: a free one.")
@click.option("--storage-port", default=0, show_default=True, help="The download storage's port.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True),
    help="Switches and faults, a JSON file.",
)
@click.option(
    "--state", type=click.Path(path_type=Path), help="Keep jobs and purchases in this file."
)
@click.option(
    "--time-scale", type=float, help="How many times faster than the vendor's its jobs are."
)
@_readable_errors
def sandbox(
    *,
    host: str,
    port: int,
    storage_port: int,
    config: Path | None,
    state: Path | None,
    time_scale: float | None,
) -> int:
    """Run a local server that behaves as the vendor's documents say. Its API key is `sandbox-key`.

    The first line it prints is the API's address, the second that of its storage and controls.
    """
    from dataclasses import replace

    from crust_pipeline.sandbox.serve import SandboxConfig, serve

    chosen = SandboxConfig.read(config) if config else SandboxConfig()
    if time_scale is not None:
        switches = chosen.switches.with_changes({"time_scale": time_scale})
        chosen = replace(chosen, switches=switches)
    if state is not None:
        chosen = replace(chosen, state_file=state)
    serve(host=host, port=port, storage_port=storage_port, config=chosen)
    return DONE


@main.command()
@click.option("--exit", "exits", is_flag=True, help="End when the backfill has ended.")
@_readable_errors
def demo(*, exits: bool) -> int:
    """Enrich the sample people through a real Dagster against the sandbox."""
    from crust_pipeline.demo import run_demo

    return DONE if run_demo(_console(), exits=exits) else FAILED


@main.command()
@click.option("--port", default=3000, show_default=True, help="The web server's port.")
@_readable_errors
def dev(*, port: int) -> int:
    """Start Dagster's UI and daemon on the real API."""
    from crust_pipeline.demo import run_dev

    _ = _pipeline().engine  # says clearly what is missing
    run_dev(_console(), port=port)
    return DONE
