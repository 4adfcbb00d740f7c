"""Companies: which company each input row stands for, when companies are bought.

It is the one of the person's main current role, by the vendor's id, else the domain in the upstream
row. Rows of one company share a key, so that each company is bought once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from crust_pipeline.app.known import ask_about
from crust_pipeline.app.waterfall import UnderWay, identities_of_rows, places_under_way
from crust_pipeline.buying.decide import InputRow
from crust_pipeline.keys import (
    ERASED_KEY,
    InvalidIdentifier,
    key_of_company_domain,
    key_of_company_id,
)
from crust_pipeline.ledger.erase import suppressed_keys

if TYPE_CHECKING:
    import pyarrow as pa

    from crust_pipeline.app.installation import Installation

_EMPLOYER = (
    "SELECT profile_key, first(crustdata_company_id ORDER BY is_default DESC NULLS LAST, position) "
    "FROM (FROM {employment} WHERE is_current AND crustdata_company_id IS NOT NULL) "
    "SEMI JOIN wanted USING (profile_key) GROUP BY profile_key"
)
_DOMAIN = (
    "SELECT partition_date, row_id, company_domain FROM {profile_urls} WHERE company_domain <> ''"
)


def companies_of(
    installation: "Installation",
    rows: Sequence[InputRow],
    *,
    waiting: UnderWay,
    upstream: "pa.Table | None" = None,
) -> list[InputRow]:
    """Return input rows with the keys of their companies in place of those of their people.

    Args:
        installation: the installation.
        rows: the input rows of whole days.
        waiting: what was under way before the tables were brought up to what has landed.
        upstream: rows of the upstream table that are not in the lake.
    """
    identities = identities_of_rows(installation, rows)
    person_of = {
        row.subject_key: identities[row.subject_key].subject_key or row.subject_key
        if row.subject_key in identities
        else row.subject_key
        for row in rows
        if row.subject_key
    }
    found = ask_about(installation.lake, _EMPLOYER, keys=set(person_of.values()))
    employers: dict[str | None, str] = {row[0]: row[1] for row in found}
    domains = _domains(installation, rows, upstream)
    informing = places_under_way(["people"], waiting)
    with installation.ledger.read() as con:
        never_asked = suppressed_keys(con) | {ERASED_KEY}

    def company_of(row: InputRow) -> InputRow:
        place = row.partition_date, row.row_id
        person = person_of.get(row.subject_key or "")
        if {row.subject_key, person} & never_asked:
            return row
        if person in employers:
            return replace(row, subject_key=key_of_company_id(employers[person]), problem=None)
        if place in informing:
            return replace(row, waits_for=informing[place])
        return _by_domain(row, domains.get(place))

    return [company_of(row) for row in rows]


def _by_domain(row: InputRow, domain: str | None) -> InputRow:
    try:
        key = key_of_company_domain(domain or "")
    except InvalidIdentifier:
        problem = "no company is known: no current role, and no domain in the upstream row"
        return replace(row, subject_key=None, problem=problem)
    return replace(row, subject_key=key, problem=None)


def _domains(
    installation: "Installation", rows: Iterable[InputRow], upstream: "pa.Table | None"
) -> Mapping[tuple[date, str], str]:
    if upstream is not None:
        names = ("partition_date", "row_id", "company_domain")
        columns = (upstream[name].to_pylist() for name in names)
        return {(day, row_id): domain for day, row_id, domain in zip(*columns, strict=True)}
    days = {row.partition_date for row in rows}
    if not days:
        return {}
    found = installation.lake.rows(_DOMAIN, min(days), max(days))
    return {(day, row_id): domain for day, row_id, domain in found}
