"""What can be bought, described as data: paths, caps, request keys and fields of each operation.

Sources: the vendor's documents on /batch/person/*, /person/contact/enrich, GET /batch/{batch_id}.
Adding an operation is adding a description here, its prices to `vendor/prices.py` and its tables.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

IdentifierType = Literal["profile_url", "email"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One kind of paid request.

    Attributes:
        name: the operation's name in ledger, tables and prices.
        vendor: who sells it.
        path: where it is submitted.
        cap: the most identifiers that one request may hold.
        identifier_keys: the request key for each identifier type that it takes.
        fields: what is asked for by default; () when the request has no `fields`.
        known_fields: all that can be asked for; a group stands for every leaf under it.
        actions: the `action` words by which the vendor's job list is known to name it.
        needs_fields: an empty `fields` is refused.
        lists_unresolved: False when whom the vendor does not know is absent from the file.
    """

    name: str
    vendor: str
    path: str
    cap: int
    identifier_keys: Mapping[IdentifierType, str]
    fields: tuple[str, ...] = ()
    known_fields: tuple[str, ...] = ()
    actions: frozenset[str] = frozenset()
    needs_fields: bool = False
    lists_unresolved: bool = True

    def unknown_fields(self, fields: Iterable[str]) -> tuple[str, ...]:
        """Give those of `fields` that are neither known nor under a known group."""
        return tuple(
            field
            for field in fields
            if not any(under(field, known_field) for known_field in self.known_fields)
        )


def under(field: str, group: str) -> bool:
    """Tell whether `field` is `group` or a leaf below it: `a.b` is under `a`."""
    return field == group or field.startswith(group + ".")


_ENRICH_GROUPS: Final = (
    "basic_profile",
    "professional_network",
    "skills",
    "social_handles",
    "experience",
    "education",
    "certifications",
    "honors",
    "dev_platform_profiles",
    "assessment",
)

ENRICH: Final = Operation(
    name="enrich",
    vendor="crustdata",
    path="/batch/person/enrich",
    cap=10_000,
    identifier_keys={
        "profile_url": "professional_network_profile_urls",
        "email": "business_emails",
    },
    fields=_ENRICH_GROUPS,
    # Five more credits for each person, so never by default.
    known_fields=(*_ENRICH_GROUPS, "social_posts"),
    actions=frozenset({"enrich"}),
    lists_unresolved=False,
)

IDENTIFY: Final = Operation(
    name="identify",
    vendor="crustdata",
    path="/batch/person/identify",
    cap=300,
    # `emails` is the newer key and takes personal addresses too; the older is `business_emails`.
    identifier_keys={"profile_url": "professional_network_profile_urls", "email": "emails"},
    actions=frozenset({"identify"}),
)

CONTACT: Final = Operation(
    name="contact",
    vendor="crustdata",
    path="/batch/person/contact/enrich",
    cap=300,
    identifier_keys={"profile_url": "professional_network_profile_urls"},
    fields=("business_email",),
    known_fields=("business_email", "personal_contact_info"),
    actions=frozenset({"contact_enrich"}),
    needs_fields=True,
)

LIVE_ENRICH: Final = Operation(
    name="live_enrich",
    vendor="crustdata",
    path="/batch/person/professional_network/enrich/live",
    cap=300,
    identifier_keys={"profile_url": "professional_network_profile_urls"},
    fields=_ENRICH_GROUPS,
    known_fields=(*_ENRICH_GROUPS, "social_posts"),
    actions=frozenset({"enrich_live"}),
    lists_unresolved=False,
)

CONTACT_SYNC: Final = Operation(
    name="contact",
    vendor="crustdata",
    path="/person/contact/enrich",
    cap=25,
    identifier_keys={
        "profile_url": "professional_network_profile_urls",
        "email": "business_emails",
    },
    fields=("contact.business_emails",),
    known_fields=("contact",),
    # Without `fields` it sells all three paid kinds, the dearest call there is.
    needs_fields=True,
)
