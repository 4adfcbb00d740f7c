"""What a vendor may do against its own documents: nothing that was paid for is lost by it."""

from dataclasses import replace
from typing import Any

import pytest

from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger.states import BatchState
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC
from crust_pipeline_tests.buying.conftest import World, person

EMAILS = ("sam@example.com", "ann@example.com")


def always(monkeypatch: pytest.MonkeyPatch, method: str, **answer: Any) -> None:
    """Let what a method of the client returns have these values."""
    original = getattr(CrustdataClient, method)

    def careless(*args: Any, **kwargs: Any) -> Any:
        return replace(original(*args, **kwargs), **answer)

    monkeypatch.setattr(CrustdataClient, method, careless)


def test_answers_of_one_request_id_are_all_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    always(monkeypatch, "answer_at_once", request_id="the-same")
    kept = [world.buy(email, product=CONTACT_SYNC) for email in EMAILS]
    assert [world.state(batch) for batch in kept] == [BatchState.LANDED] * 2
    assert [world.batch(batch)["batch_id"] for batch in kept] == ["the-same", None]


def test_a_submit_answered_with_another_batchs_job_is_of_unknown_fate(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.buy(person(0))
    always(monkeypatch, "submit", batch_id=world.batch(first)["batch_id"])
    (second,) = world.plan(person(1)).batches
    assert world.submit().unknown == [second.submission_id]
    assert world.search().adopted == [second.submission_id]
    world.until_quiet()
    assert world.state(second.submission_id) is BatchState.LANDED
    assert set(world.sold().values()) == {1}


def test_what_a_job_is_called_is_learned_from_polls_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    always(monkeypatch, "submit", action=None)
    always(monkeypatch, "job", action="person_enrichment")
    world.buy(person(0))
    seen = ledger_poll.job_kinds_seen(world.ledger)
    assert seen == {("person", "person_enrichment"): "enrich"}
