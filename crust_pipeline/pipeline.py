"""The pipeline as the command line and Dagster both tell it: read the upstream, plan, load.

This is where the Dagster-free packages meet: batching knows nothing of tables, tables nothing of
the ledger. Steps that only concern a vendor and the ledger are called on `engine` directly.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from crust_pipeline.batching.engine import Engine, ReadAnswer, ReadFile, utc_now
from crust_pipeline.batching.plan import InputRow, PlanReport, Policy, Products, plan
from crust_pipeline.identity import InvalidIdentifier, key_of_url, row_key
from crust_pipeline.ledger import loading, queries
from crust_pipeline.ledger.ledger import Ledger
from crust_pipeline.settings import Settings, SettingsError
from crust_pipeline.tables import (
    TABLES,
    FlattenReport,
    Lake,
    LandedFile,
    LoadReport,
    Upstream,
    Warehouse,
    flatten,
    publish_views,
    read_answers,
    read_upstream,
)
from crust_pipeline.vendor import errors
from crust_pipeline.vendor.crustdata import CrustdataClient
from crust_pipeline.vendor.operations import (
    CONTACT,
    CONTACT_SYNC,
    ENRICH,
    IDENTIFY,
    LIVE_ENRICH,
)
from crust_pipeline.vendor.prices import PRICES, PriceError, Prices, prices_from_file

if TYPE_CHECKING:
    import pyarrow as pa

_Row = TypeVar("_Row")

# In the order in which they are planned: who was identified by e-mail has a profile URL for the others.
OPERATIONS = ("identify", "contact", "enrich")

# What earlier settings may have planned is still landed when they have changed.
_OTHER_PRODUCTS = {
    product.product: product for product in (CONTACT, CONTACT_SYNC, ENRICH, LIVE_ENRICH)
}

# Under these keys the vendor echoes what was asked (crustdata: enrich, contact, identify).
_IDENTIFIER = re.compile(
    r'"(?:original_identifier|professional_network_url|matched_on)"\s*:\s*"([^"\\]+)"'
)

# An analyst's open shell must not fail a run: after this the warehouse is left behind the lake.
WAREHOUSE_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAccount:
    """What one operation came to on one day: outcomes of its rows, and credits."""

    outcomes: Counter[str]
    credits_reserved: Decimal
    credits_computed: Decimal
    batch_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """All parts of one installation, made from its settings; each opens at first use."""

    settings: Settings
    clock: Callable[[], datetime] = field(default=utc_now)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger."""
        return Ledger(self.settings.ledger_url, account=self.settings.account)

    @cached_property
    def lake(self) -> Lake:
        """The Parquet tables."""
        return Lake(self.settings.lake)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The DuckDB tables."""
        return Warehouse(self.settings.warehouse)

    @cached_property
    def engine(self) -> Engine:
        """The account at the vendor.

        Raises:
            SettingsError: there is no usable API key.
        """
        if not self.settings.api_key:
            raise SettingsError(
                "CRUSTDATA_API_KEY is not set. Set it to your Crustdata API key; to try things out "
                "without one, use `crust-pipeline demo`."
            )
        try:
            client = CrustdataClient(api_key=self.settings.api_key, base_url=self.settings.base_url)
        except ValueError as error:
            raise SettingsError(f"CRUSTDATA_API_KEY cannot be used: {error}") from None
        return Engine(
            ledger=self.ledger,
            client=client,
            products={
                product.product: product
                for operation in OPERATIONS
                for product in self.products(operation).values()
            }
            | _OTHER_PRODUCTS,
            raw=self.settings.raw,
            read_file=read_file,
            max_active=self.settings.max_active_batches,
            poll_seconds=self.settings.poll_seconds,
            resubmit_unknown=self.settings.on_unknown == "resubmit",
            prices=self.prices,
            clock=self.clock,
        )

    @property
    def policy(self) -> Policy:
        """The rules of a plan, as set."""
        return Policy(
            refresh_after=timedelta(days=self.settings.refresh_after_days),
            retry_not_found_after=timedelta(days=self.settings.retry_not_found_after_days),
            limit_per_run=self.settings.credit_limit_per_run,
            limit_per_day=self.settings.credit_limit_per_day,
            refuse_over_budget=self.settings.on_over_budget == "refuse",
        )

    @cached_property
    def prices(self) -> Prices:
        """What things cost, in credits.

        Raises:
            SettingsError: the file of prices cannot be used.
        """
        if self.settings.prices is None:
            return PRICES
        try:
            return prices_from_file(self.settings.prices)
        except (PriceError, OSError) as error:
            raise SettingsError(f"CRUST_PRICES cannot be used: {error}") from None

    def products(self, operation: str) -> Products:
        """How an operation is bought, for each kind of identifier, as set.

        Raises:
            KeyError: there is no such operation.
        """
        match operation:
            case "identify":
                keys = {**IDENTIFY.identifier_keys, "email": self.settings.identify_email_key}
                product = replace(IDENTIFY, identifier_keys=keys)
                return {"profile_url": product, "email": product}
            case "contact":
                by_url = CONTACT_SYNC if self.settings.contact_mode == "sync" else CONTACT
                # The batch takes no e-mail addresses; the synchronous request does.
                return {"profile_url": by_url, "email": CONTACT_SYNC}
            case "enrich" if self.settings.enrich_mode == "live":
                return {"profile_url": LIVE_ENRICH}
            case "enrich":
                return {"profile_url": ENRICH, "email": ENRICH}
            case _:
                raise KeyError(operation)

    def fields(self, operation: str) -> tuple[str, ...]:
        """What an operation asks for, as set.

        Raises:
            SettingsError: a field that is set does not exist, or must not be bought without consent.
        """
        product = next(iter(self.products(operation).values()))
        match operation:
            case "enrich":
                variable, fields = "CRUST_ENRICH_FIELDS", self.settings.enrich_fields
            case "contact":
                variable, fields = "CRUST_CONTACT_FIELDS", self.settings.contact_fields
            case _:
                variable, fields = "", ()
        fields = fields or product.fields
        if unknown := product.unknown_fields(fields):
            raise SettingsError(
                f"{variable} names fields that do not exist: {', '.join(unknown)}. "
                f"There are: {', '.join(product.known_fields)}, and paths below them."
            )
        personal = [field for field in fields if field.startswith("personal_contact_info")]
        if personal and not self.settings.personal_contact_consent:
            raise SettingsError(
                f"{variable} asks for {', '.join(personal)}. Personal e-mail addresses and phone "
                "numbers are bought only with CRUST_PERSONAL_CONTACT_CONSENT=true. Nothing was "
                "planned or sent."
            )
        return fields


def read_file(path: Path, operation: str) -> ReadFile:
    """A vendor's file, as settling needs it."""
    read = read_answers(path, operation=operation)
    return ReadFile(
        lines=read.lines,
        answers=tuple(
            ReadAnswer(
                identifier=row["identifier"],
                status=row["status"],
                items=tuple(row["items"] or ()),
                person_id=row["person_id"],
                source_line=row["source_line"],
                resolved_key=_key_of(row["profile_url"]),
            )
            for row in read.table.to_pylist()
        ),
        unreadable=tuple((bad.source_line, _identifier_in(bad.line)) for bad in read.quarantined),
    )


