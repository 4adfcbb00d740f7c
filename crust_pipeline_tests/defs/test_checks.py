"""The checks as Dagster has them: documented, and few that stop a run."""

from pathlib import Path

from crust_pipeline.definitions import defs
from crust_pipeline.defs.checks import checks_by_step
from crust_pipeline.defs.graph import Graph
from crust_pipeline_tests.defs.conftest import SandboxedInstallation, checks_of, range_tags
from crust_pipeline_tests.people import DAYS
from tools.checks_page import checks_page

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"


def test_the_page_of_checks_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == checks_page(defs)


def test_only_money_loss_and_double_counting_stop_a_run() -> None:
    graph = defs.resolve_asset_graph()
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    assert {spec.name for spec in specs if spec.blocking} == {
        "keys_are_unique",
        "columns_are_as_specified",
        "outcomes_add_up",
        "lines_add_up",
        "files_are_complete",
        "costs_are_within_reserved",
    }


def test_every_check_shows_its_numbers_when_it_passes(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    installation.settle()
    asked = checks_of(installation.run("load_enrich", tags=range_tags(DAYS)))
    asked |= checks_of(installation.materialize("profile_urls", "warehouse", days=DAYS))
    graph = defs.resolve_asset_graph()
    names = {key.name for key in graph.asset_check_keys}
    # These belong to tables that other operations fill.
    assert names - asked.keys() == {"statuses_are_usual"}
    assert [name for name, check in asked.items() if not check.passed] == []
    assert [name for name, check in asked.items() if not check.metadata] == []
    assert asked["keys_are_unique"].metadata["days"].value == f"{DAYS[0]} to {DAYS[-1]}"


def test_checks_can_be_asked_before_there_is_anything(installation: SandboxedInstallation) -> None:
    job = installation.defs.resolve_implicit_global_asset_job_def()
    # The others are asked by the step that writes their table.
    steps = checks_by_step(Graph(installation.pipeline.settings))
    keys = {check.spec.key for checks in steps.values() for check in checks}
    result = job.get_subset(asset_selection=set(), asset_check_selection=keys).execute_in_process(
        instance=installation.instance
    )
    found = result.get_asset_check_evaluations()
    assert found
    assert all(check.passed and check.metadata for check in found)
