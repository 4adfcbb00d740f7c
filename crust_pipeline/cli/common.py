"""What all commands share: options, exit codes, and errors that people can read."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, date
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import click

from crust_pipeline.errors import FOR_PEOPLE
from crust_pipeline.settings import Settings, SettingsError

if TYPE_CHECKING:
    from crust_pipeline.app.installation import Installation

DONE, FAILED, WRONG_USAGE = 0, 1, 2
INTERRUPTED = 130  # 128 and the number of the signal, as shells have it
P = ParamSpec("P")


class Day(click.ParamType):
    """A day, YYYY-MM-DD."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:  # noqa: ANN401 - click's signature
        """Return text to a date."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day; write it as 2026-01-31", param, ctx)


def readable_errors(command: Callable[P, int | None]) -> Callable[P, None]:
    """Return what goes wrong for a known reason is a message, not a traceback."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
            sys.stdout.flush()
        except SettingsError as error:
            complain(str(error))
            code = WRONG_USAGE
        except (KeyboardInterrupt, click.Abort):  # at a question click makes an Abort of it
            complain("Interrupted. Nothing is lost: run the same command again to go on.")
            code = INTERRUPTED
        except BrokenPipeError:
            # The reader of our output has seen enough; Python would complain at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = FAILED
        except FOR_PEOPLE as error:
            complain(str(error))
            code = FAILED
        sys.exit(code or DONE)

    return wrapped


def complain(message: str) -> None:
    """Say on standard error what went wrong."""
    click.echo(f"Error: {message}", err=True)


def open_installation() -> "Installation":
    """Return the installation on the environment's settings."""
    from crust_pipeline.app.installation import Installation

    return Installation(settings=Settings.from_env())


from_option = click.option(
    "--from", "start", type=Day(), required=True, help="First day, YYYY-MM-DD."
)
to_option = click.option("--to", "end", type=Day(), required=True, help="Last day, included.")
operation_option = click.option(
    "--operation",
    "operations",
    multiple=True,
    help="What to buy; may be given several times. Default: everything there is.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
refresh_option = click.option(
    "--refresh",
    is_flag=True,
    help="Buy again what is bought and still fresh. The price is shown first.",
)

yes_option = click.option("--yes", is_flag=True, help="Spend without asking.")


def is_asked() -> bool:
    """Return whether somebody is there to be asked."""
    return sys.stdin.isatty()


def agreed_to_spend(price: str, *, yes: bool) -> int:
    """Say a price before it is spent and ask for consent; return DONE to go on."""
    if yes:
        click.echo(price, err=True)
        return DONE
    if not is_asked():
        complain(f"{price} Nothing was sent. Give --yes to spend that.")
        return WRONG_USAGE
    return DONE if click.confirm(f"{price} Go on?", err=True) else FAILED


def check_days(
    installation: "Installation", start: date, end: date, *, first: date | None = None
) -> None:
    """Refuse days that are no partitions, or lie before another `first` day."""
    if end < start:
        raise click.BadParameter(f"--to {end} is before --from {start}")
    first = first or installation.settings.partitions_start
    if start < first:
        raise click.BadParameter(
            f"--from {start} is before the first partition, {first} (CRUST_PARTITIONS_START)"
        )
    today = installation.clock().astimezone(UTC).date()
    if end > today:
        raise click.BadParameter(f"--to {end} is after today, {today} (UTC)")


def checked_operations(operations: tuple[str, ...]) -> list[str]:
    """Return the operations to buy, in the order of planning; all when none is named."""
    from crust_pipeline.app.orders import operations_of

    there_are = operations_of(Settings.from_env())
    if unknown := set(operations) - set(there_are):
        raise click.BadParameter(
            f"there is no operation {', '.join(sorted(unknown))}; "
            f"choose from {', '.join(there_are)}"
        )
    return [name for name in there_are if not operations or name in operations]
