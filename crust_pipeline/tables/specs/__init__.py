"""Every table of the lake and the warehouse, by name."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from crust_pipeline.tables.spec import Table
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
from crust_pipeline.tables.specs.companies import COMPANIES
from crust_pipeline.tables.specs.contact import (
    CONTACT_EMAILS,
    CONTACT_PHONES,
    CONTACT_WEBSITES,
)
from crust_pipeline.tables.specs.dev_platform import DEV_PLATFORM_PROFILES, DEV_PLATFORM_REPOS
from crust_pipeline.tables.specs.identify import IDENTITIES
from crust_pipeline.tables.specs.people import PEOPLE
from crust_pipeline.vendors.catalog import OPERATIONS, line_of

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
            COMPANIES,
            OUTCOMES,
            BATCHES,
            CREDIT_USAGE,
            QUARANTINE,
        )
    }
)


def operations_sharing(operation: str) -> tuple[str, ...]:
    """Return the operations that fill tables of this one's: their files are flattened together."""
    ours = set(tables_of(operation))
    return tuple(name for name in OPERATIONS if ours & set(tables_of(name)))


def filling(operations: Iterable[str]) -> tuple[str, ...]:
    """Return those of some operations that fill all tables, each table only once."""
    operations = tuple(operations)
    firsts = (
        next(other for other in operations_sharing(name) if other in operations)
        for name in operations
    )
    return tuple(dict.fromkeys(firsts))


def tables_of(operation: str) -> tuple[Table, ...]:
    """Return the result tables that an operation's files fill; quarantine is not among them."""
    line = line_of(operation)
    return tuple(table for table in TABLES.values() if line in table.lines)
