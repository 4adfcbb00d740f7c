"""Commands that check tables or make them anew from what is kept. Nothing is bought."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import click

from crust_pipeline.cli.common import (
    DONE,
    FAILED,
    Day,
    check_days,
    complain,
    json_option,
    open_installation,
    readable_errors,
)

if TYPE_CHECKING:
    from crust_pipeline.app.installation import Installation
    from crust_pipeline.tables.store.warehouse import LoadReport

_WAIT = click.option(
    "--wait-seconds",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    help="How long to wait for other programs to let go of the file.",
)


@click.command()
@click.option("--from", "start", type=Day(), help="First day. Default: the first planned one.")
@click.option("--to", "end", type=Day(), help="Last day, included. Default: the last planned one.")
@click.option(
    "--table",
    "tables",
    multiple=True,
    help="Only this result table; may be given several times. Default: everything in the lake.",
)
@json_option
@readable_errors
def rebuild(*, start: date | None, end: date | None, tables: tuple[str, ...], as_json: bool) -> int:
    """Make the lake anew from ledger and landed files, and load the warehouse.

    For columns that were added later, and after a repair or a loss. Asks no vendor and buys
    nothing. Input rows are read from the upstream table only for days whose own are gone.
    """
    from crust_pipeline.app.days import days_between, load_warehouse
    from crust_pipeline.cli.display import open_console, print_json
    from crust_pipeline.tables.specs import filling, tables_of
    from crust_pipeline.vendors.catalog import OPERATIONS

    names = {
        operation: [table.name for table in tables_of(operation)]
        for operation in filling(OPERATIONS)
    }
    known = [name for of_operation in names.values() for name in of_operation]
    if unknown := set(tables) - set(known):
        raise click.BadParameter(
            f"{', '.join(sorted(unknown))}: choose from {', '.join(known)}", param_hint="--table"
        )
    installation = open_installation()
    days = days_between(*_period(installation, start, end))
    rows, problems = _write_lake(installation, names, days, only=tables)
    loaded = load_warehouse(installation)
    if as_json:
        print_json(open_console(), {"rows": rows, "warehouse_behind": loaded.behind})
    else:
        for name, count in rows.items():
            open_console().print(f"{name}: {count:,} rows")
        _tell(loaded)
    for problem in problems:
        complain(problem)
    return FAILED if problems else DONE


def _write_lake(
    installation: "Installation",
    names: Mapping[str, Sequence[str]],
    days: Sequence[date],
    *,
    only: Sequence[str],
) -> tuple[dict[str, int], list[str]]:
    """Write the named tables of each operation, or all; give rows by table, and what is amiss."""
    from crust_pipeline.app.days import load_accounts, load_results
    from crust_pipeline.errors import Failures

    failures = Failures()
    run_id = f"rebuild-{uuid.uuid4().hex[:12]}"
    rows: dict[str, int] = {}
    problems: list[str] = []
    for operation, of_operation in names.items():
        wanted = [name for name in of_operation if name in only]
        if only and not wanted:
            continue
        report = load_results(
            installation, operation, days, run_id=run_id, only=wanted, failures=failures
        )
        problems += [
            f"A file was left out. {file.source_file}: {file.set_aside}"
            for file in report.files
            if file.set_aside
        ]
        for part in report.partitions:
            rows[part.table] = rows.get(part.table, 0) + part.rows
    if not only:
        accounts = load_accounts(installation, days, run_id=run_id, failures=failures)
        for name, by_day in accounts.items():
            rows[name] = sum(by_day.values())
        if problem := _restore_input_rows(installation, days, run_id=run_id):
            problems.append(problem)
    return rows, [*problems, *failures.in_words]


def _planned_days(installation: "Installation") -> set[date]:
    from crust_pipeline.ledger import load as ledger_load
    from crust_pipeline.vendors.catalog import OPERATIONS

    return {
        day for name in OPERATIONS for day in ledger_load.days_planned(installation.ledger, name)
    }


def _period(
    installation: "Installation", start: date | None, end: date | None
) -> tuple[date, date]:
    planned = _planned_days(installation)
    if not planned and not (start and end):
        raise click.UsageError("No day was ever planned, so there is nothing to make anew.")
    start, end = start or min(planned), end or max(planned)
    # Days that were bought before CRUST_PARTITIONS_START was raised are made anew as well.
    first = min([installation.settings.partitions_start, *planned])
    check_days(installation, start, end, first=first)
    return start, end


def _restore_input_rows(
    installation: "Installation", days: Sequence[date], *, run_id: str
) -> str | None:
    """Read planned days of the upstream table that are gone from the lake; say if that fails."""
    from crust_pipeline.app.days import load_upstream
    from crust_pipeline.ledger.load import ranges
    from crust_pipeline.tables.upstream import UpstreamError

    gone = [
        day
        for day in sorted(_planned_days(installation) & set(days))
        if installation.lake.partition("profile_urls", day) is None
    ]
    try:
        for start, end in ranges(gone):
            load_upstream(installation, start=start, end=end, run_id=run_id)
    except UpstreamError as error:
        return (
            f"The input rows of {len(gone)} days are gone from the lake and cannot be read again: "
            f"{error} Where an asset of your own writes `profile_urls`, materialise it."
        )
    return None


@click.command()
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Check N raw files and N partitions, drawn at random. Default: all.",
)
@json_option
@readable_errors
def verify(*, sample: int | None, as_json: bool) -> int:
    """Check raw files, lake and warehouse against the ledger; exit code 1 if anything is wrong.

    Reads only. Every raw file is compared with the SHA-256 that was noted when it landed, every
    partition that was written is read, and its rows are compared with those in the warehouse.
    """
    from dataclasses import asdict

    from crust_pipeline.app.verify import verify as verify_installation
    from crust_pipeline.cli.display import open_console, print_json

    found = verify_installation(open_installation(), sample=sample)
    if as_json:
        print_json(open_console(), asdict(found))
        return FAILED if found.faults else DONE
    click.echo(
        f"Checked {found.raw_files:,} raw files, {found.partitions:,} partitions of the lake, and "
        f"{found.warehouse_partitions:,} in the warehouse: {len(found.faults):,} faults."
    )
    for fault in found.faults:
        complain(f"{fault.place}: {fault.problem}")
    return FAILED if found.faults else DONE


@click.group()
def warehouse() -> None:
    """Look after the DuckDB file: refresh, rebuild, verify, compact."""


@warehouse.command()
@_WAIT
@readable_errors
def refresh(*, wait_seconds: float) -> int:
    """Load every partition whose content differs from the lake's."""
    from crust_pipeline.app.days import load_warehouse

    loaded = load_warehouse(open_installation(), wait_seconds=wait_seconds)
    _tell(loaded)
    return FAILED if loaded.behind or loaded.notes else DONE


