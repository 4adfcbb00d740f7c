"""`crust-pipeline dev` as a person starts it: in a folder, with a relative data folder."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
MY_PEOPLE = """
import dagster as dg
from crust_pipeline.definitions import build_defs

@dg.asset
def of_my_own() -> None:
    "An asset beside ours."

defs = dg.Definitions.merge(build_defs(), dg.Definitions(assets=[of_my_own]))
"""


@pytest.fixture
def dev(settings: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "my_people.py").write_text(MY_PEOPLE)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(
        [sys.executable, "-m", "crust_pipeline", "dev", "--port", "0", "--module", "my_people"],
        cwd=tmp_path,
        env={**environment, **settings, "CRUST_DATA_DIR": "data"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_dev_starts_with_definitions_of_ones_own_and_ends_when_told(
    dev: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert dev.stdout
    address = dev.stdout.readline().split()[2]
    query = {"query": "{ assetNodes { assetKey { path } } }"}
    nodes = httpx.post(f"{address}/graphql", json=query, timeout=30).json()["data"]["assetNodes"]
    assert {"people", "of_my_own"} <= {node["assetKey"]["path"][0] for node in nodes}
    dev.send_signal(signal.SIGTERM)
    assert dev.wait(timeout=60) == 0
    # Where Dagster's telemetry does not look for something to upload.
    logs = {path.name for path in (tmp_path / "data" / "logs").iterdir()}
    assert logs == {"code-server.log", "webserver.log", "daemon.log"}
