"""The sample week, bought from the sandbox once for all tests that only read what came of it."""

import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crust_pipeline.app.installation import Installation
from crust_pipeline.app.orders import operations_of
from crust_pipeline.app.run_loop import run_to_end
from crust_pipeline.sandbox.serve import running_sandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.settings import Settings

SAMPLE = Path(__file__).parent.parent / "data" / "profile_urls.csv"
FIRST_DAY, LAST_DAY = date(2026, 11, 2), date(2026, 11, 8)


@pytest.fixture(scope="session")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with running_sandbox(switches=Switches(instant_jobs=True)) as sandbox:
        environment = {
            "CRUSTDATA_API_KEY": sandbox.api_key,
            "CRUSTDATA_BASE_URL": sandbox.base_url,
            "CRUST_DATA_DIR": str(tmp_path_factory.mktemp("bought")),
            "CRUST_UPSTREAM": str(SAMPLE),
            "CRUST_POLL_SECONDS": "0",
        }
        pipeline = Installation(settings=Settings.from_env(environment))
        run_to_end(
            pipeline,
            operations=operations_of(pipeline.settings),
            start=FIRST_DAY,
            end=LAST_DAY,
            policy=pipeline.policy,
            run_id="bought",
            show=lambda _: None,
            sleep=time.sleep,
        )
        yield pipeline
        pipeline.ledger.close()
