"""What can be bought, described as data: paths, caps, request keys and fields of each operation.

Sources: the vendor's documents on /batch/person/*, /person/contact/enrich, GET /batch/{batch_id}.
Adding an operation is adding a description here, its prices to `vendor/prices.py` and its tables.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final, Literal, TypeVar

from crust_pipeline.keys import identifier_of

IdentifierType = Literal["profile_url", "email"]

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One kind of paid request.

    Attributes:
        name: the operation that it serves: the name in tables, and under which purchases count.
        product: the request itself, one of perhaps several that serve an operation; has the prices.
        vendor: who sells it.
        path: where it is submitted.
        cap: the most identifiers that one request may hold.
        identifier_keys: the request key for each identifier type that it takes.
        fields: what is asked for by default; () when the request has no `fields`.
        known_fields: all that can be asked for; a group stands for every leaf under it.
        leaves: what is known to lie right under a group, for when the vendor denies a part of it.
        actions: the `action` words by which the vendor's job list is known to name it.
        needs_fields: an empty `fields` is refused.
        lists_unresolved: False when whom the vendor does not know is absent from the file.
        is_synchronous: the answer comes at once, and takes none of the account's job slots.
        request_fields: what a field is called in the request, where that differs.
        always_fields: asked for with whatever else is, because it costs nothing.
        flags: fields that are sent as a flag, each with the field that it changes: it is asked for
            with that field and billed, under its own name, with what that field brings.
        items: the billable items that each field brings, where the vendor may send others as well.
        billed_for: every item that may be billed, each with the fields that bring it; () when it
            may be billed whatever was asked for. Unpriced, it is not planned.
        least: the fewest identifiers that one request may hold.
        alone: the request for a single identifier, where `least` forbids one.
        identifier: makes of a profile key what is sent, and comes back with the answer.
        answers_may_be_lost: each answer travels for itself, so that silence is no answer.
    """

    name: str
    product: str
    vendor: str
    path: str
    cap: int
    identifier_keys: Mapping[IdentifierType, str]
    fields: tuple[str, ...] = ()
    known_fields: tuple[str, ...] = ()
    leaves: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    actions: frozenset[str] = frozenset()
    needs_fields: bool = False
    lists_unresolved: bool = True
    is_synchronous: bool = False
    request_fields: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    always_fields: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict[str, str])
    items: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    billed_for: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    least: int = 1
    alone: "Operation | None" = None
    identifier: Callable[[str], str] = identifier_of
    answers_may_be_lost: bool = False

    def chunks(self, identifiers: Sequence[_Item]) -> "Iterator[tuple[Operation, Sequence[_Item]]]":
        """Cut identifiers into requests as full as they may be, none below `least`."""
        left = identifiers
        while left:
            size = min(self.cap, len(left))
            if 0 < len(left) - size < self.least:
                size = max(len(left) - self.least, self.least)
            chunk, left = left[:size], left[size:]
            yield self.alone if self.alone and len(chunk) < self.least else self, chunk

    def without(self, fields: Iterable[str], denied: Collection[str]) -> tuple[str, ...]:
        """Give `fields` less those denied; of a group partly denied, its other parts."""
        kept: list[str] = []
        for name in fields:
            if any(under(name, other) for other in denied):
                continue
            if any(under(other, name) for other in denied):
                kept += self.without(self.leaves.get(name, ()), denied)
            else:
                kept.append(name)
        return tuple(name for name in kept if self.flags.get(name, name) in {name, *kept})

    def complete(self, fields: Collection[str]) -> frozenset[str]:
        """Give `fields` with those that flags among them need."""
        return frozenset({*fields, *(self.flags[name] for name in fields if name in self.flags)})

    def billed(self, items: Iterable[str], fields: Collection[str]) -> list[str]:
        """Give what is billed when `items` came and `fields` were asked for."""
        items = list(items)
        flags = self.flags.items()
        return items + [flag for flag, changes in flags if flag in fields and changes in items]

    def items_asked_for(self, fields: Iterable[str]) -> frozenset[str] | None:
        """Give the billable items that `fields` ask for; None when it makes no difference."""
        if not self.items:
            return None
        return frozenset(item for field in fields for item in self.items.get(field, ()))

    def called(self, field: str) -> tuple[str, ...]:
        """Give what the request calls a field."""
        return self.request_fields.get(field, (field,))

    def as_requested(self, fields: Iterable[str], denied: Collection[str] = ()) -> list[str]:
        """Give `fields` as the request calls them, and what goes with them unless it is denied."""
        named = [name for field in fields for name in self.called(field)]
        always = [name for name in self.always_fields if named and name not in denied]
        return sorted({*named, *always})

    def as_ours(self, denied: Collection[str]) -> tuple[str, ...]:
        """Give fields that the vendor denies by its own names by ours, where we have others."""
        ours = [
            name
            for name, theirs in self.request_fields.items()
            if all(any(under(each, other) for other in denied) for each in theirs)
        ]
        theirs = {each for names in self.request_fields.values() for each in names}
        return (*ours, *(name for name in denied if name not in theirs))

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


