"""The steps that the command line and Dagster both take: read the upstream, plan, load.

Steps that only concern a vendor and the ledger are called on an account directly.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from crust_pipeline.app.companies import companies_of
from crust_pipeline.app.orders import depends_on_tables, operations_before, product_of
from crust_pipeline.app.waterfall import UnderWay, left_over, under_way
from crust_pipeline.buying.account import Account
from crust_pipeline.buying.decide import InputRow, Policy
from crust_pipeline.buying.plan import PlanReport, plan
from crust_pipeline.errors import CrustError, DiskFullError, Failures, one_pass
from crust_pipeline.keys import InvalidIdentifier, row_key
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import queries, spending
from crust_pipeline.ledger.erase import suppressed_keys
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.settings import is_loopback
from crust_pipeline.tables.flatten.files import LandedFile
from crust_pipeline.tables.flatten.flattening import FlattenReport, flatten
from crust_pipeline.tables.specs import TABLES, filling, operations_sharing, tables_of
from crust_pipeline.tables.store.lake import Lake, StorageError
from crust_pipeline.tables.store.warehouse import LoadReport, publish_views
from crust_pipeline.tables.upstream import Upstream, read_upstream, upstream_rows, without_people
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.catalog import OPERATIONS, vendor_of

if TYPE_CHECKING:
    import pyarrow as pa

from crust_pipeline.app.installation import Installation

_Row = TypeVar("_Row")

# The tables that the ledger holds.
ACCOUNTS = ("outcomes", "credit_usage", "batches")

# An analyst's open shell must not fail a run: after this the warehouse is left behind the lake.
WAREHOUSE_WAIT_SECONDS = 30.0


class InputRowsGoneError(CrustError):
    """Days that were planned have no input rows in the lake any more."""

    def __init__(self, gone: Sequence[date]) -> None:
        """Name the days and the commands that bring their rows back."""
        super().__init__(
            f"The input rows of {len(gone)} planned days, {min(gone)} to {max(gone)}, are gone "
            "from the lake (table `profile_urls`). Nothing was planned. Materialise it for "
            f"them, or use `crust-pipeline rebuild --from {min(gone)} --to {max(gone)}`."
        )


class DaysBeforeStartError(CrustError):
    """Days are paid for and cannot be loaded, for they are no partitions any more."""

    def __init__(self, days: Sequence[date], *, start: date) -> None:
        """Name the days, the setting, and the command that loads them all the same."""
        first, last = min(days), max(days)
        super().__init__(
            f"{len(days)} days are paid for and not in the tables, and lie before "
            f"CRUST_PARTITIONS_START ({start}): {', '.join(map(str, days[:10]))}"
            f"{', …' if len(days) > 10 else ''}. Dagster has no partitions for them. "
            f"`crust-pipeline rebuild --from {first} --to {last}` loads them, and so does the next "
            f"`crust-pipeline run`; or set CRUST_PARTITIONS_START={first} again. Nothing is lost."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAccount:
    """What one operation came to on one day: outcomes of its rows, and credits."""

    outcomes: Counter[str]
    credits_reserved: Decimal
    credits_computed: Decimal
    batch_ids: tuple[str, ...]


def days_between(start: date, end: date) -> list[date]:
    """Return every day from start to end, both included."""
    return [start + timedelta(days=count) for count in range((end - start).days + 1)]


def load_upstream(installation: Installation, *, start: date, end: date, run_id: str) -> Upstream:
    """Read the upstream table and write the days to the lake as `profile_urls`.

    Raises:
        UpstreamError: it is missing, or lacks a column.
    """
    upstream = _read_upstream(installation, start=start, end=end)
    days = {day: _of_day(upstream, day) for day in days_between(start, end)}
    write_profile_urls(installation, days, run_id=run_id)
    _quarantine_upstream(installation, upstream, day=start, run_id=run_id)
    return upstream


def write_upstream(
    installation: Installation, rows: Mapping[date, Iterable[Mapping[str, object]]], *, run_id: str
) -> None:
    """Write days of `profile_urls` from rows that come from elsewhere: a database, an API.

    Args:
        installation: the installation.
        rows: by day, with the columns of an upstream file; `added_on` is the day.
        run_id: names this run in the table.
    """
    days = {day: upstream_rows(of_day, day=day) for day, of_day in rows.items()}
    write_profile_urls(installation, days, run_id=run_id)


def write_profile_urls(
    installation: Installation, days: "Mapping[date, pa.Table]", *, run_id: str
) -> None:
    """Write days of `profile_urls`, without those who were erased."""
    installation.check_stores()
    with installation.ledger.read() as con:
        suppressed = suppressed_keys(con)
    rows = {day: without_people(of_day, suppressed) for day, of_day in days.items()}
    installation.lake.write_many(
        "profile_urls", rows, run_id=run_id, loaded_at=installation.clock()
    )


def _read_upstream(installation: Installation, *, start: date, end: date) -> Upstream:
    return read_upstream(
        installation.settings.upstream,
        start=start,
        end=end,
        # Days that were bought before the setting was raised are read again where they are lost.
        first_day=min(start, installation.settings.partitions_start),
        today=today_of(installation),
    )


def today_of(installation: Installation) -> date:
    """Return the last day that is a partition (UTC)."""
    return installation.clock().astimezone(UTC).date()


def _quarantine_upstream(
    installation: Installation, upstream: Upstream, *, day: date, run_id: str
) -> None:
    installation.lake.write_rows(
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
        loaded_at=installation.clock(),
        operations=["upstream"],
    )


def input_rows(installation: Installation, partitions: Sequence[date]) -> list[InputRow]:
    """Return the input rows of these days, from whatever asset wrote the table `profile_urls`."""
    import pyarrow.parquet as pq

    rows: list[InputRow] = []
    for day in partitions:
        path = installation.lake.path("profile_urls", day)
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
    installation: Installation,
    operation: str,
    partitions: Sequence[date],
    *,
    policy: Policy,
    run_id: str | None = None,
    ask_balance: bool = True,
) -> PlanReport:
    """Plan days of an operation from the lake's `profile_urls`.

    Args:
        installation: the installation.
        operation: what to buy.
        partitions: the days.
        policy: freshness and limits.
        run_id: names this run.
        ask_balance: whether the vendor is asked what there is to spend; not when it is silent.

    Raises:
        InputRowsGoneError: days that were planned have no input rows in the lake any more.
    """
    installation.check_stores()
    _check_input_rows(installation, operation, partitions)
    account = installation.account_for(operation)
    rows = input_rows(installation, partitions)
    if depends_on_tables(installation.settings, operation):
        before = operations_before(installation.settings, operation)
        # What has landed must be in the tables before it can be told who is left over; what lands
        # in the meantime is waited for.
        waiting = under_way(installation, before, partitions)
        for name in before:
            answering = ledger_load.days_answering(installation.ledger, name, partitions)
            if to_load := _days_to_load(installation, name, answering):
                load_results(installation, name, to_load, run_id=run_id or "plan")
        rows = _rows_to_ask_for(installation, operation, rows, waiting=waiting)
    return plan(
        account.ledger,
        installation.products(operation),
        rows=rows,
        partitions=partitions,
        fields=installation.fields(operation),
        policy=policy,
        now=installation.clock(),
        balance=balance_of(account) if ask_balance else None,
        prices=installation.prices,
        run_id=run_id,
    )


def _check_input_rows(
    installation: Installation, operation: str, partitions: Sequence[date]
) -> None:
    """Refuse days whose input rows are lost: a plan of no rows would forget what they are."""
    planned = ledger_load.days_planned(installation.ledger, operation)
    lake = installation.lake
    gone = [
        day
        for day in partitions
        if planned.get(day) and not lake.path("profile_urls", day).exists()
    ]
    if gone:
        raise InputRowsGoneError(gone)


def _days_to_load(
    installation: Installation, operation: str, partitions: Sequence[date]
) -> list[date]:
    """Return the days whose result tables are out of date, or gone from the lake."""
    behind = ledger_load.days_behind(installation.ledger, operation, partitions)
    written = ledger_load.days_flattened(installation.ledger, operation, partitions)
    gone = (
        day
        for day in written
        if not all(
            installation.lake.path(table.name, day).exists() for table in tables_of(operation)
        )
    )
    return sorted({*behind, *gone})


def preview_plan(
    installation: Installation, operation: str, *, start: date, end: date, policy: Policy
) -> PlanReport:
    """Preview a plan of these days: send nothing, write nothing, need no API key."""
    upstream = _read_upstream(installation, start=start, end=end)
    days = days_between(start, end)
    rows = [row for day in days for row in _as_input_rows(_of_day(upstream, day), day)]
    if depends_on_tables(installation.settings, operation):
        waiting = under_way(installation, operations_before(installation.settings, operation), days)
        rows = _rows_to_ask_for(
            installation, operation, rows, waiting=waiting, upstream=upstream.rows
        )
    return plan(
        installation.ledger_of(operation),
        installation.products(operation),
        rows=rows,
        partitions=days,
        fields=installation.fields(operation),
        policy=policy,
        now=installation.clock(),
        prices=installation.prices,
        dry_run=True,
    )


def notes_of(installation: Installation, report: PlanReport) -> Iterator[str]:
    """Say that people whom a plan asks for are bought under another account of the ledger.

    What a server on this machine has sold is nobody's real data: such accounts are only named to
    an installation that buys from one itself, and no others are.
    """
    vendor = vendor_of(report.operation)
    settings = installation.settings
    ours = vendor.account(settings)
    for account, count in report.bought_elsewhere.items():
        if is_loopback(account.rpartition("@")[2]) != is_loopback(ours.rpartition("@")[2]):
            continue
        joined = vendor.account(replace(settings, account=account)) == account
        yield (
            f"{report.operation}: {count:,} of the people to ask for are bought already under the "
            f"account {account} of this ledger; the account of this installation is {ours}. "
            + (f"With CRUST_ACCOUNT={account} they are not bought again." if joined else "")
        ).strip()


def _rows_to_ask_for(
    installation: Installation,
    operation: str,
    rows: Sequence[InputRow],
    *,
    waiting: UnderWay,
    upstream: "pa.Table | None" = None,
) -> list[InputRow]:
    if product_of(operation).subject == "company":
        return companies_of(installation, rows, waiting=waiting, upstream=upstream)
    return left_over(installation, operation, rows, waiting=waiting, upstream=upstream)


def balance_of(account: Account) -> Decimal | None:
    """Return the account's credits, when the vendor tells; not every account may see them."""
    with suppress(errors.Unavailable, errors.NotPermitted, errors.NotFound, errors.RateLimited):
        return account.client.credits()
    return None


