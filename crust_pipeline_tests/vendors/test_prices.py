"""Prices: the worst case that a plan reserves, and the cost of what was delivered."""

import json
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crust_pipeline.vendors.catalog import PRODUCTS
from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.crustdata.products import ENRICH, IDENTIFY, LIVE_ENRICH
from crust_pipeline.vendors.prices import PRICES, PriceError, Prices, prices_from_file
from crust_pipeline.vendors.product import Product

TODAY = date(2026, 11, 21)
ROW: dict[str, Any] = {
    "vendor": "crustdata",
    "operation": "enrich",
    "item": "profile",
    "credits": "0.8",
    "source": "our contract",
    "valid_from": "2026-01-01",
}


@pytest.mark.parametrize(
    ("operation", "fields", "expected"),
    [
        (IDENTIFY, (), "1"),
        (ENRICH, (), "1"),
        (ENRICH, ("basic_profile", "experience"), "1"),
        (ENRICH, ENRICH.fields, "2"),
        (ENRICH, ("dev_platform_profiles.repos.stars",), "2"),
        (ENRICH, ("social_posts",), "6"),
        (ENRICH, ENRICH.known_fields, "7"),
        (LIVE_ENRICH, LIVE_ENRICH.fields, "7"),
        # One kind of contact has been billed as all three.
        (CONTACT, ("business_email",), "5"),
        (CONTACT, ("business_email", "personal_contact_info"), "5"),
    ],
)
def test_the_worst_case_is_what_one_identifier_can_cost(
    operation: Product, fields: tuple[str, ...], expected: str
) -> None:
    assert PRICES.worst_case(operation.name, fields, on=TODAY) == Decimal(expected)


def test_verified_contacts_cost_half_a_credit_more() -> None:
    worst_case = PRICES.worst_case("contact", (*CONTACT.fields, "verified"), on=TODAY)

    assert worst_case == Decimal("5.5")


@pytest.mark.parametrize(
    ("operation", "items", "expected"),
    [
        ("enrich", [], "0"),
        ("enrich", ["profile", "profile", "dev_platform_profiles"], "3"),
        ("enrich", {"profile": 10_000, "social_posts": 2}, "10010"),
        ("live_enrich", ["profile", "dev_platform_profiles"], "7"),
        ("identify", ["match"], "1"),
        ("contact", ["business_email", "personal_email", "phone_number", "verified"], "5.5"),
    ],
)
def test_the_cost_is_what_was_delivered(operation: str, items: Any, expected: str) -> None:
    assert PRICES.cost(operation, items, on=TODAY) == Decimal(expected)


@given(st.lists(st.sampled_from(["business_email", "personal_email", "phone_number"]), unique=True))
def test_no_person_costs_more_than_the_worst_case(items: list[str]) -> None:
    assert PRICES.cost("contact", items, on=TODAY) <= PRICES.worst_case(
        "contact", CONTACT.fields, on=TODAY
    )


@given(st.lists(st.sampled_from(["profile", "dev_platform_profiles", "social_posts"])))
def test_counts_cost_as_much_as_the_items_they_count(items: list[str]) -> None:
    assert PRICES.cost("enrich", items, on=TODAY) == PRICES.cost("enrich", Counter(items), on=TODAY)


def test_an_item_without_a_price_is_an_error() -> None:
    with pytest.raises(PriceError, match="enrich has no price for gold"):
        PRICES.cost("enrich", ["profile", "gold"], on=TODAY)


@pytest.mark.parametrize(("operation", "day"), [("guess", TODAY), ("enrich", date(2020, 1, 1))])
def test_an_operation_without_prices_is_an_error(operation: str, day: date) -> None:
    with pytest.raises(PriceError, match=f"{operation} has no price on {day}"):
        PRICES.worst_case(operation, (), on=day)


def write(path: Path, *rows: Any) -> Path:
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_a_file_replaces_prices_and_leaves_the_others(tmp_path: Path) -> None:
    prices = prices_from_file(write(tmp_path / "prices.json", ROW))

    assert prices.worst_case("enrich", ("social_posts",), on=TODAY) == Decimal("5.8")
    assert prices.worst_case("identify", (), on=TODAY) == 1


