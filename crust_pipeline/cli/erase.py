"""The command about people who asked to be forgotten: erase."""

import uuid
from typing import Any

import click

from crust_pipeline.cli.common import (
    DONE,
    WRONG_USAGE,
    complain,
    json_option,
    open_installation,
    readable_errors,
)


@click.command()
@click.argument("identifiers", metavar="URL_OR_EMAIL...", nargs=-1, required=True)
@click.option("--reason", default="on request", show_default=True, help="Why; kept in the ledger.")
@json_option
@readable_errors
def erase(*, identifiers: tuple[str, ...], reason: str, as_json: bool) -> int:
    """Forget people, by profile URL or e-mail: they leave all tables and are never asked for again.

    Their rows stay, with the outcome `suppressed` and nothing personal. The vendor's files stay as
    received; those that hold them are named, and no table is made of their lines any more.
    """
    from crust_pipeline.app.erasure import erase_people
    from crust_pipeline.cli.display import open_console, print_json
    from crust_pipeline.keys import InvalidIdentifier, key_of

    try:
        keys = {key_of(text) for text in identifiers}
    except InvalidIdentifier as error:
        complain(f"Nobody was erased: {error}")
        return WRONG_USAGE
    done = erase_people(
        open_installation(), keys, reason=reason, run_id=f"erase-{uuid.uuid4().hex[:12]}"
    )
    counts: dict[str, Any] = {
        "keys": len(done.keys),
        "days": list(done.days),
        "batches_at_vendor": done.at_vendor,
        "source_files": list(done.source_files),
    }
    console = open_console()
    if as_json:
        print_json(console, counts)
        return DONE
    console.print(
        f"{len(done.keys)} profiles and e-mail addresses are suppressed; the tables of "
        f"{len(done.days)} days are written anew."
    )
    if done.at_vendor:
        console.print(
            f"{done.at_vendor} batches with them are at the vendor and cannot be called back; what "
            "comes of them is left out of the tables."
        )
    for name in done.source_files:
        console.print(f"Kept as received, below the raw folder: {name}")
    console.print("`crust-pipeline warehouse compact` frees what the warehouse's file still holds.")
    return DONE
