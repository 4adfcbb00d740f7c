"""The one place where the Dagster code location is put together."""

from collections.abc import Mapping

import dagster as dg

from crust_pipeline.defs.buying import build_batches_asset, build_upstream_asset
from crust_pipeline.defs.checks import build_asset_checks
from crust_pipeline.defs.graph import Graph
from crust_pipeline.defs.marts import marts
from crust_pipeline.defs.monitoring import advance_job, build_batch_monitor, build_load_jobs
from crust_pipeline.defs.report import daily_report, report, report_job
from crust_pipeline.defs.resource import build_resource
from crust_pipeline.defs.results import build_accounts_asset, build_result_assets, warehouse
from crust_pipeline.defs.schedules import (
    build_daily_plan,
    build_late_jobs,
    build_plan_job,
    build_upstream_monitor,
)
from crust_pipeline.settings import Settings


def build_defs(
    *,
    settings: Settings | None = None,
    upstream: dg.AssetsDefinition | None = None,
    resource_overrides: Mapping[str, object] | None = None,
) -> dg.Definitions:
    """Build everything that Dagster shows and runs.

    Args:
        settings: Of the installation: its days, operations and hours follow from them. Those of
            the environment and the `.env` file when none are given.
        upstream: Writes the table `profile_urls`, by day; the one that reads `CRUST_UPSTREAM`
            unless you bring your own (see docs/upstream.md).
        resource_overrides: Takes the place of resources of the same name; tests and special
            installations build the same graph with other means.

    Raises:
        SettingsError: the environment has a setting that cannot be used.
        DagsterInvalidDefinitionError: an argument is not what is asked for here.
    """
    graph = Graph(_checked_settings(settings))
    return dg.Definitions(
        assets=[
            build_upstream_asset(graph) if upstream is None else _checked_upstream(graph, upstream),
            *(build_batches_asset(graph, operation) for operation in graph.operations),
            *(build_result_assets(graph, operation) for operation in graph.fills_tables),
            build_accounts_asset(graph),
            warehouse,
            marts,
            report,
        ],
        asset_checks=build_asset_checks(graph),
        jobs=[
            advance_job,
            build_plan_job(graph),
            *build_load_jobs(graph),
            *build_late_jobs(graph),
            report_job,
        ],
        sensors=[build_batch_monitor(graph), build_upstream_monitor(graph)],
        schedules=[build_daily_plan(graph), daily_report],
        resources={"crust": build_resource(graph.settings), **(resource_overrides or {})},
        # About 2 s from request to asset code and one process, instead of one more for every step.
        executor=dg.in_process_executor,
    )


def _checked_settings(settings: object) -> Settings:
    if settings is None:
        return Settings.from_env()
    if not isinstance(settings, Settings):
        raise dg.DagsterInvalidDefinitionError(
            f"build_defs(settings=...) takes Settings, such as Settings.from_env(), and no "
            f"{type(settings).__name__}."
        )
    return settings


def _checked_upstream(graph: Graph, upstream: object) -> dg.AssetsDefinition:
    if not isinstance(upstream, dg.AssetsDefinition):
        raise dg.DagsterInvalidDefinitionError(
            f"build_defs(upstream=...) takes an asset, a function with @dg.asset, and no "
            f"{type(upstream).__name__}."
        )
    if upstream.keys != {dg.AssetKey("profile_urls")}:
        names = ", ".join(sorted(key.to_user_string() for key in upstream.keys))
        raise dg.DagsterInvalidDefinitionError(
            f"build_defs(upstream=...) takes an asset named profile_urls, and none named {names}."
        )
    if upstream.partitions_def != graph.daily:
        raise dg.DagsterInvalidDefinitionError(
            "The asset given as upstream has other days than the settings: give it "
            "partitions_def=daily_partitions(settings), and build_defs the same settings."
        )
    if upstream.backfill_policy is None:
        raise dg.DagsterInvalidDefinitionError(
            "The asset given as upstream would hold a plan to a run for each day: give it "
            "backfill_policy=one_run, so that many days go into full batches."
        )
    return upstream


defs = build_defs()
