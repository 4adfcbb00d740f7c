"""Erasure: people who asked to be forgotten leave all tables, and are asked for never again.

The vendor's files stay as received, and the ledger keeps the keys: without them, the same people
would be bought and loaded again. Nothing that is made of either shows them any more.
"""

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Any

from crust_pipeline.app.days import load_accounts, load_results, load_warehouse, write_profile_urls
from crust_pipeline.app.installation import Installation
from crust_pipeline.errors import one_pass
from crust_pipeline.ledger import erase as ledger_erase
from crust_pipeline.ledger.erase import Erased
from crust_pipeline.vendors.catalog import OPERATIONS

if TYPE_CHECKING:
    import pyarrow as pa


def erase_people(
    installation: Installation, keys: Collection[str], *, reason: str, run_id: str
) -> Erased:
    """Suppress people and write every table anew that showed them.

    Args:
        installation: the installation.
        keys: the people's profile keys: profiles or e-mail addresses.
        reason: why, for people.
        run_id: names this erasure in the tables.

    Raises:
        UnitsFailedError: days could not be written anew; their tables may still show the people.
    """
    everybody = set(keys) | _named_together(installation, keys)
    done = ledger_erase.erase(
        installation.ledger, everybody, reason=reason, now=installation.clock()
    )
    upstream = _days_of_upstream(installation, done.keys)
    write_profile_urls(installation, upstream, run_id=run_id)
    with one_pass(None) as failures:
        if done.days:
            for operation in OPERATIONS:
                load_results(installation, operation, done.days, run_id=run_id, failures=failures)
            load_accounts(installation, done.days, run_id=run_id, failures=failures)
        load_warehouse(installation)
    return done


def _named_together(installation: Installation, keys: Collection[str]) -> set[str]:
    """Return keys that share an upstream row with these: a profile and its e-mail."""
    rows = _ask(installation, "SELECT DISTINCT profile_key, lower(trim(business_email))", keys)
    return {key for row in rows for key in row if key}


def _days_of_upstream(installation: Installation, keys: Collection[str]) -> "dict[date, pa.Table]":
    import pyarrow.parquet as pq

    days = [row[0] for row in _ask(installation, "SELECT DISTINCT partition_date", keys)]
    return {day: pq.ParquetFile(installation.lake.path("profile_urls", day)).read() for day in days}


def _ask(installation: Installation, select: str, keys: Collection[str]) -> list[tuple[Any, ...]]:
    about = "list_contains(?, profile_key) OR list_contains(?, lower(trim(business_email)))"
    query = f"{select} FROM {{profile_urls}} WHERE {about}"
    return installation.lake.rows(query, parameters=[list(keys), list(keys)])
