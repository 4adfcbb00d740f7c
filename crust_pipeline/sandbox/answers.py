"""What an order yields for each identifier: the items billed, and the line or entry that tells."""

from dataclasses import dataclass
from typing import Any

from crust_pipeline.sandbox import companies, fields, people
from crust_pipeline.sandbox.companies import Company
from crust_pipeline.sandbox.endpoints import EMAILS, URLS
from crust_pipeline.sandbox.groups import Json
from crust_pipeline.sandbox.people import Contacts, Match, Standing, contacts, match, person_of_slug
from crust_pipeline.sandbox.records import has_group, record
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.sandbox.validate import Order

_BILLED_GROUPS = ("dev_platform_profiles", "social_posts")
# Contact tiers: name in batch fields, name in sync fields, billed item.
_TIERS = (
    ("business_email", "contact.business_emails", "business_email"),
    ("personal_contact_info.personal_emails", "contact.personal_emails", "personal_email"),
    ("personal_contact_info.phone_numbers", "contact.phone_numbers", "phone_number"),
)
_PAID_TIERS = frozenset(item for _, _, item in _TIERS)


@dataclass(frozen=True, slots=True)
class IdentifierAnswer:
    """What one identifier yields.

    Attributes:
        identifier: As submitted.
        match: Whom it leads to; None when to nobody or to somebody who is not delivered.
        status: `matched`, `not_found` or `redacted`.
        items: Billed items, keys of `PRICES`; empty: free.
        company: The company it leads to, when companies are sold.
    """

    identifier: str
    match: Match | None
    status: str
    items: tuple[str, ...]
    company: Company | None = None

    @property
    def internal_id(self) -> int | None:
        """The vendor's id of whom or what is delivered; None when nothing is."""
        if self.company is not None:
            return self.company.company_id
        return self.match.person.person_id if self.match is not None else None


def key_of(order: Order, identifier: str) -> str:
    """Return what counts as one identifier in the accounts, however it is written."""
    if order.endpoint.entity == "company":
        return companies.key_of(order.identifier_type, identifier)
    return people.key_of(identifier)


