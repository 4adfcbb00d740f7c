"""The upstream asset and the one that plans and submits, in a run over a range of days."""

from pathlib import Path
from typing import NoReturn

import dagster as dg
import pytest

from crust_pipeline.ledger import queries
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline_tests.defs.conftest import SandboxedInstallation, checks_of, reason_of
from crust_pipeline_tests.people import DAYS, write_people


def test_one_run_submits_many_days_as_one_batch(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    installation.buy(DAYS)
    (job,) = sandbox.state.jobs.values()
    assert job.identifier_count == 10


def test_each_day_shows_its_own_numbers(installation: SandboxedInstallation) -> None:
    installation.buy(DAYS)
    rows = [
        installation.metadata("profile_urls", day)["dagster/partition_row_count"] for day in DAYS
    ]
    assert rows == [6, 4, 3]
    planned = [installation.metadata("enrich_batches", day) for day in DAYS]
    assert [day["crust/rows_ask"] for day in planned] == [6, 2, 2]
    assert [day["crust/rows_reuse"] for day in planned] == [0, 2, 0]
    assert [day["crust/rows_invalid_input"] for day in planned] == [0, 0, 1]
    assert planned[0]["crust/batches_submitted"] == 1


def test_the_same_days_again_buy_nothing(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    installation.buy(DAYS)
    installation.buy(DAYS)
    assert len(sandbox.state.jobs) == 1
    installation.settle()
    installation.buy(DAYS)
    assert len(sandbox.state.jobs) == 1


def test_refresh_buys_again_what_is_bought(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    installation.buy(DAYS)
    installation.settle()
    config = {"enrich_batches": {"config": {"refresh": True}}}
    assert installation.materialize("enrich_batches", days=DAYS, config=config).success
    assert [job.identifier_count for job in sandbox.state.jobs.values()] == [10, 10]


def test_days_without_rows_are_materialised(
    installation: SandboxedInstallation, sandbox: RunningSandbox, upstream: Path
) -> None:
    write_people(upstream, [(DAYS[1], "https://www.linkedin.com/in/person-1")])
    installation.buy(DAYS)
    everything = {day.isoformat() for day in DAYS}
    assert installation.materialized("profile_urls") == everything
    assert installation.materialized("enrich_batches") == everything
    installation.settle()
    assert installation.materialized("people") == everything
    assert installation.materialized("outcomes") == everything
    assert installation.metadata("people", DAYS[0])["dagster/partition_row_count"] == 0


def test_a_day_of_only_unusable_rows_asks_nobody(
    installation: SandboxedInstallation, sandbox: RunningSandbox, upstream: Path
) -> None:
    write_people(upstream, [(DAYS[0], "https://example.com/someone"), (DAYS[0], "")])
    installation.buy(DAYS[:1])
    installation.settle()
    assert not sandbox.state.jobs
    assert installation.outcomes(DAYS) == {"invalid_input": 2}
    assert installation.metadata("outcomes", DAYS[0])["dagster/partition_row_count"] == 2


def test_rows_in_no_day_are_counted_by_a_check(
    installation: SandboxedInstallation, upstream: Path
) -> None:
    write_people(upstream, [("2019-05-01", "https://www.linkedin.com/in/person-1"), ("soon", "x")])
    result = installation.materialize("profile_urls", days=DAYS)
    check = checks_of(result)["rows_have_a_day"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert check.metadata["rows_in_no_partition"].value == 2


def test_a_missing_upstream_is_one_clear_message(
    installation: SandboxedInstallation, upstream: Path
) -> None:
    upstream.unlink()
    reason = reason_of(installation.materialize("profile_urls", "enrich_batches", days=DAYS))
    assert str(upstream) in reason
    assert "CRUST_UPSTREAM" in reason


def test_a_missing_column_is_one_clear_message(
    installation: SandboxedInstallation, upstream: Path
) -> None:
    write_people(upstream, [], columns=("profile_url",))
    reason = reason_of(installation.materialize("profile_urls", "enrich_batches", days=DAYS))
    assert "added_on" in reason


def test_without_a_key_the_run_says_what_to_set(
    installation: SandboxedInstallation,
) -> None:
    installation.start(CRUSTDATA_API_KEY="")
    reason = reason_of(installation.materialize("profile_urls", "enrich_batches", days=DAYS))
    assert "CRUSTDATA_API_KEY is not set" in reason


def test_a_wrong_key_fails_the_run_once_and_plans_nothing(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    installation.start(CRUSTDATA_API_KEY="no-such-key")
    reason = reason_of(installation.materialize("profile_urls", "enrich_batches", days=DAYS))
    assert "does not accept the API key" in reason
    assert "no-such-key" not in reason
    assert not sandbox.state.jobs
    installation.start(CRUSTDATA_API_KEY=sandbox.api_key)
    installation.buy(DAYS)
    assert len(sandbox.state.jobs) == 1


def test_a_setting_that_cannot_be_used_fails_the_run_with_its_name(
    installation: SandboxedInstallation,
) -> None:
    installation.start(CRUST_ENRICH_FIELDS="shoe_size")
    reason = reason_of(installation.materialize("profile_urls", "enrich_batches", days=DAYS))
    assert "CRUST_ENRICH_FIELDS" in reason


def test_over_the_credit_limit_the_rest_is_left_unbought(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    installation.start(CRUST_CREDIT_LIMIT_PER_RUN="8")
    installation.buy(DAYS[:1])
    (job,) = sandbox.state.jobs.values()
    assert job.identifier_count == 4
    installation.settle()
    assert installation.outcomes(DAYS) == {"matched": 4, "over_budget": 2}


@pytest.mark.parametrize("switches", [Switches(max_active_jobs=0)])
def test_a_full_account_is_said_and_nothing_is_lost(
    installation: SandboxedInstallation, sandbox: RunningSandbox
) -> None:
    installation.buy(DAYS)
    told = installation.metadata("enrich_batches", DAYS[0])
    assert told["crust/batches_submitted"] == 0
    assert "active" in told["crust/waits_for"]
    assert installation.outcomes(DAYS) == {"pending": 12, "invalid_input": 1}


def test_a_plan_stands_when_a_submit_fails_and_the_run_names_the_batch(
    installation: SandboxedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> NoReturn:
        raise KeyError("somebody@example.com")

    with monkeypatch.context() as broken:
        broken.setattr(CrustdataClient, "submit", failing)
        result = installation.materialize("profile_urls", "enrich_batches", days=DAYS)
    (batch,) = queries.batches(installation.pipeline.ledger)
    assert f"submit of batch {batch['submission_id']}: KeyError" in reason_of(result)
    assert batch["state"] == "unknown"
    assert installation.materialized("enrich_batches") == {day.isoformat() for day in DAYS}
