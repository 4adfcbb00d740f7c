"""The commands: what they print, as what they end, and what they leave alone."""

import signal
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import click
import pytest

from crust_pipeline.cli import common
from crust_pipeline.cli.main import main
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline_tests.command_line import crust, start
from crust_pipeline_tests.people import write_people

DAYS = ("--from", "2026-01-05", "--to", "2026-01-07")
ENRICH = (*DAYS, "--operation", "enrich")
OUTCOMES = {"matched": 9, "reused": 2, "dropped": 1, "invalid_input": 1}


def test_help_names_every_command() -> None:
    done = crust("--help", settings={})
    assert done.code == 0
    for name in main.commands:
        assert f"\n  {name} " in done.out


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_and_option_has_help(name: str) -> None:
    command = main.commands[name]
    assert command.help
    done = crust(name, "--help", settings={})
    assert done.code == 0
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.opts[0] in done.out
            assert option.help or option.show_default, option.opts


def test_a_command_that_does_not_exist_is_wrong_usage() -> None:
    assert crust("nonsense", settings={}).code == 2


def test_run_ends_well_when_every_row_has_its_outcome(settings: dict[str, str]) -> None:
    done = crust("run", *ENRICH, settings=settings)
    assert done.code == 0
    assert "enrich: 13 rows: 9 matched, 2 reused" in done.out


def test_run_says_as_json_what_became_of_the_rows(settings: dict[str, str]) -> None:
    done = crust("run", *ENRICH, "--json", settings=settings)
    assert done.code == 0
    assert done.json["outcomes"] == {"enrich": OUTCOMES}
    assert done.json["stopped"] is None


def test_run_again_buys_nothing(settings: dict[str, str], sandbox: RunningSandbox) -> None:
    for _ in range(2):
        assert crust("run", *ENRICH, settings=settings).code == 0
    assert set(sandbox.state.times_submitted().values()) == {1}


def test_a_leap_day_is_planned_bought_and_loaded(settings: dict[str, str], upstream: Path) -> None:
    leap_day = "2024-02-29"
    write_people(upstream, [(leap_day, "https://www.linkedin.com/in/person-1")])
    settings |= {"CRUST_PARTITIONS_START": "2024-01-01"}
    days = ["--from", leap_day, "--to", "2024-03-01"]
    assert crust("run", *days, "--operation", "enrich", settings=settings).code == 0
    query = "SELECT partition_date, count(*) AS rows FROM outcomes GROUP BY ALL"
    (row,) = crust("sql", query, "--json", settings=settings).json
    assert row == {"partition_date": leap_day, "rows": 1}


def test_run_buys_every_operation_when_none_is_named(settings: dict[str, str]) -> None:
    done = crust("run", *DAYS, "--json", settings=settings)
    assert done.code == 0
    assert set(done.json["outcomes"]) == {"identify", "contact", "enrich"}
    assert {sum(counts.values()) for counts in done.json["outcomes"].values()} == {13}


@pytest.fixture
def unknown_batch(settings: dict[str, str], sandbox: RunningSandbox) -> str:
    """A submit of which nobody knows that it never started; its job is nowhere to be found."""
    sandbox.fail("server_error", path="/batch/person/enrich")
    done = crust("run", *ENRICH, settings=settings)
    assert done.code == 1
    assert "rows need a decision" in done.out
    (submission_id,) = crust("status", "--json", settings=settings).json["unknown"]
    return submission_id


def test_status_says_what_to_decide(settings: dict[str, str], unknown_batch: str) -> None:
    told = crust("status", settings=settings)
    assert f"Unknown: batch {unknown_batch}" in told.out
    assert "See what `crust-pipeline reconcile` proposes" in told.out


def test_reconcile_says_what_it_found(settings: dict[str, str], unknown_batch: str) -> None:
    assert "1 still unknown" in crust("reconcile", settings=settings).out


@pytest.mark.parametrize("decision", ["--abandon", "--resubmit"])
def test_a_decision_by_hand_lets_the_run_go_on(
    settings: dict[str, str], sandbox: RunningSandbox, unknown_batch: str, decision: str
) -> None:
    assert crust("reconcile", decision, unknown_batch, settings=settings).code == 0
    assert crust("run", *ENRICH, settings=settings).code == 0
    assert set(sandbox.state.times_submitted().values()) == {1}


