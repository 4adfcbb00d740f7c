"""The waterfall: who is still without contact data of a type goes to the next vendor.

Pronto needs names and an employer: from the upstream row, else from what was bought before.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from crust_pipeline.buying.decide import InputRow
from crust_pipeline.keys import ERASED_KEY, identifier_of, is_email
from crust_pipeline.ledger import plan as ledger_plan
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.plan import Identity
from crust_pipeline.ledger.states import Answer
from crust_pipeline.settings import Settings
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline.vendors.operations import (
    BULK_CONTACTS,
    CONTACT,
    CONTACT_FIELDS,
    PRONTO_TYPES,
    opaque_key,
)
from crust_pipeline.vendors.pronto.client import Contact, EnrichmentType

if TYPE_CHECKING:
    import pyarrow as pa

    from crust_pipeline.app.installation import Pipeline

UnderWay = Mapping[str, Mapping[tuple[date, str], str]]

# What counts as found. An address that will bounce, or of which the vendor cannot tell, is worth
# asking the next one about; a value of which the vendor says nothing more counts.
_DELIVERABLE = "coalesce(status, 'deliverable') IN ('deliverable', 'catch_all', 'valid')"
_FOUND = {
    "business_email": f"{{contact_emails}} WHERE email_type = 'business' AND {_DELIVERABLE}",
    "personal_email": f"{{contact_emails}} WHERE email_type = 'personal' AND {_DELIVERABLE}",
    "phone_number": "{contact_phones} WHERE true",
}

_SPLIT_NAME = (
    "split_part(name, ' ', 1), nullif(substr(name, length(split_part(name, ' ', 1)) + 2), '')"
)
# Every place that may know something, the best first. First and last name come from one place.
_KNOWN = f"""
    SELECT profile_key, first_name, last_name, company_name, company_domain, 0 AS place
    FROM upstream
    UNION ALL
    SELECT profile_key, first_name, last_name, company_name, company_domain, 1 FROM {{profile_urls}}
    UNION ALL
    SELECT profile_key, first_name, last_name, NULL, NULL, 2 FROM {{people}}
    UNION ALL
    SELECT profile_key, NULL, NULL, company_name,
        CASE WHEN company_website_domain NOT LIKE '[%' THEN company_website_domain END, 2
    FROM {{employment}} WHERE is_current
    UNION ALL
    SELECT profile_key, {_SPLIT_NAME}, NULL, NULL, 3 FROM {{people}}
    UNION ALL
    SELECT profile_key, {_SPLIT_NAME}, NULL, NULL, 4 FROM {{identities}} WHERE is_best
"""  # noqa: S608 - our own names


def contacts_of(
    lake: Lake, keys: Iterable[str], *, upstream: "pa.Table | None" = None
) -> dict[str, Contact]:
    """What is known of people, by profile key; a name may be empty.

    Args:
        lake: where what was bought before is.
        keys: the people.
        upstream: rows of the upstream table that are not in the lake.
    """
    best = ", ".join(
        f"first({value} ORDER BY place) FILTER ({condition})"
        for value, condition in (
            ("[first_name, last_name]", "first_name <> '' AND last_name <> ''"),
            ("company_name", "company_name <> ''"),
            ("company_domain", "company_domain <> ''"),
        )
    )
    rows = _ask(
        lake,
        f"SELECT profile_key, {best} FROM ({_KNOWN}) "  # noqa: S608 - our own names
        "SEMI JOIN wanted USING (profile_key) GROUP BY profile_key",
        keys=keys,
        upstream=upstream,
    )
    return {
        key: Contact(
            firstname=(names or ("", ""))[0],
            lastname=(names or ("", ""))[1],
            company_name=company,
            domain=domain,
            linkedin_url=identifier_of(key),
            key=opaque_key(key),
        )
        for key, names, company, domain in rows
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An earlier step of the waterfall.

    Attributes:
        operation: what was asked before, and is waited for.
        vendor: who sells it.
        contact_type: what it looks for.
        fields: what the later operation does not ask for where it was found.
    """

    operation: str
    vendor: str
    contact_type: str
    fields: tuple[str, ...]


