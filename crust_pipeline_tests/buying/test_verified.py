"""Verified e-mails: dearer, a purchase of their own, and never asked for without the address."""

from decimal import Decimal

import pytest

from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC
from crust_pipeline.vendors.product import Product
from crust_pipeline_tests.buying.conftest import MONDAY, TUESDAY, WEDNESDAY, World, people

PLAIN, VERIFIED = ("business_email",), ("business_email", "verified")
BOTH = pytest.mark.parametrize("product", [CONTACT, CONTACT_SYNC], ids=["batch", "sync"])


@BOTH
def test_verification_is_asked_for_and_paid_for_those_who_get_an_address(
    world: World, product: Product
) -> None:
    bought = world.buy(*people(12), product=product, fields=VERIFIED)

    batch = world.batch(bought)
    items = [purchase.item for purchase in world.sandbox.state.account.purchases]
    assert 0 < items.count("verified") == items.count("business_email") < 12
    assert batch["credits_computed"] == world.sandbox.state.account.spent
    assert batch["credits_reserved"] == 12 * Decimal("5.5")


@BOTH
def test_what_was_bought_unverified_is_bought_again_verified(
    world: World, product: Product
) -> None:
    world.buy(*people(3), product=product, fields=PLAIN)
    (batch,) = world.plan(*people(3), product=product, fields=VERIFIED, day=TUESDAY).batches

    assert batch.fields == batch.covers == VERIFIED
    assert batch.credits_reserved == 3 * Decimal("5.5")


@BOTH
def test_what_was_bought_verified_is_not_bought_again(world: World, product: Product) -> None:
    world.buy(*people(3), product=product, fields=VERIFIED)

    for day, fields in ((TUESDAY, PLAIN), (WEDNESDAY, VERIFIED)):
        assert not world.plan(*people(3), product=product, fields=fields, day=day).batches


def test_with_other_fields_already_bought_only_the_address_is_asked_for(world: World) -> None:
    world.buy(*people(3), product=CONTACT, fields=("business_email", "personal_contact_info"))
    (batch,) = world.plan(
        *people(3),
        product=CONTACT,
        fields=("business_email", "personal_contact_info", "verified"),
        day=TUESDAY,
    ).batches

    assert batch.fields == VERIFIED


def test_without_the_right_to_addresses_there_is_nothing_to_verify(world: World) -> None:
    world.sandbox.state.change(denied_fields=["business_email"])
    world.buy(*people(1), product=CONTACT, fields=(*VERIFIED, "personal_contact_info"))

    (job,) = world.sandbox.state.jobs.values()
    assert job.order is not None
    assert (job.order.fields, job.order.verified) == (("personal_contact_info",), False)


@BOTH
def test_people_of_whom_no_address_passes_cost_nothing(world: World, product: Product) -> None:
    world.buy(*people(25), product=product, fields=VERIFIED)

    outcomes = world.outcomes(MONDAY, operation="contact")
    assert set(outcomes) == {"matched", "no_data"}
    items = [purchase.item for purchase in world.sandbox.state.account.purchases]
    assert outcomes.count("matched") == items.count("verified")
