"""Expected cost: what a plan's batches will cost, if answers are as full as before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from crust_pipeline.ledger.plan import NewBatch
from crust_pipeline.ledger.spending import Settlement

_CREDIT = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What batches will probably cost, in whole credits.

    Attributes:
        credits: as a whole as expensive as earlier batches, for what they could have cost.
        least: each as cheap as the cheapest earlier batch.
        most: each as dear as the dearest.
        batches: how many earlier batches tell.
    """

    credits: Decimal
    least: Decimal
    most: Decimal
    batches: int


def expected_cost(batches: Iterable[NewBatch], settled: Sequence[Settlement]) -> Expected | None:
    """Return what batches will probably cost; None where no earlier batch tells.

    Only the share of its worst case that a batch came to is learned, so that other fields and
    prices than before are taken into account.

    Args:
        batches: what is about to be bought.
        settled: what earlier batches of the account came to.
    """
    earlier: dict[str, list[Settlement]] = {}
    for each in settled:
        earlier.setdefault(each.product, []).append(each)
    probable, least, most, used = Decimal(0), Decimal(0), Decimal(0), set[str]()
    for batch in batches:
        known = earlier.get(batch.product)
        if not known:
            return None
        shares = [each.computed / each.reserved for each in known]
        came = sum((each.computed for each in known), Decimal(0))
        most_of_all = sum((each.reserved for each in known), Decimal(0))
        probable += batch.credits_reserved * came / most_of_all
        least += batch.credits_reserved * min(shares)
        most += batch.credits_reserved * max(shares)
        used.add(batch.product)
    return Expected(
        credits=probable.quantize(_CREDIT, ROUND_HALF_UP),
        least=least.quantize(_CREDIT, ROUND_HALF_UP),
        most=most.quantize(_CREDIT, ROUND_HALF_UP),
        batches=sum(len(earlier[product]) for product in used),
    )