class Answers:
    """Turns the identifiers of one order into deliveries, and these into JSON."""

    def __init__(self, order: Order, switches: Switches) -> None:
        """Work out once what the order's fields select."""
        self._order = order
        self._switches = switches
        self._product = order.endpoint.product
        self._tiers = self._asked_tiers()
        asked = order.fields or ()
        defaults = fields.ENRICH_DEFAULTS
        self._id_name = f"crustdata_{order.endpoint.entity}_id"
        if order.endpoint.entity == "company":
            defaults = () if asked else fields.COMPANY_DEFAULTS
        elif not order.endpoint.batch and asked and switches.sync_fields == "whitelist":
            defaults = ()
        self._tree = fields.tree_of((*defaults, *asked))
        self._whole = all(below is None for below in self._tree.values())

    def delivery(self, identifier: str) -> IdentifierAnswer:
        """Return the answer for an identifier."""
        if self._order.endpoint.entity == "company":
            company = companies.find(self._order.identifier_type, identifier)
            return self._of_company(identifier, company)
        found = match(identifier, personal_emails=self._product == "identify")
        if found is not None and found.person.standing is Standing.REDACTED:
            return IdentifierAnswer(identifier, None, "redacted", ())
        if found is None or not found.person.found:
            return IdentifierAnswer(identifier, None, "not_found", ())
        return IdentifierAnswer(identifier, found, "matched", self._items(found))

    def stranger(self, number: int) -> IdentifierAnswer:
        """Return the delivery of somebody, or a company, that nobody asked for."""
        if self._order.endpoint.entity == "company":
            company = companies.stranger(number)
            return self._of_company(company.written(self._order.identifier_type), company)
        candidates = (f"stranger-{number}-{n}" for n in range(1000))
        slug = next(slug for slug in candidates if person_of_slug(slug).found)
        return self.delivery(f"https://www.linkedin.com/in/{slug}")

    def _of_company(self, identifier: str, company: Company | None) -> IdentifierAnswer:
        if company is None:
            return IdentifierAnswer(identifier, None, "not_found", ())
        return IdentifierAnswer(identifier, None, "matched", ("company",), company)

    def has_line(self, delivery: IdentifierAnswer) -> bool:
        """Tell whether a file has a line for the answer; enrich drops unknown people."""
        return delivery.internal_id is not None or self._product in ("identify", "contact_enrich")

    def line(self, delivery: IdentifierAnswer) -> Json:
        """Return the line of a batch file."""
        if self._product == "identify":
            return self.entry(delivery)
        if self._product != "contact_enrich":
            return {
                "original_identifier": delivery.identifier,
                "internal_id": delivery.internal_id,
                "data": self._record(delivery),
            }
        data = self._contact_line(delivery)
        if self._switches.contact_lines == "flat":
            return {
                "professional_network_url": delivery.identifier,
                "person_id": delivery.internal_id,
                **data,
            }
        return {
            "original_identifier": delivery.identifier,
            "internal_id": delivery.internal_id,
            "data": data,
        }

    def entry(self, delivery: IdentifierAnswer) -> Json:
        """Return the entry of a sync answer; also the line of an identify file."""
        entry: Json = {"matched_on": delivery.identifier, "match_type": self._match_type()}
        if self._product == "identify" and self._switches.identify_lines == "current":
            entry["match_status"] = delivery.status
        entry["matches"] = []
        if delivery.match is not None:
            match self._product:
                case "identify":
                    data = self._identity(delivery.match)
                case "contact_enrich":
                    data = self._contact_entry(delivery.match)
                case _:
                    data = self._record(delivery)
            entry["matches"] = [
                {"confidence_score": delivery.match.confidence, "person_data": data}
            ]
            if self._product == "identify" and self._switches.identify_matches == "several":
                entry["matches"][:0] = [self._less_likely(delivery.match)]
        return entry

    def _less_likely(self, found: Match) -> Json:
        """Return a person of a similar name; listed first, so that only the confidence differs."""
        other = Match(person_of_slug(f"{found.person.slug}-2"), found.confidence / 2)
        return {"confidence_score": other.confidence, "person_data": self._identity(other)}

    def _items(self, found: Match) -> tuple[str, ...]:
        match self._product:
            case "identify":
                return ("match",)
            case "enrich_live":
                return ("live_profile",)
            case "enrich":
                if self._order.preview:
                    return ()
                extras = (g for g in _BILLED_GROUPS if g in self._tree)
                return ("profile", *(g for g in extras if has_group(found.person, g)))
            case _:
                return self._contact_items(found)

    def _contact_items(self, found: Match) -> tuple[str, ...]:
        known = self._contacts(found)
        values = (known.business_emails, known.personal_emails, known.phone_numbers)
        items = tuple(
            item
            for (_, _, item), value in zip(_TIERS, values, strict=True)
            if value and item in self._tiers
        )
        return (*items, "verified") if self._order.verified and "business_email" in items else items

    def _asked_tiers(self) -> frozenset[str]:
        asked = self._order.fields
        if asked is None or "contact" in asked or self._switches.contact_narrowing == "ignored":
            return _PAID_TIERS
        return frozenset(
            item
            for batch, sync, item in _TIERS
            if any(f"{name}.".startswith(f"{a}.") for a in asked for name in (batch, sync))
        )

    def _contacts(self, found: Match) -> Contacts:
        known = contacts(found.person)
        if not self._order.verified:
            return known
        passed = tuple(pair for pair in known.business_emails if pair[1] == "deliverable")
        return Contacts(passed, known.personal_emails, known.phone_numbers, known.websites)

    def _contact_line(self, delivery: IdentifierAnswer) -> Json:
        known = self._contacts(delivery.match) if delivery.match else Contacts()
        empty = self._switches.contact_unrequested == "empty"
        data: Json = {}
        if empty or "business_email" in self._tiers:
            wanted = "business_email" in self._tiers
            data["business_email"] = self._written(_emails(known.business_emails, wanted))
        personal: Json = {}
        if empty or "personal_email" in self._tiers:
            wanted = "personal_email" in self._tiers
            personal["personal_emails"] = self._written(_emails(known.personal_emails, wanted))
        if empty or "phone_number" in self._tiers:
            wanted = "phone_number" in self._tiers
            personal["phone_numbers"] = self._phone_numbers(known) if wanted else []
        if personal:
            data["personal_contact_info"] = personal
        return data

    def _written(self, emails: list[Json]) -> list[Json] | list[str] | str:
        """Return the addresses of a batch line in one of the shapes that users saw."""
        if self._switches.contact_emails == "objects":
            return emails
        texts = [email["email"] for email in emails]
        return (
            texts[0] if self._switches.contact_emails == "one_text" and len(texts) == 1 else texts
        )

    def _phone_numbers(self, known: Contacts) -> list[str]:
        numbers = list(known.phone_numbers)
        if self._switches.contact_phones == "with_emails" and numbers:
            numbers += [email for email, _ in known.personal_emails]
        return numbers

    def _contact_entry(self, found: Match) -> Json:
        known = self._contacts(found)
        contact: Json = {}
        if "business_email" in self._tiers:
            contact["business_emails"] = _emails(known.business_emails)
            if self._order.verified and not known.business_emails:
                contact["business_emails_message"] = "No business email passed verification"
        if "personal_email" in self._tiers:
            contact["personal_emails"] = _emails(known.personal_emails)
        if "phone_number" in self._tiers:
            contact["phone_numbers"] = self._phone_numbers(known)
        if {"contact", "contact.websites"} & set(self._order.fields or ()):
            contact["websites"] = list(known.websites)
        return {"contact": contact, "crustdata_person_id": found.person.person_id}

    def _identity(self, found: Match) -> Json:
        whole = record(found.person, ("basic_profile", "social_handles", "updated_at"))
        profile = whole.get("basic_profile", {})
        names = ["name", "headline", "current_title"]
        if self._switches.identify_lines == "current":
            names.append("location")
        identity: Json = {
            "crustdata_person_id": found.person.person_id,
            "basic_profile": {name: profile[name] for name in names if name in profile},
        }
        if "updated_at" in whole:
            identity["updated_at"] = whole["updated_at"]
        if self._switches.identify_lines == "current" and "social_handles" in whole:
            url = whole["social_handles"]["professional_network_identifier"]
            identity["social_handles"] = {"professional_network_identifier": url}
        return identity

    def _record(self, delivery: IdentifierAnswer) -> Json:
        groups = ("basic_profile",) if self._order.preview else tuple(self._tree)
        if delivery.company is not None:
            data = companies.record(delivery.company, groups)
        elif delivery.match is not None:
            data = record(delivery.match.person, groups)
        else:
            return {}
        if not self._whole:
            data = {self._id_name: data[self._id_name], **fields.prune(data, self._tree)}
        for path in self._switches.denied_fields:
            data = fields.without(data, path)
        return data

    def _match_type(self) -> str:
        if self._order.identifier_type == URLS:
            return "professional_network_profile_url"
        if self._order.identifier_type == EMAILS:
            return self._switches.emails_match_type
        return "business_email"


def _emails(pairs: tuple[tuple[str, str], ...], wanted: Any = True) -> list[Json]:  # noqa: ANN401, FBT002
    return [{"email": email, "status": status} for email, status in pairs] if wanted else []
