"""The checks of what was bought: they pass on a real purchase, and fail when it is spoiled."""

import gzip
import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from crust_pipeline.app import checks, traces
from crust_pipeline.app.checks import Finding
from crust_pipeline.app.days import load_results, load_upstream
from crust_pipeline.app.erasure import erase_people
from crust_pipeline.app.installation import Installation
from crust_pipeline.app.run_loop import run_to_end
from crust_pipeline.ledger.schema import submissions
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.settings import Settings
from crust_pipeline.tables.flatten.drift import Drift
from crust_pipeline.tables.flatten.files import FileReport
from crust_pipeline.vendors.pronto.products import PRONTO
from crust_pipeline_tests.people import DAYS, write_people


@pytest.fixture
def pipeline(settings: dict[str, str]) -> Iterator[Installation]:
    pipeline = Installation(settings=Settings.from_env(settings))
    yield pipeline
    pipeline.ledger.close()


def buy(pipeline: Installation) -> None:
    run_to_end(
        pipeline,
        operations=["enrich"],
        start=DAYS[0],
        end=DAYS[-1],
        policy=pipeline.policy,
        run_id="bought",
        show=lambda _: None,
        sleep=time.sleep,
    )


def flattened(pipeline: Installation) -> tuple[FileReport, ...]:
    return load_results(pipeline, "enrich", DAYS, run_id="again").files


def lines(pipeline: Installation, files: tuple[FileReport, ...]) -> Finding:
    return traces.lines_add_up(pipeline, "enrich", DAYS, files)


def lose_rows(pipeline: Installation, table: str, count: int = 1) -> None:
    """Cut rows off the file of the first day that has some."""
    path = next(
        path
        for day in DAYS
        if pq.read_metadata(path := pipeline.lake.path(table, day)).num_rows >= count
    )
    rows = pq.ParquetFile(path).read()
    pq.write_table(rows.slice(count), path)


def change_batches(pipeline: Installation, **values: Any) -> None:
    with pipeline.ledger.write() as tx:
        tx.con.execute(submissions.update().values(**values))


def land_instead(pipeline: Installation, file: Path, content: bytes) -> None:
    """Let another file have landed: raw and ledger agree, and the outcomes were settled before."""
    file.chmod(0o600)
    file.write_bytes(content)
    change_batches(pipeline, file_sha256=hashlib.sha256(content).hexdigest())


def test_lines_that_all_became_rows_add_up(pipeline: Installation) -> None:
    buy(pipeline)
    found = lines(pipeline, flattened(pipeline))
    assert found.passed
    assert found.numbers == {
        "files": 1,
        "files_set_aside": 0,
        "lines_landed": 9,
        "lines_read": 9,
        "lines_loaded": 9,
        "lines_quarantined": 0,
        "lines_answered_before": 0,
        "lines_looked_for_in_the_lake": 9,
        "lines_not_in_the_lake": 0,
    }


def test_a_line_that_is_gone_from_a_landed_file_is_missed(pipeline: Installation) -> None:
    buy(pipeline)
    (kept,) = pipeline.settings.raw.rglob("*.gz")
    fewer = gzip.decompress(kept.read_bytes()).splitlines(keepends=True)[1:]
    land_instead(pipeline, kept, gzip.compress(b"".join(fewer)))
    found = lines(pipeline, flattened(pipeline))
    assert not found.passed
    assert (found.numbers["lines_landed"], found.numbers["lines_read"]) == (9, 8)


def test_a_row_that_was_never_written_is_missed(pipeline: Installation) -> None:
    buy(pipeline)
    files = flattened(pipeline)
    # What the line says of jobs and skills is there still; that is not enough.
    lose_rows(pipeline, "people")
    found = lines(pipeline, files)
    assert not found.passed
    assert found.numbers["lines_not_in_the_lake"] == 1


def test_a_line_that_is_neither_row_nor_quarantined_is_missed(pipeline: Installation) -> None:
    buy(pipeline)
    (file,) = flattened(pipeline)
    assert not lines(pipeline, (replace(file, records=file.records - 1),)).passed


def test_a_line_in_quarantine_is_not_lost(pipeline: Installation, sandbox: RunningSandbox) -> None:
    sandbox.fail("unasked_lines", value=2)
    buy(pipeline)
    files = flattened(pipeline)
    found = lines(pipeline, files)
    assert found.passed
    assert found.numbers["lines_quarantined"] == 2
    lose_rows(pipeline, "quarantine")
    assert not lines(pipeline, files).passed


def test_a_person_who_was_erased_is_not_lost(pipeline: Installation) -> None:
    buy(pipeline)
    erase_people(pipeline, ["linkedin.com/in/person-1"], reason="asked to be", run_id="erased")
    found = lines(pipeline, flattened(pipeline))
    assert found.passed
    assert found.numbers["lines_looked_for_in_the_lake"] == 8
    assert checks.outcomes_add_up(pipeline, DAYS).passed


