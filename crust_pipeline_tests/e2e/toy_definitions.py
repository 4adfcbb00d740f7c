"""A small code location: what it does can be seen and held up from outside."""

import os
import time
import warnings
from pathlib import Path

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)

FOLDER = Path(os.environ["TOY_FOLDER"])
DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-02-01")
ONE_RUN = dg.BackfillPolicy.single_run()


@dg.asset(partitions_def=DAYS, backfill_policy=ONE_RUN, pool="duckdb_writer")
def upstream(context: dg.AssetExecutionContext) -> None:
    """Writes down which days it was asked for."""
    (FOLDER / context.run.run_id).write_text(" ".join(context.partition_keys))


@dg.asset(partitions_def=DAYS, backfill_policy=ONE_RUN, deps=[upstream])
def downstream(context: dg.AssetExecutionContext) -> None:
    """Ends when the gate is open."""
    (FOLDER / f"{context.run.run_id}-waits").touch()
    while not (FOLDER / "gate").exists():
        time.sleep(0.05)  # a test opens the gate from another process


all_assets = dg.define_asset_job("all_assets", [upstream, downstream])


@dg.sensor(job=all_assets)
def ticker() -> dg.SkipReason:
    """Never asks for anything."""
    return dg.SkipReason("nothing to do")


defs = dg.Definitions(
    assets=[upstream, downstream],
    jobs=[all_assets],
    sensors=[ticker],
    executor=dg.in_process_executor,
)