def _key_of(profile_url: str | None) -> str | None:
    """The key of a profile URL from a vendor, if it is one."""
    try:
        return key_of_url(profile_url) if profile_url else None
    except InvalidIdentifier:
        return None


def _identifier_in(line: str) -> str | None:
    """Whom a line that cannot be read is about, if that much of it is whole."""
    found = _IDENTIFIER.search(line)
    return found.group(1) if found else None


def days_between(start: date, end: date) -> list[date]:
    """Every day from start to end, both included."""
    return [start + timedelta(days=count) for count in range((end - start).days + 1)]


def load_upstream(pipeline: Pipeline, *, start: date, end: date, run_id: str) -> Upstream:
    """Read the upstream table and write the days to the lake as `profile_urls`.

    Raises:
        UpstreamError: it is missing, or lacks a column.
    """
    now = pipeline.clock()
    upstream = _read_upstream(pipeline, start=start, end=end)
    days = {day: _of_day(upstream, day) for day in days_between(start, end)}
    pipeline.lake.write_many("profile_urls", days, run_id=run_id, loaded_at=now)
    _quarantine_upstream(pipeline, upstream, day=start, run_id=run_id)
    return upstream


def _read_upstream(pipeline: Pipeline, *, start: date, end: date) -> Upstream:
    return read_upstream(
        pipeline.settings.upstream,
        start=start,
        end=end,
        first_day=pipeline.settings.partitions_start,
        today=pipeline.clock().astimezone(UTC).date(),
    )


