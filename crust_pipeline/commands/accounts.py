"""Commands about the ledger: status, reconcile."""

from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache, partial

import click

from crust_pipeline.commands.common import (
    DONE,
    FAILED,
    complain,
    json_option,
    open_pipeline,
    readable_errors,
)
from crust_pipeline.settings import Settings


@click.command()
@json_option
@readable_errors
def status(*, as_json: bool) -> int:
    """Batches, slots, credits, what waits and for what, and what needs a decision."""
    from crust_pipeline.batching.forecast import day_ends, in_ranges
    from crust_pipeline.display import counts_in_words, open_console, print_json
    from crust_pipeline.ledger import progress, queries
    from crust_pipeline.ledger.ledger import Ledger
    from crust_pipeline.ledger.queue import queue

    settings = Settings.from_env()
    ledger = Ledger(settings.ledger_url, account=settings.account)
    now = datetime.now(UTC)
    summary = queries.summary(ledger, now=now)
    unknown = progress.unknown_submits(ledger)
    queued = queue(ledger)
    ends = day_ends(
        queued,
        finished_seconds=cache(partial(progress.finished_seconds, ledger)),
        slots=settings.max_active_batches,
        now=now,
    )
    console = open_console()
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
                "queue": [
                    {
                        "submission_id": batch.submission_id,
                        "operation": batch.operation,
                        "state": batch.state,
                        "priority": batch.priority,
                        "identifiers": batch.identifier_count,
                        "days": sorted({day for _, day in batch.days}),
                    }
                    for batch in queued
                ],
                "days_done": [asdict(days) for days in in_ranges(ends)],
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
    for days in in_ranges(ends):
        at = f"jobs done about {days.at:%Y-%m-%d %H:%M} UTC" if days.at else "no telling when yet"
        console.print(f"Queue: {days.operation} {days.start} to {days.end}: {at}")
    for submit in unknown:
        console.print(
            f"Unknown: batch {submit.submission_id} ({submit.operation}, {submit.identifier_count} "
            f"identifiers, sent {submit.intent_at:%Y-%m-%d %H:%M} UTC) may be running and billed; "
            f"its job was not found in {submit.searches} searches. It holds a slot. Decide with "
            "`crust-pipeline reconcile --adopt`, `--abandon` or `--resubmit`."
        )
    return DONE


@click.command()
@click.option("--adopt", nargs=2, metavar="BATCH JOB", help="This vendor job is that batch's.")
@click.option(
    "--abandon", metavar="BATCH", help="The submit never started; its people may be asked anew."
)
@click.option(
    "--resubmit", metavar="BATCH", help="Buy it again, though it may be paid for already."
)
@readable_errors
def reconcile(*, adopt: tuple[str, str] | None, abandon: str | None, resubmit: str | None) -> int:
    """Look for the jobs of submits whose fate is unknown, or decide about one."""
    from crust_pipeline.batching import reconcile as reconciling
    from crust_pipeline.display import open_console

    engine = open_pipeline().engine
    console = open_console()
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
            complain(found.trouble)
            return FAILED
        console.print(f"{len(found.adopted)} found, {len(found.held)} still unknown.")
    return DONE
