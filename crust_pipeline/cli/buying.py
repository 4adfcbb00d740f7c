"""Commands that spend, or say what would be spent: run, plan."""

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from crust_pipeline.cli.common import (
    DONE,
    FAILED,
    agreed_to_spend,
    check_days,
    checked_operations,
    complain,
    from_option,
    json_option,
    open_installation,
    operation_option,
    readable_errors,
    refresh_option,
    to_option,
    yes_option,
)
from crust_pipeline.cli.interrupted import tells_what_is_open

if TYPE_CHECKING:
    from crust_pipeline.app.run_loop import RunReport
    from crust_pipeline.buying.plan import PlanReport


@click.command()
@from_option
@to_option
@operation_option
@refresh_option
@yes_option
@json_option
@readable_errors
@tells_what_is_open
def run(
    *,
    start: date,
    end: date,
    operations: tuple[str, ...],
    refresh: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Plan, submit, wait, land and load days, without a daemon.

    Ends 0 when every input row has its final outcome and none is in trouble. Run again, it resumes:
    what is bought or under way is never bought twice. With --refresh it is bought again, every time
    that this is run; it asks first, or needs --yes.
    """
    from dataclasses import replace

    from crust_pipeline.app.days import preview_plan
    from crust_pipeline.app.run_loop import run_to_end
    from crust_pipeline.cli.display import ProgressDisplay, open_console

    chosen = checked_operations(operations)
    installation = open_installation()
    check_days(installation, start, end)
    _ = installation.accounts  # a missing key is said before anything is read
    policy = replace(installation.policy, refresh=refresh)
    if refresh:
        previews = [
            preview_plan(installation, name, start=start, end=end, policy=policy) for name in chosen
        ]
        if code := agreed_to_spend(_price_in_words(previews), yes=yes):
            return code
    display = ProgressDisplay(
        open_console(stderr=True), max_active=installation.settings.max_active_batches
    )
    with display:
        report = run_to_end(
            installation,
            operations=chosen,
            start=start,
            end=end,
            policy=policy,
            run_id=f"run-{uuid.uuid4().hex[:12]}",
            show=display.show,
            sleep=time.sleep,
        )
    _print_run(report, as_json=as_json)
    for problem in report.failed:
        complain(problem)
    done = not (report.stopped or report.failed or report.rows_open or report.rows_troubled)
    return DONE if done else FAILED


def _price_in_words(previews: "Sequence[PlanReport]") -> str:
    """Return what plans could cost at worst; credits of two vendors are not added up."""
    batches = [batch for report in previews for batch in report.batches]
    prices: dict[str, Decimal] = {}
    for batch in batches:
        prices[batch.vendor] = prices.get(batch.vendor, Decimal(0)) + batch.credits_reserved
    identifiers = sum(len(batch.identifiers) for batch in batches)
    worst = " and ".join(
        f"{amount.normalize():,f} credits ({vendor})" for vendor, amount in prices.items()
    )
    return (
        f"--refresh buys {identifiers:,} identifiers, those that are bought already among them: "
        f"at worst {worst or 'no credits'}."
    )


def _print_run(report: "RunReport", *, as_json: bool) -> None:
    from crust_pipeline.cli.display import counts_in_words, open_console, print_json

    console = open_console()
    if as_json:
        print_json(
            console,
            {
                "outcomes": report.outcomes,
                "rows_in_no_partition": report.unplaced,
                "warehouse_behind": report.warehouse.behind,
                "stopped": report.stopped,
                "failed": report.failed,
                "refused": report.refused,
                "left_out": report.left_out,
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
    for note in report.warehouse.notes:
        console.print(note)
    for sentence in (*report.left_out, *report.refused):
        console.print(sentence)
    if report.rows_troubled:
        console.print(
            f"{report.rows_troubled:,} rows need a decision: see `crust-pipeline status`."
        )
    if report.stopped:
        console.print(
            f"Stopped: {report.stopped}. Nothing is lost: {report.rows_open:,} rows wait. Mend the "
            "cause and run the same command again."
        )


@click.command()
@from_option
@to_option
@operation_option
@refresh_option
@json_option
@readable_errors
def plan(
    *, start: date, end: date, operations: tuple[str, ...], refresh: bool, as_json: bool
) -> int:
    """Show what a run would submit and could cost at worst. Spends and writes nothing."""
    from dataclasses import replace

    from crust_pipeline.app.days import notes_of, preview_plan
    from crust_pipeline.app.refused import left_out_of_plan
    from crust_pipeline.cli.display import counts_in_words, open_console, print_json

    installation = open_installation()
    check_days(installation, start, end)
    policy = replace(installation.policy, refresh=refresh)
    reports = [
        preview_plan(installation, operation, start=start, end=end, policy=policy)
        for operation in checked_operations(operations)
    ]
    console = open_console()
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
                    "bought_elsewhere": report.bought_elsewhere,
                    "left_out": list(left_out_of_plan(report)),
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
        for note in notes_of(installation, report):
            console.print(note)
    for report in reports:
        for sentence in left_out_of_plan(report):
            console.print(sentence)
    return DONE
