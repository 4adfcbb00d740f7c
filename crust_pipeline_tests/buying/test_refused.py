"""Requests that the vendor refuses: what is given up, what goes on, and what is told of it."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any, get_args

import pytest

from crust_pipeline.ledger import queries, spending
from crust_pipeline.sandbox.refusals import RefusalBody
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC, ENRICH
from crust_pipeline.vendors.masking import masked
from crust_pipeline.vendors.product import Product
from crust_pipeline_tests.buying.conftest import (
    MONDAY,
    SAM,
    TUESDAY,
    WEDNESDAY,
    World,
    people,
    person,
)

SHAPES: Sequence[RefusalBody] = get_args(RefusalBody)
EVERY_SHAPE = pytest.mark.parametrize("shape", SHAPES)
POST = f"POST {ENRICH.path}"


def details(world: World) -> set[str]:
    """What is told of Monday's rows."""
    return {item.detail or "" for item in queries.outcomes(world.ledger, "enrich", [MONDAY])}


@EVERY_SHAPE
def test_a_denied_field_is_left_out_in_whatever_shape_that_is_said(
    world: World, shape: str
) -> None:
    world.sandbox.state.change(denied_fields=["skills"], endpoints_listed=False, refusal_body=shape)
    world.buy(SAM, fields=("basic_profile", "skills"))

    assert world.outcomes() == ["matched"]
    assert details(world) == {"not_permitted: skills"}


@EVERY_SHAPE
def test_rate_slots_and_credits_are_waited_for_in_whatever_shape_they_are_said_to_lack(
    world: World, shape: str
) -> None:
    world.sandbox.state.change(instant_jobs=False, no_credits_status=403, refusal_body=shape)
    world.plan(SAM)
    world.sandbox.fail("rate_limited", path=ENRICH.path)
    world.submit()
    pauses = [world.pause()]
    world.wait(minutes=1)
    for _ in range(5):
        world.sandbox.state.add_foreign_job(seconds=60)
    world.submit()
    pauses.append(world.pause())
    world.wait(minutes=5)
    world.sandbox.state.set_credits(Decimal(0))
    world.submit()

    assert [*pauses, world.pause()] == ["rate", "slots", "credits"]
    assert world.outcomes() == ["pending"]


@EVERY_SHAPE
def test_a_field_that_only_the_vendor_does_not_know_stops_what_asks_for_it(
    world: World, shape: str
) -> None:
    world.sandbox.state.change(refusal_body=shape)
    world.plan(*people(3), fields=("basic_profile", "education.schoolz"))
    world.until_quiet()

    assert world.outcomes() == ["failed"] * 3
    (detail,) = details(world)
    assert detail.startswith(
        "The vendor does not know education.schoolz (nearest: education.schools, "
    )
    assert "nothing was bought. Correct CRUST_ENRICH_FIELDS" in detail
    assert world.sandbox.state.account.purchases == []


@pytest.mark.parametrize("shape", ["list", "object"])
def test_the_nearest_names_are_taken_from_the_vendors_own_list(world: World, shape: str) -> None:
    world.sandbox.state.change(bad_fields_metadata=shape)
    world.buy(SAM, fields=("basic_profile", "social_handles.twitter_handle"))

    (detail,) = details(world)
    assert "social_handles.twitter_handle (nearest: social_handles.twitter_identifier" in detail


def test_a_field_that_is_unknown_is_asked_for_once_whatever_waits_behind_it(world: World) -> None:
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        world.plan(person(day.day), fields=("skills", "horoscope"), day=day)
    world.until_quiet()

    assert [world.outcomes(day) for day in (MONDAY, TUESDAY, WEDNESDAY)] == [["failed"]] * 3
    assert world.sandbox.state.requests[POST] == 1


def test_what_asks_for_known_fields_is_bought_beside_one_that_does_not(world: World) -> None:
    world.plan(person(1), fields=("skills", "horoscope"))
    world.plan(person(2), fields=("skills",), day=TUESDAY)
    world.until_quiet()

    assert (world.outcomes(), world.outcomes(TUESDAY)) == (["failed"], ["matched"])


