"""Erasure: people who asked to be forgotten leave all tables, and are asked for never again.

The vendor's files stay as received, and the ledger keeps the keys: without them, the same people
would be bought and loaded again. Nothing that is made of either shows them any more.
"""

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Any

from crust_pipeline.app.days import load_accounts, load_results, load_warehouse, write_profile_urls
from crust_pipeline.app.installation import Pipeline
from crust_pipeline.errors import one_pass
from crust_pipeline.ledger import erase as ledger_erase
from crust_pipeline.ledger.erase import Erased
from crust_pipeline.vendors.catalog import OPERATIONS

if TYPE_CHECKING:
    import pyarrow as pa


def erase_people(pipeline: Pipeline, keys: Collection[str], *, reason: str, run_id: str) -> Erased:
    """Suppress people and write every table anew that showed them.

    Args:
        pipeline: the installation.
        keys: the people's profile keys: profiles or e-mail addresses.
        reason: why, for people.
        run_id: names this erasure in the tables.

    Raises:
        UnitsFailedError: days could not be written anew; their tables may still show the people.
    """
    everybody = set(keys) | _named_together(pipeline, keys)
    done = ledger_erase.erase(pipeline.ledger, everybody, reason=reason, now=pipeline.clock())
    upstream = _days_of_upstream(pipeline, done.keys)
    write_profile_urls(pipeline, upstream, run_id=run_id)
    with one_pass(None) as failures:
        if done.days:
            for operation in OPERATIONS:
                load_results(pipeline, operation, done.days, run_id=run_id, failures=failures)
            load_accounts(pipeline, done.days, run_id=run_id, failures=failures)
        load_warehouse(pipeline)
    return done


def _named_together(pipeline: Pipeline, keys: Collection[str]) -> set[str]:
    """Keys that rows of the upstream table name together with these: a profile and its e-mail."""
    rows = _ask(pipeline, "SELECT DISTINCT profile_key, lower(trim(business_email))", keys)
    return {key for row in rows for key in row if key}


def _days_of_upstream(pipeline: Pipeline, keys: Collection[str]) -> "dict[date, pa.Table]":
    import pyarrow.parquet as pq

    days = [row[0] for row in _ask(pipeline, "SELECT DISTINCT partition_date", keys)]
    return {day: pq.ParquetFile(pipeline.lake.path("profile_urls", day)).read() for day in days}


def _ask(pipeline: Pipeline, select: str, keys: Collection[str]) -> list[tuple[Any, ...]]:
    about = "list_contains(?, profile_key) OR list_contains(?, lower(trim(business_email)))"
    query = f"{select} FROM {{profile_urls}} WHERE {about}"
    return pipeline.lake.rows(query, parameters=[list(keys), list(keys)])