def steps_before(settings: Settings, operation: str) -> tuple[Step, ...]:
    """The steps whose people an operation does not ask for, as set."""
    orders = settings.waterfall
    if operation == "contact":
        return tuple(
            Step(
                operation=name,
                vendor="pronto",
                contact_type=contact_type,
                fields=_with_flags(CONTACT_FIELDS[contact_type]),
            )
            for name, product in BULK_CONTACTS.items()
            for contact_type in product.fields
            if orders[contact_type] == ("pronto", "crustdata")
        )
    if operation in BULK_CONTACTS:
        return tuple(
            Step(
                operation="contact",
                vendor="crustdata",
                contact_type=contact_type,
                fields=(contact_type,),
            )
            for contact_type in BULK_CONTACTS[operation].fields
            if orders[contact_type] == ("crustdata", "pronto")
        )
    return ()


def is_step(settings: Settings, operation: str) -> bool:
    """Whether what others have found, or know, decides whom an operation asks for."""
    return operation in BULK_CONTACTS or bool(steps_before(settings, operation))


def _with_flags(field: str) -> tuple[str, ...]:
    return (field, *(flag for flag, changes in CONTACT.flags.items() if changes == field))


def found_already(
    lake: Lake, contact_type: str, keys: Iterable[str], *, vendor: str
) -> dict[str, str]:
    """Of whom a vendor has found something deliverable: {profile_key: the batch that found it}."""
    query = (
        "SELECT profile_key, min(submission_id) "  # noqa: S608 - our own names
        f"FROM (SELECT * FROM {_FOUND[contact_type]} AND vendor = '{vendor}') "
        "SEMI JOIN wanted USING (profile_key) GROUP BY profile_key"
    )
    return {row[0]: row[1] for row in _ask(lake, query, keys=keys)}


def under_way(
    pipeline: "Pipeline", operations: Iterable[str], partitions: Sequence[date]
) -> UnderWay:
    """Rows of these days that wait for something: {operation: {(day, row_id): submission_id}}."""
    return {
        name: queries.rows_in_progress(pipeline.ledger, name, partitions) for name in operations
    }


def left_over(
    pipeline: "Pipeline",
    operation: str,
    rows: Sequence[InputRow],
    *,
    waiting: UnderWay,
    upstream: "pa.Table | None" = None,
) -> list[InputRow]:
    """Input rows for a step of the waterfall: what was found, may be found, cannot be asked for.

    Args:
        pipeline: the installation.
        operation: the step.
        rows: the input rows of whole days.
        waiting: what was under way before the tables were brought up to what has landed.
        upstream: rows of the upstream table that are not in the lake.
    """
    wanted = pipeline.fields(operation)
    identities = _identities(pipeline, rows)
    keys = {row.profile_key for row in rows if row.profile_key}
    keys |= {identity.profile_key for identity in identities.values() if identity.profile_key}
    steps = steps_before(pipeline.settings, operation)
    waited_for = [step.operation for step in steps]
    if operation in BULK_CONTACTS:
        waited_for.append("identify")  # it tells who has asked for removal
    earlier = _Earlier(
        wanted=frozenset(wanted),
        identities=identities,
        found=_found(pipeline, steps, keys, wanted=wanted),
        waiting={place: batch for name in waited_for for place, batch in waiting[name].items()},
    )
    rows = [_less_what_was_found(row, earlier) for row in rows]
    if operation not in BULK_CONTACTS:
        return rows
    (contact_type,) = wanted
    known = _Known(
        kind=EnrichmentType(PRONTO_TYPES[contact_type]),
        identities=identities,
        contacts=contacts_of(pipeline.lake, keys, upstream=upstream),
        informing=waiting["enrich"],
    )
    return [_if_known(row, known) for row in rows]


