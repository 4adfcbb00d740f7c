"""What the account may buy is asked before the first purchase of a run, when the vendor tells."""

from collections.abc import Callable
from typing import Any

import pytest

from crust_pipeline.buying.access import Access
from crust_pipeline.ledger import queries
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC, ENRICH, IDENTIFY
from crust_pipeline.vendors.models import EndpointAccess
from crust_pipeline_tests.buying.conftest import MONDAY, SAM, TUESDAY, World, people

ASKED = "GET /account/endpoints"
EVERYTHING = ("business_email", "personal_contact_info")


def answering(world: World, monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Any]) -> None:
    """Let the vendor answer in its own way when it is asked for its endpoints."""
    monkeypatch.setattr(world.account.client, "endpoints", answer)


def endpoint(
    path: str = ENRICH.path, *, status: str = "enabled", disabled_fields: tuple[str, ...] = ()
) -> EndpointAccess:
    return EndpointAccess(
        path=path, status=status, rpm=None, enabled_fields=(), disabled_fields=disabled_fields
    )


def test_an_endpoint_that_is_not_enabled_is_never_called(world: World) -> None:
    world.sandbox.state.change(disabled_endpoints=[IDENTIFY.path])
    world.plan(SAM, product=IDENTIFY, fields=())
    world.plan(SAM)
    world.until_quiet()

    assert world.sandbox.state.requests[f"POST {IDENTIFY.path}"] == 0
    (outcome,) = queries.outcomes(world.ledger, "identify", [MONDAY])
    assert outcome.outcome == "not_permitted"
    assert f"{IDENTIFY.path} as not enabled for this account" in (outcome.detail or "")
    assert world.outcomes() == ["matched"]


def test_nothing_is_set_aside_for_what_is_not_permitted(world: World) -> None:
    world.sandbox.state.change(disabled_endpoints=[ENRICH.path])
    world.buy(*people(3))

    summary = queries.summary(world.ledger, now=world.now())
    assert (summary.credits_reserved, summary.credits_computed) == (0, 0)


def test_disabled_fields_are_never_asked_for_and_are_remembered(world: World) -> None:
    world.sandbox.state.change(denied_fields=["honors"])
    world.buy(SAM)
    (batch,) = world.plan(*people(1), day=TUESDAY).batches

    assert world.sandbox.state.requests[f"POST {ENRICH.path}"] == 1
    assert set(batch.fields) == set(ENRICH.fields) - {"honors"}


def test_the_vendor_is_asked_once_for_all_batches_of_a_run(world: World) -> None:
    for day in (MONDAY, TUESDAY):
        world.plan(*people(3, first=day.day), day=day)
    world.until_quiet()

    assert world.sandbox.state.requests[ASKED] == 1


def test_the_next_run_asks_again(world: World) -> None:
    world.buy(SAM)
    world.with_engine(access=Access())
    world.buy(*people(1), day=TUESDAY)

    assert world.sandbox.state.requests[ASKED] == 2


def test_the_vendor_is_not_asked_when_nothing_is_to_be_bought(world: World) -> None:
    world.submit()

    assert world.sandbox.state.requests[ASKED] == 0


def test_the_vendor_is_asked_before_the_intent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed while asking leaves no batch of unknown outcome."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    answering(world, monkeypatch, interrupted)
    world.plan(SAM)
    with pytest.raises(KeyboardInterrupt):
        world.submit()

    assert world.states() == {"planned": 1}


@pytest.mark.parametrize("fault", ["server_error", "unreadable_answer", "empty_answer"])
def test_without_an_answer_everything_is_tried(world: World, fault: str) -> None:
    world.sandbox.fail(fault, path="/account/endpoints", times=None)
    world.buy(SAM)

    assert world.outcomes() == ["matched"]


def test_an_account_that_may_not_list_its_endpoints_buys_all_the_same(world: World) -> None:
    world.sandbox.state.change(endpoints_listed=False)
    world.buy(SAM)

    assert world.outcomes() == ["matched"]
    assert world.sandbox.state.requests[ASKED] == 1


@pytest.mark.parametrize(
    "listed",
    [
        (),
        (endpoint(status=""),),
        (endpoint("/batch/person/other", status="not_enabled"),),
        (endpoint(disabled_fields=("social_posts",)),),
    ],
    ids=["nothing", "no word", "another path", "a field nobody asks for"],
)
def test_what_says_nothing_about_a_purchase_does_not_stop_it(
    world: World, monkeypatch: pytest.MonkeyPatch, listed: tuple[EndpointAccess, ...]
) -> None:
    answering(world, monkeypatch, lambda: listed)
    world.buy(SAM)

    assert world.outcomes() == ["matched"]


@pytest.mark.parametrize("word", ["not_enabled", "disabled", "on_request"])
def test_every_word_but_enabled_stops_a_purchase(world: World, word: str) -> None:
    world.sandbox.state.change(disabled_endpoints=[ENRICH.path], refused_word=word)
    world.buy(SAM)

    assert world.outcomes() == ["not_permitted"]
    assert world.sandbox.state.requests[f"POST {ENRICH.path}"] == 0


def test_a_refusal_in_spite_of_the_list_is_heeded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(world, monkeypatch, lambda: (endpoint(),))
    world.sandbox.state.change(denied_fields=["honors"])
    world.buy(SAM)

    assert world.sandbox.state.requests[f"POST {ENRICH.path}"] == 2
    assert world.outcomes() == ["matched"]


def sync_fields(world: World) -> list[str]:
    """What the one synchronous request asked for, by the items that came."""
    return sorted({purchase.item for purchase in world.sandbox.state.account.purchases})


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(
    ("denied", "bought"),
    [
        ("contact.phone_numbers", ["business_email", "personal_email"]),
        ("contact.personal_emails", ["business_email", "phone_number"]),
        ("contact.business_emails", ["personal_email", "phone_number"]),
        ("contact.websites", ["business_email", "personal_email", "phone_number"]),
    ],
)
def test_a_field_that_a_synchronous_request_may_not_have_is_left_out(
    world: World, denied: str, bought: list[str], *, listed: bool
) -> None:
    world.sandbox.state.change(denied_fields=[denied], endpoints_listed=listed)
    world.buy(SAM, product=CONTACT_SYNC, fields=EVERYTHING)
    world.buy(*people(1), product=CONTACT_SYNC, fields=EVERYTHING, day=TUESDAY)

    assert world.outcomes(operation="contact") == ["matched"]
    assert sync_fields(world) == bought
    assert world.sandbox.state.requests[f"POST {CONTACT_SYNC.path}"] == (2 if listed else 3)


def test_a_field_that_stays_denied_does_not_go_round_in_circles(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise errors.FieldsDenied("denied", fields=("contact.websites",))

    monkeypatch.setattr(world.account.client, "answer_at_once", denied)
    world.buy(SAM, product=CONTACT_SYNC)

    assert world.outcomes(operation="contact") == ["not_permitted"]
