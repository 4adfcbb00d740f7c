"""One bad batch stops only itself: the others go on, and the pass fails at its end, naming it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crust_pipeline.buying.advance import advance, advance_all
from crust_pipeline.buying.recover import fitting
from crust_pipeline.buying.submit import settle_orphans
from crust_pipeline.buying.watch import watch_all
from crust_pipeline.errors import Failures, UnitsFailedError
from crust_pipeline.ledger import queries
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.ledger.states import BatchState, LedgerError
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC, ENRICH
from crust_pipeline.vendors.landed import read_answers
from crust_pipeline.vendors.models import Accepted
from crust_pipeline.vendors.prices import PriceError, Prices
from crust_pipeline.vendors.product import Product
from crust_pipeline_tests.buying.conftest import MONDAY, World, people, person

COMPANY = replace(ENRICH, name="company_enrich")
SOMEBODY = "linkedin.com/in/somebody"


def planned(world: World, count: int, *, product: Product = ENRICH, first: int = 0) -> list[str]:
    """Plan batches of one person, each on a day of its own; their ids."""
    return [
        world.plan(person(number), day=MONDAY + timedelta(days=number), product=product)
        .batches[0]
        .submission_id
        for number in range(first, first + count)
    ]


def of_another_release(world: World, submission_id: str) -> None:
    """Make a batch one of a product that this release does not know."""
    with world.ledger.write() as tx:
        tx.update(submission_id, product="company_enrich")


def failing(call: Callable[..., Any], *, when: Callable[..., bool]) -> Callable[..., Any]:
    """A call that fails as a mistake of our own would, in words that tell about somebody."""

    def called(*args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs):
            raise KeyError(SOMEBODY)
        return call(*args, **kwargs)

    return called


def break_submit(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The submit of one person fails."""
    slug = person(number).rpartition("/")[2]
    broken = failing(
        CrustdataClient.submit, when=lambda *_, identifiers, **__: slug in str(identifiers)
    )
    monkeypatch.setattr(CrustdataClient, "submit", broken)


def break_reading(monkeypatch: pytest.MonkeyPatch, submission_id: str) -> None:
    """The file of one batch cannot be read."""
    broken = failing(read_answers, when=lambda path, *_, **__: path.name.startswith(submission_id))
    monkeypatch.setattr("crust_pipeline.buying.land.read_answers", broken)


def test_a_submit_that_fails_is_of_unknown_fate_and_the_others_are_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, bad, last = planned(world, 3)
    break_submit(monkeypatch, 1)
    with pytest.raises(UnitsFailedError, match=f"submit of batch {bad}: KeyError"):
        world.submit()
    assert world.state(first) is world.state(last) is BatchState.PENDING
    assert world.state(bad) is BatchState.UNKNOWN
    assert world.batch(bad)["error"] == "the submit was interrupted: KeyError"


