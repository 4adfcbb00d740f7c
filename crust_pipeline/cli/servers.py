"""Commands that start servers: sandbox, inbox, demo, dev."""

from pathlib import Path

import click

from crust_pipeline.cli.common import (
    DONE,
    FAILED,
    open_installation,
    readable_errors,
)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default=True, help="The API's port; 0: a free one.")
@click.option("--storage-port", default=0, show_default=True, help="The download storage's port.")
@click.option(
    "--pronto-port", default=0, show_default=True, help="The port of the other vendor's API."
)
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
@readable_errors
def sandbox(
    *,
    host: str,
    port: int,
    storage_port: int,
    pronto_port: int,
    config: Path | None,
    state: Path | None,
    time_scale: float | None,
) -> int:
    """Run a local server that behaves as the vendors' documents say. Its API key is `sandbox-key`.

    The first line it prints is the API's address, the second that of its storage and controls, the
    third that of Pronto, the other vendor.
    """
    from dataclasses import replace

    from crust_pipeline.sandbox.serve import SandboxConfig, serve

    try:
        chosen = SandboxConfig.read(config) if config else SandboxConfig()
    except ValueError as error:
        raise click.BadParameter(f"{config} cannot be used: {error}") from None
    if time_scale is not None:
        switches = chosen.switches.with_changes({"time_scale": time_scale})
        chosen = replace(chosen, switches=switches)
    if state is not None:
        chosen = replace(chosen, state_file=state)
    serve(host=host, port=port, storage_port=storage_port, pronto_port=pronto_port, config=chosen)
    return DONE


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default=True, help="0: a free one.")
@readable_errors
def inbox(*, host: str, port: int) -> int:
    """Receive the vendors' webhooks into the ledger. The first line it prints is its address.

    Put something that speaks HTTPS in front of it, and set CRUST_INBOX_URL, for the processes that
    submit, to the address that the vendors can reach.
    """
    from crust_pipeline.inbox.serve import serve
    from crust_pipeline.inbox.store import Store

    ledger = open_installation().ledger
    _ = ledger.engine  # rather no inbox than one that can keep nothing
    serve(Store(ledger), host=host, port=port)
    return DONE


@click.command()
@click.option("--exit", "exits", is_flag=True, help="End when the backfill has ended.")
@readable_errors
def demo(*, exits: bool) -> int:
    """Enrich the sample people through a real Dagster against the sandbox."""
    from crust_pipeline.cli.demo import run_demo
    from crust_pipeline.cli.display import open_console

    return DONE if run_demo(open_console(), exits=exits) else FAILED


@click.command()
@click.option("--port", default=3000, show_default=True, help="The web server's port.")
@click.option(
    "--module",
    default="crust_pipeline.definitions",
    show_default=True,
    help="The module with the definitions: yours, if you bring an asset or a schedule.",
)
@readable_errors
def dev(*, port: int, module: str) -> int:
    """Start Dagster's UI and daemon on the real API."""
    from crust_pipeline.cli.demo import run_dev
    from crust_pipeline.cli.display import open_console

    _ = open_installation().accounts  # says clearly what is missing
    run_dev(open_console(), port=port, module=module)
    return DONE
