"""What a plan will probably cost, from what earlier batches came to."""

from dataclasses import replace
from decimal import Decimal

from crust_pipeline.buying.expected import Expected, expected_cost
from crust_pipeline.ledger.spending import Settlement
from crust_pipeline_tests.batches import new_batch


def earlier(product: str, *amounts: tuple[int, int]) -> list[Settlement]:
    return [Settlement(product, Decimal(most), Decimal(came)) for most, came in amounts]


BATCH = replace(new_batch("one"), credits_reserved=Decimal(200))


def test_each_batch_counts_by_what_it_could_have_cost() -> None:
    settled = earlier(BATCH.product, (100, 50), (10, 9), (90, 41))
    assert expected_cost([BATCH], settled) == Expected(
        credits=Decimal(100), least=Decimal(91), most=Decimal(180), batches=3
    )


def test_nothing_is_expected_of_a_product_that_was_never_bought() -> None:
    assert expected_cost([BATCH], earlier("another", (100, 50))) is None


def test_a_plan_of_nothing_costs_nothing() -> None:
    assert expected_cost([], []) == Expected(
        credits=Decimal(0), least=Decimal(0), most=Decimal(0), batches=0
    )