def _quarantine_upstream(pipeline: Pipeline, upstream: Upstream, *, day: date, run_id: str) -> None:
    pipeline.lake.write_rows(
        "quarantine",
        day,
        [
            {
                "source_file": bad.source_file,
                "source_line": bad.source_line,
                "reason": bad.reason,
                "line": bad.line,
                "operation": "upstream",
            }
            for bad in upstream.quarantined
        ],
        run_id=run_id,
        loaded_at=pipeline.clock(),
        operations=["upstream"],
    )


def input_rows(pipeline: Pipeline, partitions: Sequence[date]) -> list[InputRow]:
    """The input rows of these days, from whatever asset wrote the table `profile_urls`."""
    import pyarrow.parquet as pq

    rows: list[InputRow] = []
    for day in partitions:
        path = pipeline.lake.path("profile_urls", day)
        if path.exists():
            rows += _as_input_rows(pq.ParquetFile(path).read(), day)
    return rows


def _as_input_rows(profile_urls: "pa.Table", day: date) -> Iterator[InputRow]:
    columns = ["row_id", "profile_key", "profile_url", "business_email"]
    for row_id, key, url, email in zip(
        *(profile_urls[name].to_pylist() for name in columns), strict=True
    ):
        yield InputRow(day, row_id, *((key, None) if key else _key_or_problem(url, email)))


def _of_day(upstream: Upstream, day: date) -> "pa.Table":
    import pyarrow.compute as pc

    return upstream.rows.filter(pc.field("partition_date") == day)


def _key_or_problem(
    profile_url: str | None, business_email: str | None
) -> tuple[str | None, str | None]:
    try:
        return row_key(profile_url, business_email), None
    except InvalidIdentifier as error:
        return None, str(error)


def plan_days(
    pipeline: Pipeline,
    operation: str,
    partitions: Sequence[date],
    *,
    policy: Policy,
    run_id: str | None = None,
) -> PlanReport:
    """Plan days of an operation from the lake's `profile_urls`."""
    return plan(
        pipeline.ledger,
        pipeline.products(operation),
        rows=input_rows(pipeline, partitions),
        partitions=partitions,
        fields=pipeline.fields(operation),
        policy=policy,
        now=pipeline.clock(),
        balance=_balance(pipeline.engine),
        prices=pipeline.prices,
        run_id=run_id,
    )


def preview_plan(
    pipeline: Pipeline, operation: str, *, start: date, end: date, policy: Policy
) -> PlanReport:
    """What a plan of these days would come to. Asks nobody, writes nothing, needs no API key."""
    upstream = _read_upstream(pipeline, start=start, end=end)
    days = days_between(start, end)
    return plan(
        pipeline.ledger,
        pipeline.products(operation),
        rows=[row for day in days for row in _as_input_rows(_of_day(upstream, day), day)],
        partitions=days,
        fields=pipeline.fields(operation),
        policy=policy,
        now=pipeline.clock(),
        prices=pipeline.prices,
        dry_run=True,
    )


def _balance(engine: Engine) -> Decimal | None:
    """The account's credits, when the vendor tells; not every account may see them."""
    with suppress(errors.Unavailable, errors.NotPermitted, errors.NotFound, errors.RateLimited):
        return engine.client.credits()
    return None