def test_errors_of_our_own_are_logged_and_noted_without_anybodys_data(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (bad,) = planned(world, 1)
    break_submit(monkeypatch, 0)
    with (
        caplog.at_level(logging.INFO, logger="crust_pipeline"),
        pytest.raises(UnitsFailedError) as raised,
    ):
        world.submit()
    assert f"submit of batch {bad} failed: KeyError" in caplog.text
    assert "in called" in caplog.text  # where it arose
    for told in (caplog.text, str(raised.value), world.batch(bad)["error"]):
        assert "somebody" not in told


def test_requests_without_slots_that_fail_one_after_the_other_are_not_all_spent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(world, 8, product=CONTACT_SYNC)
    world.with_engine(max_active=3)
    broken = failing(CrustdataClient.answer_at_once, when=lambda *_, **__: True)
    monkeypatch.setattr(CrustdataClient, "answer_at_once", broken)
    with pytest.raises(UnitsFailedError):
        world.submit()
    assert world.states() == {BatchState.UNKNOWN: 3, BatchState.PLANNED: 5}


def test_a_batch_of_an_unknown_product_is_passed_over_and_named(world: World) -> None:
    strange, known = planned(world, 2)
    of_another_release(world, strange)
    with pytest.raises(UnitsFailedError, match=rf"batch {strange}: .* product company_enrich"):
        world.submit()
    assert world.state(strange) is BatchState.PLANNED
    assert world.state(known) is BatchState.PENDING
    (told,) = queries.troubled(world.ledger)
    assert (told.submission_id, told.tries) == (strange, 1)
    assert "does not know the product company_enrich" in told.error
    world.submit()  # it is not tried again at once
    world.wait(minutes=2)
    with pytest.raises(UnitsFailedError, match=strange):
        world.submit()
    world.with_engine(products={**world.account.products, "company_enrich": COMPANY})
    world.wait(hours=1)
    assert world.submit().submitted == [strange]


def test_a_lost_submit_of_an_unknown_product_is_of_unknown_fate(world: World) -> None:
    strange, known = planned(world, 2)
    for _ in range(2):
        ledger_submit.claim_next(world.ledger, max_active=5, owner="gone:1:1", now=world.now())
    of_another_release(world, strange)
    world.wait(minutes=6)
    settle_orphans(world.account)
    assert world.state(strange) is world.state(known) is BatchState.UNKNOWN
    world.search()
    assert world.state(strange) is BatchState.UNKNOWN


def test_a_poll_that_fails_is_tried_again_later_and_the_others_are_polled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, *others = planned(world, 3)
    world.submit()
    job = CrustdataClient.job
    broken = failing(job, when=lambda _, batch_id: batch_id == world.batch(bad)["batch_id"])
    monkeypatch.setattr(CrustdataClient, "job", broken)
    with pytest.raises(UnitsFailedError, match=f"poll of batch {bad}: KeyError"):
        world.poll()
    assert [world.state(other) for other in others] == [BatchState.COMPLETED] * 2
    batch = world.batch(bad)
    assert (batch["state"], batch["error"], batch["tries"]) == ("pending", "KeyError", 1)
    assert batch["not_before"] > world.now()
    monkeypatch.setattr(CrustdataClient, "job", job)
    assert world.poll().completed == [bad]
    assert world.batch(bad)["error"] is None


def test_a_file_that_cannot_be_settled_is_kept_and_the_others_land(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, *others = planned(world, 3)
    world.submit()
    world.poll()
    break_reading(monkeypatch, bad)
    with pytest.raises(UnitsFailedError, match=f"landing of batch {bad}: KeyError"):
        world.land()
    assert [world.state(other) for other in others] == [BatchState.LANDED] * 2
    batch = world.batch(bad)
    assert (batch["state"], batch["error"], batch["tries"]) == ("completed", "KeyError", 1)
    assert (world.account.raw / batch["source_file"]).stat().st_size == batch["file_bytes"]
    assert batch["not_before"] > world.now()
    monkeypatch.undo()
    world.wait(minutes=1)
    assert world.land().landed == [bad]
    assert world.batch(bad)["error"] is None


def test_a_kept_file_is_settled_without_its_link_however_late(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sandbox.state.change(links_renewed=False)
    (bad,) = planned(world, 1)
    world.submit()
    world.poll()
    break_reading(monkeypatch, bad)
    for _ in range(12):
        with pytest.raises(UnitsFailedError):
            world.land()
        world.wait(minutes=20)
    world.wait(days=6)
    asked = world.sandbox.state.requests.copy()
    with pytest.raises(UnitsFailedError):
        world.land()
    assert world.state(bad) is BatchState.COMPLETED  # and not expired
    monkeypatch.undo()
    world.wait(minutes=20)
    assert world.land().landed == [bad]
    assert world.sandbox.state.requests == asked
    assert world.outcomes(MONDAY) == ["matched"]
    assert set(world.sold().values()) == {1}


def test_a_kept_file_that_is_gone_from_our_disk_is_fetched_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bad,) = planned(world, 1)
    world.submit()
    world.poll()
    break_reading(monkeypatch, bad)
    with pytest.raises(UnitsFailedError):
        world.land()
    (world.account.raw / world.batch(bad)["source_file"]).unlink()
    monkeypatch.undo()
    world.wait(minutes=1)
    assert world.land().landed == [bad]
    assert (world.account.raw / world.batch(bad)["source_file"]).exists()


def test_a_file_that_was_refused_is_better_than_a_dead_link(world: World) -> None:
    world.sandbox.state.change(links_renewed=False)
    (batch,) = world.plan(*people(60)).batches
    world.submit()
    world.poll()
    world.sandbox.fail("wrong_download")
    assert world.land().later == [batch.submission_id]
    world.wait(days=6)
    for _ in range(3):
        world.land()
        world.wait(minutes=20)
    assert world.state(batch.submission_id) is BatchState.LANDED


def test_a_file_of_an_unknown_product_is_kept_before_its_link_dies(world: World) -> None:
    strange, known = planned(world, 2)
    world.submit()
    world.poll()
    of_another_release(world, strange)
    with pytest.raises(UnitsFailedError, match="product company_enrich"):
        world.land()
    assert world.state(known) is BatchState.LANDED
    assert (world.account.raw / world.batch(strange)["source_file"]).exists()


def test_a_price_that_is_missing_at_landing_keeps_the_file_and_lets_others_land(
    world: World,
) -> None:
    enrich, contact = (
        world.plan(person(0)).batches[0],
        planned(world, 1, product=CONTACT_SYNC, first=1),
    )
    prices = world.account.prices
    world.with_engine(prices=Prices(row for row in prices.rows if row.operation != "enrich"))
    world.submit()
    world.poll()
    with pytest.raises(UnitsFailedError, match="enrich has no price"):
        world.land()
    assert world.state(contact[0]) is BatchState.LANDED
    assert world.batch(enrich.submission_id)["source_file"]
    world.with_engine(prices=prices)
    world.wait(minutes=1)
    assert world.land().landed == [enrich.submission_id]


def test_a_plan_with_an_unpriced_item_is_refused_and_nothing_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row for row in world.account.prices.rows if row.item != "dev_platform_profiles"]
    monkeypatch.setattr(world.account.prices, "rows", tuple(rows))
    with pytest.raises(PriceError, match="enrich has no price for dev_platform_profiles"):
        world.plan(person(0))
    assert world.batches() == []
    assert len(world.plan(person(0), fields=("basic_profile",)).batches) == 1


def lost(world: World, count: int) -> list[str]:
    """Batches of different sizes that were taken, and whose answers got lost; their ids."""
    world.sandbox.fail("connection_lost_after_accept", path="/batch/person/enrich", times=count)
    for number in range(count):
        keys = people(number + 1, first=10 * number)
        world.plan(*keys, day=MONDAY + timedelta(days=number))
    return world.submit().unknown


def test_a_search_that_fails_holds_its_batch_and_the_others_are_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, other = lost(world, 2)
    monkeypatch.setattr(
        "crust_pipeline.buying.recover.fitting",
        failing(
            fitting,
            when=lambda submit, *_, **__: submit.submission_id == bad,
        ),
    )
    world.with_engine(resubmit_unknown=True)
    why = world.batch(bad)["error"]
    for _ in range(8):
        with pytest.raises(UnitsFailedError, match=f"search of batch {bad}: KeyError"):
            world.search()
        world.wait(minutes=10)
    assert world.state(other) is BatchState.PENDING
    batch = world.batch(bad)
    # Nobody has looked for it: so it is not bought again.
    assert (batch["state"], batch["tries"]) == ("unknown", 0)
    assert batch["error"] == f"{why}; its search failed: KeyError"


def test_a_list_of_jobs_that_cannot_be_used_is_asked_for_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bad,) = lost(world, 1)
    jobs = CrustdataClient.jobs
    broken = failing(jobs, when=lambda *_, **__: True)
    monkeypatch.setattr(CrustdataClient, "jobs", broken)
    with pytest.raises(UnitsFailedError, match="job list of account test: KeyError"):
        world.search()
    monkeypatch.setattr(CrustdataClient, "jobs", jobs)
    assert world.search().adopted == [bad]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_ends_a_pass_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, interrupt: type[BaseException]
) -> None:
    def interrupted(*_: Any, **__: Any) -> Accepted:
        raise interrupt

    planned(world, 2)
    monkeypatch.setattr(CrustdataClient, "submit", interrupted)
    with pytest.raises(interrupt):
        world.submit()
    assert world.states() == {BatchState.UNKNOWN: 1, BatchState.PLANNED: 1}