def load_results(
    installation: Installation,
    operation: str,
    partitions: Sequence[date],
    *,
    run_id: str,
    only: Sequence[str] = (),
    failures: Failures | None = None,
) -> FlattenReport:
    """Write the result tables of these days to the lake, from the files that have landed.

    Operations that fill the same tables are written together. It may be called at any time and as
    often as one likes. Days are written in one go; where that fails, each by itself, and without
    the files that fail. Such a day stays due.

    Args:
        installation: the installation.
        operation: whose tables.
        partitions: the days.
        run_id: names this run in the tables.
        only: names of the tables to write; () for all.
        failures: collects the days and files that failed; None: they are raised at the end.
    """
    installation.check_stores()
    load = _Load(installation, operations_sharing(operation), run_id=run_id, only=only)
    try:
        return load.write(partitions)
    except DiskFullError:
        raise  # it stops every day, and needs to be said once
    except Exception:
        reports: list[FlattenReport] = []
        with one_pass(failures) as failed:
            for day in partitions:
                note = partial(load.failed, day)
                with failed.unit("load", "day", f"{day} of {operation}", note=note):
                    load.write_alone(day, reports, failed)
        return FlattenReport(
            tuple(part for report in reports for part in report.partitions),
            tuple(file for report in reports for file in report.files),
        )


