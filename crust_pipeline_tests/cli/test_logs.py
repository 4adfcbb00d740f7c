"""What the command line logs: one line an event, with ids, when asked to; and nobody is named."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from crust_pipeline.app.installation import Installation
from crust_pipeline.ledger.schema import pauses, rows, submissions, transitions
from crust_pipeline.ledger.states import BatchState, LedgerError
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.settings import Settings
from crust_pipeline_tests.bought import SAMPLE
from crust_pipeline_tests.command_line import Ended, start
from crust_pipeline_tests.everybody import everybody, named_in
from crust_pipeline_tests.people import DAYS

LINE = re.compile(
    r"INFO event=(\w+) submission_id=([0-9a-f]{32}) batch_id=(-|[0-9a-f-]{36}) operation=(\w+)$"
)
PERIOD = ("--from", str(DAYS[0]), "--to", str(DAYS[-1]))


def crust(*arguments: str, settings: dict[str, str]) -> Ended:
    """Run a command in a process of its own, to its end."""
    process = start(*arguments, settings=settings)
    out, err = process.communicate(timeout=120)
    return Ended(process.returncode, out, err)


@pytest.fixture
def pipeline(settings: dict[str, str]) -> Iterator[Installation]:
    pipeline = Installation(settings=Settings.from_env(settings))
    yield pipeline
    pipeline.ledger.close()


def test_each_event_of_a_batch_is_one_line_with_its_ids(
    settings: dict[str, str], pipeline: Installation
) -> None:
    done = crust("-v", "run", *PERIOD, "--operation", "enrich", settings=settings)
    assert done.code == 0, done.err
    found = [match for line in done.err.splitlines() if (match := LINE.search(line))]
    events = [match[1] for match in found]
    assert events == ["planned", "submitting", "pending", "completed", "landed", "loaded"]
    (submission_id,) = {match[2] for match in found}
    with pipeline.ledger.read() as con:
        (batch,) = con.execute(sa.select(submissions)).all()
    assert submission_id == batch.submission_id
    assert {match[3] for match in found[2:]} == {batch.batch_id}


def test_nothing_is_logged_unless_asked_for(settings: dict[str, str]) -> None:
    done = crust("run", *PERIOD, "--operation", "enrich", settings=settings)
    assert done.code == 0
    assert "event=" not in done.out + done.err


def test_what_was_rolled_back_is_not_logged(
    pipeline: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def fail_halfway() -> None:
        with pipeline.ledger.write() as tx:
            tx.log_event(BatchState.PLANNED, "s", "enrich")
            tx.submission("nobody's")

    with pytest.raises(LedgerError):
        fail_halfway()
    assert not caplog.messages


def test_no_process_names_anybody_whatever_goes_wrong(
    settings: dict[str, str], sandbox: RunningSandbox, pipeline: Installation, tmp_path: Path
) -> None:
    settings |= {"CRUST_UPSTREAM": str(SAMPLE), "CRUST_PERSONAL_CONTACT_CONSENT": "true"}
    for fault in (
        "server_error_after_accept",
        "unreadable_answer",
        "malformed_lines",
        "wrong_types",
        "unasked_lines",
        "corrupt_download",
        "dead_link",
    ):
        sandbox.fail(fault)
    days = ("--from", "2026-11-02", "--to", "2026-11-03")
    commands = [
        ("-v", "plan", *days),
        ("-v", "run", *days),
        ("-v", "run", *days),
        ("-v", "status", "--json"),
        ("-v", "reconcile"),
        ("-v", "rebuild"),
        ("-v", "warehouse", "refresh"),
        ("report",),
    ]
    ended = [crust(*command, settings=settings) for command in commands]
    written = "".join(done.out + done.err for done in ended)
    written += (tmp_path / "data" / "report.html").read_text(encoding="utf-8")
    assert "event=landed submission_id=" in written
    reasons = (submissions.c.error, transitions.c.reason, pauses.c.detail, rows.c.detail)
    with pipeline.ledger.read() as con:
        written += "".join(
            reason
            for column in reasons
            for reason in con.execute(sa.select(column)).scalars()
            if reason
        )
    people = everybody(pipeline.lake)
    assert len(people) > 300
    assert not named_in(written.encode(), people)
