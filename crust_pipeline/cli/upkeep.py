"""Commands that look after an installation: prune, upgrade."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crust_pipeline.cli.common import (
    DONE,
    FAILED,
    complain,
    json_option,
    open_installation,
    readable_errors,
)
from crust_pipeline.settings import Settings

if TYPE_CHECKING:
    from crust_pipeline.ledger.upgrading import Standing


@click.command()
@click.option(
    "--older-than-days",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    help="Runs that ended earlier are removed.",
)
@readable_errors
def prune(*, older_than_days: float) -> int:
    """Remove old runs and their events from Dagster's history (DAGSTER_HOME).

    Runs that an asset still shows as the latest of a day are kept. The ledger, the vendor's files
    and the tables are not touched, and nothing is bought again because of it.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or Settings.from_env().data_dir / "dagster")
    if not (home / "dagster.yaml").exists():
        complain(
            f"There is no Dagster instance in {home}. Set DAGSTER_HOME to the folder that holds "
            "its dagster.yaml."
        )
        return FAILED
    from crust_pipeline.cli.display import open_console
    from crust_pipeline.defs.history import prune_home

    before = datetime.now(UTC) - timedelta(days=older_than_days)
    pruned = prune_home(home, before=before)
    open_console().print(
        f"{pruned.removed:,} runs removed; {pruned.kept:,} old ones kept, because assets show them."
    )
    return DONE


@click.command()
@click.option(
    "--check", is_flag=True, help="Only say what would be done; exit code 1 if there is something."
)
@click.option(
    "--new-ledger",
    is_flag=True,
    help="Go on with a ledger that does not know what lies in the raw folder and the lake. It "
    "would be bought again.",
)
@click.option(
    "--restore-claims",
    is_flag=True,
    help="Read back from the raw folder and the lake what a lost ledger, or an older copy of it, "
    "does not know, so that it is not bought again.",
)
@json_option
@readable_errors
def upgrade(*, check: bool, new_ledger: bool, restore_claims: bool, as_json: bool) -> int:
    """Bring a ledger that an earlier release made to this release's version of its schema.

    Every command does that by itself before anything else; this one does it while you look. A copy
    of a SQLite file is kept beside it; back up a Postgres database yourself. Stop everything that
    uses the ledger first: programs of the earlier release cannot go on with it.
    """
    if check + new_ledger + restore_claims > 1:
        raise click.UsageError("Give one of --check, --new-ledger and --restore-claims.")
    if restore_claims:
        return _restore_claims(as_json=as_json)
    if new_ledger:
        return _accept_new_ledger(as_json=as_json)
    from crust_pipeline.cli.display import open_console, print_json
    from crust_pipeline.ledger.schema import VERSION
    from crust_pipeline.ledger.store import Ledger

    settings = Settings.from_env()
    ledger = Ledger(settings.ledger_url, account=settings.account)
    found, backup = ledger.standing(), None
    if found.pending and not check:
        with ledger.read():
            done = ledger.upgrade
        backup = done and done.backup
        found = ledger.standing()
    console = open_console()
    if as_json:
        pending = [{"version": each.version, "what": each.what} for each in found.pending]
        told = {"version": found.version, "latest": VERSION, "pending": pending}
        print_json(console, {**told, "backup": backup and str(backup)})
    else:
        for line in _in_words(found, VERSION):
            console.print(line)
        if backup:
            console.print(f"A copy of it as it was: {backup}")
            console.print("Delete the copy when all is well: it names people, and `erase` does")
            console.print("not reach it.")
    return FAILED if found.pending else DONE


def _accept_new_ledger(*, as_json: bool) -> int:
    from crust_pipeline.app.stores import accept_as_new, batches_in_words
    from crust_pipeline.cli.display import open_console, print_json

    installation = open_installation()
    count = accept_as_new(
        installation.ledgers, raw=installation.settings.raw, lake=installation.lake
    )
    if as_json:
        print_json(open_console(), {"batches_set_aside": count})
        return DONE
    click.echo(
        f"The ledger {installation.ledger.name} goes on with this raw folder and this lake. "
        f"Set aside in them: {batches_in_words(count)}. What was bought so counts as not bought."
    )
    return DONE


def _restore_claims(*, as_json: bool) -> int:
    from crust_pipeline.app.restoring import restore_claims
    from crust_pipeline.app.stores import batches_in_words
    from crust_pipeline.cli.display import open_console, print_json

    installation = open_installation()
    restored = restore_claims(installation)
    if as_json:
        print_json(open_console(), restored)
        return FAILED if restored.failed else DONE
    click.echo(
        f"{batches_in_words(restored.batches)} with {restored.people:,} people and the decisions "
        f"for {restored.rows:,} rows are back in the ledger {installation.ledger.name}. Next: "
        "`crust-pipeline rebuild`. Not restored: credit limits already used, what was sent after "
        "the lake was last written, and who was erased: erase them again before you buy."
    )
    for problem in restored.failed:
        complain(problem)
    return FAILED if restored.failed else DONE


def _in_words(found: "Standing", latest: int) -> list[str]:
    if found.version is None:
        return ["There is no ledger yet; the first plan makes one."]
    if not found.pending:
        return [f"The ledger is up to date: version {found.version} of its schema."]
    return [
        f"The ledger has version {found.version} of its schema; this program uses {latest}.",
        *(f"To version {each.version}: {each.what}" for each in found.pending),
        "`crust-pipeline upgrade` does that, and so does the next command that uses the ledger.",
    ]
