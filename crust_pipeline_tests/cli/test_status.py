"""`crust-pipeline status` and `prune`: what they show of the queue, and what they need."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from crust_pipeline.app.installation import Installation
from crust_pipeline.buying.decide import InputRow, Policy
from crust_pipeline.buying.plan import plan
from crust_pipeline.cli.main import main
from crust_pipeline.settings import Settings
from crust_pipeline.vendors.crustdata.products import ENRICH

DAY = date(2026, 1, 5)


@pytest.fixture
def _planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation with one batch in its queue."""
    monkeypatch.setenv("CRUST_DATA_DIR", str(tmp_path))
    pipeline = Installation(settings=Settings.from_env())
    plan(
        pipeline.ledger,
        {"profile_url": ENRICH},
        rows=[InputRow(DAY, "1", "linkedin.com/in/person-1")],
        partitions=[DAY],
        fields=ENRICH.fields,
        policy=Policy(refresh_after=timedelta(90), retry_not_found_after=timedelta(30)),
        now=pipeline.clock(),
    )
    pipeline.ledger.close()


@pytest.mark.usefixtures("_planned")
def test_status_shows_the_queue_by_day() -> None:
    done = CliRunner().invoke(main, ["status"])
    assert done.exit_code == 0
    assert "Queue: enrich 2026-01-05 to 2026-01-05: no telling when yet" in done.output


@pytest.mark.usefixtures("_planned")
def test_status_gives_the_queue_to_scripts() -> None:
    found = json.loads(CliRunner().invoke(main, ["status", "--json"]).output)
    (batch,) = found["queue"]
    assert (batch["state"], batch["identifiers"], batch["days"]) == ("planned", 1, ["2026-01-05"])
    (days,) = found["days_done"]
    assert days == {"operation": "enrich", "start": "2026-01-05", "end": "2026-01-05", "at": None}


def test_prune_without_an_instance_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRUST_DATA_DIR", str(tmp_path))
    done = CliRunner().invoke(main, ["prune"])
    assert done.exit_code == 1
    assert "DAGSTER_HOME" in done.output


@pytest.mark.usefixtures("_planned")
def test_status_says_what_each_batch_waits_for() -> None:
    done = CliRunner().invoke(main, ["status"])
    assert "(enrich, planned) for the next `crust-pipeline run`" in " ".join(done.output.split())
    (wait,) = json.loads(CliRunner().invoke(main, ["status", "--json"]).output)["waits"]
    assert (wait["operation"], wait["state"], wait["until"]) == ("enrich", "planned", None)
    assert wait["waits_for"].startswith("the next `crust-pipeline run`")
