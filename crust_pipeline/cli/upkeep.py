"""Commands that keep an installation small: prune."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from crust_pipeline.cli.common import DONE, FAILED, complain, readable_errors
from crust_pipeline.settings import Settings


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
