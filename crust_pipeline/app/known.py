"""What is known of people, for vendors who look them up by name and employer: from earlier rows.

From the upstream row, else from what was bought before.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from crust_pipeline.keys import identifier_of
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline.vendors.known import KnownPerson, opaque_key

if TYPE_CHECKING:
    import pyarrow as pa

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


def known_people(
    lake: Lake, keys: Iterable[str], *, upstream: "pa.Table | None" = None
) -> dict[str, KnownPerson]:
    """Return what is known of people, by profile key; a name may be empty.

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
    rows = ask_about(
        lake,
        f"SELECT profile_key, {best} FROM ({_KNOWN}) "  # noqa: S608 - our own names
        "SEMI JOIN wanted USING (profile_key) GROUP BY profile_key",
        keys=keys,
        upstream=upstream,
    )
    return {
        key: KnownPerson(
            firstname=(names or ("", ""))[0],
            lastname=(names or ("", ""))[1],
            company_name=company,
            domain=domain,
            linkedin_url=identifier_of(key),
            key=opaque_key(key),
        )
        for key, names, company, domain in rows
    }


def ask_about(
    lake: Lake, query: str, *, keys: Iterable[str], upstream: "pa.Table | None" = None
) -> list[tuple[str, ...]]:
    """Ask the lake about people: a query may name `wanted`, the keys, and `upstream`."""
    import pyarrow as pa

    names = ("profile_key", "first_name", "last_name", "company_name", "company_domain")
    empty = pa.table({name: pa.array([], pa.string()) for name in names})
    given = {
        "wanted": pa.table({"profile_key": pa.array(list(keys), pa.string())}),
        "upstream": empty if upstream is None else upstream.select(names),
    }
    return lake.rows(query, given=given)
