"""The page docs/tables.md, made from the table specs.

`make docs` writes it; a test holds it current.
"""

from collections.abc import Iterator

from crust_pipeline.tables.spec import Column, Table
from crust_pipeline.tables.specs import TABLES

_HEAD = """\
# Tables

Made from the table specs (`crust_pipeline/tables/specs`); edit those, then run
`make docs`.

The same tables are in the lake (`<lake>/<table>/partition_date=YYYY-MM-DD/<table>.parquet`), in
`warehouse.duckdb` and, as views over the lake, in `lake.duckdb`. Moments are UTC. Empty texts and
nulls are told apart as delivered. A path says where in the vendor's line a value is: `[]` is
every element of a list, `#` its place; of several paths the first that is not null counts.
"""


def tables_page() -> str:
    """Give the page."""
    return "\n".join([_HEAD, *(_section(table) for table in TABLES.values())])


def _section(table: Table) -> str:
    origin = f"From operation `{'`, `'.join(table.operations)}`." if table.operations else ""
    lines = [
        f"## {table.name}",
        "",
        f"{table.description} {origin}".strip(),
        "",
        "| column | type | meaning | path |",
        "|---|---|---|---|",
        *(_row(table, column) for column in table.columns),
        "",
    ]
    return "\n".join(lines)


def _row(table: Table, column: Column) -> str:
    paths = "<br>".join(f"`{path}`" for path in _paths(table, column))
    meaning = column.description.replace("<", "&lt;")
    return f"| `{column.name}` | {column.type} | {meaning} | {paths} |"


def _paths(table: Table, column: Column) -> Iterator[str]:
    paths = [(source.path, path) for source in table.sources for path in source.paths_of(column)]
    whole = (
        place * path.startswith(".") + path.removesuffix(".").replace(".#", "#")
        for place, path in paths
    )
    yield from dict.fromkeys(whole)
