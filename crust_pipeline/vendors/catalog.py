"""The registry: every vendor and every product. Nothing about one is written down elsewhere."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from crust_pipeline.vendors.crustdata.products import CRUSTDATA
from crust_pipeline.vendors.lines import Line
from crust_pipeline.vendors.product import Product
from crust_pipeline.vendors.pronto.products import PRONTO
from crust_pipeline.vendors.vendor import Vendor

VENDORS: Final[Mapping[str, Vendor]] = MappingProxyType(
    {vendor.name: vendor for vendor in (CRUSTDATA, PRONTO)}
)
PRODUCTS: Final[Mapping[str, Product]] = MappingProxyType(
    {product.name: product for vendor in VENDORS.values() for product in vendor.products}
)
# In the order in which they are planned, as far as they do not wait for each other.
OPERATIONS: Final = tuple(dict.fromkeys(product.operation for product in PRODUCTS.values()))
# Those that find the profile behind an e-mail address.
IDENTIFYING: Final = tuple(
    dict.fromkeys(product.operation for product in PRODUCTS.values() if product.line.profile_url)
)
# The types of contact data that somebody sells.
CONTACT_TYPES: Final = tuple(
    dict.fromkeys(name for product in PRODUCTS.values() for name in product.contact_types)
)


def products_of(operation: str) -> tuple[Product, ...]:
    """Return the products that an operation may be bought through.

    Raises:
        KeyError: there is no such operation.
    """
    found = tuple(product for product in PRODUCTS.values() if product.operation == operation)
    if not found:
        raise KeyError(operation)
    return found


def line_of(operation: str) -> Line:
    """Return how the lines of an operation's files are read, whichever product they came through.

    Raises:
        KeyError: there is no such operation.
    """
    return products_of(operation)[0].line


def vendor_of(operation: str) -> Vendor:
    """Return the vendor that an operation is bought from.

    Raises:
        KeyError: there is no such operation.
    """
    return VENDORS[products_of(operation)[0].vendor]