def test_a_file_that_is_set_aside_is_told_apart(pipeline: Installation) -> None:
    buy(pipeline)
    (kept,) = pipeline.settings.raw.rglob("*.gz")
    damaged = bytearray(kept.read_bytes())
    damaged[-8] ^= 0xFF  # the check sum
    land_instead(pipeline, kept, bytes(damaged))
    found = lines(pipeline, flattened(pipeline))
    assert found.passed
    assert found.numbers["files_set_aside"] == 1


def test_outcomes_add_up_to_what_was_planned(pipeline: Installation) -> None:
    buy(pipeline)
    found = checks.outcomes_add_up(pipeline, DAYS)
    assert found.passed
    assert found.numbers == {"rows_planned": 13, "outcomes": 13, "do_not_add_up": "none"}


def test_an_outcome_that_got_lost_is_missed(pipeline: Installation) -> None:
    buy(pipeline)
    lose_rows(pipeline, "outcomes")
    found = checks.outcomes_add_up(pipeline, DAYS)
    assert not found.passed
    assert found.numbers["do_not_add_up"] == f"enrich {DAYS[0]}"


def test_rows_that_came_late_are_to_be_planned_and_not_lost(
    pipeline: Installation, upstream: Path
) -> None:
    buy(pipeline)
    assert checks.every_row_is_planned(pipeline, DAYS).numbers == {
        "input_rows": 13,
        "rows_to_plan": 0,
        "rows_gone_from_the_upstream": 0,
    }
    urls = [f"https://www.linkedin.com/in/person-{number}" for number in (0, 20, 21)]
    write_people(upstream, [(DAYS[0], url) for url in urls])
    load_upstream(pipeline, start=DAYS[0], end=DAYS[-1], run_id="late")
    found = checks.every_row_is_planned(pipeline, DAYS)
    assert not found.passed
    assert found.numbers["rows_to_plan"] == 2
    assert found.numbers["rows_gone_from_the_upstream"] == 12
    assert checks.outcomes_add_up(pipeline, DAYS).passed


def test_a_file_that_is_shorter_than_announced_is_noticed(pipeline: Installation) -> None:
    buy(pipeline)
    found = checks.files_are_as_long_as_the_vendor_says(pipeline, DAYS)
    assert found.passed
    assert found.numbers["lines_announced"] == found.numbers["lines_landed"] == 9
    change_batches(pipeline, result_count=10)
    found = checks.files_are_as_long_as_the_vendor_says(pipeline, DAYS)
    assert not found.passed
    assert found.numbers["files_that_are_shorter"] == 1


def test_a_submit_of_unknown_fate_is_told(pipeline: Installation) -> None:
    buy(pipeline)
    change_batches(pipeline, state="unknown")
    found = checks.no_submit_is_unknown(pipeline)
    assert not found.passed
    assert found.numbers["identifiers"] == 10


@pytest.mark.parametrize(("days", "passed"), [(1, True), (4.5, False)])
def test_a_link_that_may_soon_die_is_told(
    pipeline: Installation, days: float, *, passed: bool
) -> None:
    buy(pipeline)
    ended = pipeline.clock() - timedelta(days=days)
    change_batches(pipeline, state="completed", completed_at=ended, kept_at=None)
    found = checks.no_link_is_near_its_end(pipeline)
    assert found.passed is passed
    assert found.numbers["files_to_land"] == 1


def test_a_link_of_the_second_vendor_counts_as_well(
    pipeline: Installation, settings: dict[str, str]
) -> None:
    buy(pipeline)
    ended = pipeline.clock() - timedelta(days=4.5)
    both = Settings.from_env(settings | {"CRUST_BUSINESS_EMAIL_VENDORS": "crustdata,pronto"})
    account = PRONTO.account(both)
    change_batches(pipeline, state="completed", completed_at=ended, kept_at=None, account=account)
    assert checks.no_link_is_near_its_end(pipeline).passed
    assert not checks.no_link_is_near_its_end(Installation(settings=both)).passed


def test_a_line_that_was_set_aside_is_told(pipeline: Installation, sandbox: RunningSandbox) -> None:
    assert checks.no_line_is_unreadable(pipeline, DAYS).passed
    sandbox.fail("malformed_lines", value=1)
    buy(pipeline)
    found = checks.no_line_is_unreadable(pipeline, DAYS)
    assert not found.passed
    assert found.numbers == {"lines_of_the_vendor": 1, "lines_of_the_upstream": 0}


def test_a_key_that_no_column_reads_is_named(pipeline: Installation) -> None:
    buy(pipeline)
    (file,) = flattened(pipeline)
    assert checks.no_key_is_unknown([file]).numbers == {"unknown_keys": 0, "paths": "none"}
    drifted = replace(file, drift=(Drift("data.shoe_size", 3, "number"),))
    found = checks.no_key_is_unknown([drifted])
    assert not found.passed
    assert found.numbers["paths"] == "data.shoe_size"
