"""What Acme sells."""

from datetime import date
from decimal import Decimal
from typing import Final

from crust_pipeline.vendors.product import Item, Product
from crust_pipeline.vendors.vendor import Vendor
from crust_pipeline_tests.additions.acme.client import AcmeClient
from crust_pipeline_tests.additions.acme.lines import ADDRESS, VENDOR

ADDRESSES: Final = Product(
    name="acme_address",
    operation="acme_address",
    vendor=VENDOR,
    path="/addresses",
    cap=10,
    identifier_keys={"profile_url": "who"},
    line=ADDRESS,
    items=(
        Item(
            name="business_email",
            credits=Decimal(1),
            source="invented",
            valid_from=date(2025, 1, 1),
        ),
    ),
    bought_as="contact",
    contact_types={"business_email": "business_email"},
    fields=("business_email",),
    known_fields=("business_email",),
    is_synchronous=True,
)

ACME: Final = Vendor(
    name=VENDOR,
    products=(ADDRESSES,),
    account=lambda _settings: VENDOR,
    max_active=lambda _settings: 1,
    choose=lambda _settings, _operation: {"profile_url": ADDRESSES},
    fields=lambda _settings, _operation, _types: ADDRESSES.fields,
    connect=lambda _settings, _means: AcmeClient(),
)
