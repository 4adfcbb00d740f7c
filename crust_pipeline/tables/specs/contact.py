"""The tables of contact data: how to reach a person. The vendors' lines say where they hold it."""

from collections.abc import Iterator
from typing import Final

from crust_pipeline.tables.spec import Column, Source, Table
from crust_pipeline.tables.specs.common import LINEAGE, POSITION, PROFILE_KEY
from crust_pipeline.vendors.catalog import PRODUCTS

_LINES: Final = tuple(
    dict.fromkeys(product.line for product in PRODUCTS.values() if product.contact_types)
)
_WHO: Final = (
    PROFILE_KEY,
    Column("crustdata_person_id", "BIGINT", "Crustdata's id of the person."),
)
_VENDOR: Final = Column("vendor", "VARCHAR", "The vendor who delivered it.")


def _sources(item: str, column: str, **constants: str) -> Iterator[Source]:
    """Return where the lines of all vendors hold an item, in the order in which they name it."""
    for line in _LINES:
        for delivered in (*line.delivered, *line.free):
            if delivered.item == item:
                yield Source(
                    line,
                    delivered.path,
                    {**constants, "vendor": f"'{line.vendor}'"},
                    loose=True,
                    paths={
                        "crustdata_person_id": line.subject_id,
                        "status": delivered.status,
                        column: delivered.values,
                    },
                )


CONTACT_EMAILS: Final = Table(
    name="contact_emails",
    one_row_per="e-mail address of a person, by type",
    sources=(
        *_sources("business_email", "email", email_type="'business'"),
        *_sources("personal_email", "email", email_type="'personal'"),
    ),
    keep="email <> ''",
    distinct=("email_type", "email"),
    order=("profile_key", "submission_id", "source_line", "email_type", "position"),
    columns=(
        *_WHO,
        Column(
            "email",
            "VARCHAR",
            "The address, in lower case.",
            sql="lower(trim({value}))",
        ),
        Column("email_type", "VARCHAR", "business or personal."),
        Column(
            "status",
            "VARCHAR",
            "deliverable, catch_all, invalid (will bounce) or unknown; Pronto also says valid.",
            sql="replace({value}, 'catch-all', 'catch_all')",
        ),
        POSITION,
        _VENDOR,
        *LINEAGE,
    ),
)

CONTACT_PHONES: Final = Table(
    name="contact_phones",
    one_row_per="phone number of a person",
    sources=tuple(_sources("phone_number", "phone_number")),
    # The vendor has been seen to put e-mail addresses among the numbers.
    keep="phone_number <> '' AND NOT contains(phone_number, '@')",
    distinct=("phone_number",),
    order=("profile_key", "submission_id", "source_line", "position"),
    columns=(
        *_WHO,
        Column(
            "phone_number",
            "VARCHAR",
            "The number as delivered.",
            sql="trim({value})",
        ),
        Column("phone_e164", "VARCHAR", "In international form; null when it cannot be told."),
        POSITION,
        _VENDOR,
        *LINEAGE,
    ),
)

CONTACT_WEBSITES: Final = Table(
    name="contact_websites",
    one_row_per="website of a person",
    sources=tuple(_sources("website", "website")),
    keep="website <> ''",
    distinct=("website",),
    order=("profile_key", "submission_id", "source_line", "position"),
    columns=(
        *_WHO,
        Column("website", "VARCHAR", "As delivered.", sql="trim({value})"),
        POSITION,
        _VENDOR,
        *LINEAGE,
    ),
)
