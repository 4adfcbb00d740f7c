"""The waterfall: who is still without contact data goes to the next vendor.

Pronto needs names and an employer: from the upstream row, else from what was bought before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from crust_pipeline.batching.decide import InputRow
from crust_pipeline.identity import ERASED_KEY, identifier_of, is_email
from crust_pipeline.ledger import planning, queries
from crust_pipeline.tables import Lake
from crust_pipeline.vendor.operations import PRONTO_TYPES, opaque_key
from crust_pipeline.vendor.pronto import Contact, EnrichmentType

if TYPE_CHECKING:
    import pyarrow as pa

    from crust_pipeline.pipeline import Pipeline

# What counts as found, by what is looked for. An address that will bounce, or of which the vendor
# cannot tell, is worth asking the next one about.
_FOUND = {
    "business_email": (
        "SELECT profile_key, submission_id FROM {contact_emails} WHERE email_type = 'business' "
        "AND vendor <> 'pronto' AND coalesce(status, '') NOT IN ('invalid', 'unknown')"
    ),
    "personal_email": (
        "SELECT profile_key, submission_id FROM {contact_emails} WHERE email_type = 'personal' "
        "AND vendor <> 'pronto' AND coalesce(status, '') NOT IN ('invalid', 'unknown')"
    ),
    "phone_number": (
        "SELECT profile_key, submission_id FROM {contact_phones} WHERE vendor <> 'pronto'"
    ),
}

# Every place that may know something, the best first. First and last name come from one place.
_KNOWN = """
    SELECT profile_key, first_name, last_name, company_name, company_domain, 0 AS place
    FROM upstream
    UNION ALL
    SELECT profile_key, first_name, last_name, company_name, company_domain, 1 FROM {profile_urls}
    UNION ALL
    SELECT profile_key, first_name, last_name, NULL, NULL, 2 FROM {people}
    UNION ALL
    SELECT profile_key, NULL, NULL, company_name,
        CASE WHEN company_website_domain NOT LIKE '[%' THEN company_website_domain END, 2
    FROM {employment} WHERE is_current
    UNION ALL
    SELECT profile_key, {split}, NULL, NULL, 3 FROM {people}
    UNION ALL
    SELECT profile_key, {split}, NULL, NULL, 4 FROM {identities} WHERE is_best
"""
_SPLIT_NAME = (
    "split_part(name, ' ', 1), nullif(substr(name, length(split_part(name, ' ', 1)) + 2), '')"
)
_TABLES = ("profile_urls", "people", "employment", "identities", "contact_emails", "contact_phones")


def contacts_of(
    lake: Lake, keys: Iterable[str], *, upstream: "pa.Table | None" = None
) -> dict[str, Contact]:
    """What is known of people, by profile key; a name may be empty.

    Args:
        lake: where what was bought before is.
        keys: the people.
        upstream: rows of the upstream table that are not in the lake.
    """
    known = _KNOWN.format(split=_SPLIT_NAME, **_scans(lake))
    best = ", ".join(
        f"first({value} ORDER BY place) FILTER ({condition})"
        for value, condition in (
            ("[first_name, last_name]", "first_name <> '' AND last_name <> ''"),
            ("company_name", "company_name <> ''"),
            ("company_domain", "company_domain <> ''"),
        )
    )
    rows = _ask(
        f"SELECT profile_key, {best} FROM ({known}) "  # noqa: S608 - our own names
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


def found_already(lake: Lake, field: str, keys: Iterable[str]) -> dict[str, str]:
    """Who has what is looked for from an earlier vendor: {profile_key: the batch that found it}."""
    found = _FOUND[field].format(**_scans(lake))
    query = (
        f"SELECT profile_key, min(submission_id) FROM ({found}) "  # noqa: S608 - our own names
        "SEMI JOIN wanted USING (profile_key) GROUP BY profile_key"
    )
    return {row[0]: row[1] for row in _ask(query, keys=keys)}


def left_over(
    pipeline: "Pipeline",
    rows: Sequence[InputRow],
    partitions: Sequence[date],
    *,
    upstream: "pa.Table | None" = None,
) -> list[InputRow]:
    """Input rows for the second vendor: who was found, who may be, who cannot be asked for."""
    (field,) = pipeline.fields("bulk_contact")
    rows = _with_people(pipeline, rows)
    keys = {row.profile_key for row in rows if row.profile_key}
    contact, identify, enrich = (
        queries.rows_in_progress(pipeline.ledger, operation, partitions)
        for operation in ("contact", "identify", "enrich")
    )
    known = _Known(
        kind=EnrichmentType(PRONTO_TYPES[field]),
        found=found_already(pipeline.lake, field, keys),
        contacts=contacts_of(pipeline.lake, keys, upstream=upstream),
        waiting=contact,
        informing=identify | enrich,
    )
    return [_judged(row, known) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a decision about a row rests on; by profile key, or by day and row."""

    kind: EnrichmentType
    found: Mapping[str, str]
    contacts: Mapping[str, Contact]
    waiting: Mapping[tuple[date, str], str]
    informing: Mapping[tuple[date, str], str]


def _judged(row: InputRow, known: _Known) -> InputRow:
    key, place = row.profile_key, (row.partition_date, row.row_id)
    if key is None or key == ERASED_KEY or row.waits_for is not None:
        return row
    if key in known.found:
        return replace(row, answered_by=known.found[key])
    if place in known.waiting:
        return replace(row, waits_for=known.waiting[place])
    # With an e-mail alone the plan says that there is no profile URL.
    problem = None if is_email(key) else _problem(known.contacts.get(key), known.kind)
    if problem and place in known.informing:
        return replace(row, waits_for=known.informing[place])
    return replace(row, profile_key=None, problem=problem) if problem else row


def _problem(contact: Contact | None, kind: EnrichmentType) -> str | None:
    return contact.lacks(kind) if contact else "no first and last name"


def _with_people(pipeline: "Pipeline", rows: Sequence[InputRow]) -> list[InputRow]:
    """Give rows with an e-mail the person that the first vendor's identify has found."""
    emails = sorted(
        {row.profile_key for row in rows if row.profile_key and is_email(row.profile_key)}
    )
    with pipeline.ledger.write() as tx:
        identities = planning.identities_of(tx, emails)
    result: list[InputRow] = []
    for row in rows:
        identity = identities.get(row.profile_key or "")
        if identity is None:
            result.append(row)
        elif identity.on_its_way:
            result.append(replace(row, waits_for=identity.submission_id))
        else:
            result.append(replace(row, profile_key=identity.profile_key))
    return result


def _scans(lake: Lake) -> dict[str, str]:
    return {table: lake.scan(table) for table in _TABLES}


def _ask(
    query: str, *, keys: Iterable[str], upstream: "pa.Table | None" = None
) -> list[tuple[str, ...]]:
    import pyarrow as pa

    from crust_pipeline.tables.lake import open_duckdb

    names = ("profile_key", "first_name", "last_name", "company_name", "company_domain")
    empty = pa.table({name: pa.array([], pa.string()) for name in names})
    with open_duckdb() as connection:
        connection.register("wanted", pa.table({"profile_key": pa.array(list(keys), pa.string())}))
        connection.register("upstream", empty if upstream is None else upstream.select(names))
        return connection.execute(query).fetchall()
