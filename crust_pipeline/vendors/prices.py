"""What things cost, in credits, as data: one row per item that a vendor bills.

From these rows come the worst case that a plan reserves and the cost that is computed from what
was delivered. Prices differ by plan, so any row can be replaced by a file.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, cast

from crust_pipeline.errors import CrustError
from crust_pipeline.vendors.catalog import PRODUCTS
from crust_pipeline.vendors.field_names import under


class PriceError(CrustError, ValueError):
    """A price is missing or a file of prices cannot be used; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of one item of one operation, from a day on.

    Attributes:
        item: what is billed, once for each person or identifier it is delivered for.
        asked_by: the fields that can bring it; () when it may be billed whatever was asked for.
        source: where the price is stated.
        valid_from: the first day on which it counts.
    """

    vendor: str
    operation: str
    item: str
    credits: Decimal
    asked_by: tuple[str, ...] = ()
    source: str
    valid_from: date


class Prices:
    """Price rows that can be asked what something costs."""

    def __init__(self, rows: Iterable[Price]) -> None:
        """Keep the rows, the newest first."""
        self.rows = tuple(sorted(rows, key=lambda row: row.valid_from, reverse=True))

    def worst_case(self, operation: str, fields: Sequence[str], *, on: date) -> Decimal:
        """Return the most credits that one identifier can cost when asked for with `fields`.

        Raises:
            PriceError: something that can come with these fields has no price on that day.
        """
        prices = self._on(operation, on)
        unpriced = [
            item.name
            for item in (PRODUCTS[operation].items if operation in PRODUCTS else ())
            if item.name not in prices and _brings(fields, item.asked_by)
        ]
        if unpriced:
            raise _no_price(operation, unpriced, on)
        return sum(
            (price.credits for price in prices.values() if _brings(fields, price.asked_by)),
            Decimal(),
        )

    def cost(
        self, operation: str, items: Iterable[str] | Mapping[str, int], *, on: date
    ) -> Decimal:
        """Return the credits of delivered items, given one by one or as counts.

        Raises:
            PriceError: an item has no price on that day.
        """
        prices = self._on(operation, on)
        counts = Counter(items)
        if unpriced := counts.keys() - prices.keys():
            raise _no_price(operation, unpriced, on)
        return sum((prices[item].credits * count for item, count in counts.items()), Decimal())

    def _on(self, operation: str, day: date) -> dict[str, Price]:
        current: dict[str, Price] = {}
        for price in self.rows:
            if price.operation == operation and price.valid_from <= day:
                current.setdefault(price.item, price)
        if not current:
            raise PriceError(f"{operation} has no price on {day}.")
        return current


def _brings(fields: Sequence[str], asked_by: Sequence[str]) -> bool:
    """Tell whether fields can bring an item that is asked for by these; by none: whatever is."""
    return not asked_by or any(under(field, paid) for field in fields for paid in asked_by)


def _no_price(operation: str, items: Iterable[str], day: date) -> PriceError:
    return PriceError(
        f"{operation} has no price for {', '.join(sorted(items))} on {day}. Give one in the file "
        "of CRUST_PRICES, valid from that day or before"
    )


def prices_from_file(path: Path) -> Prices:
    """Read price rows from a JSON list of objects with the columns of `Price`.

    They take the place of built-in rows of the same vendor, operation and item from the first day
    on which one of them counts; before that day the built-in rows stay, and all others do anyway.

    Raises:
        PriceError: the file is missing or a row cannot be read; the message names it.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise PriceError(f"The prices in {path} cannot be read: {error}") from error
    if not isinstance(rows, list):
        raise PriceError(f"The prices in {path} are not a JSON list of objects.")
    given = [
        _price_of(row, name=f"Row {number} of {path}")
        for number, row in enumerate(cast("list[Any]", rows), start=1)
    ]
    counts_from: dict[tuple[str, str, str], date] = {}
    for row in given:
        first = counts_from.get(_sold(row), row.valid_from)
        counts_from[_sold(row)] = min(first, row.valid_from)
    kept = (row for row in PRICES.rows if row.valid_from < counts_from.get(_sold(row), date.max))
    return Prices([*given, *kept])


def _sold(price: Price) -> tuple[str, str, str]:
    """Return what a price is of."""
    return price.vendor, price.operation, price.item


def _price_of(row: Any, *, name: str) -> Price:  # noqa: ANN401 - whatever stands in a person's file
    try:
        price = Price(
            vendor=row.pop("vendor"),
            operation=row.pop("operation"),
            item=row.pop("item"),
            credits=Decimal(str(row.pop("credits"))),
            asked_by=tuple(_list_of_text(row.pop("asked_by", []))),
            source=row.pop("source"),
            valid_from=date.fromisoformat(row.pop("valid_from")),
        )
    except (AttributeError, KeyError, TypeError, ValueError, InvalidOperation) as error:
        columns = ", ".join(field.name for field in fields(Price))
        raise PriceError(f"{name} is no price: it needs an object with {columns}.") from error
    if row:
        raise PriceError(f"{name} has columns that no price has: {', '.join(sorted(row))}.")
    if not price.credits.is_finite() or price.credits < 0:
        raise PriceError(f"{name} has a price that is not a number of credits, 0 or more.")
    return price


def _list_of_text(value: Any) -> list[str]:  # noqa: ANN401 - as above
    if not isinstance(value, list):
        raise TypeError(value)
    return [str(item) for item in cast("list[Any]", value)]


PRICES: Final = Prices(
    Price(
        vendor=product.vendor,
        operation=product.name,
        item=item.name,
        credits=item.credits,
        asked_by=item.asked_by,
        source=item.source,
        valid_from=item.valid_from,
    )
    for product in PRODUCTS.values()
    for item in product.items
)
