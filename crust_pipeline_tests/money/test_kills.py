"""Kill -9 of the real command at every kind of write to the ledger: nothing bought twice or lost.

The kinds are enumerated, not sampled: each trouble names the functions whose writes it comes to,
and a test holds that these are all. Each kind is killed at its first write; where the second batch
follows the first, at its second too. One test goes on from kill to kill, at every write.
"""

import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest

from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline_tests.money.conftest import Shop
from crust_pipeline_tests.money.killed import Write

KILLED = -signal.SIGKILL
RANDOM_KILLS = 5
ENRICH = (
    "_open",
    "enter",
    "plan",
    "claim_next",
    "record_accepted",
    "record_report",
    "take_landing",
    "keep",
    "record_landed",
    "record_flattened",
    "record_loaded",
)
OF_EACH_BATCH = (
    *("claim_next", "record_accepted", "record_report", "take_landing", "keep", "record_landed"),
)
WRITES = [*(Write(kind) for kind in ENRICH), *(Write(kind, 2) for kind in OF_EACH_BATCH)]


def named(write: Write) -> str:
    return f"{write.kind}-{write.number}"


@pytest.mark.parametrize("write", WRITES, ids=named)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_at_a_write_is_resumed_without_buying_twice(
    shop: Shop, when: str, write: Write
) -> None:
    assert shop.run_and_kill(when, write, "enrich") == KILLED
    shop.run("enrich")
    shop.assert_nothing_is_bought_twice_or_lost("enrich")


@dataclass(frozen=True)
class Trouble:
    """A command at a vendor with whom something is the matter, and the kinds of its writes."""

    command: Sequence[str]
    writes: Sequence[str]
    prepare: Callable[[RunningSandbox], None] = lambda _: None
    mend: Callable[[RunningSandbox], None] = lambda _: None


def _everything_goes_wrong(sandbox: RunningSandbox) -> None:
    """A field is denied, a job fails, an answer is lost."""
    sandbox.state.change(denied_fields=["skills"], endpoints_listed=False)
    sandbox.fail("job_fails", path="/batch/person/enrich")
    sandbox.fail("connection_lost_after_accept", path="/batch/person/enrich", skip=2)


def _credits_end(sandbox: RunningSandbox) -> None:
    """While a job is running: at the plan the vendor does not tell how many there are."""
    sandbox.state.set_credits(Decimal(2))
    for path in ("/account/credits", "/user/credits"):
        sandbox.fail("server_error", path=path, value=404, times=2)


def _top_up(sandbox: RunningSandbox) -> None:
    sandbox.state.faults.set([])
    sandbox.state.set_credits(Decimal(1000))


DAYS_OF = ("run", "--from", "2026-11-02", "--to", "2026-11-03", "--operation")
TROUBLES = {
    "contact": Trouble((*DAYS_OF, "contact"), ENRICH),
    "everything_goes_wrong": Trouble(
        (*DAYS_OF, "enrich"),
        (*ENRICH, "record_refused_fields", "record_failure", "record_unknown", "adopt"),
        prepare=_everything_goes_wrong,
    ),
    "credits_end": Trouble((*DAYS_OF, "enrich"), ENRICH, prepare=_credits_end, mend=_top_up),
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name, trouble in TROUBLES.items() for kind in trouble.writes],
)
def test_a_command_killed_in_trouble_is_resumed_without_paying_twice(
    shop: Shop, name: str, kind: str
) -> None:
    trouble = TROUBLES[name]
    trouble.prepare(shop.sandbox)
    assert shop.run_and_kill("before", Write(kind), command=trouble.command) == KILLED
    trouble.mend(shop.sandbox)
    operation = trouble.command[-1]
    ended = shop.run(operation)
    shop.assert_what_is_paid_for_came_and_was_paid_once(operation)
    # Killed between a refusal and its note, nobody can know that it was one: held for a decision.
    assert ended == (1 if shop.outcomes()[operation]["unknown"] else 0)


@pytest.mark.parametrize("kind", TROUBLES["contact"].writes)
def test_a_synchronous_request_killed_after_a_write_is_not_sent_twice(
    shop: Shop, kind: str
) -> None:
    assert shop.run_and_kill("after", Write(kind), "contact") == KILLED
    shop.run("contact")
    shop.assert_nothing_is_bought_twice_or_lost("contact")


@pytest.mark.parametrize("name", TROUBLES)
def test_no_kind_of_write_in_trouble_is_left_out(shop: Shop, name: str) -> None:
    trouble = TROUBLES[name]
    trouble.prepare(shop.sandbox)
    assert set(shop.kinds_of_writes(*trouble.command)) == set(trouble.writes)


def test_no_kind_of_write_is_left_out(shop: Shop) -> None:
    kinds = Counter(shop.kinds_of_writes(*DAYS_OF, "enrich"))
    assert kinds.keys() == set(ENRICH)
    # Each account opens the ledger for itself.
    repeated = {kind for kind, count in kinds.items() if count > 1} - {"_open"}
    assert repeated == set(OF_EACH_BATCH)


@pytest.mark.parametrize("seed", range(RANDOM_KILLS))
def test_a_run_killed_at_any_moment_is_resumed_without_buying_twice(shop: Shop, seed: int) -> None:
    moment = random.Random(seed).uniform(0.6, 2.0)  # noqa: S311 - reproducible, not secret
    running = shop.start("identify", "enrich")
    try:
        running.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
    shop.run("identify", "enrich")
    shop.assert_nothing_is_bought_twice_or_lost("identify", "enrich")


def test_a_run_killed_again_and_again_comes_to_its_end(shop: Shop) -> None:
    number = 1
    while (code := shop.run_and_kill("after", Write(None, number), "enrich")) == KILLED:
        number += 1
    assert code in {0, 1}
    assert number > len(ENRICH) // 2
    shop.run("enrich")
    shop.assert_nothing_is_bought_twice_or_lost("enrich")


def test_two_runs_at_the_same_time_share_what_is_bought(shop: Shop) -> None:
    both = [shop.start("identify", "enrich") for _ in range(2)]
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
