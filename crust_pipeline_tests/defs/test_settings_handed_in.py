"""`build_defs(settings=...)`: the graph follows from the settings handed in and nothing else."""

from dataclasses import fields
from datetime import date
from typing import Any

import dagster as dg
import pytest

from crust_pipeline.definitions import build_defs
from crust_pipeline.defs.graph import Graph
from crust_pipeline.defs.partitions import daily_partitions, one_run
from crust_pipeline.defs.schedules import build_plan_job
from crust_pipeline.settings import Settings

TOKYO = Settings(
    partitions_start=date(2025, 3, 1),
    daily_hour=23,
    daily_time_zone="Asia/Tokyo",
    business_email_vendors=(),
)
PARIS = Settings(daily_time_zone="Europe/Paris", business_email_vendors=("crustdata", "pronto"))


def batches(defs: dg.Definitions) -> set[str]:
    graph = defs.resolve_asset_graph()
    names = {key.to_user_string() for key in graph.get_all_asset_keys()}
    return {name for name in names if name.endswith("_batches")}


def first_day(defs: dg.Definitions) -> str | None:
    days = defs.resolve_assets_def("outcomes").partitions_def
    assert days
    return days.get_first_partition_key()


def hour(defs: dg.Definitions) -> str:
    schedule = defs.resolve_schedule_def("daily_plan")
    return f"{schedule.cron_schedule} {schedule.execution_timezone}"


def test_two_installations_in_one_process_have_a_graph_each() -> None:
    tokyo, paris = build_defs(settings=TOKYO), build_defs(settings=PARIS)
    assert (first_day(tokyo), first_day(paris)) == ("2025-03-01", "2026-01-01")
    assert (hour(tokyo), hour(paris)) == ("0 23 * * * Asia/Tokyo", "0 6 * * * Europe/Paris")
    assert batches(tokyo) == {"identify_batches", "enrich_batches"}
    assert batches(paris) == batches(tokyo) | {"contact_batches", "bulk_contact_batches"}
    jobs = {job.name for job in tokyo.resolve_all_job_defs()}
    assert not [name for name in jobs if "contact" in name]


def test_the_environment_does_not_reach_a_graph_whose_settings_are_handed_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for spec in fields(Settings):
        monkeypatch.setenv(spec.metadata["variable"], "\N{SNOWMAN}")  # nothing that can be used
    assert first_day(build_defs(settings=PARIS)) == "2026-01-01"


def test_without_settings_they_are_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRUST_PARTITIONS_START", "2025-03-01")
    assert first_day(build_defs()) == "2025-03-01"


def test_every_setting_that_the_graph_is_made_of_is_marked_as_such() -> None:
    read = set[str]()

    class Watched(Settings):
        __hash__ = object.__hash__  # what reads all of them shapes nothing

        def __getattribute__(self, name: str) -> Any:
            read.add(name)
            return super().__getattribute__(name)

    settings = Watched()
    read.clear()
    build_defs(settings=settings).resolve_all_job_defs()
    marked = {spec.name for spec in fields(Settings) if spec.metadata["shapes_graph"]}
    assert read & {spec.name for spec in fields(Settings)} == marked


def upstream_asset(**arguments: Any) -> dg.AssetsDefinition:
    def of_somebody() -> None:
        """Somebody's own."""

    return dg.asset(name="profile_urls", **arguments)(of_somebody)


@dg.asset
def people() -> None:
    """By another name."""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"settings": {"CRUST_DATA_DIR": "x"}}, "takes Settings"),
        ({"upstream": lambda: None}, "takes an asset"),
        ({"upstream": people}, "an asset named profile_urls, and none named people"),
        ({"upstream": upstream_asset()}, "daily_partitions"),
        ({"upstream": upstream_asset(partitions_def=daily_partitions(TOKYO))}, "daily_partitions"),
        ({"upstream": upstream_asset(partitions_def=daily_partitions(PARIS))}, "one_run"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=said) as raised:
        build_defs(**{"settings": PARIS, **arguments})
    assert str(raised.value).count(". ") == 0


def test_an_upstream_with_the_days_of_the_settings_is_taken() -> None:
    upstream = upstream_asset(partitions_def=daily_partitions(TOKYO), backfill_policy=one_run)
    defs = build_defs(settings=TOKYO, upstream=upstream)
    assert defs.resolve_assets_def("profile_urls").keys == upstream.keys
    assert defs.resolve_job_def("plan_day")


def test_names_that_were_published_are_made_of_the_environments_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRUST_PARTITIONS_START", "2025-03-01")
    monkeypatch.setenv("CRUST_BUSINESS_EMAIL_VENDORS", "none")
    from crust_pipeline.defs.partitions import daily
    from crust_pipeline.defs.schedules import plan_job

    assert daily == daily_partitions(TOKYO)
    assert plan_job is build_plan_job(Graph(Settings.from_env()))


def test_a_name_that_is_not_there_is_missed_as_ever() -> None:
    with pytest.raises(ImportError):
        from crust_pipeline.defs.partitions import weekly  # noqa: F401