def test_plan_says_what_it_would_cost_and_spends_and_writes_nothing(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    done = crust("plan", *ENRICH, settings=settings)
    assert done.code == 0
    assert "10 identifiers to submit; at worst 20 credits" in done.out
    assert not sandbox.state.requests
    assert not (Path(settings["CRUST_DATA_DIR"]) / "lake").exists()


def test_plan_says_it_as_json(settings: dict[str, str]) -> None:
    (plan,) = crust("plan", *ENRICH, "--json", settings=settings).json
    assert plan["operation"] == "enrich"
    assert plan["batches"] == [10]
    assert plan["verdicts"] == {"ask": 10, "reuse": 2, "invalid_input": 1}
    assert plan["credits_worst_case"] == 20


def test_plan_needs_no_key(settings: dict[str, str]) -> None:
    del settings["CRUSTDATA_API_KEY"]
    assert crust("plan", *ENRICH, settings=settings).code == 0


def test_plan_after_a_run_has_nothing_left_to_buy(settings: dict[str, str]) -> None:
    crust("run", *ENRICH, settings=settings)
    done = crust("plan", *ENRICH, settings=settings)
    assert "0 batches with 0 identifiers to submit; at worst 0 credits" in done.out
    again = crust("plan", *ENRICH, "--refresh", settings=settings)
    assert "10 identifiers to submit; at worst 20 credits" in again.out


def test_a_refresh_says_its_price_and_is_not_run_unless_somebody_agrees(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    crust("run", *ENRICH, settings=settings)
    refused = crust("run", *ENRICH, "--refresh", settings=settings)
    assert refused.code == 2
    assert "buys 10 identifiers" in refused.err
    assert "at worst 20 credits (crustdata)" in refused.err
    assert set(sandbox.state.times_submitted().values()) == {1}


def test_a_refresh_that_is_agreed_to_says_its_price_before_it_spends(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    crust("run", *ENRICH, settings=settings)
    done = crust("run", *ENRICH, "--refresh", "--yes", settings=settings)
    assert done.code == 0
    assert done.err.startswith("--refresh buys 10 identifiers")
    assert set(sandbox.state.times_submitted().values()) == {2}


def test_somebody_at_a_terminal_is_asked_before_a_refresh(
    settings: dict[str, str], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crust_pipeline.cli.common.is_asked", lambda: True)
    done = crust("run", *ENRICH, "--refresh", settings=settings)  # nothing is typed
    assert done.code == 130
    assert "Go on? [y/N]" in done.err
    assert not sandbox.state.jobs


def test_status_of_a_fresh_installation(settings: dict[str, str]) -> None:
    done = crust("status", settings=settings)
    assert done.code == 0
    assert "batches: none" in done.out
    assert "0 of 5 held" in done.out


def test_status_after_a_run(settings: dict[str, str], sandbox: RunningSandbox) -> None:
    crust("run", *ENRICH, settings=settings)
    told = crust("status", "--json", settings=settings).json
    assert told["batches"] == {"loaded": 1}
    assert told["slots_held"] == 0
    assert told["credits_computed"] == sandbox.state.account.spent


def test_sql_answers_in_three_styles(settings: dict[str, str]) -> None:
    crust("run", *ENRICH, settings=settings)
    query = "SELECT outcome, count(*) AS n FROM outcomes GROUP BY ALL ORDER BY n DESC, outcome"
    table = crust("sql", query, settings=settings)
    assert table.out.splitlines()[:3] == ["4 rows", "outcome        n", "matched        9"]
    in_csv = crust("sql", query, "--csv", settings=settings)
    assert in_csv.out.split() == [
        "outcome,n",
        "matched,9",
        "reused,2",
        "dropped,1",
        "invalid_input,1",
    ]
    in_json = crust("sql", query, "--json", settings=settings)
    assert in_json.json[0] == {"outcome": "matched", "n": 9}


def test_sql_cuts_nothing_and_takes_nothing_for_markup(settings: dict[str, str]) -> None:
    text = "[bold]:smile: " + "x" * 300
    done = crust("sql", f"SELECT '{text}' AS a, 1234567 AS b", settings=settings)
    assert text in done.out
    assert "1234567" in done.out


def test_sql_that_is_wrong_is_one_message(settings: dict[str, str]) -> None:
    done = crust("sql", "SELECT nothing FROM nowhere", settings=settings)
    assert done.code == 1
    assert done.err.startswith("Error: ")


@pytest.mark.parametrize("switches", [Switches(time_scale=1)])
def test_ctrl_c_stops_a_run_that_goes_on_when_run_again(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    run = start("run", *ENRICH, settings=settings)
    assert run.stderr
    assert "slots 1 of 5" in run.stderr.readline()
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert err.strip() == (
        "Error: Interrupted. Batches: 1 at the vendor. Nothing is lost: `crust-pipeline run` goes "
        "on with them and buys nothing twice."
    )
    sandbox.clock.advance(3600)
    assert crust("run", *ENRICH, settings=settings).code == 0
    assert set(sandbox.state.times_submitted().values()) == {1}


def test_ctrl_c_at_the_question_whether_to_spend_sends_nothing(
    settings: dict[str, str], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "is_asked", lambda: True)
    done = crust("lookup", "linkedin.com/in/person-1", settings=settings)  # no answer is typed
    assert done.code == 130
    assert "Error: Interrupted. Nothing is lost" in done.err
    assert not sandbox.state.times_submitted()


def test_a_reader_that_goes_away_is_no_traceback(settings: dict[str, str]) -> None:
    with start("sql", "FROM range(100000)", "--csv", settings=settings) as sql:
        assert sql.stdout
        sql.stdout.readline()
        sql.stdout.close()
        assert sql.stderr
        assert sql.stderr.read() == ""


def test_the_sandbox_prints_its_addresses_first_and_ends_on_sigterm() -> None:
    with start("sandbox", "--port", "0", settings={}) as sandbox:
        assert sandbox.stdout
        addresses = [sandbox.stdout.readline() for _ in range(2)]
        sandbox.terminate()
        _, err = sandbox.communicate(timeout=30)
    assert all(address.startswith("http://127.0.0.1:") for address in addresses)
    assert (sandbox.returncode, err) == (0, "")


@pytest.fixture
def lost_for_hours(settings: dict[str, str], sandbox: RunningSandbox) -> str:
    """A submit that never arrived, sent hours ago and searched for, beside jobs that are listed."""
    days = ("--from", "2026-01-05", "--to", "2026-01-05")
    assert crust("run", *days, "--operation", "enrich", settings=settings).code == 0
    sandbox.fail("server_error", path="/batch/person/enrich")
    assert crust("run", *ENRICH, settings=settings).code == 1
    for _ in range(4):
        crust("reconcile", settings=settings)
    (submission_id,) = crust("status", "--json", settings=settings).json["unknown"]
    with closing(sqlite3.connect(Path(settings["CRUST_DATA_DIR"]) / "ledger.db")) as con, con:
        (sent,) = con.execute(
            "SELECT intent_at FROM submissions WHERE submission_id = ?", [submission_id]
        ).fetchone()
        hours_ago = datetime.fromisoformat(sent) - timedelta(hours=3)
        con.execute(
            "UPDATE submissions SET intent_at = ? WHERE submission_id = ?",
            [str(hours_ago), submission_id],
        )
    return submission_id


def test_reconcile_proposes_and_says_what_it_may_cost(
    settings: dict[str, str], lost_for_hours: str
) -> None:
    told = crust("reconcile", settings=settings).out
    assert lost_for_hours in told
    assert "abandon" in told
    (proposal,) = crust("reconcile", "--json", settings=settings).json["proposals"]
    assert (proposal["submission_id"], proposal["proposal"]) == (lost_for_hours, "abandon")
    assert proposal["credits_worst_case"] > 0
    assert "not in the vendor's list" in proposal["reason"]


def test_reconcile_proposes_nothing_where_evidence_is_weak(
    settings: dict[str, str], unknown_batch: str
) -> None:
    (proposal,) = crust("reconcile", "--json", settings=settings).json["proposals"]
    assert (proposal["submission_id"], proposal["proposal"]) == (unknown_batch, None)
    done = crust("reconcile", "--accept-proposals", "--yes", "--json", settings=settings)
    assert (done.code, done.json["accepted"], done.json["still_unknown"]) == (0, [], 1)


def test_proposals_are_not_accepted_before_somebody_agrees_to_the_worst_price(
    settings: dict[str, str], lost_for_hours: str
) -> None:
    done = crust("reconcile", "--accept-proposals", settings=settings)
    assert done.code == 2
    assert "loses at worst" in done.err
    assert "--yes" in done.err
    status = crust("status", "--json", settings=settings).json
    assert status["unknown"] == [lost_for_hours]


def test_accepted_proposals_let_the_run_go_on(
    settings: dict[str, str], sandbox: RunningSandbox, lost_for_hours: str
) -> None:
    done = crust("reconcile", "--accept-proposals", "--yes", settings=settings)
    assert done.code == 0
    assert "1 batches are given up" in done.out
    assert lost_for_hours in done.out
    assert crust("run", *ENRICH, settings=settings).code == 0
    assert set(sandbox.state.times_submitted().values()) == {1}


def test_two_decisions_at_once_are_wrong_usage(settings: dict[str, str]) -> None:
    done = crust("reconcile", "--abandon", "x", "--accept-proposals", settings=settings)
    assert done.code == 2
