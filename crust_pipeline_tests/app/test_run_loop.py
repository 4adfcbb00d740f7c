"""How long `run` waits for a vendor that says nothing, and what it says when it gives up."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from crust_pipeline.app.installation import Installation
from crust_pipeline.app.run_loop import VENDOR_SILENCE_LIMIT, RunReport, Silence, run_to_end
from crust_pipeline.ledger import queries
from crust_pipeline.sandbox.clock import Clock
from crust_pipeline.sandbox.serve import RunningSandbox, running_sandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.settings import Settings
from crust_pipeline.vendors.crustdata.client import CrustdataClient

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = date(2026, 11, 2)
LIST_OF_JOBS = "/batch"


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.freeze(START)
    return clock


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[RunningSandbox]:
    with running_sandbox(switches=Switches(instant_jobs=True), clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def pipeline(tmp_path: Path, sandbox: RunningSandbox, clock: Clock) -> Iterator[Installation]:
    """An installation in which waiting takes no time."""
    upstream = "added_on,profile_url\n2026-11-02,https://www.linkedin.com/in/sam-sandbox\n"
    (tmp_path / "profile_urls.csv").write_text(upstream)
    environment = {
        "CRUSTDATA_API_KEY": sandbox.api_key,
        "CRUSTDATA_BASE_URL": sandbox.base_url,
        "CRUST_DATA_DIR": str(tmp_path),
    }
    pipeline = Installation(settings=Settings.from_env(environment), clock=clock.now)
    client = CrustdataClient(
        api_key=sandbox.api_key, base_url=sandbox.base_url, now=clock.now, sleep=clock.advance
    )
    pipeline.accounts["crustdata"] = replace(pipeline.accounts["crustdata"], client=client)
    yield pipeline
    client.close()
    pipeline.ledger.close()


def run(pipeline: Installation, clock: Clock) -> RunReport:
    return run_to_end(
        pipeline,
        operations=["enrich"],
        start=DAY,
        end=DAY,
        policy=pipeline.policy,
        run_id="run",
        show=lambda _: None,
        sleep=clock.advance,
    )


def test_a_lost_submit_is_not_looked_for_for_ever_when_the_list_of_jobs_fails(
    pipeline: Installation, sandbox: RunningSandbox, clock: Clock
) -> None:
    sandbox.fail("connection_lost_after_accept", path="/batch/person/enrich")
    sandbox.fail("server_error", path=LIST_OF_JOBS, times=10_000)
    report = run(pipeline, clock)
    assert report.stopped
    assert "did not answer" in report.stopped
    assert report.outcomes["enrich"] == {"unknown": 1}
    assert clock.now() - START < 2 * VENDOR_SILENCE_LIMIT
    assert set(sandbox.state.times_submitted().values()) == {1}


def test_jobs_that_nobody_can_be_asked_about_are_not_waited_for_for_ever(
    pipeline: Installation, sandbox: RunningSandbox, clock: Clock
) -> None:
    sandbox.fail("server_error", path="/batch/{batch_id}", times=10_000)
    report = run(pipeline, clock)
    assert report.stopped
    assert report.outcomes["enrich"] == {"pending": 1}
    assert clock.now() - START < 2 * VENDOR_SILENCE_LIMIT


def test_a_vendor_to_whom_there_is_no_way_is_asked_once(
    pipeline: Installation, sandbox: RunningSandbox, clock: Clock
) -> None:
    with sandbox.refusing():
        report = run(pipeline, clock)
    assert report.stopped
    assert report.outcomes["enrich"] == {"pending": 1}
    assert clock.now() - START < timedelta(seconds=15)


def test_silence_ends_with_the_first_answer_and_is_not_broken_by_asking_nothing() -> None:
    silence = Silence()
    silence.listen(answered=False, trouble="no answer", now=START)
    silence.listen(answered=False, trouble=None, now=START + VENDOR_SILENCE_LIMIT)
    late = START + VENDOR_SILENCE_LIMIT + timedelta(seconds=1)
    assert silence.too_long(late) == "no answer"
    silence.listen(answered=True, trouble=None, now=late)
    assert silence.too_long(late + VENDOR_SILENCE_LIMIT) is None


def test_a_file_that_stays_bad_is_not_waited_for_for_days(
    pipeline: Installation, sandbox: RunningSandbox, clock: Clock
) -> None:
    sandbox.fail("wrong_download", times=None)
    report = run(pipeline, clock)
    assert report.outcomes["enrich"] == {"pending": 1}
    assert clock.now() - START < timedelta(minutes=20)
    (batch,) = queries.batches(pipeline.ledger)
    assert report.stopped
    assert f"batch {batch['submission_id']} waits for a good file" in report.stopped
    assert "goes on with that later" in report.stopped
    sandbox.state.faults.set([])
    assert run(pipeline, clock).outcomes["enrich"] == {"matched": 1}
    assert set(sandbox.state.times_submitted().values()) == {1}