def days_before_start(installation: Installation) -> dict[date, list[str]]:
    """Return days that landed and are not loaded, from before CRUST_PARTITIONS_START was raised.

    Returns:
        {day: operations}.
    """
    first = installation.settings.partitions_start
    found: dict[date, list[str]] = {}
    for operation, day in ledger_load.days_landed_before(installation.ledger, first):
        found.setdefault(day, []).append(operation)
    return found


def load_days_before_start(
    installation: Installation, *, run_id: str, failures: Failures
) -> list[date]:
    """Load the days that `days_before_start` finds, and return them."""
    found = days_before_start(installation)
    for operation in filling(OPERATIONS):
        sharing = set(operations_sharing(operation))
        if due := [day for day, names in found.items() if sharing & set(names)]:
            load_results(installation, operation, due, run_id=run_id, failures=failures)
    if found:
        load_accounts(installation, list(found), run_id=run_id, failures=failures)
    return list(found)


@dataclass(frozen=True, slots=True)
class _Load:
    """Writes the result tables of operations that share them."""

    installation: Installation
    operations: Sequence[str]
    run_id: str
    only: Sequence[str]

    def write(self, days: Sequence[date]) -> FlattenReport:
        """Write days in one go, or nothing of them."""
        ledger, now = self.installation.ledger, self.installation.clock()
        versions = {name: ledger_load.versions_of(ledger, name, days) for name in self.operations}
        report = self._flatten(self._sources(days), days, self.installation.lake)
        if not self.only:
            for name, of_days in versions.items():
                ledger_load.record_flattened(ledger, name, of_days, now=now)
        return report

    def write_alone(self, day: date, reports: list[FlattenReport], failures: Failures) -> None:
        """Write one day; if that fails, without the files that do, and add what was written.

        Raises:
            CrustError: files were left out.
        """
        try:
            reports.append(self.write([day]))
        except Exception:
            sources = self._sources([day])
            good: list[ledger_load.LandedSource] = []
            for source in sources:
                with failures.unit("load", "file", f"{source.source_file} on {day}"):
                    self._try(source, day)
                    good.append(source)
            bad = [source for source in sources if source not in good]
            if not bad or any(self._is_in_tables(source, day) for source in bad):
                raise  # what is in the tables now is more than could be written
            reports.append(self._flatten(good, [day], self.installation.lake))
            raise CrustError(
                f"{len(bad)} of {len(sources)} files cannot be read into its tables"
            ) from None

    def failed(self, day: date, reason: str) -> None:
        """Note that a day could not be written whole."""
        if not self.only:
            ledger_load.load_failed(self.installation.ledger, self.operations, day, error=reason)

    def _sources(self, days: Sequence[date]) -> list[ledger_load.LandedSource]:
        return [
            source
            for name in self.operations
            for source in ledger_load.sources(self.installation.ledger_of(name), name, days)
        ]

    def _flatten(
        self, sources: Sequence[ledger_load.LandedSource], days: Sequence[date], lake: Lake
    ) -> FlattenReport:
        now = self.installation.clock()
        return flatten(
            [landed_file(self.installation, source) for source in sources],
            operations=self.operations,
            days=days,
            lake=lake,
            run_id=self.run_id,
            loaded_at=now,
            only=self.only,
            # Rare new keys may escape the samples; on the first of a month every line is looked at.
            count_all_keys=now.day == 1,
        )

    def _try(self, source: ledger_load.LandedSource, day: date) -> None:
        """Flatten a file by itself, where nobody sees it."""
        scratch = self.installation.scratch
        with scratch.folder("load") as folder:
            self._flatten([source], [day], Lake(folder, scratch=scratch))

    def _is_in_tables(self, source: ledger_load.LandedSource, day: date) -> bool:
        """Tell whether a file's rows are in the day's tables already."""
        written = ledger_load.days_flattened(self.installation.ledger, source.operation, [day])
        return day in written and written[day] >= source.landed_at


