"""Every table of the lake and the warehouse, by name."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from crust_pipeline.tables.spec import LineFormat, Table
from crust_pipeline.tables.specs.account import (
    BATCHES,
    CREDIT_USAGE,
    OUTCOMES,
    PROFILE_URLS,
    QUARANTINE,
)
from crust_pipeline.tables.specs.background import (
    CERTIFICATIONS,
    EDUCATION,
    EMPLOYMENT,
    HONORS,
    SKILLS,
)
from crust_pipeline.tables.specs.contact import (
    CONTACT_EMAILS,
    CONTACT_PHONES,
    CONTACT_WEBSITES,
    PRONTO_OPERATIONS,
)
from crust_pipeline.tables.specs.dev_platform import DEV_PLATFORM_PROFILES, DEV_PLATFORM_REPOS
from crust_pipeline.tables.specs.identify import IDENTITIES
from crust_pipeline.tables.specs.people import PEOPLE

TABLES: Final[Mapping[str, Table]] = MappingProxyType(
    {
        table.name: table
        for table in (
            PROFILE_URLS,
            IDENTITIES,
            CONTACT_EMAILS,
            CONTACT_PHONES,
            CONTACT_WEBSITES,
            PEOPLE,
            EMPLOYMENT,
            EDUCATION,
            SKILLS,
            CERTIFICATIONS,
            HONORS,
            DEV_PLATFORM_PROFILES,
            DEV_PLATFORM_REPOS,
            OUTCOMES,
            BATCHES,
            CREDIT_USAGE,
            QUARANTINE,
        )
    }
)

LINES: Final[Mapping[str, LineFormat]] = MappingProxyType(
    {
        "identify": LineFormat(("matched_on",)),
        "contact": LineFormat(
            ("original_identifier", "professional_network_url", "matched_on"),
            unread=frozenset(
                (
                    *("match_type", "match_status", "matches[].confidence_score"),
                    "matches[].person_data.contact.business_emails_message",
                )
            ),
        ),
        "enrich": LineFormat(("original_identifier",), required=("data",)),
        **dict.fromkeys(
            PRONTO_OPERATIONS,
            LineFormat(
                ("custom.key",),
                # The asynchronous and the synchronous form of the vendor's documents.
                unread=frozenset(
                    (
                        *("enrichment_id", "status", "message", "phone_status"),
                        *("first_name", "last_name", "linkedin_profile_url"),
                    )
                ),
            ),
        ),
    }
)


def operations_sharing(operation: str) -> tuple[str, ...]:
    """Give the operations that fill tables of this one's: their files are flattened together."""
    ours = set(tables_of(operation))
    return tuple(name for name in LINES if ours & set(tables_of(name)))


def filling(operations: Iterable[str]) -> tuple[str, ...]:
    """Give those of some operations that fill all tables, each table only once."""
    operations = tuple(operations)
    firsts = (
        next(other for other in operations_sharing(name) if other in operations)
        for name in operations
    )
    return tuple(dict.fromkeys(firsts))


def tables_of(operation: str) -> tuple[Table, ...]:
    """Give the result tables that an operation's files fill; quarantine is not among them."""
    return tuple(table for table in TABLES.values() if operation in table.operations)
