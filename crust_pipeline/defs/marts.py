"""The marts as assets: views, shown with their SQL, their columns and how many rows they have."""

from collections.abc import Iterator

import dagster as dg

from crust_pipeline.defs.metadata import EVERY_DAY, OWNER
from crust_pipeline.defs.resource import PipelineResource, failures_as_dagster
from crust_pipeline.marts import MARTS, Mart
from crust_pipeline.tables.specs import TABLES


def _spec(mart: Mart) -> dg.AssetSpec:
    read = [name for name in mart.reads if name in TABLES]
    return dg.AssetSpec(
        mart.name,
        # They are views of the file that the asset `warehouse` brings up to date.
        deps=["warehouse"],
        description=f"{mart.description} Read from {', '.join(read)}.",
        group_name="marts",
        kinds={"duckdb", "sql"},
        code_version=mart.version,
        owners=[OWNER],
        freshness_policy=EVERY_DAY,
        metadata={
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(name, description=text) for name, text in mart.columns.items()]
            ),
            "crust/sql": dg.MetadataValue.md(f"```sql\n{mart.sql}\n```"),
        },
    )


@dg.multi_asset(name="marts", specs=[_spec(mart) for mart in MARTS.values()])
def marts(crust: PipelineResource) -> Iterator[dg.MaterializeResult]:
    """Count the rows of every mart; there is nothing to bring up to date."""
    lake = crust.get_pipeline().lake
    with failures_as_dagster(), lake.connect() as con:
        for mart in MARTS:
            _, ((rows,),) = lake.ask(con, f"SELECT count(*) FROM {mart}")  # noqa: S608 - our own names
            yield dg.MaterializeResult(asset_key=mart, metadata={"dagster/row_count": rows})
