"""Nobody is named in what Dagster keeps or prints: every byte is searched for everybody's data."""

import csv
import logging
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from crust_pipeline.buying.recover import SEARCHES_BEFORE_DECIDING
from crust_pipeline.defs.graph import Graph
from crust_pipeline.ledger import queries
from crust_pipeline.settings import Settings
from crust_pipeline_tests.bought import SAMPLE
from crust_pipeline_tests.defs.conftest import SandboxedInstallation
from crust_pipeline_tests.everybody import bytes_of, everybody, named_in
from crust_pipeline_tests.people import DAYS, write_people

SAMPLE_DAYS = ["2026-11-02", "2026-11-03"]
OPERATIONS = Graph(Settings()).operations
OURS = dict(zip(SAMPLE_DAYS, DAYS, strict=False))


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """Two days of the sample, at a time that is past on any machine."""
    path = tmp_path / "people.csv"
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        columns, *rows = csv.reader(file)
    moved = [[OURS[row[0]], *row[1:]] for row in rows if row[0] in OURS]
    write_people(path, moved, columns=columns)
    return path


@pytest.fixture
def history(installation: SandboxedInstallation, tmp_path: Path) -> Iterator[Path]:
    """Where Dagster keeps runs, events, metadata and logs, on disk as in production."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        installation.instance = instance
        yield folder


def test_nothing_that_is_kept_or_printed_names_anybody(
    installation: SandboxedInstallation,
    history: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    days = list(OURS.values())
    installation.materialize(
        "profile_urls", *(f"{operation}_batches" for operation in OPERATIONS), days=days
    )
    follow(installation, days)
    people = everybody(installation.pipeline.lake)
    assert len(people) > 300
    out, err = capfd.readouterr()
    written = bytes_of([history]) + (caplog.text + out + err).encode()
    assert b"contactable_people" in written
    assert b"event=landed submission_id=" in written
    assert not named_in(written, people)


def follow(installation: SandboxedInstallation, days: list[date]) -> None:
    """Do what the sensor asks for until the days are loaded."""
    for _ in range(20):
        for request in installation.requests():
            assert request.job_name
            installation.run(request.job_name, tags=request.tags)
        waiting = queries.waiting_rows(
            installation.pipeline.ledger, OPERATIONS, days, searches=SEARCHES_BEFORE_DECIDING
        )
        if not waiting.rows_open and not installation.requests():
            return
        installation.clock.advance(timedelta(minutes=5).total_seconds())
    raise AssertionError("it never comes to an end")
