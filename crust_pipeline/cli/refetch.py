"""The command that fetches files again that came short or broken: refetch. Nothing is bought."""

import uuid

import click

from crust_pipeline.cli.common import (
    DONE,
    FAILED,
    complain,
    json_option,
    open_installation,
    readable_errors,
)


@click.command()
@click.argument("batches", metavar="BATCH...", nargs=-1, required=True)
@json_option
@readable_errors
def refetch(*, batches: tuple[str, ...], as_json: bool) -> int:
    """Fetch the files of batches again, and use those that are better. Buys nothing.

    For files that came short or broken, while the vendor still gives a link to them; a batch whose
    link died may have a new one. A file is better if it answers everybody whom the first one
    answers, and others; or as many, when the first one is gone from our disk or damaged there. The
    first one is kept beside it. Tables of the days follow at once.

    Ends 0 when every batch was asked about and none still waits for a good file.
    """
    from crust_pipeline.app.refetching import refetch_batches
    from crust_pipeline.buying.refetch import RefetchOutcome
    from crust_pipeline.cli.display import open_console, print_json

    report = refetch_batches(
        open_installation(), batches, run_id=f"refetch-{uuid.uuid4().hex[:12]}"
    )
    console = open_console()
    if as_json:
        told = {
            submission_id: {"outcome": done.outcome.value, "told": done.told}
            for submission_id, done in report.batches.items()
        }
        behind = report.warehouse.behind if report.warehouse else 0
        print_json(console, {"batches": told, "failed": report.failed, "warehouse_behind": behind})
    else:
        for submission_id, done in report.batches.items():
            changed = "" if done.outcome is RefetchOutcome.BETTER else " Nothing is changed."
            console.print(f"Batch {submission_id}: {done.told}.{changed}")
        if report.warehouse and report.warehouse.behind:
            console.print(
                f"The lake is complete; the warehouse is {report.warehouse.behind} partitions "
                f"behind ({report.warehouse.reason}). The next load catches up."
            )
    for problem in report.failed:
        complain(problem)
    waits = any(done.outcome is RefetchOutcome.WAITS for done in report.batches.values())
    return FAILED if report.failed or waits else DONE
