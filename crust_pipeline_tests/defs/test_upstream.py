"""Another asset in the place of `profile_urls` (docs/upstream.md)."""

from datetime import date

import dagster as dg

from crust_pipeline.app.days import write_upstream
from crust_pipeline.defs.partitions import daily_partitions, days_of, one_run
from crust_pipeline.defs.resource import PipelineResource
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.settings import Settings
from crust_pipeline_tests.defs.conftest import SandboxedInstallation
from crust_pipeline_tests.people import DAYS


def people_of(day: date) -> list[dict[str, object]]:
    """What somebody's own database knows of a day."""
    return [{"profile_url": f"linkedin.com/in/person-{day.day}"}, {"business_email": "a@b.example"}]


@dg.asset(name="profile_urls", partitions_def=daily_partitions(Settings()), backfill_policy=one_run)
def from_a_database(context: dg.AssetExecutionContext, crust: PipelineResource) -> None:
    rows = {day: people_of(day) for day in days_of(context)}
    write_upstream(crust.get_pipeline(), rows, run_id=context.run.run_id)


def test_another_asset_may_write_the_upstream_table(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    installation.start(upstream=from_a_database, CRUST_UPSTREAM="")
    installation.buy(DAYS)
    installation.settle()
    assert sorted(key for _, key in sandbox.state.times_submitted()) == [
        "a@b.example",
        "linkedin.com/in/person-5",
        "linkedin.com/in/person-6",
        "linkedin.com/in/person-7",
    ]
    assert sum(installation.outcomes(DAYS).values()) == 6
