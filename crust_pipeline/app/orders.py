"""Orders: what an installation buys, in which order, through which products, and which fields.

All of it follows from the registry and the settings. Pure: nothing is opened or asked here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from crust_pipeline.settings import Settings, SettingsError
from crust_pipeline.tables.specs import tables_of
from crust_pipeline.vendors.catalog import (
    CONTACT_TYPES,
    OPERATIONS,
    VENDORS,
    products_of,
    vendor_of,
)
from crust_pipeline.vendors.product import Product, Products
from crust_pipeline.vendors.vendor import Vendor

# Bought only with consent (CRUST_PERSONAL_CONTACT_CONSENT).
PERSONAL_TYPES = frozenset({"personal_email", "phone_number"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An earlier step of the waterfall.

    Attributes:
        operation: what was asked before, and is waited for.
        vendor: who sells it.
        contact_type: what it looks for.
        fields: what the later operation does not ask for where it was found.
    """

    operation: str
    vendor: str
    contact_type: str
    fields: tuple[str, ...]


def product_of(operation: str) -> Product:
    """Return the product that describes an operation, whichever it is bought through."""
    return products_of(operation)[0]


def vendor_orders(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return who is asked for each type of contact data, in order.

    Raises:
        SettingsError: a setting names a vendor that does not sell that.
    """
    orders = settings.vendor_orders
    for contact_type, vendors in orders.items():
        sellers = [name for name in VENDORS if _seller(name, contact_type)]
        if unknown := [name for name in vendors if name not in sellers]:
            raise SettingsError(
                f"CRUST_{contact_type.upper()}_VENDORS names {', '.join(unknown)}, and it can be "
                f"bought from {', '.join(sellers)} only. Give these in the order in which they "
                "are to be asked, or none."
            )
    return orders


def operations_of(settings: Settings) -> tuple[str, ...]:
    """Return what an installation buys, in the order in which it is planned.

    Raises:
        SettingsError: the settings name what does not exist, or vendors in a circle.
    """
    orders = vendor_orders(settings)
    words = tuple(dict.fromkeys(_bought_as(name) for name in OPERATIONS))
    if unknown := [name for name in settings.operations if name not in words]:
        raise SettingsError(
            f"CRUST_OPERATIONS names {', '.join(unknown)}. There are: {', '.join(words)}."
        )
    bought = [
        name
        for name in OPERATIONS
        if _bought_as(name) in settings.operations
        and (not product_of(name).contact_types or _types_asked(name, orders))
    ]
    before = {
        name: {other for other in _before(name, orders) if other in bought} for name in bought
    }
    try:
        order = _in_order(bought, before)
    except CycleError as error:
        circle = ", ".join(dict.fromkeys(error.args[1]))
        raise SettingsError(
            f"{circle} would each have to be asked after another: let the vendors of all "
            "CRUST_*_VENDORS stand in the same order."
        ) from None
    return tuple(order)


def vendors_of(settings: Settings) -> tuple[Vendor, ...]:
    """Return the vendors that an installation buys from."""
    bought = {vendor_of(name).name for name in operations_of(settings)}
    return tuple(vendor for name, vendor in VENDORS.items() if name in bought)


def account_names(settings: Settings) -> dict[str, int]:
    """Return the accounts that are bought with, and how many jobs each may have at a time."""
    return {
        vendor.account(settings): vendor.max_active(settings) for vendor in vendors_of(settings)
    }


def operations_before(settings: Settings, operation: str) -> tuple[str, ...]:
    """Return those whose answers decide what an operation asks for: about whom, and who is left."""
    before = _before(operation, vendor_orders(settings))
    return tuple(name for name in operations_of(settings) if name in before)


def steps_before(settings: Settings, operation: str) -> tuple[Step, ...]:
    """Return the steps of the waterfall that come before an operation."""
    return tuple(_steps_before(operation, vendor_orders(settings)))


def depends_on_tables(settings: Settings, operation: str) -> bool:
    """Tell whether the tables of other operations decide what an operation asks for."""
    product = product_of(operation)
    of_its_own = product.lacks is not None or product.subject != "person"
    return of_its_own or bool(steps_before(settings, operation))


def products_for(settings: Settings, operation: str) -> Products:
    """Return how an operation is bought, for each kind of identifier.

    Raises:
        KeyError: there is no such operation.
    """
    return vendor_of(operation).choose(settings, operation)


def fields_for(settings: Settings, operation: str) -> tuple[str, ...]:
    """Return what an operation asks for.

    Raises:
        SettingsError: a field that is set does not exist, or needs a consent that is missing.
    """
    types = _types_asked(operation, vendor_orders(settings))
    if product_of(operation).contact_types and not types:
        sellers = [f"CRUST_{name.upper()}_VENDORS" for name in CONTACT_TYPES]
        raise SettingsError(
            f"{operation} is asked for nothing: none of {', '.join(sellers)} names "
            f"{vendor_of(operation).name}."
        )
    personal = [f"CRUST_{name.upper()}_VENDORS" for name in types if name in PERSONAL_TYPES]
    if personal and not settings.personal_contact_consent:
        raise SettingsError(
            f"{' and '.join(personal)} name a vendor. Personal e-mail addresses and phone numbers "
            "are bought only with CRUST_PERSONAL_CONTACT_CONSENT=true. Nothing was planned or "
            "sent."
        )
    return vendor_of(operation).fields(settings, operation, types)


def _bought_as(operation: str) -> str:
    return product_of(operation).bought_as or operation


def _seller(vendor: str, contact_type: str) -> str | None:
    """Return the operation through which a vendor sells a type of contact data."""
    for product in VENDORS[vendor].products:
        if contact_type in product.contact_types:
            return product.operation
    return None


def _types_asked(operation: str, orders: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    product = product_of(operation)
    return tuple(name for name in product.contact_types if product.vendor in orders[name])


def _before(operation: str, orders: Mapping[str, tuple[str, ...]]) -> set[str]:
    reads = set(product_of(operation).reads)
    filling = {name for name in OPERATIONS if reads & {table.name for table in tables_of(name)}}
    return (filling | {step.operation for step in _steps_before(operation, orders)}) - {operation}


def _steps_before(operation: str, orders: Mapping[str, tuple[str, ...]]) -> Iterator[Step]:
    product = product_of(operation)
    for contact_type in _types_asked(operation, orders):
        vendors = orders[contact_type]
        asked_for = product.contact_types[contact_type]
        with_flags = [flag for flag, changes in product.flags.items() if changes == asked_for]
        for vendor in vendors[: vendors.index(product.vendor)]:
            if seller := _seller(vendor, contact_type):
                yield Step(
                    operation=seller,
                    vendor=vendor,
                    contact_type=contact_type,
                    fields=(asked_for, *with_flags),
                )


def _in_order(names: list[str], before: Mapping[str, set[str]]) -> list[str]:
    """Return names in their order, each as soon as those before it are there.

    Raises:
        CycleError: some wait for each other.
    """
    TopologicalSorter(before).prepare()
    order: list[str] = []
    while len(order) < len(names):
        order.append(
            next(name for name in names if name not in order and before[name] <= set(order))
        )
    return order
