"""The asset graph as one picture, so that no asset, job or default changes unnoticed."""

from typing import Any

import dagster as dg
from syrupy.assertion import SnapshotAssertion

from crust_pipeline.definitions import defs


def named(keys: object) -> list[str]:
    assert isinstance(keys, set | frozenset)
    return sorted(key.to_user_string() for key in keys)


def picture(definitions: dg.Definitions) -> dict[str, Any]:
    graph = definitions.resolve_asset_graph()
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    return {
        "assets": {
            name: {
                "group": node.group_name,
                "after": named(node.parent_keys),
                "kinds": sorted(node.kinds),
                "partitions": node.partitions_def and str(node.partitions_def),
                "one run over a range": node.backfill_policy == dg.BackfillPolicy.single_run(),
                "pools": sorted(node.pools or ()),
                "checks": named(node.check_keys),
            }
            for name, node in sorted(nodes.items())
        },
        "jobs": {
            job.name: {
                "executor": job.executor_def.name,
                "assets": named(job.asset_layer.selected_asset_keys),
            }
            for job in sorted(definitions.resolve_all_job_defs(), key=lambda job: job.name)
            if job.name != "__ASSET_JOB"
        },
        "sensors": {
            sensor.name: {
                "at first": sensor.default_status.value,
                "every seconds": sensor.minimum_interval_seconds,
                "asks for": sorted(target.job_name for target in sensor.targets),
            }
            for sensor in definitions.sensors or ()
        },
        "schedules": {
            schedule.name: {
                "at first": schedule.default_status.value,
                "when": f"{schedule.cron_schedule} {schedule.execution_timezone}",
                "asks for": schedule.job_name,
            }
            for schedule in definitions.schedules or ()
            if isinstance(schedule, dg.ScheduleDefinition)
        },
        "resources": sorted(definitions.resources or ()),
    }


def test_the_asset_graph_is_as_it_was(snapshot: SnapshotAssertion) -> None:
    assert picture(defs) == snapshot


def test_everything_is_described() -> None:
    graph = defs.resolve_asset_graph()
    silent = [key for key in graph.get_all_asset_keys() if not graph.get(key).description]
    silent += [key for key in graph.asset_check_keys if not graph.get_check_spec(key).description]
    jobs = [job for job in defs.resolve_all_job_defs() if job.name != "__ASSET_JOB"]
    triggers = [*(defs.sensors or ()), *(defs.schedules or ())]
    silent += [each.name for each in [*jobs, *triggers] if not each.description]
    assert not silent


def test_every_table_and_mart_has_a_code_version() -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert (node.code_version is None) == (not node.kinds & {"parquet", "sql"}), key


def test_what_spends_is_never_retried_by_dagster() -> None:
    for job in defs.resolve_all_job_defs():
        for node in job.graph.node_defs:
            assert not isinstance(node, dg.OpDefinition) or node.retry_policy is None, job.name