def landed_file(installation: Installation, source: ledger_load.LandedSource) -> LandedFile:
    """Return a landed file as flattening takes it."""
    return LandedFile(
        submission_id=source.submission_id,
        batch_id=source.batch_id,
        operation=source.operation,
        path=installation.settings.raw / source.source_file,
        source_file=source.source_file,
        sha256=source.sha256,
        asked=_asked_table(source.asked),
    )


def load_accounts(
    installation: Installation,
    partitions: Sequence[date],
    *,
    run_id: str,
    failures: Failures | None = None,
) -> dict[str, dict[date, int]]:
    """Write the tables that the ledger holds for these days: outcomes, credit_usage, batches.

    Days are written in one go; where that fails, each by itself.

    Args:
        installation: the installation.
        partitions: the days.
        run_id: names this run in the tables.
        failures: collects the days that failed; None: they are raised at the end.

    Returns:
        Rows by table and day.
    """
    installation.check_stores()
    try:
        return _write_accounts(installation, partitions, run_id=run_id)
    except DiskFullError:
        raise
    except Exception:
        written: dict[str, dict[date, int]] = {table: {} for table in ACCOUNTS}
        with one_pass(failures) as failed:
            for day in partitions:
                note = partial(_accounts_failed, installation.ledger, day)
                with failed.unit("accounts", "day", day.isoformat(), note=note):
                    for table, rows in _write_accounts(installation, [day], run_id=run_id).items():
                        written[table] |= rows
        return written


def _accounts_failed(ledger: Ledger, day: date, reason: str) -> None:
    ledger_load.load_failed(ledger, OPERATIONS, day, error=reason)


