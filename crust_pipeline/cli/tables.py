"""Commands about the tables: sql, report."""

import sys
from pathlib import Path

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
@click.argument("query")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@readable_errors
def sql(*, query: str, as_json: bool, as_csv: bool) -> int:
    """Ask the tables a question in SQL. Reads the lake, so it never waits for a writer."""
    import duckdb

    from crust_pipeline.cli.display import open_console, print_json, print_table

    installation = open_installation()
    try:
        with installation.lake.connect() as con:
            columns, rows = installation.lake.ask(con, query)
    except duckdb.Error as error:
        complain(str(error))
        return FAILED
    console = open_console()
    if as_json:
        print_json(console, [dict(zip(columns, row, strict=True)) for row in rows])
    elif as_csv:
        import csv

        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(rows)
    else:
        print_table(console, f"{len(rows):,} rows", columns, rows)
    return DONE


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the page. Default: report.html in the data folder.",
)
@readable_errors
def report(*, output: Path | None) -> int:
    """Write one HTML page: spend, funnel, fill rate, slots in use and how each day stands."""
    try:
        from crust_pipeline.report.page import write_report
    except ModuleNotFoundError as error:
        complain(f"The plots need {error.name}: pip install 'crust-pipeline[report]'")
        return FAILED
    installation = open_installation()
    path = output or installation.settings.data_dir / "report.html"
    write_report(installation, path)
    click.echo(f"Report: {path.resolve().as_uri()}")
    return DONE