@warehouse.command("rebuild")
@_WAIT
@readable_errors
def rebuild_warehouse(*, wait_seconds: float) -> int:
    """Make the file anew from the lake, for one that is damaged. The old one is kept aside."""
    from crust_pipeline.app.days import load_warehouse

    installation = open_installation()
    loaded, aside = installation.warehouse.rebuild(installation.lake, wait_seconds=wait_seconds)
    load_warehouse(installation, wait_seconds=wait_seconds)
    _tell(loaded)
    if aside:
        click.echo(f"The old file: {aside}. Delete it when all is well: it names people.")
    return FAILED if loaded.notes else DONE


@warehouse.command("verify")
@readable_errors
def verify_warehouse() -> int:
    """Compare every row with the lake's; exit code 1 if any differs."""
    from crust_pipeline.cli.display import open_console
    from crust_pipeline.tables.store.warehouse import WarehouseBusyError

    installation = open_installation()
    if not installation.warehouse.path.exists():
        complain(f"There is no {installation.warehouse.path} yet; `warehouse refresh` makes it.")
        return FAILED
    try:
        differences = installation.warehouse.verify(installation.lake)
    except WarehouseBusyError as busy:
        complain(str(busy))
        return FAILED
    for difference in differences:
        complain(difference)
    if not differences:
        open_console().print("The warehouse holds what the lake holds.")
    return FAILED if differences else DONE


@warehouse.command()
@_WAIT
@readable_errors
def compact(*, wait_seconds: float) -> int:
    """Write the file anew, without the gaps that replaced partitions leave."""
    from crust_pipeline.cli.display import open_console
    from crust_pipeline.tables.store.warehouse import WarehouseBusyError

    installation = open_installation()
    if not installation.warehouse.path.exists():
        complain(f"There is no {installation.warehouse.path} yet; `warehouse refresh` makes it.")
        return FAILED
    try:
        before, after = installation.warehouse.compact(wait_seconds=wait_seconds)
    except WarehouseBusyError as busy:
        complain(str(busy))
        return FAILED
    open_console().print(f"{before / 1e6:,.1f} MB before, {after / 1e6:,.1f} MB after")
    return DONE


def _tell(loaded: "LoadReport") -> None:
    from crust_pipeline.cli.display import open_console

    if loaded.behind:
        complain(
            f"The lake is complete; the warehouse is {loaded.behind} partitions behind "
            f"({loaded.reason}). The next load catches up."
        )
    else:
        open_console().print(
            f"warehouse: {loaded.loaded:,} partitions loaded, {loaded.rows:,} rows"
        )
    for note in loaded.notes:
        complain(note)