def _write_accounts(
    installation: Installation, partitions: Sequence[date], *, run_id: str
) -> dict[str, dict[date, int]]:
    ledger, columns = installation.ledger, {column.name for column in TABLES["batches"].columns}
    versions = ledger_load.versions_flattened(ledger, partitions)
    # A batch is filed under its first day, perhaps an earlier one: that row is out of date too.
    batches: dict[date, list[Mapping[str, object]]] = {
        day: [] for day in queries.first_partitions_of(ledger, partitions)
    }
    for row in queries.batches(ledger, first_partitions=list(batches)):
        batches[row["partition_date"]].append({name: row[name] for name in row.keys() & columns})
    rows_by_table: dict[str, Mapping[date, Iterable[Mapping[str, object]]]] = {
        "outcomes": {
            day: map(_as_row, _of_all(queries.outcomes, ledger, day)) for day in partitions
        },
        "credit_usage": {
            day: map(_as_row, _of_all(spending.credit_usage, ledger, day)) for day in partitions
        },
        "batches": batches,
    }
    now = installation.clock()
    written = {
        table: {
            part.day: part.rows
            for part in installation.lake.write_many(table, rows, run_id=run_id, loaded_at=now)
        }
        for table, rows in rows_by_table.items()
    }
    ledger_load.record_loaded(ledger, versions)
    return written


def _as_row(item: queries.RowOutcome | spending.CreditUsage) -> Mapping[str, object]:
    # `asdict` copies deeply, which for a year of outcomes takes longer than writing them.
    return {spec.name: getattr(item, spec.name) for spec in fields(item)}


def _of_all(
    query: Callable[[Ledger, str, Sequence[date]], Iterable[_Row]], ledger: Ledger, day: date
) -> Iterator[_Row]:
    """Yield rows of a query of the ledger for one day, over all operations."""
    for operation in OPERATIONS:
        yield from query(ledger, operation, [day])


def day_accounts(
    installation: Installation, operation: str, partitions: Sequence[date]
) -> dict[date, DayAccount]:
    """Return what an operation came to on each of these days."""
    usage = spending.credit_usage(installation.ledger, operation, partitions)
    outcomes = queries.outcome_counts(installation.ledger, operation, partitions)

    by_day: dict[date, list[spending.CreditUsage]] = {day: [] for day in partitions}
    for entry in usage:
        by_day[entry.partition_date].append(entry)

    def account(day: date) -> DayAccount:
        of_day = by_day[day]
        return DayAccount(
            outcomes=outcomes.get(day, Counter()),
            credits_reserved=sum((entry.credits_reserved for entry in of_day), Decimal(0)),
            credits_computed=sum(
                (entry.credits_computed or Decimal(0) for entry in of_day), Decimal(0)
            ),
            batch_ids=tuple(entry.batch_id for entry in of_day if entry.batch_id),
        )

    return {day: account(day) for day in partitions}


def load_warehouse(
    installation: Installation, *, wait_seconds: float = WAREHOUSE_WAIT_SECONDS
) -> LoadReport:
    """Bring the warehouse, and the views for readers who stay connected, up to the lake.

    Args:
        installation: the installation.
        wait_seconds: how long to wait for other programs to let go of the warehouse.
    """
    loaded = installation.warehouse.load(installation.lake, wait_seconds=wait_seconds)
    try:
        publish_views(installation.lake, installation.settings.warehouse.with_name("lake.duckdb"))
    except (StorageError, OSError) as error:
        # The views that are there show later days too.
        note = f"lake.duckdb is as it was, for it could not be written anew: {error}"
        return replace(loaded, notes=(*loaded.notes, note))
    return loaded


def _asked_table(asked: Sequence[tuple[str, str, date]]) -> "pa.Table":
    import pyarrow as pa

    identifiers, keys, days = zip(*asked, strict=True)
    return pa.table(
        {
            "identifier": pa.array(identifiers, pa.string()),
            "subject_key": pa.array(keys, pa.string()),
            "partition_date": pa.array(days, pa.date32()),
        }
    )


def rows_in_lake(
    installation: Installation, table: str, partitions: Sequence[date]
) -> dict[date, int]:
    """Return how many rows a table has for each of these days."""
    parts = {day: installation.lake.partition(table, day) for day in partitions}
    return {day: part.rows if part else 0 for day, part in parts.items()}