def _parts(group: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{group}.{name}" for name in names)


_ENRICH_LEAVES: Final = {
    "basic_profile": _parts(
        "basic_profile",
        *("name", "first_name", "last_name", "headline", "current_title", "summary", "languages"),
        *("professional_network_name", "profile_picture_permalink", "location"),
        *("normalized_title", "last_updated"),
    ),
    "professional_network": _parts(
        "professional_network",
        *("connections", "followers", "name", "headline", "current_title", "summary", "pronoun"),
        *("profile_picture_permalink", "location", "metadata", "open_to_cards"),
        *("joined_date", "verifications"),
    ),
    "social_handles": _parts(
        "social_handles",
        *("professional_network_identifier", "dev_platform_identifier", "twitter_identifier"),
    ),
    "skills": _parts("skills", "professional_network_skills"),
    "experience": _parts(
        "experience", "employment_details", "years_of_experience", "years_of_experience_raw"
    ),
    "experience.employment_details": _parts("experience.employment_details", "current", "past"),
    "education": _parts("education", "schools"),
    "assessment": _parts("assessment", "authenticity"),
    "assessment.authenticity": _parts("assessment.authenticity", "verdict", "tier"),
}

_ENRICH_BILLED: Final = {
    "profile": (),
    "dev_platform_profiles": ("dev_platform_profiles",),
    "social_posts": ("social_posts",),
}

ENRICH: Final = Operation(
    name="enrich",
    product="enrich",
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
    leaves=_ENRICH_LEAVES,
    actions=frozenset({"enrich"}),
    lists_unresolved=False,
    billed_for=_ENRICH_BILLED,
)

IDENTIFY: Final = Operation(
    name="identify",
    product="identify",
    vendor="crustdata",
    path="/batch/person/identify",
    cap=300,
    # `emails` is the newer key and takes personal addresses too; the older is `business_emails`.
    identifier_keys={"profile_url": "professional_network_profile_urls", "email": "emails"},
    actions=frozenset({"identify"}),
    billed_for={"match": ()},
)

_CONTACT_PARTS: Final = _parts("personal_contact_info", "personal_emails", "phone_numbers")
_CONTACT_ITEMS: Final = {
    "business_email": ("business_email",),
    "personal_contact_info": ("personal_email", "phone_number"),
    "personal_contact_info.personal_emails": ("personal_email",),
    "personal_contact_info.phone_numbers": ("phone_number",),
}
# What the request for contact data calls each type of it.
CONTACT_FIELDS: Final[Mapping[str, str]] = {
    "business_email": "business_email",
    "personal_email": "personal_contact_info.personal_emails",
    "phone_number": "personal_contact_info.phone_numbers",
}
# Addresses are checked now, and only those that pass are delivered.
_CONTACT_FLAGS: Final = {"verified": "business_email"}
# A request for one kind of contact has been billed as all three.
_CONTACT_BILLED: Final = {
    "business_email": (),
    "personal_email": (),
    "phone_number": (),
    "verified": ("verified",),
}

CONTACT: Final = Operation(
    name="contact",
    product="contact",
    vendor="crustdata",
    path="/batch/person/contact/enrich",
    cap=300,
    identifier_keys={"profile_url": "professional_network_profile_urls"},
    fields=("business_email",),
    known_fields=("business_email", "personal_contact_info"),
    leaves={"personal_contact_info": _CONTACT_PARTS},
    actions=frozenset({"contact_enrich"}),
    needs_fields=True,
    flags=_CONTACT_FLAGS,
    items=_CONTACT_ITEMS,
    billed_for=_CONTACT_BILLED,
)

LIVE_ENRICH: Final = Operation(
    name="enrich",
    product="live_enrich",
    vendor="crustdata",
    path="/batch/person/professional_network/enrich/live",
    cap=300,
    identifier_keys={"profile_url": "professional_network_profile_urls"},
    fields=_ENRICH_GROUPS,
    known_fields=(*_ENRICH_GROUPS, "social_posts"),
    leaves=_ENRICH_LEAVES,
    actions=frozenset({"enrich_live"}),
    lists_unresolved=False,
    billed_for=_ENRICH_BILLED,
)

CONTACT_SYNC: Final = Operation(
    name="contact",
    product="contact_sync",
    vendor="crustdata",
    path="/person/contact/enrich",
    cap=25,
    identifier_keys={
        "profile_url": "professional_network_profile_urls",
        "email": "business_emails",
    },
    # Fields are called as in the batch: what was bought through one is not bought through the
    # other.
    fields=CONTACT.fields,
    known_fields=CONTACT.known_fields,
    leaves=CONTACT.leaves,
    request_fields={
        "business_email": ("contact.business_emails",),
        "personal_contact_info": ("contact.personal_emails", "contact.phone_numbers"),
        "personal_contact_info.personal_emails": ("contact.personal_emails",),
        "personal_contact_info.phone_numbers": ("contact.phone_numbers",),
    },
    always_fields=("contact.websites",),
    flags=_CONTACT_FLAGS,
    items=_CONTACT_ITEMS,
    billed_for=_CONTACT_BILLED,
    # Without `fields` it sells all three paid kinds, the dearest call there is.
    needs_fields=True,
    is_synchronous=True,
)


def opaque_key(profile_key: str) -> str:
    """Give what stands for a person where a vendor is to echo nothing personal."""
    return sha256(profile_key.encode()).hexdigest()[:32]


# What Pronto calls each type of contact data; one for all of a request.
PRONTO_TYPES: Final[Mapping[str, str]] = {
    "business_email": "email",
    "personal_email": "personal_email",
    "phone_number": "phone",
}


def _bulk_contact(contact_type: str) -> Operation:
    """Describe how Pronto is asked for one type of contact data: an operation by itself."""
    suffix = "" if contact_type == "business_email" else f"_{contact_type}"
    alone = Operation(
        name=f"bulk_contact{suffix}",
        product=f"single_contact{suffix}",
        vendor="pronto",
        path="/contacts/single_enrich",
        cap=1,
        identifier_keys={"profile_url": "linkedin_url"},
        fields=(contact_type,),
        known_fields=(contact_type,),
        needs_fields=True,
        items={contact_type: (contact_type,)},
        billed_for={contact_type: (contact_type,)},
        identifier=opaque_key,
    )
    return replace(
        alone,
        product=alone.name,
        path="/contacts/bulk_enrich",
        cap=100,
        least=2,
        alone=alone,
        answers_may_be_lost=True,
    )


# Pronto's operations, by name; each has one type of contact data for its only field.
BULK_CONTACTS: Final[Mapping[str, Operation]] = {
    operation.name: operation for operation in map(_bulk_contact, PRONTO_TYPES)
}
PRONTO_PRODUCTS: Final[Mapping[str, Operation]] = {
    product.product: product
    for operation in BULK_CONTACTS.values()
    for product in (operation, operation.alone)
    if product
}
# Everything that can be bought, by product.
PRODUCTS: Final[Mapping[str, Operation]] = {
    **{
        product.product: product
        for product in (IDENTIFY, CONTACT, CONTACT_SYNC, ENRICH, LIVE_ENRICH)
    },
    **PRONTO_PRODUCTS,
}
