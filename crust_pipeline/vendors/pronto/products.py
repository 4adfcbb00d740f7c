"""What Pronto sells, as data: one operation for each type of contact data.

Sources: the vendor's documents on /contacts/bulk_enrich and /contacts/single_enrich.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from crust_pipeline.settings import Settings, SettingsError
from crust_pipeline.vendors.client import JobClient
from crust_pipeline.vendors.known import KnownPerson, opaque_key
from crust_pipeline.vendors.product import Item, Product, Products
from crust_pipeline.vendors.pronto.lines import RESULT, VENDOR
from crust_pipeline.vendors.vendor import Means, Vendor

# Two copies of its page on credits disagree (1 and 10, or 3 and 30); neither has personal e-mails.
_SOURCE: Final = "the dearer of two copies of the vendor's page on credits"
_PRICES: Final = {"business_email": "3", "personal_email": "30", "phone_number": "30"}
# It works off 5 requests at a time and queues the others itself (vendor documents).
_JOBS_AT_A_TIME: Final = 50


def lacks(contact_type: str, person: KnownPerson) -> str | None:
    """Say what is missing to look for a type of contact data of a person; None if nothing is."""
    if not person.firstname or not person.lastname:
        return "no first and last name"
    if contact_type == "business_email":
        return None if person.domain or person.company_name else "no company name or domain"
    return None if person.linkedin_url else "no profile URL"


def _bulk_contact(contact_type: str) -> Product:
    """Describe how one type of contact data is asked for: an operation by itself."""
    suffix = "" if contact_type == "business_email" else f"_{contact_type}"
    missing: Callable[[KnownPerson], str | None] = partial(lacks, contact_type)
    alone = Product(
        name=f"single_contact{suffix}",
        operation=f"bulk_contact{suffix}",
        vendor=VENDOR,
        path="/contacts/single_enrich",
        cap=1,
        identifier_keys={"profile_url": "linkedin_url"},
        line=RESULT,
        items=tuple(
            Item(
                name=name,
                credits=Decimal(price),
                source=_SOURCE,
                valid_from=date(2025, 11, 1),
                asked_by=(name,),
                brought_by=(name,),
            )
            for name, price in _PRICES.items()
        ),
        bought_as="contact",
        reads=("identities", "people", "employment"),
        contact_types={contact_type: contact_type},
        fields=(contact_type,),
        known_fields=(contact_type,),
        needs_fields=True,
        identifier=opaque_key,
        lacks=missing,
    )
    return replace(
        alone,
        name=alone.operation,
        path="/contacts/bulk_enrich",
        cap=100,
        least=2,
        alone=alone,
        answers_may_be_lost=True,
    )


# By operation; each has one type of contact data for its only field.
BULK_CONTACTS: Final = {product.operation: product for product in map(_bulk_contact, _PRICES)}


def _choose(settings: Settings, operation: str) -> Products:
    product = BULK_CONTACTS[operation]
    # Without an inbox only single searches can be asked for their results.
    alone = None if settings.inbox_url else product.alone
    return {"profile_url": alone or product}


def _fields(settings: Settings, operation: str, contact_types: Collection[str]) -> tuple[str, ...]:
    del settings, contact_types
    return BULK_CONTACTS[operation].fields


def _connect(settings: Settings, means: Means) -> JobClient:
    # As for the other vendors: the registry is read where nothing is sent.
    from crust_pipeline.vendors.pronto.client import ProntoClient
    from crust_pipeline.vendors.pronto.jobs import ProntoJobs

    if not settings.pronto_api_key:
        raise SettingsError(
            "PRONTO_API_KEY is not set, and pronto is asked for contact data "
            "(CRUST_BUSINESS_EMAIL_VENDORS and the like). Set the key, or leave pronto out."
        )
    try:
        client = ProntoClient(api_key=settings.pronto_api_key, base_url=settings.pronto_base_url)
    except ValueError as error:
        raise SettingsError(f"PRONTO_API_KEY cannot be used: {error}") from None
    return ProntoJobs(
        ledger=means.ledger,
        client=client,
        known=means.known,
        phone_countries=settings.phone_countries,
        deadline=timedelta(hours=settings.bulk_contact_deadline_hours),
        clock=means.clock,
    )


PRONTO: Final = Vendor(
    name=VENDOR,
    products=tuple(
        product for bulk in BULK_CONTACTS.values() for product in (bulk, bulk.alone) if product
    ),
    account=lambda settings: f"{VENDOR}@{settings.account_host('pronto_base_url')}",
    max_active=lambda _settings: _JOBS_AT_A_TIME,
    choose=_choose,
    fields=_fields,
    connect=_connect,
    former_account=lambda settings: f"{VENDOR}@{settings.host_of('pronto_base_url')}",
)
