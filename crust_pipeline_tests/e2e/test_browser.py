"""The UI in a real browser, as a user sees it: a backfill launched, watched and looked at.

Needs Debian's Chromium (`apt-get install chromium`; `.ci/run` does it). A failure leaves a picture.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crust_pipeline.app.installation import Installation
from crust_pipeline.app.orders import operations_of
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.local_dagster.instance import DagsterInstance
from crust_pipeline.report.page import write_report
from crust_pipeline.settings import Settings
from crust_pipeline_tests.e2e.conftest import FAILED
from crust_pipeline_tests.e2e.instance_helpers import wait_for
from crust_pipeline_tests.people import DAYS

pytestmark = pytest.mark.e2e

CHROMIUM = shutil.which("chromium")
PATIENCE_MS = 30_000


@pytest.fixture
def instance(settings: dict[str, str], tmp_path: Path) -> Iterator[DagsterInstance]:
    with DagsterInstance.running(
        home=tmp_path / "dagster", environment=settings, log_dir=tmp_path / "logs", daemon=False
    ) as instance:
        yield instance


@pytest.fixture
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium; install it with apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium refuses its own sandbox to root, who runs the gate in a container.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        yield page
        if request.node.stash.get(FAILED, False):
            pictures = Path(os.environ.get("TEST_PICTURES", tmp_path))
            page.screenshot(path=pictures / f"{request.node.name}.png")
        browser.close()


def launch_backfill(page: Any, ui_url: str) -> None:
    """What a user does: open the job, choose days, launch."""
    page.goto(f"{ui_url}/locations/crust_pipeline/jobs/plan_day")
    page.get_by_role("button", name="Materialize all").first.click()
    # Dagster asks because identify has found nobody yet.
    page.get_by_role("button", name="Confirm").click()
    dialog = page.get_by_role("dialog").last
    dialog.get_by_text("Show all partitions").click()
    days = dialog.locator("input[type=text]").first
    days.fill(f"[{DAYS[0]}...{DAYS[-1]}]")
    days.press("Enter")
    dialog.get_by_text("3 partitions").first.wait_for()
    dialog.get_by_role("button", name="Launch backfill").click()
    dialog.wait_for(state="hidden")


def open_tab(page: Any, ui_url: str, path: str, *texts: str) -> None:
    """Open a page and see that it tells these things."""
    page.goto(f"{ui_url}{path}")
    for text in texts:
        page.get_by_text(text).first.wait_for()


def test_a_backfill_launched_in_the_ui_can_be_watched_and_looked_at(
    page: Any, instance: DagsterInstance, settings: dict[str, str], tmp_path: Path
) -> None:
    launch_backfill(page, instance.ui_url)
    # The daemon looks for backfills when it starts, and then every 30 s (Dagster 1.13).
    instance.start_daemon()
    pipeline = Installation(settings=Settings.from_env(settings))
    wait_until_loaded(instance, pipeline, tmp_path / "dagster")
    ui = instance.ui_url
    open_tab(page, ui, "/runs", "load_enrich", "Success")
    open_tab(page, ui, "/assets/people", "One row per person enriched", "Owners", "headline")
    open_tab(page, ui, "/assets/people?view=partitions", "Materialized (3)")
    open_tab(page, ui, "/assets/people?view=checks", "keys_are_unique", "lines_add_up", "Passed")
    open_tab(page, ui, "/assets/outcomes?view=checks", "outcomes_add_up", "enrich_fill_rate")
    open_tab(page, ui, "/assets/people?view=events", "crust/fill_rate", "crust/credits_computed")
    open_tab(page, ui, "/assets/enrich_batches", "crust/batches_planned")
    page.get_by_role("button", name="Plots").click()
    # By partition Dagster 1.13 plots the latest days only, and these are long past.
    page.get_by_role("button", name="Events").click()
    page.locator("canvas").first.wait_for()
    open_tab(page, ui, "/locations/crust_pipeline/sensors/batch_monitor", "what spends is a run")
    open_tab(page, ui, "/assets/contactable_people", "One row per person with an address")
    open_tab(page, ui, "/asset-groups", "marts", "enrich")
    report = tmp_path / "report.html"
    write_report(pipeline, report)
    page.goto(report.as_uri())
    page.get_by_role("img", name="Funnel").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    pipeline.ledger.close()


def wait_until_loaded(instance: DagsterInstance, pipeline: Installation, home: Path) -> None:
    expected = len(DAYS) * len(operations_of(pipeline.settings))

    def loaded() -> bool:
        days = ledger_load.days_loaded(pipeline.ledger)
        return len(days) == expected and all(run.ended for run in instance.runs())

    wait_for("every day is loaded", loaded, instance=instance, home=home)