def load_results(
    pipeline: Pipeline, operation: str, partitions: Sequence[date], *, run_id: str
) -> FlattenReport:
    """Write the result tables of these days to the lake, from the files that have landed.

    It may be called at any time and as often as one likes.
    """
    now = pipeline.clock()
    versions = loading.versions_of(pipeline.ledger, operation, partitions)
    report = flatten(
        [
            LandedFile(
                submission_id=source.submission_id,
                batch_id=source.batch_id,
                operation=source.operation,
                path=pipeline.settings.raw / source.source_file,
                source_file=source.source_file,
                sha256=source.sha256,
                asked=_asked_table(source.asked),
            )
            for source in loading.sources(pipeline.ledger, operation, partitions)
        ],
        operations=[operation],
        days=partitions,
        lake=pipeline.lake,
        run_id=run_id,
        loaded_at=now,
    )
    loading.flattened(pipeline.ledger, operation, versions, now=now)
    return report


def load_accounts(
    pipeline: Pipeline, partitions: Sequence[date], *, run_id: str
) -> dict[str, dict[date, int]]:
    """Write the tables that the ledger holds for these days: outcomes, credit_usage, batches.

    Returns:
        Rows by table and day.
    """
    ledger, columns = pipeline.ledger, {column.name for column in TABLES["batches"].columns}
    # A batch is filed under its first day, perhaps an earlier one: that row is out of date too.
    batches = {
        day: [
            {name: row[name] for name in row.keys() & columns}
            for row in queries.batches(ledger, first_partitions=[day])
        ]
        for day in queries.first_partitions_of(ledger, partitions)
    }
    rows_by_table: dict[str, Mapping[date, Iterable[Mapping[str, object]]]] = {
        "outcomes": {
            day: map(asdict, _of_all(queries.outcomes, ledger, day)) for day in partitions
        },
        "credit_usage": {
            day: map(asdict, _of_all(queries.credit_usage, ledger, day)) for day in partitions
        },
        "batches": batches,
    }
    now = pipeline.clock()
    written = {
        table: {
            part.day: part.rows
            for part in pipeline.lake.write_many(table, rows, run_id=run_id, loaded_at=now)
        }
        for table, rows in rows_by_table.items()
    }
    loading.loaded(ledger, partitions)
    return written


def _of_all(
    query: Callable[[Ledger, str, Sequence[date]], Iterable[_Row]], ledger: Ledger, day: date
) -> Iterator[_Row]:
    """Rows of a query of the ledger for one day, over all operations."""
    for operation in OPERATIONS:
        yield from query(ledger, operation, [day])


def day_accounts(
    pipeline: Pipeline, operation: str, partitions: Sequence[date]
) -> dict[date, DayAccount]:
    """What an operation came to on each of these days."""
    usage = queries.credit_usage(pipeline.ledger, operation, partitions)
    outcomes = queries.outcome_counts(pipeline.ledger, operation, partitions)

    def account(day: date) -> DayAccount:
        of_day = [entry for entry in usage if entry.partition_date == day]
        return DayAccount(
            outcomes=outcomes.get(day, Counter()),
            credits_reserved=sum((entry.credits_reserved for entry in of_day), Decimal(0)),
            credits_computed=sum(
                (entry.credits_computed or Decimal(0) for entry in of_day), Decimal(0)
            ),
            batch_ids=tuple(entry.batch_id for entry in of_day if entry.batch_id),
        )

    return {day: account(day) for day in partitions}


def load_warehouse(pipeline: Pipeline) -> LoadReport:
    """Bring the warehouse, and the views for readers who stay connected, up to the lake."""
    publish_views(pipeline.lake, pipeline.settings.warehouse.with_name("lake.duckdb"))
    return pipeline.warehouse.load(pipeline.lake, wait_seconds=WAREHOUSE_WAIT_SECONDS)


def _asked_table(asked: Sequence[tuple[str, str, date]]) -> "pa.Table":
    import pyarrow as pa

    identifiers, keys, days = zip(*asked, strict=True)
    return pa.table(
        {
            "identifier": pa.array(identifiers, pa.string()),
            "profile_key": pa.array(keys, pa.string()),
            "partition_date": pa.array(days, pa.date32()),
        }
    )


def rows_in_lake(pipeline: Pipeline, table: str, partitions: Sequence[date]) -> dict[date, int]:
    """How many rows a table has for each of these days."""
    parts = {day: pipeline.lake.partition(table, day) for day in partitions}
    return {day: part.rows if part else 0 for day, part in parts.items()}
