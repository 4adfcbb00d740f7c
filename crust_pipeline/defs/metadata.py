"""What materialisations show: numbers by day, schema, lineage. Counts and ids only, no people."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from crust_pipeline.steps import DayAccount
from crust_pipeline.tables import Drift, Table

ROWS = "dagster/partition_row_count"


def table_schema(table: Table) -> dg.TableSchema:
    """A table's columns with types and descriptions."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(column.name, column.type, description=column.description)
            for column in table.columns
        ]
    )


def column_lineage(table: Table, upstream: dg.AssetKey) -> dg.TableColumnLineage:
    """Which JSON paths of the vendor's line each column comes from."""
    return dg.TableColumnLineage(
        {
            column.name: [
                dg.TableColumnDep(asset_key=upstream, column_name=path) for path in column.paths
            ]
            for column in table.columns
            if column.paths
        }
    )


def day_metadata(account: DayAccount, *, prefix: str = "crust") -> dict[str, Any]:
    """What one day came to for one operation, as numbers that Dagster can plot."""
    answered = account.outcomes["matched"]
    asked = answered + sum(
        account.outcomes[name] for name in ("dropped", "not_found", "redacted", "no_data")
    )
    metadata: dict[str, Any] = {
        f"{prefix}/rows": account.outcomes.total(),
        f"{prefix}/credits_reserved": float(account.credits_reserved),
        f"{prefix}/credits_computed": float(account.credits_computed),
        f"{prefix}/batch_ids": list(account.batch_ids),
    }
    if asked:
        metadata[f"{prefix}/fill_rate"] = answered / asked
    return metadata | {
        f"{prefix}/outcome_{name}": count for name, count in sorted(account.outcomes.items())
    }


def drift_metadata(drift: Sequence[Drift]) -> dict[str, Any]:
    """Keys that the vendor sent and no table has: path, count and an example's type."""
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