class Broken(Ledger):
    """An account whose ledger refuses everything."""

    @property
    def engine(self) -> Any:
        raise LedgerError("The ledger's database refused")


def test_an_account_that_fails_does_not_stop_another(world: World) -> None:
    (submission_id,) = planned(world, 1)
    broken = replace(world.account, ledger=Broken("sqlite://", account="broken"))
    with pytest.raises(UnitsFailedError, match=r"advance of account broken: .* refused"):
        advance_all([broken, world.account])
    assert world.state(submission_id) is BatchState.PENDING
    world.wait(minutes=5)
    failures = Failures()
    seen = watch_all([broken, world.account], failures=failures)
    assert failures.names("account") == {"broken"}
    assert seen.cause
    assert world.state(submission_id) is BatchState.COMPLETED


def test_files_land_even_if_nothing_can_be_submitted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (submission_id,) = planned(world, 1)
    world.submit()
    world.poll()
    planned(world, 1, first=1)
    endpoints = failing(CrustdataClient.endpoints, when=lambda _: True)
    monkeypatch.setattr(CrustdataClient, "endpoints", endpoints)
    world.account.access._endpoints = None
    with pytest.raises(UnitsFailedError, match="submits of account test: KeyError"):
        advance(world.account)
    assert world.state(submission_id) is BatchState.LANDED


def test_a_unit_that_goes_well_later_has_not_failed(world: World) -> None:
    failures = Failures()
    with failures.unit("poll", "batch", "one"):
        raise KeyError
    assert failures.in_words == ("poll of batch one: KeyError",)
    with failures.unit("poll", "batch", "one"):
        pass
    assert not failures
    failures.raise_at_end()
