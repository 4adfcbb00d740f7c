"""The sensor: what it says while it waits, which runs it asks for, and how often."""

import re
from typing import Any, NoReturn

import dagster as dg
import pytest

from crust_pipeline.buying import land as landing
from crust_pipeline.buying.account import Account
from crust_pipeline.defs.monitoring import FIRST_RETRY_SECONDS
from crust_pipeline.ledger import queries
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline_tests.defs.conftest import SandboxedInstallation, range_tags, reason_of
from crust_pipeline_tests.people import DAYS

SLOW = Switches(instant_jobs=False)


def said(installation: SandboxedInstallation) -> str:
    """Why a tick asks for nothing."""
    found = installation.tick()
    assert isinstance(found, dg.SkipReason), found
    return found.skip_message or ""


def land(installation: SandboxedInstallation) -> None:
    """Do the advance run that is due."""
    (request,) = installation.requests()
    assert request.job_name == "advance_job"
    assert installation.run("advance_job").success


def test_with_nothing_to_do_it_says_that_no_slot_is_busy(
    installation: SandboxedInstallation,
) -> None:
    assert "0 of 5 slots busy" in said(installation)


def test_without_a_key_it_says_what_to_set(
    installation: SandboxedInstallation,
) -> None:
    installation.start(CRUSTDATA_API_KEY="")
    assert "CRUSTDATA_API_KEY is not set" in said(installation)


@pytest.mark.parametrize("switches", [SLOW])
def test_while_a_job_runs_it_says_how_many_slots_are_busy(
    installation: SandboxedInstallation,
) -> None:
    installation.buy(DAYS)
    assert re.match(r"1 of 5 slots busy, oldest \d+ s$", said(installation))


@pytest.mark.parametrize("switches", [Switches(max_active_jobs=0)])
def test_it_never_submits(installation: SandboxedInstallation, sandbox: RunningSandbox) -> None:
    installation.buy(DAYS)
    sandbox.state.change(max_active_jobs=5)
    installation.tick()
    assert not sandbox.state.jobs


