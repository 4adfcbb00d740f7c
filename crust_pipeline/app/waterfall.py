"""The waterfall: people still without contact data of a type are asked for at the next vendor."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from crust_pipeline.app.known import ask_about, known_people
from crust_pipeline.app.orders import Step, product_of, steps_before
from crust_pipeline.buying.decide import InputRow
from crust_pipeline.keys import ERASED_KEY, is_email
from crust_pipeline.ledger import plan as ledger_plan
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.plan import Identity
from crust_pipeline.ledger.states import Answer
from crust_pipeline.tables.specs import TABLES
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline.vendors.catalog import IDENTIFYING, OPERATIONS
from crust_pipeline.vendors.known import KnownPerson

if TYPE_CHECKING:
    import pyarrow as pa

    from crust_pipeline.app.installation import Installation

UnderWay = Mapping[str, Mapping[tuple[date, str], str]]

# What counts as found. An address that will bounce, or of which the vendor cannot tell, is worth
# asking the next one about; a value of which the vendor says nothing more counts.
_DELIVERABLE = "coalesce(status, 'deliverable') IN ('deliverable', 'catch_all', 'valid')"
_FOUND = {
    "business_email": f"{{contact_emails}} WHERE email_type = 'business' AND {_DELIVERABLE}",
    "personal_email": f"{{contact_emails}} WHERE email_type = 'personal' AND {_DELIVERABLE}",
    "phone_number": "{contact_phones} WHERE true",
}


def found_already(
    lake: Lake, contact_type: str, keys: Iterable[str], *, vendor: str
) -> dict[str, str]:
    """Of whom a vendor has found something deliverable: {profile_key: the batch that found it}."""
    query = (
        "SELECT profile_key, min(submission_id) "  # noqa: S608 - our own names
        f"FROM (SELECT * FROM {_FOUND[contact_type]} AND vendor = '{vendor}') "
        "SEMI JOIN wanted USING (profile_key) GROUP BY profile_key"
    )
    return {row[0]: row[1] for row in ask_about(lake, query, keys=keys)}


def under_way(
    installation: "Installation", operations: Iterable[str], partitions: Sequence[date]
) -> UnderWay:
    """Return the waiting rows of these days: {operation: {(day, row_id): submission_id}}."""
    return {
        name: queries.rows_in_progress(installation.ledger, name, partitions) for name in operations
    }


def left_over(
    installation: "Installation",
    operation: str,
    rows: Sequence[InputRow],
    *,
    waiting: UnderWay,
    upstream: "pa.Table | None" = None,
) -> list[InputRow]:
    """Input rows for a step of the waterfall: what was found, may be found, cannot be asked for.

    Args:
        installation: the installation.
        operation: the step.
        rows: the input rows of whole days.
        waiting: what was under way before the tables were brought up to what has landed.
        upstream: rows of the upstream table that are not in the lake.
    """
    wanted = installation.fields(operation)
    identities = identities_of_rows(installation, rows)
    keys = {row.subject_key for row in rows if row.subject_key}
    keys |= {identity.subject_key for identity in identities.values() if identity.subject_key}
    product, steps = product_of(operation), steps_before(installation.settings, operation)
    waited_for = [step.operation for step in steps]
    if product.lacks:
        waited_for += TABLES["identities"].operations  # it tells who has asked for removal
    earlier = _Earlier(
        wanted=frozenset(wanted),
        identities=identities,
        found=_found(installation, steps, keys, wanted=wanted),
        waiting=_under_way_in(waited_for, waiting),
    )
    rows = [_less_what_was_found(row, earlier) for row in rows]
    if product.lacks is None:
        return rows
    known = _Known(
        lacks=product.lacks,
        identities=identities,
        people=known_people(installation.lake, keys, upstream=upstream),
        informing=places_under_way(["people"], waiting),
    )
    return [_if_known(row, known) for row in rows]


def _found(
    installation: "Installation",
    steps: Sequence[Step],
    keys: Collection[str],
    *,
    wanted: Sequence[str],
) -> dict[str, dict[str, str]]:
    """Return what is not asked for: {profile_key: {field: the batch that has answered}}."""
    result: dict[str, dict[str, str]] = {}
    for step in steps:
        found = found_already(installation.lake, step.contact_type, keys, vendor=step.vendor)
        for key, submission_id in found.items():
            result.setdefault(key, {}).update(dict.fromkeys(step.fields, submission_id))
    # People who asked one vendor for removal are not asked for at another.
    for seller in (name for name in OPERATIONS if product_of(name).contact_types):
        with installation.ledger_of(seller).write() as tx:
            claims = ledger_plan.claims_of(tx, seller, sorted(keys))
        for key, of_key in claims.items():
            for claim in of_key:
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
    identity = earlier.identities.get(row.subject_key or "")
    person = identity.subject_key if identity else None
    found: dict[str, str] = {}
    for key in (row.subject_key, person):
        of_key = earlier.found.get(key or "", {})
        if earlier.wanted <= of_key.keys():
            return replace(row, subject_key=key, found=of_key)
        found |= of_key
    return replace(
        row,
        found=found,
        waits_for=earlier.waiting.get((row.partition_date, row.row_id)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a vendor could be told of people; by profile key, or by day and row."""

    lacks: Callable[[KnownPerson], str | None]
    identities: Mapping[str, Identity]
    people: Mapping[str, KnownPerson]
    informing: Mapping[tuple[date, str], str]


def _if_known(row: InputRow, known: _Known) -> InputRow:
    if not row.subject_key or row.subject_key == ERASED_KEY or row.found or row.waits_for:
        return row
    if identity := known.identities.get(row.subject_key):
        if identity.on_its_way:
            return replace(row, waits_for=identity.submission_id)
        row = replace(row, subject_key=identity.subject_key)
    key, place = row.subject_key or "", (row.partition_date, row.row_id)
    # With an e-mail alone the plan says that there is no profile URL.
    problem = None if is_email(key) else _problem(known.people.get(key), known.lacks)
    if problem and place in known.informing:
        return replace(row, waits_for=known.informing[place])
    return replace(row, subject_key=None, problem=problem) if problem else row


def _problem(person: KnownPerson | None, lacks: Callable[[KnownPerson], str | None]) -> str | None:
    return lacks(person) if person else "no first and last name"


def places_under_way(tables: Iterable[str], waiting: UnderWay) -> dict[tuple[date, str], str]:
    """Return the rows that wait for what fills some tables, with the batch of each."""
    return _under_way_in((name for table in tables for name in TABLES[table].operations), waiting)


def _under_way_in(operations: Iterable[str], waiting: UnderWay) -> dict[tuple[date, str], str]:
    return {place: batch for name in operations for place, batch in waiting.get(name, {}).items()}


def identities_of_rows(
    installation: "Installation", rows: Sequence[InputRow]
) -> dict[str, Identity]:
    """Return who is behind e-mail addresses, as far as the first vendor's identify knows."""
    emails = sorted(
        {row.subject_key for row in rows if row.subject_key and is_email(row.subject_key)}
    )
    with installation.ledger.write() as tx:
        return ledger_plan.identities_of(tx, emails, operations=IDENTIFYING)