def _found(
    pipeline: "Pipeline", steps: Sequence[Step], keys: Collection[str], *, wanted: Sequence[str]
) -> dict[str, dict[str, str]]:
    """What is not asked for: {profile_key: {field: the batch that has answered}}."""
    result: dict[str, dict[str, str]] = {}
    for step in steps:
        found = found_already(pipeline.lake, step.contact_type, keys, vendor=step.vendor)
        for key, submission_id in found.items():
            result.setdefault(key, {}).update(dict.fromkeys(step.fields, submission_id))
    with pipeline.ledger.write() as tx:
        claims = ledger_plan.claims_of(tx, "contact", sorted(keys))
    for key, of_key in claims.items():
        for claim in of_key:
            # Who asked one vendor for removal is not looked for at another.
            if claim.answer is Answer.REDACTED:
                result[key] = dict.fromkeys(wanted, claim.submission_id)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Earlier:
    """What earlier steps have found or may find; by profile key, or by day and row."""

    wanted: frozenset[str]
    identities: Mapping[str, Identity]
    found: Mapping[str, Mapping[str, str]]
    waiting: Mapping[tuple[date, str], str]


def _less_what_was_found(row: InputRow, earlier: _Earlier) -> InputRow:
    identity = earlier.identities.get(row.profile_key or "")
    person = identity.profile_key if identity else None
    found: dict[str, str] = {}
    for key in (row.profile_key, person):
        of_key = earlier.found.get(key or "", {})
        if earlier.wanted <= of_key.keys():
            return replace(row, profile_key=key, found=of_key)
        found |= of_key
    return replace(
        row,
        found=found,
        waits_for=earlier.waiting.get((row.partition_date, row.row_id)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What Pronto could be told of people; by profile key, or by day and row."""

    kind: EnrichmentType
    identities: Mapping[str, Identity]
    contacts: Mapping[str, Contact]
    informing: Mapping[tuple[date, str], str]


def _if_known(row: InputRow, known: _Known) -> InputRow:
    if not row.profile_key or row.profile_key == ERASED_KEY or row.found or row.waits_for:
        return row
    if identity := known.identities.get(row.profile_key):
        if identity.on_its_way:
            return replace(row, waits_for=identity.submission_id)
        row = replace(row, profile_key=identity.profile_key)
    key, place = row.profile_key or "", (row.partition_date, row.row_id)
    # With an e-mail alone the plan says that there is no profile URL.
    problem = None if is_email(key) else _problem(known.contacts.get(key), known.kind)
    if problem and place in known.informing:
        return replace(row, waits_for=known.informing[place])
    return replace(row, profile_key=None, problem=problem) if problem else row


def _problem(contact: Contact | None, kind: EnrichmentType) -> str | None:
    return contact.lacks(kind) if contact else "no first and last name"


def _identities(pipeline: "Pipeline", rows: Sequence[InputRow]) -> dict[str, Identity]:
    """Who is behind e-mail addresses, as far as the first vendor's identify knows."""
    emails = sorted(
        {row.profile_key for row in rows if row.profile_key and is_email(row.profile_key)}
    )
    with pipeline.ledger.write() as tx:
        return ledger_plan.identities_of(tx, emails)


def _ask(
    lake: Lake, query: str, *, keys: Iterable[str], upstream: "pa.Table | None" = None
) -> list[tuple[str, ...]]:
    import pyarrow as pa

    names = ("profile_key", "first_name", "last_name", "company_name", "company_domain")
    empty = pa.table({name: pa.array([], pa.string()) for name in names})
    given = {
        "wanted": pa.table({"profile_key": pa.array(list(keys), pa.string())}),
        "upstream": empty if upstream is None else upstream.select(names),
    }
    return lake.rows(query, given=given)
