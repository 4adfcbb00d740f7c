"""lookup when things go wrong: nothing is bought twice, nothing is left to be bought unasked."""

import signal
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from crust_pipeline.app.installation import Installation
from crust_pipeline.app.lookup import LookedUp, look_up, quote
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.settings import Settings
from crust_pipeline_tests.command_line import crust
from crust_pipeline_tests.money.conftest import Shop
from crust_pipeline_tests.money.conftest import shop as shop  # noqa: PLC0414 - a fixture
from crust_pipeline_tests.money.killed import Write

PATH = "/person/contact/enrich"
SAM = "linkedin.com/in/sam-sandbox"
KILLED = -signal.SIGKILL


def in_process(
    sandbox: RunningSandbox, settings: Mapping[str, str], *people: str
) -> tuple[LookedUp, list[float]]:
    """Look people up in the sandbox's time; also gives the waits."""
    pipeline = Installation(settings=Settings.from_env(settings), clock=sandbox.clock.now)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        sandbox.clock.advance(seconds)

    price = quote(pipeline, people)
    done = look_up(
        pipeline, people, at_most=price.credits_worst_case, run_id="lookup-test", sleep=sleep
    )
    return done, waits


def outcomes(done: LookedUp) -> Counter[str]:
    return Counter(card.outcome for card in done.cards)


@pytest.mark.parametrize(
    "fault", ["connection_lost_after_accept", "server_error_after_accept", "unreadable_answer"]
)
def test_an_answer_that_is_lost_is_unknown_and_not_bought_again(
    settings: dict[str, str], sandbox: RunningSandbox, fault: str
) -> None:
    sandbox.fail(fault, path=PATH)

    lost = crust("lookup", "--yes", SAM, settings=settings)
    again = crust("lookup", "--yes", SAM, settings=settings)

    for done in (lost, again):
        assert done.code == 1
        assert "unknown" in done.out
        assert "crust-pipeline status" in done.out
    assert sandbox.state.requests[f"POST {PATH}"] == 1
    assert len(crust("status", "--json", settings=settings).json["unknown"]) == 1
    told = crust("status", settings=settings).out
    assert "reconcile --abandon` or `--resubmit`" in told
    assert "holds a slot" not in told


def test_a_decision_by_hand_frees_what_was_lost(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    sandbox.fail("server_error", path=PATH)
    crust("lookup", "--yes", SAM, settings=settings)
    (submission_id,) = crust("status", "--json", settings=settings).json["unknown"]

    assert crust("reconcile", "--abandon", submission_id, settings=settings).code == 0
    assert crust("lookup", "--yes", SAM, settings=settings).code == 0
    assert set(sandbox.state.times_submitted().values()) == {1}


@pytest.mark.parametrize("switches", [Switches(rate_limits_rpm={PATH: 1})])
def test_the_vendors_rate_is_waited_for(settings: dict[str, str], sandbox: RunningSandbox) -> None:
    sandbox.clock.freeze(datetime(2026, 11, 20, 12, tzinfo=UTC))
    people = [f"linkedin.com/in/person-{number}" for number in range(30)]

    done, waits = in_process(sandbox, settings, *people)

    assert waits == [60.0]
    assert outcomes(done).keys() <= {"matched", "no_data", "not_found"}
    assert done.credits_reported == sandbox.state.account.spent


@pytest.mark.parametrize("switches", [Switches(disabled_endpoints=(PATH,))])
def test_an_endpoint_that_is_not_enabled_is_said_and_costs_nothing(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    done = crust("lookup", "--yes", "--json", SAM, settings=settings)

    assert done.code == 1
    (person,) = done.json["people"]
    assert person["outcome"] == "not_permitted"
    assert PATH in person["detail"]
    assert sandbox.state.account.spent == 0


def test_what_cannot_be_sent_now_is_not_sent_later_either(
    settings: dict[str, str], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The vendor does not tell the balance, so that only the purchase finds out.
    monkeypatch.setattr("crust_pipeline.app.lookup.balance_of", lambda _engine: None)
    sandbox.state.set_credits(Decimal(0))

    done, _ = in_process(sandbox, settings, SAM)
    sandbox.state.set_credits(Decimal(100))
    crust("run", "--from", "2026-01-05", "--to", "2026-01-05", settings=settings)

    (card,) = done.cards
    assert (card.outcome, card.credits) == ("failed", None)
    assert "credits" in (card.detail or "")
    assert not sandbox.state.times_submitted()["contact_enrich", SAM]


def test_an_interrupt_leaves_nothing_to_be_sent_later(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    sandbox.state.change(rate_limits_rpm={PATH: 1})
    pipeline = Installation(settings=Settings.from_env(settings))
    people = [f"linkedin.com/in/person-{number}" for number in range(30)]

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_up(pipeline, people, at_most=Decimal(500), run_id="lookup-test", sleep=interrupt)

    status = crust("status", "--json", settings=settings).json
    assert status["batches"] == {"landed": 1, "rejected": 1}
    assert status["credits_reserved"] == 0


def test_nothing_personal_is_said_where_it_may_be_logged(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    sandbox.fail("server_error", path=PATH)

    done = crust("lookup", "--yes", "sam@example.com", "sam.sandbox", settings=settings)

    assert "sam" not in done.err.lower()


@pytest.mark.parametrize("number", range(1, 9))
def test_a_lookup_killed_at_a_write_is_not_sent_twice(shop: Shop, number: int) -> None:
    killed = shop.run_and_kill("after", Write(None, number), command=["lookup", "--yes", SAM])
    again = crust("lookup", "--yes", SAM, settings=shop.environment).code

    assert killed in {KILLED, 0}
    submitted = shop.sandbox.state.times_submitted()
    assert max(submitted.values(), default=0) <= 1
    # Killed after the intent nobody can know whether it was sent; killed before it, a run sends it.
    assert again == 0 or not submitted