def test_a_completed_job_asks_for_an_advance_run(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    (request,) = installation.requests()
    assert request.job_name == "advance_job"
    assert request.run_key
    assert request.run_key.startswith("advance:land:")


def fail_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> NoReturn:
        raise KeyError("somebody@example.com")

    monkeypatch.setattr(CrustdataClient, "job", failing)


def test_a_tick_in_which_a_batch_fails_fails_and_names_it(
    installation: SandboxedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.buy(DAYS)
    fail_polls(monkeypatch)
    (batch,) = queries.batches(installation.pipeline.ledger)
    with pytest.raises(dg.Failure, match=f"poll of batch {batch['submission_id']}: KeyError"):
        installation.tick()
    monkeypatch.undo()


def test_a_tick_in_which_a_batch_fails_asks_for_what_others_need(
    installation: SandboxedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.buy(DAYS[:1])
    land(installation)
    installation.buy(DAYS[1:])
    with monkeypatch.context() as broken:
        fail_polls(broken)
        (request,) = installation.requests()
    assert request.job_name == "load_enrich"


def test_an_advance_in_which_a_batch_fails_fails_at_its_end(
    installation: SandboxedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.buy(DAYS[:1])
    installation.buy(DAYS[1:])
    installation.requests()
    bad, good = (batch["submission_id"] for batch in queries.batches(installation.pipeline.ledger))
    settle_file = landing.settle_file

    def failing(account: Account, submission_id: str, **file: Any) -> Any:
        if submission_id == bad:
            raise KeyError("somebody@example.com")
        return settle_file(account, submission_id, **file)

    with monkeypatch.context() as broken:
        broken.setattr(landing, "settle_file", failing)
        result = installation.run("advance_job")
    assert not result.success
    assert f"landing of batch {bad}: KeyError" in reason_of(result)
    states = {b["submission_id"]: b["state"] for b in queries.batches(installation.pipeline.ledger)}
    assert states == {bad: "completed", good: "landed"}


def test_the_same_state_asks_under_the_same_key(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    keys = {request.run_key for _ in range(2) for request in installation.requests()}
    # A new key comes only with the next half minute, for when the first run came to nothing.
    assert 1 <= len(keys) <= 2
    assert {key and key.rsplit(":", 1)[0] for key in keys} == {"advance:land:3"}


def test_while_an_advance_run_is_unfinished_no_other_is_asked_for(
    installation: SandboxedInstallation,
) -> None:
    installation.buy(DAYS)
    job = installation.defs.resolve_job_def("advance_job")
    run = installation.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert not installation.requests()
    installation.instance.delete_run(run.run_id)
    assert installation.requests()


def test_a_run_that_a_power_cut_ended_does_not_hold_up_the_next_for_long(
    installation: SandboxedInstallation,
) -> None:
    installation.buy(DAYS)
    job = installation.defs.resolve_job_def("advance_job")
    installation.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert not installation.requests()
    installation.clock.advance(601)
    assert installation.requests()


def test_final_days_next_to_each_other_are_loaded_in_one_run(
    installation: SandboxedInstallation,
) -> None:
    installation.buy(DAYS)
    land(installation)
    (request,) = installation.requests()
    assert request.job_name == "load_enrich"
    assert request.run_key == "load:2026-01-05:2026-01-07:enrich:2:1"
    assert {**request.tags, **range_tags(DAYS)} == request.tags


def test_days_apart_are_loaded_in_runs_of_their_own(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS[:1])
    installation.buy(DAYS[2:])
    land(installation)
    starts = {
        request.tags["dagster/asset_partition_range_start"] for request in installation.requests()
    }
    assert starts == {"2026-01-05", "2026-01-07"}


def test_no_load_is_asked_for_twice(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    land(installation)
    assert len(installation.requests()) == 1
    assert not installation.requests()


def test_a_load_that_came_to_nothing_is_asked_for_again_later(
    installation: SandboxedInstallation,
) -> None:
    installation.buy(DAYS)
    land(installation)
    first = installation.requests()
    installation.clock.advance(FIRST_RETRY_SECONDS - 10)
    assert not installation.requests()
    installation.clock.advance(10)
    (again,) = installation.requests()
    assert again.run_key == "load:2026-01-05:2026-01-07:enrich:2:2"
    assert again.run_key not in {request.run_key for request in first}


def test_each_vain_load_makes_the_next_wait_longer(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    land(installation)
    installation.requests()
    installation.clock.advance(FIRST_RETRY_SECONDS + 5)
    assert installation.requests()
    installation.clock.advance(FIRST_RETRY_SECONDS + 5)
    assert not installation.requests()
    installation.clock.advance(FIRST_RETRY_SECONDS)
    assert installation.requests()


def test_when_all_is_loaded_it_asks_for_nothing(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    installation.settle()
    assert "0 of 5 slots busy" in said(installation)
    assert installation.outcomes(DAYS) == {
        "matched": 9,
        "reused": 2,
        "dropped": 1,
        "invalid_input": 1,
    }


def test_an_unreachable_vendor_is_said_not_raised(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    installation.buy(DAYS)
    with sandbox.refusing():
        assert "slots busy" in said(installation)
    installation.settle()
    assert installation.outcomes(DAYS)["matched"] == 9


def test_a_submit_of_unknown_fate_is_found_again_and_bought_once(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    sandbox.fail("connection_lost_after_accept")
    installation.buy(DAYS)
    assert installation.outcomes(DAYS)["unknown"] == 12
    installation.settle()
    assert set(sandbox.state.times_submitted().values()) == {1}
    assert installation.outcomes(DAYS)["matched"] == 9


def test_an_advance_run_without_a_key_fails_once_and_says_what_to_set(
    installation: SandboxedInstallation,
) -> None:
    installation.start(CRUSTDATA_API_KEY="")
    assert "CRUSTDATA_API_KEY is not set" in reason_of(installation.run("advance_job"))
