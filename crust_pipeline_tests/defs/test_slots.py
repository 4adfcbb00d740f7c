"""How soon a slot is filled again: by the tick that sees a job end, and the run it asks for."""

import time
from datetime import timedelta
from types import SimpleNamespace

import pytest

from crust_pipeline.defs import monitoring
from crust_pipeline.ledger import queries
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline_tests.defs.conftest import SandboxedInstallation
from crust_pipeline_tests.people import DAYS


@pytest.mark.parametrize("switches", [Switches(job_seconds=(3,))])
def test_a_job_that_ends_during_a_tick_is_seen_by_it(
    installation: SandboxedInstallation, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def passes(seconds: float) -> None:
        installation.clock.advance(seconds)
        sandbox.clock.advance(seconds)

    installation.buy(DAYS)
    monkeypatch.setattr(monitoring, "LOOK_SECONDS", 4.0)
    monkeypatch.setattr(monitoring, "time", SimpleNamespace(sleep=passes, monotonic=time.monotonic))
    (request,) = installation.requests()
    assert request.job_name == "advance_job"


def test_an_advance_run_goes_on_while_jobs_end(
    installation: SandboxedInstallation,
) -> None:
    installation.start(CRUST_MAX_ACTIVE_BATCHES="1")
    for day in DAYS:
        installation.buy([day])
    ledger = installation.pipeline.ledger
    batches = queries.summary(ledger, now=installation.clock()).batches
    assert sum(batches.values()) == 3
    installation.clock.passes_at_each_look = timedelta(seconds=1)
    assert installation.run("advance_job").success
    assert queries.summary(ledger, now=installation.clock()).batches == {"landed": 3}
