"""The command line, put together from the other modules."""

import logging
import os
from functools import partial

import click

from crust_pipeline.cli import (
    accounts,
    buying,
    erase,
    lookup,
    rebuild,
    refetch,
    servers,
    tables,
    upkeep,
)
from crust_pipeline.private_files import OWNER_ONLY_UMASK


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crust-pipeline")
@click.option("-v", "--verbose", is_flag=True, help="Log what happens to each batch, one a line.")
def main(*, verbose: bool) -> None:
    """Buys people data through vendors' batch APIs, never twice, and lands it as tables.

    Settings come from the environment and a .env file; docs/settings.md lists them.
    Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped with Ctrl-C.
    """
    # What this command and the processes that it starts write is about people. For callers in the
    # same process it is as before at the end.
    click.get_current_context().call_on_close(partial(os.umask, os.umask(OWNER_ONLY_UMASK)))
    if verbose:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("crust_pipeline").setLevel(logging.INFO)


for command in (
    buying.run,
    buying.plan,
    lookup.lookup,
    accounts.status,
    accounts.credits,
    accounts.reconcile,
    refetch.refetch,
    upkeep.prune,
    upkeep.upgrade,
    tables.sql,
    tables.report,
    erase.erase,
    rebuild.rebuild,
    rebuild.verify,
    rebuild.warehouse,
    servers.demo,
    servers.dev,
    servers.sandbox,
    servers.inbox,
):
    main.add_command(command)
