"""Makes the pictures in docs/images: the asset graph and the report, of the sample week.

Needs Chromium and the development requirements: `python examples/make_pictures.py`.
"""

import tempfile
import time
from datetime import date
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from crust_pipeline.app.installation import Installation
from crust_pipeline.app.orders import operations_of
from crust_pipeline.app.run_loop import run_to_end
from crust_pipeline.local_dagster.instance import DagsterInstance
from crust_pipeline.report.page import write_report
from crust_pipeline.sandbox.serve import running_sandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.settings import Settings

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
# A drawing of the graph takes a moment after the page has loaded.
DRAWING_MS = 4000


def picture_graph(page: Page, folder: Path, environment: dict[str, str]) -> None:
    """Take a picture of the asset graph, as Dagster shows it first."""
    with DagsterInstance.running(
        home=folder / "dagster", environment=environment, log_dir=folder / "logs", daemon=False
    ) as instance:
        page.goto(f"{instance.ui_url}/asset-groups")
        page.get_by_text("marts").first.wait_for()
        page.wait_for_timeout(DRAWING_MS)
        page.screenshot(
            path=IMAGES / "graph.png", clip={"x": 540, "y": 430, "width": 900, "height": 190}
        )


def picture_report(page: Page, folder: Path, environment: dict[str, str]) -> None:
    """Take a picture of the top of the report, after buying the sample week."""
    installation = Installation(settings=Settings.from_env(environment))
    run_to_end(
        installation,
        operations=operations_of(installation.settings),
        start=date(2026, 11, 2),
        end=date(2026, 11, 8),
        policy=installation.policy,
        run_id="pictures",
        show=lambda _: None,
        sleep=time.sleep,
    )
    write_report(installation, folder / "report.html")
    page.goto((folder / "report.html").as_uri())
    page.screenshot(path=IMAGES / "report.png")


def main() -> None:
    """Make both."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as name,
        running_sandbox(switches=Switches(time_scale=20)) as sandbox,
        sync_playwright() as playwright,
    ):
        folder = Path(name)
        environment = {
            "CRUSTDATA_API_KEY": sandbox.api_key,
            "CRUSTDATA_BASE_URL": sandbox.base_url,
            "CRUST_DATA_DIR": str(folder / "data"),
            "CRUST_UPSTREAM": str(ROOT / "data" / "profile_urls.csv"),
            "CRUST_POLL_SECONDS": "0.2",
        }
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        picture_report(page, folder, environment)
        picture_graph(page, folder, environment)
        browser.close()


if __name__ == "__main__":
    main()
