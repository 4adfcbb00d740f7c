"""Commands that make tables anew from what is kept: rebuild, warehouse. Nothing is bought."""

import uuid
from datetime import date
from typing import TYPE_CHECKING

import click

from crust_pipeline.commands.common import (
    DONE,
    FAILED,
    check_days,
    complain,
    from_option,
    json_option,
    open_pipeline,
    readable_errors,
    to_option,
)

if TYPE_CHECKING:
    from crust_pipeline.tables import LoadReport

_WAIT = click.option(
    "--wait-seconds",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    help="How long to wait for other programs to let go of the file.",
)


@click.command()
@from_option
@to_option
@click.option(
    "--table",
    "tables",
    multiple=True,
    help="A result table; may be given several times. Default: all.",
)
@json_option
@readable_errors
def rebuild(*, start: date, end: date, tables: tuple[str, ...], as_json: bool) -> int:
    """Make result tables anew from the files that have landed, and load the warehouse.

    For columns that were added later, and after a repair. Asks nobody and buys nothing.
    """
    from crust_pipeline.display import open_console, print_json
    from crust_pipeline.pipeline import OPERATIONS
    from crust_pipeline.steps import days_between, load_results, load_warehouse
    from crust_pipeline.tables import filling, tables_of

    names = {
        operation: [table.name for table in tables_of(operation)]
        for operation in filling(OPERATIONS)
    }
    known = [name for of_operation in names.values() for name in of_operation]
    if unknown := set(tables) - set(known):
        raise click.BadParameter(
            f"{', '.join(sorted(unknown))}: choose from {', '.join(known)}", param_hint="--table"
        )
    pipeline = open_pipeline()
    check_days(pipeline, start, end)
    run_id = f"rebuild-{uuid.uuid4().hex[:12]}"
    rows: dict[str, int] = {}
    set_aside: list[str] = []
    for operation, of_operation in names.items():
        wanted = [name for name in of_operation if name in tables]
        if tables and not wanted:
            continue
        days = days_between(start, end)
        report = load_results(pipeline, operation, days, run_id=run_id, only=wanted)
        set_aside += [
            f"{file.source_file}: {file.set_aside}" for file in report.files if file.set_aside
        ]
        for part in report.partitions:
            rows[part.table] = rows.get(part.table, 0) + part.rows
    loaded = load_warehouse(pipeline)
    if as_json:
        print_json(open_console(), {"rows": rows, "warehouse_behind": loaded.behind})
    else:
        for name, count in rows.items():
            open_console().print(f"{name}: {count:,} rows")
        _tell(loaded)
    for problem in set_aside:
        complain(f"A file was left out. {problem}")
    return FAILED if set_aside else DONE


@click.group()
def warehouse() -> None:
    """Look after the DuckDB file: refresh, verify, compact."""


@warehouse.command()
@_WAIT
@readable_errors
def refresh(*, wait_seconds: float) -> int:
    """Load every partition whose content differs from the lake's."""
    from crust_pipeline.tables import publish_views

    pipeline = open_pipeline()
    publish_views(pipeline.lake, pipeline.settings.warehouse.with_name("lake.duckdb"))
    loaded = pipeline.warehouse.load(pipeline.lake, wait_seconds=wait_seconds)
    _tell(loaded)
    return FAILED if loaded.behind else DONE


@warehouse.command()
@readable_errors
def verify() -> int:
    """Compare every row with the lake's; exit code 1 if any differs."""
    from crust_pipeline.display import open_console
    from crust_pipeline.tables import WarehouseBusyError

    pipeline = open_pipeline()
    if not pipeline.warehouse.path.exists():
        complain(f"There is no {pipeline.warehouse.path} yet; `warehouse refresh` makes it.")
        return FAILED
    try:
        differences = pipeline.warehouse.verify(pipeline.lake)
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
    from crust_pipeline.display import open_console
    from crust_pipeline.tables import WarehouseBusyError

    pipeline = open_pipeline()
    if not pipeline.warehouse.path.exists():
        complain(f"There is no {pipeline.warehouse.path} yet; `warehouse refresh` makes it.")
        return FAILED
    try:
        before, after = pipeline.warehouse.compact(wait_seconds=wait_seconds)
    except WarehouseBusyError as busy:
        complain(str(busy))
        return FAILED
    open_console().print(f"{before / 1e6:,.1f} MB before, {after / 1e6:,.1f} MB after")
    return DONE


def _tell(loaded: "LoadReport") -> None:
    from crust_pipeline.display import open_console

    if loaded.behind:
        complain(
            f"The lake is complete; the warehouse is {loaded.behind} partitions behind "
            f"({loaded.reason}). The next load catches up."
        )
    else:
        open_console().print(
            f"warehouse: {loaded.loaded:,} partitions loaded, {loaded.rows:,} rows"
        )
