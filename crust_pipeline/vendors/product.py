"""A product: one kind of request at one vendor, described as data.

Everything that the rest of the project has to know of a request stands in its `Product`: where it
goes, whom it takes, what can be asked for, what is billed, and how its answers are read. Operations
are bought through one or more products; `catalog` lists them all.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal, TypeVar

from crust_pipeline.keys import KeyKind, identifier_of
from crust_pipeline.vendors.field_names import not_among, under
from crust_pipeline.vendors.known import KnownPerson
from crust_pipeline.vendors.lines import Line

Subject = Literal["person", "company"]

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that a vendor bills, with its published price.

    Attributes:
        name: what it is called in prices and answers.
        credits: what one delivery costs.
        source: where the price is stated.
        valid_from: the first day on which it counts.
        asked_by: the fields that can bring it; () when it may be billed whatever was asked for.
        brought_by: the fields of which it is known that they bring it; what comes without one of
            them has come unasked. () where that makes no difference.
    """

    name: str
    credits: Decimal
    source: str
    valid_from: date
    asked_by: tuple[str, ...] = ()
    brought_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Product:
    """One kind of paid request.

    Attributes:
        name: its own name, under which batches and prices know it.
        operation: the operation that it serves, by which tables and purchases go.
        vendor: who sells it.
        path: where it is submitted.
        cap: the most identifiers that one request may hold.
        identifier_keys: the request key for each kind of identifier that it takes.
        line: how the lines of its files are read.
        items: all that it may be billed for.
        subject: whom it is about.
        bought_as: the word in CRUST_OPERATIONS that asks for it; empty: the operation's own name.
        reads: tables that have to be up to date before it is known whom it asks for.
        contact_types: the field that asks for each type of contact data that it sells.
        fields: what is asked for by default; () when the request has no `fields`.
        known_fields: all that can be asked for, groups and what is known to lie under them.
        fields_setting: the setting that says what is asked for; "" if there is none.
        leaves: what is known to lie right under a group, for when the vendor denies a part of it.
        jobs: the (entity, action) pairs by which the vendor's job list is known to name it.
        needs_fields: an empty `fields` is refused.
        lists_unresolved: False when what the vendor does not know is absent from the file.
        is_synchronous: the answer comes at once, and takes none of the account's job slots.
        request_fields: what a field is called in the request, where that differs.
        always_fields: asked for with whatever else is, because it costs nothing.
        flags: fields that are sent as a flag, each with the field that it changes: it is asked for
            with that field and billed, under its own name, with what that field brings.
        least: the fewest identifiers that one request may hold.
        alone: the request for a single identifier, where `least` forbids one.
        identifier: makes of a key what is sent, and comes back with the answer.
        lacks: says what is missing to ask for a person, where more than a key is sent.
        answers_may_be_lost: each answer travels for itself, so that silence is no answer.
    """

    name: str
    operation: str
    vendor: str
    path: str
    cap: int
    identifier_keys: Mapping[KeyKind, str]
    line: Line
    items: tuple[Item, ...]
    subject: Subject = "person"
    bought_as: str = ""
    reads: tuple[str, ...] = ()
    contact_types: Mapping[str, str] = field(default_factory=dict[str, str])
    fields: tuple[str, ...] = ()
    known_fields: tuple[str, ...] = ()
    fields_setting: str = ""
    leaves: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    jobs: frozenset[tuple[str, str]] = frozenset()
    needs_fields: bool = False
    lists_unresolved: bool = True
    is_synchronous: bool = False
    request_fields: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    always_fields: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict[str, str])
    least: int = 1
    alone: "Product | None" = None
    identifier: Callable[[str], str] = identifier_of
    lacks: Callable[[KnownPerson], str | None] | None = None
    answers_may_be_lost: bool = False

    def chunks(self, identifiers: Sequence[_Item]) -> "Iterator[tuple[Product, Sequence[_Item]]]":
        """Cut identifiers into requests as full as they may be, none below `least`."""
        left = identifiers
        while left:
            size = min(self.cap, len(left))
            if 0 < len(left) - size < self.least:
                size = max(len(left) - self.least, self.least)
            chunk, left = left[:size], left[size:]
            yield self.alone if self.alone and len(chunk) < self.least else self, chunk

    def without(self, fields: Iterable[str], denied: Collection[str]) -> tuple[str, ...]:
        """Return `fields` less those denied; of a group partly denied, its other parts."""
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
        """Return `fields` with those that flags among them need."""
        return frozenset({*fields, *(self.flags[name] for name in fields if name in self.flags)})

    def billed(self, items: Iterable[str], fields: Collection[str]) -> list[str]:
        """Return what is billed when `items` came and `fields` were asked for."""
        items = list(items)
        flags = self.flags.items()
        return items + [flag for flag, changes in flags if flag in fields and changes in items]

    def items_asked_for(self, fields: Collection[str]) -> frozenset[str] | None:
        """Return the billable items that `fields` ask for; None when it makes no difference."""
        if not any(item.brought_by for item in self.items):
            return None
        return frozenset(
            item.name for item in self.items if any(name in item.brought_by for name in fields)
        )

    def called(self, name: str) -> tuple[str, ...]:
        """Return what the request calls a field."""
        return self.request_fields.get(name, (name,))

    def as_requested(self, fields: Iterable[str], denied: Collection[str] = ()) -> list[str]:
        """Return `fields` as the request calls them, and what goes with them unless denied."""
        named = [called for name in fields for called in self.called(name)]
        always = [name for name in self.always_fields if named and name not in denied]
        return sorted({*named, *always})

    def as_ours(self, denied: Collection[str]) -> tuple[str, ...]:
        """Return fields that the vendor denies by its own names by ours, where we have others."""
        ours = [
            name
            for name, theirs in self.request_fields.items()
            if all(any(under(each, other) for other in denied) for each in theirs)
        ]
        theirs = {each for names in self.request_fields.values() for each in names}
        return (*ours, *(name for name in denied if name not in theirs))

    def unknown_fields(self, fields: Iterable[str]) -> tuple[str, ...]:
        """Return those of `fields` that are not among the known ones."""
        return not_among(fields, self.known_fields)


# The products that serve one operation, by the kind of identifier that each is used for.
Products = Mapping[KeyKind, Product]
