"""The tables of `contact` and Pronto's operations: how to reach a person.

Crustdata's lines come in three shapes: the documented envelope (`data.…`), the flat one that users
saw, and the synchronous endpoint's (`matches[].person_data.contact.…`). A single value may stand
for a list, and an e-mail may be an object or plain text. Pronto's lines are its webhooks' bodies.
"""

from typing import Final

from crust_pipeline.tables.spec import Column, Source, Table
from crust_pipeline.tables.specs.common import LINEAGE, POSITION, PROFILE_KEY

_SYNC: Final = "matches[].person_data"
# Pronto is asked for one type of contact data at a time, each by an operation; lines look alike.
PRONTO_OPERATIONS: Final = (
    "bulk_contact",
    "bulk_contact_personal_email",
    "bulk_contact_phone_number",
)
_WHO: Final = (
    PROFILE_KEY,
    Column(
        "crustdata_person_id",
        "BIGINT",
        "Crustdata's id of the person.",
        ("internal_id", "person_id", f"{_SYNC}.crustdata_person_id"),
    ),
)
_VENDOR: Final = Column("vendor", "VARCHAR", "The vendor who delivered it.")


def _sources(batch: str, sync: str, **constants: str) -> tuple[Source, ...]:
    return tuple(
        Source("contact", f"{path}[]", {**constants, "vendor": "'crustdata'"}, loose=True)
        for path in (f"data.{batch}", batch, f"{_SYNC}.contact.{sync}")
    )


def _pronto(
    place: str, column: str, *inside: str, status: tuple[str, ...] = (), **constants: str
) -> tuple[Source, ...]:
    """Where Pronto's lines hold something: in a list of texts or objects, or as a lone text."""
    paths = {"crustdata_person_id": (), "status": status, column: (*inside, ".")}
    return tuple(
        Source(
            operation, f"{place}[]", {**constants, "vendor": "'pronto'"}, loose=True, paths=paths
        )
        for operation in PRONTO_OPERATIONS
    )


CONTACT_EMAILS: Final = Table(
    name="contact_emails",
    one_row_per="e-mail address of a person, by type",
    sources=(
        *_sources("business_email", "business_emails", email_type="'business'"),
        *_sources(
            "personal_contact_info.personal_emails", "personal_emails", email_type="'personal'"
        ),
        *_pronto("email", "email", status=("email_status",), email_type="'business'"),
        *_pronto(
            "personal_email", "email", status=("personal_email_status",), email_type="'personal'"
        ),
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
            (".email", "."),
            "lower(trim({value}))",
        ),
        Column("email_type", "VARCHAR", "business or personal."),
        Column(
            "status",
            "VARCHAR",
            "deliverable, catch_all, invalid (will bounce) or unknown; Pronto also says valid.",
            (".status",),
            "replace({value}, 'catch-all', 'catch_all')",
        ),
        POSITION,
        _VENDOR,
        *LINEAGE,
    ),
)

CONTACT_PHONES: Final = Table(
    name="contact_phones",
    one_row_per="phone number of a person",
    sources=(
        *_sources("personal_contact_info.phone_numbers", "phone_numbers"),
        *_pronto("phone", "phone_number", ".number"),
        *_pronto("phones", "phone_number", ".number"),
    ),
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
            (".phone_number", "."),
            "trim({value})",
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
    sources=_sources("websites", "websites"),
    keep="website <> ''",
    distinct=("website",),
    order=("profile_key", "submission_id", "source_line", "position"),
    columns=(
        *_WHO,
        Column("website", "VARCHAR", "As delivered.", (".website", "."), "trim({value})"),
        POSITION,
        _VENDOR,
        *LINEAGE,
    ),
)
