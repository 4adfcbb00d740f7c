"""What materialisations show: numbers by day, schema, lineage. Counts and ids only, no people."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from html import escape
from typing import Any

import dagster as dg

from crust_pipeline.app.days import DayAccount
from crust_pipeline.ledger.outcomes import fill_rate
from crust_pipeline.tables.flatten.drift import Drift
from crust_pipeline.tables.spec import Column, Table
from crust_pipeline.tables.store.lake import Lake

ROWS = "dagster/partition_row_count"
OWNER = "team:data"
PREVIEW_ROWS = 5
# A preview takes some milliseconds for each table and day; of a year, the latest month has them.
PREVIEWED_DAYS = 31
# A day that is planned is loaded within hours; after two days without a load somebody looks.
EVERY_DAY = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=30), fail_window=timedelta(hours=54)
)
# Their values do not say whose row it is. Text might, and so might a vendor's number for a person.
_HARMLESS = ("BOOLEAN", "DATE", "TIMESTAMPTZ", "INTEGER", "DOUBLE")
_HARMLESS_TEXTS = frozenset(
    {"submission_id", "batch_id", "email_type", "vendor", "status", "match_status", "operation"}
)


def table_schema(table: Table) -> dg.TableSchema:
    """Return a table's columns with types, descriptions and the JSON paths that they come from."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(column.name, column.type, description=_described(table, column))
            for column in table.columns
        ]
    )


def _described(table: Table, column: Column) -> str:
    # The UI reads descriptions as Markdown, in which <slug> would be a tag. The paths stand here as
    # well as in the lineage, because only Dagster+ draws the lineage of columns.
    paths = " or ".join(f"`{path}`" for path in table.paths_of(column))
    return escape(column.description) + (f" From {paths}." if paths else "")


def column_lineage(table: Table, upstream: dg.AssetKey) -> dg.TableColumnLineage:
    """Return which JSON paths of the vendor's line each column comes from."""
    return dg.TableColumnLineage(
        {
            column.name: [
                dg.TableColumnDep(asset_key=upstream, column_name=path)
                for path in table.paths_of(column)
            ]
            for column in table.columns
            if table.paths_of(column)
        }
    )


def day_metadata(account: DayAccount, *, prefix: str = "crust") -> dict[str, Any]:
    """Return what one day came to for one operation, as numbers that Dagster can plot."""
    metadata: dict[str, Any] = {
        f"{prefix}/rows": account.outcomes.total(),
        f"{prefix}/credits_reserved": float(account.credits_reserved),
        f"{prefix}/credits_computed": float(account.credits_computed),
        f"{prefix}/batch_ids": list(account.batch_ids),
    }
    if (rate := fill_rate(account.outcomes)) is not None:
        metadata[f"{prefix}/fill_rate"] = round(rate, 4)
    return metadata | {
        f"{prefix}/outcome_{name}": count for name, count in sorted(account.outcomes.items())
    }


def drift_metadata(drift: Sequence[Drift]) -> dict[str, Any]:
    """Return keys that the vendor sent and no table has: path, count and an example's type."""
    if not drift:
        return {}
    lines = ["| path | lines | type |", "|---|---|---|"]
    lines += [f"| `{found.path}` | {found.count} | {found.example_type} |" for found in drift]
    return {"crust/unknown_keys": dg.MetadataValue.md("\n".join(lines))}


def add_by_day(
    context: dg.AssetExecutionContext,
    asset: str,
    by_day: Mapping[date, Mapping[str, Any]],
) -> None:
    """Attach metadata to the materialisations of single days in a run over a range."""
    for day, metadata in by_day.items():
        context.add_asset_metadata(
            dict(metadata), asset_key=dg.AssetKey(asset), partition_key=day.isoformat()
        )


def show_days(
    context: dg.AssetExecutionContext,
    asset: str,
    by_day: Mapping[date, Mapping[str, Any]],
) -> None:
    """Show days as materialised by themselves, in a step that fails at its end for other days."""
    for day, metadata in by_day.items():
        context.log_event(
            dg.AssetMaterialization(
                asset_key=asset, partition=day.isoformat(), metadata=dict(metadata)
            )
        )


def previews(
    lake: Lake, table: Table, days: Sequence[date]
) -> dict[date, dict[str, dg.MetadataValue]]:
    """Return the first rows of each day, masked: which values are filled, not whose they are."""

    def read() -> dict[date, list[tuple[Any, ...]]]:
        # One connection for all days: opening DuckDB takes longer than reading a day.
        with lake.open() as con:
            return {
                day: con.execute(
                    f"FROM {lake.scan(table.name, day, day)} LIMIT {PREVIEW_ROWS}"
                ).fetchall()
                for day in days
            }

    found = lake.consistent_read(read, tables=[table.name], start=min(days), end=max(days))
    return {day: {"crust/preview": _preview(table, rows)} for day, rows in found.items()}


def _preview(table: Table, rows: Sequence[tuple[Any, ...]]) -> dg.MetadataValue:
    filled = [
        number
        for number, values in enumerate(zip(*rows, strict=True))
        if any(value is not None for value in values)
    ]
    names = [table.columns[number].name for number in filled]
    lines = [
        names,
        ["---"] * len(names),
        *([_masked(table.columns[number], row[number]) for number in filled] for row in rows),
    ]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return dg.MetadataValue.md(text if rows else "No rows.")


def _masked(column: Column, value: Any) -> str:  # noqa: ANN401 - any value of a table
    if value is None:
        return ""
    if column.type in _HARMLESS or column.name in _HARMLESS_TEXTS:
        return str(value)
    return "(number)" if column.type == "BIGINT" else f"({len(str(value))} characters)"