def test_with_the_field_corrected_everybody_is_bought_once(world: World) -> None:
    world.buy(*people(2), fields=("skills", "education.schoolz"))
    world.with_engine(access=type(world.account.access)())
    world.buy(*people(2), fields=("skills", "education.schools"))

    assert world.outcomes() == ["matched", "matched"]
    assert set(world.sold().values()) == {1}


@EVERY_SHAPE
def test_what_both_halves_are_refused_for_alike_is_told_and_halved_no_more(
    world: World, shape: str
) -> None:
    words = "API version 2025-11-01 is no longer supported"
    world.sandbox.state.change(refusal=words, refusal_body=shape)
    ticks = count()
    world.with_engine(clock=lambda: world.now() + timedelta(milliseconds=next(ticks)))
    world.plan(*people(40))
    world.until_quiet()

    assert world.outcomes() == ["failed"] * 40
    assert all(words in detail for detail in details(world))
    assert world.sandbox.state.requests[POST] == 3
    assert world.sandbox.state.account.purchases == []


def test_days_that_are_refused_alike_take_few_requests(world: World) -> None:
    """The first half of a half goes before the second half when its days are older."""
    world.sandbox.state.change(refusal="No")
    rows = [
        row
        for number, day in enumerate((MONDAY, TUESDAY, WEDNESDAY))
        for row in world.rows(*people(20, first=20 * number), day=day)
    ]
    world.plan_rows(rows, days=[MONDAY, TUESDAY, WEDNESDAY])
    world.until_quiet()

    assert set(world.outcomes() + world.outcomes(WEDNESDAY)) == {"failed"}
    assert world.sandbox.state.requests[POST] < 15


@pytest.mark.parametrize("words", ["Bad: {bad}", "{count} identifiers cannot be read"])
def test_bad_identifiers_in_both_halves_end_up_alone_where_the_words_are_about_them(
    world: World, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    send = world.account.client.submit
    keys = sorted(people(8))
    bad = {f"https://www.{keys[0]}", f"https://www.{keys[-1]}"}

    def picky(operation: Product, *, identifiers: tuple[str, ...], **rest: Any) -> object:
        if found := sorted(bad & set(identifiers)):
            said = masked(words.format(bad=found[0], count=len(found)))
            raise errors.InvalidRequest("Refused", vendor_message=said)
        return send(operation, identifiers=identifiers, **rest)

    monkeypatch.setattr(world.account.client, "submit", picky)
    world.plan(*keys)
    world.until_quiet()

    assert world.outcomes() == ["failed", *["matched"] * 6, "failed"]
    assert max(world.sold().values()) == 1


@pytest.mark.parametrize("product", [ENRICH, CONTACT_SYNC], ids=lambda product: product.name)
def test_a_refusal_that_was_charged_is_counted_and_not_tried_in_halves(
    world: World, product: Product
) -> None:
    world.sandbox.state.change(refusal="Internal rules were violated", refusal_credits=3)
    world.plan(*people(4), product=product)
    world.until_quiet()

    (used,) = spending.spending(world.ledger, accounts=[world.ledger.account])
    assert (used.credits_reported, used.credits_computed) == (3, 0)
    assert world.outcomes(operation=product.operation) == ["failed"] * 4
    assert world.sandbox.state.requests[f"POST {product.path}"] == 1
    (outcome, *_) = queries.outcomes(world.ledger, product.operation, [MONDAY])
    assert "it charged 3 credits" in (outcome.detail or "")


def test_what_was_charged_for_a_refusal_counts_against_the_limit_of_the_day(world: World) -> None:
    world.sandbox.state.change(refusal="No", refusal_credits=3)
    world.buy(SAM)
    world.sandbox.state.change(refusal="")
    report = world.plan(*people(9), fields=("skills",), day=TUESDAY, limit_per_day=Decimal(10))

    assert report.credits_available == 7


def test_what_a_refused_try_was_charged_is_added_to_what_the_answer_costs(world: World) -> None:
    world.sandbox.state.change(
        refusal="Request was throttled. Expected available in 12 seconds.",
        refusal_status=429,
        refusal_credits=1,
    )
    world.plan(SAM, product=CONTACT_SYNC)
    world.submit()
    world.sandbox.state.change(refusal="")
    world.until_quiet()

    (batch,) = world.batches()
    assert batch["credits_reported"] == batch["credits_computed"] + 1
