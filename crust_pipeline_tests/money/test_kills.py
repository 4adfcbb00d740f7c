"""Kill -9 of the real command at every write to the ledger: nothing bought twice, nothing lost.

The writes are enumerated, not sampled: the tests go on with the next write until the command ends
before it is killed. A last test makes sure that none is left out.
"""

import random
import signal
import subprocess

import pytest

from crust_pipeline_tests.money.conftest import Shop

KILLED = -signal.SIGKILL
# More writes than the command makes; a test fails when that is no longer so.
MOST_WRITES = 24
RANDOM_KILLS = 10


@pytest.mark.parametrize("number", range(1, MOST_WRITES))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_at_a_write_is_resumed_without_buying_twice(
    shop: Shop, when: str, number: int
) -> None:
    killed = shop.start(["crust_pipeline_tests.money.killed", when, str(number)], "enrich")
    assert killed.wait(timeout=60) in {KILLED, 0}
    shop.run("enrich")
    shop.assert_nothing_is_bought_twice_or_lost("enrich")


def test_no_write_is_left_out(shop: Shop) -> None:
    program = ["crust_pipeline_tests.money.killed", "after", str(MOST_WRITES)]
    assert shop.start(program, "enrich").wait(timeout=60) == 0


@pytest.mark.parametrize("number", range(1, 16))
def test_a_synchronous_request_killed_at_a_write_is_not_sent_twice(shop: Shop, number: int) -> None:
    killed = shop.start(["crust_pipeline_tests.money.killed", "after", str(number)], "contact")
    assert killed.wait(timeout=60) in {KILLED, 0}
    shop.run("contact")
    shop.assert_nothing_is_bought_twice_or_lost("contact")


@pytest.mark.parametrize("seed", range(RANDOM_KILLS))
def test_a_run_killed_at_any_moment_is_resumed_without_buying_twice(shop: Shop, seed: int) -> None:
    moment = random.Random(seed).uniform(0.6, 2.0)  # noqa: S311 - reproducible, not secret
    running = shop.start(["crust_pipeline"], "identify", "enrich")
    try:
        running.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
    shop.run("identify", "enrich")
    shop.assert_nothing_is_bought_twice_or_lost("identify", "enrich")


def test_a_run_killed_again_and_again_comes_to_its_end(shop: Shop) -> None:
    for number in range(1, MOST_WRITES):
        program = ["crust_pipeline_tests.money.killed", "after", str(number)]
        if shop.start(program, "enrich").wait(timeout=60) == 0:
            break
    shop.run("enrich")
    shop.assert_nothing_is_bought_twice_or_lost("enrich")


def test_two_runs_at_the_same_time_share_what_is_bought(shop: Shop) -> None:
    both = [shop.start(["crust_pipeline"], "identify", "enrich") for _ in range(2)]
    assert [running.wait(timeout=90) for running in both] == [0, 0]
    shop.assert_nothing_is_bought_twice_or_lost("identify", "enrich")
    assert not any(counts["unknown"] for counts in shop.outcomes().values())


def test_a_connection_cut_after_the_request_is_found_in_the_list_of_jobs(shop: Shop) -> None:
    shop.sandbox.fail("connection_lost_after_accept", path="/batch/person/enrich")
    assert shop.run("enrich") == 0
    shop.assert_nothing_is_bought_twice_or_lost("enrich")
    assert not shop.outcomes()["enrich"]["unknown"]


@pytest.mark.parametrize("kind", ["server_error_after_accept", "empty_answer", "unreadable_answer"])
def test_an_answer_that_says_nothing_is_found_in_the_list_of_jobs(shop: Shop, kind: str) -> None:
    shop.sandbox.fail(kind, path="/batch/person/enrich")
    assert shop.run("enrich") == 0
    shop.assert_nothing_is_bought_twice_or_lost("enrich")


def test_a_submit_that_never_arrived_is_held_for_a_decision(shop: Shop) -> None:
    shop.sandbox.fail("server_error", path="/batch/person/enrich", times=1)
    assert shop.run("enrich") == 1
    outcomes = shop.outcomes()["enrich"]
    assert outcomes["unknown"]
    # Only the other batch, the one with the e-mail address, reached the vendor.
    assert list(shop.sandbox.state.times_submitted()) == [("enrich", "sam@example.com")]