def test_a_price_counts_from_its_day_on(tmp_path: Path) -> None:
    later = {**ROW, "credits": 2, "valid_from": "2026-11-21"}
    prices = prices_from_file(write(tmp_path / "prices.json", later, ROW))

    assert prices.cost("enrich", ["profile"], on=date(2026, 11, 20)) == Decimal("0.8")
    assert prices.cost("enrich", ["profile"], on=date(2026, 11, 21)) == 2


def test_before_the_first_day_of_a_price_the_built_in_one_counts(tmp_path: Path) -> None:
    next_year = {
        **ROW,
        "item": "dev_platform_profiles",
        "credits": 2,
        "asked_by": ["dev_platform_profiles"],
        "valid_from": "2027-01-01",
    }
    prices = prices_from_file(write(tmp_path / "prices.json", next_year))

    assert prices.worst_case("enrich", ENRICH.fields, on=date(2026, 12, 31)) == 2
    assert prices.worst_case("enrich", ENRICH.fields, on=date(2027, 1, 1)) == 3


def test_a_price_older_than_the_built_in_one_takes_its_place_too(tmp_path: Path) -> None:
    old = {**ROW, "valid_from": "2020-01-01"}
    prices = prices_from_file(write(tmp_path / "prices.json", old))

    assert prices.worst_case("enrich", ("basic_profile",), on=TODAY) == Decimal("0.8")


@pytest.mark.parametrize("item", ["profile", "dev_platform_profiles"])
def test_what_may_come_and_has_no_price_has_no_worst_case(item: str) -> None:
    prices = Prices(row for row in PRICES.rows if row.item != item)

    with pytest.raises(PriceError, match=f"enrich has no price for {item} on {TODAY}"):
        prices.worst_case("enrich", ENRICH.fields, on=TODAY)


def test_what_is_not_asked_for_needs_no_price() -> None:
    prices = Prices(row for row in PRICES.rows if row.item != "social_posts")

    assert prices.worst_case("enrich", ENRICH.fields, on=TODAY) == 2


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
def test_every_item_that_a_product_may_bill_has_a_price_for_the_same_fields(
    product: Product,
) -> None:
    priced = {row.item: row.asked_by for row in PRICES.rows if row.operation == product.name}

    assert product.items
    assert priced == {item.name: item.asked_by for item in product.items}


def test_a_file_can_bind_a_price_to_fields(tmp_path: Path) -> None:
    row = {
        **ROW,
        "operation": "contact",
        "item": "phone_number",
        "asked_by": ["personal_contact_info"],
    }
    prices = prices_from_file(write(tmp_path / "prices.json", row))

    assert prices.worst_case("contact", ("business_email",), on=TODAY) == 3
    assert prices.worst_case("contact", ("personal_contact_info",), on=TODAY) == Decimal("3.8")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("profile", "Row 1 of .* is no price"),
        ({}, "Row 1 of .* is no price"),
        ({**ROW, "credits": "cheap"}, "is no price"),
        ({**ROW, "valid_from": "soon"}, "is no price"),
        ({**ROW, "asked_by": "profile"}, "is no price"),
        ({**ROW, "creditz": 1}, "columns that no price has: creditz"),
        ({**ROW, "credits": -1}, "not a number of credits, 0 or more"),
        ({**ROW, "credits": "NaN"}, "not a number of credits, 0 or more"),
    ],
)
def test_a_row_that_is_no_price_is_named(tmp_path: Path, row: Any, reason: str) -> None:
    with pytest.raises(PriceError, match=reason):
        prices_from_file(write(tmp_path / "prices.json", row))


@pytest.mark.parametrize("content", [b"{", b"\xff", b"{}"])
def test_a_file_that_is_no_list_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prices.json"
    path.write_bytes(content)

    with pytest.raises(PriceError, match=r"The prices in .*prices\.json"):
        prices_from_file(path)


def test_a_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="cannot be read"):
        prices_from_file(tmp_path / "prices.json")


def test_every_operation_has_a_price() -> None:
    for operation in (ENRICH, IDENTIFY, CONTACT, LIVE_ENRICH):
        assert PRICES.worst_case(operation.name, operation.fields, on=TODAY) > 0


def test_prices_are_kept_with_the_newest_first() -> None:
    rows = Prices(PRICES.rows).rows

    assert list(rows) == sorted(rows, key=lambda row: row.valid_from, reverse=True)
