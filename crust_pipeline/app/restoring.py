"""Reads back what a lost ledger knew: from the lake's tables and the files in the raw folder.

What is restored is enough that nothing is bought again: batches, the people in them, their answers
and claims, and the decisions for the rows of each day. The other tables follow by the next `run` or
`rebuild`. What was neither in a table nor in a file is not known, and erased people have to be
erased again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from crust_pipeline.app.installation import Installation
from crust_pipeline.app.orders import fields_for
from crust_pipeline.app.stores import enter_stores, unknown_batches
from crust_pipeline.buying.fetch import sha256_of
from crust_pipeline.buying.settle import settle
from crust_pipeline.errors import Failures
from crust_pipeline.keys import InvalidIdentifier, key_of_url, kind_of
from crust_pipeline.ledger import plan as ledger_plan
from crust_pipeline.ledger.land import LandingRecord, Settled
from crust_pipeline.ledger.outcomes import Outcome
from crust_pipeline.ledger.plan import NewBatch, PlannedRow
from crust_pipeline.ledger.restore import restore
from crust_pipeline.ledger.states import Answer, BatchState, Verdict
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.ledger.stores import not_known
from crust_pipeline.vendors.catalog import IDENTIFYING, products_of, vendor_of
from crust_pipeline.vendors.landed import read_answers
from crust_pipeline.vendors.product import Product

# Outcomes that repeat the answer of the batch; those that repeat the decision for the row.
_ANSWERS: Final = frozenset(answer.value for answer in Answer) - {Answer.OVER_BUDGET.value}
_DECISIONS: Final = frozenset(Verdict) - {Verdict.ASK, Verdict.AWAIT, Verdict.REUSE}
# Nothing was bought by them.
_ENDED: Final = frozenset({BatchState.FAILED, BatchState.REJECTED})
_KEPT: Final = (
    "batch_id",
    "action",
    "attempt",
    "parent_submission_id",
    "result_count",
    "entities_requested",
    "entities_fulfilled",
    "credits_reported",
    "created_at",
    "submitted_at",
    "vendor_created_at",
    "vendor_completed_at",
)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was read back; `failed` says what could not be."""

    batches: int
    people: int
    rows: int
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table `outcomes`."""

    day: date
    row_id: str
    operation: str
    key: str | None
    outcome: str
    submission_id: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class _Lost:
    """A batch that the ledger does not know: its row of `batches`, its people, its file."""

    submission_id: str
    table: Mapping[str, Any]
    people: Mapping[str, tuple[date, str]]  # key: first day, outcome
    path: Path | None
    source_file: str | None
    operation: str


def restore_claims(installation: Installation) -> Restored:
    """Put back what the ledger does not know of raw folder and lake, and take them as its own."""
    raw, lake = installation.settings.raw, installation.lake
    ledger = installation.ledger
    found = unknown_batches(ledger, raw=raw, lake=lake)
    told, outcomes = _batches_of(installation), _outcomes_of(installation)
    # A batch under way has no file yet; what is bought of it is at the vendor.
    bought = {name for name, row in told.items() if row["state"] not in _ENDED}
    sent = {name for name in bought if told[name]["batch_id"]}
    lost = {
        *found["raw"],
        *not_known(ledger, sent, sent=True),
        *not_known(ledger, bought, sent=False),
    }
    ledgers = {each.account: each for each in installation.ledgers}
    failures, people = Failures(), 0
    restored: set[str] = set()
    for batch in _lost(installation, sorted(lost), told, outcomes):
        with failures.unit("restoring", "batch", batch.submission_id):
            people += _put_back(installation, batch, ledgers)
            restored.add(batch.submission_id)
    operations = {name: row["operation"] for name, row in told.items()}
    rows = _put_back_rows(installation, outcomes, restored, operations)
    if not failures:
        enter_stores(installation.ledgers, raw=raw, lake=lake)
    return Restored(len(restored), people, rows, failures.in_words)


def _batches_of(installation: Installation) -> dict[str, dict[str, Any]]:
    names = [
        *_KEPT,
        "submission_id",
        "account",
        "operation",
        "state",
        "identifier_type",
        "fields",
        "fields_not_permitted",
        "priority",
        "credits_reserved",
        "landed_at",
        "source_file",
        "file_sha256",
        "file_bytes",
        "file_lines",
        "partition_date",
    ]
    query = f"SELECT {', '.join(names)} FROM {{batches}} ORDER BY created_at"  # noqa: S608 - our own
    rows = (dict(zip(names, row, strict=True)) for row in installation.lake.rows(query))
    return {row["submission_id"]: row for row in rows}


def _outcomes_of(installation: Installation) -> list[_Row]:
    query = (
        "SELECT partition_date, row_id, operation, profile_key, outcome, submission_id, detail "
        "FROM {outcomes} ORDER BY partition_date"
    )
    return [_Row(*row) for row in installation.lake.rows(query)]


def _lost(
    installation: Installation,
    names: Sequence[str],
    told: Mapping[str, Mapping[str, Any]],
    outcomes: Sequence[_Row],
) -> list[_Lost]:
    """Gather what is known of each batch, in the order in which they were bought."""
    files: dict[str, list[Path]] = {}
    for path in installation.settings.raw.glob("*/*/*"):
        files.setdefault(path.name.partition(".")[0], []).append(path)
    people: dict[str, dict[str, tuple[date, str]]] = {}
    operations = {name: row["operation"] for name, row in told.items()}
    for row in outcomes:
        # A row that waits for identify points at a batch of that.
        if row.submission_id and row.key and operations.get(row.submission_id) == row.operation:
            of_batch = people.setdefault(row.submission_id, {})
            if row.key not in of_batch or row.outcome in _ANSWERS:
                day = min(row.day, of_batch.get(row.key, (row.day, ""))[0])
                of_batch[row.key] = (day, row.outcome)
    found: list[_Lost] = []
    for name in names:
        table = told.get(name, {})
        path = installation.settings.raw / (table.get("source_file") or "")
        if not path.is_file():
            path = max(files.get(name, []), default=None, key=lambda file: file.stat().st_mtime)
        found.append(
            _Lost(
                submission_id=name,
                table=table,
                people=people.get(name, {}),
                path=path,
                source_file=path and path.relative_to(installation.settings.raw).as_posix(),
                operation=table.get("operation") or (path.parent.name if path else ""),
            )
        )
    return sorted(found, key=_landed_at)


def _landed_at(batch: _Lost) -> datetime:
    told = batch.table.get("landed_at") or batch.table.get("created_at")
    if told is None and batch.path:
        told = datetime.fromtimestamp(batch.path.stat().st_mtime, UTC)
    return told or datetime.now(UTC)


def _put_back(installation: Installation, lost: _Lost, ledgers: dict[str, Ledger]) -> int:
    """Write a batch to the ledger of its account, and return how many people are in it."""
    product = _product_of(lost)
    at, table = _landed_at(lost), lost.table
    fields = tuple(
        table.get("fields") or fields_for(installation.settings, lost.operation) or ("",)
    )
    settled, lines = _answers(installation, lost, product, fields=fields, on=at.date())
    day = table.get("partition_date") or at.date()
    keys = sorted({*lost.people, *(item.subject_key for item in settled)})
    if not keys:
        return 0
    batch = NewBatch(
        submission_id=lost.submission_id,
        vendor=product.vendor,
        operation=lost.operation,
        product=product.name,
        takes_slot=not product.is_synchronous,
        identifier_type=table.get("identifier_type") or kind_of(keys[0]),
        fields=fields,
        covers=tuple(sorted({*fields, *(table.get("fields_not_permitted") or ())})),
        identifiers=[
            (key, product.identifier(key), lost.people.get(key, (day, ""))[0]) for key in keys
        ],
        priority=table.get("priority") or 0,
        credits_reserved=table.get("credits_reserved") or Decimal(0),
    )
    landed = None
    if lost.path:
        landed = LandingRecord(
            source_file=lost.source_file,
            sha256=sha256_of(lost.path),
            size_bytes=lost.path.stat().st_size,
            lines=lines,
        )
    elif table.get("landed_at"):
        # Under its name, though it is gone: without it no table is made anew from nothing.
        landed = LandingRecord(
            source_file=table["source_file"],
            sha256=table["file_sha256"],
            size_bytes=table["file_bytes"] or 0,
            lines=table["file_lines"] or 0,
        )
    state = _state_of(lost)
    columns = {name: table[name] for name in _KEPT if table.get(name) is not None}
    columns["intent_at"] = table.get("submitted_at") or table.get("created_at") or at
    account = _account_of(installation, lost)
    restore(
        ledgers.setdefault(account, Ledger(installation.settings.ledger_url, account=account)),
        batch,
        state=state,
        columns=columns,
        landed=landed,
        settled=settled,
        at=at,
    )
    return len(keys)


def _account_of(installation: Installation, lost: _Lost) -> str:
    """Return the account that a batch was bought with, by the name that it has now."""
    vendor, settings = vendor_of(lost.operation), installation.settings
    told, ours = lost.table.get("account"), vendor.account(settings)
    former = vendor.former_account(settings) if vendor.former_account else None
    return ours if told in {None, former} else str(told)


def _state_of(lost: _Lost) -> BatchState:
    """Return where a batch without answers goes on."""
    if lost.table.get("state") == BatchState.EXPIRED:
        return BatchState.EXPIRED
    # The vendor knows the job of a batch that has an id. Without one it may have been sent.
    return BatchState.PENDING if lost.table.get("batch_id") else BatchState.UNKNOWN


def _product_of(lost: _Lost) -> Product:
    """Return the product that a batch was most likely bought through."""
    products = products_of(lost.operation)
    action = lost.table.get("action")
    by_action = (each for each in products if action in {name for _, name in each.jobs})
    return next(by_action, products[0])


def _answers(
    installation: Installation,
    lost: _Lost,
    product: Product,
    *,
    fields: Sequence[str],
    on: date,
) -> tuple[list[Settled], int]:
    """Return what each person's answer is, and the lines of the file, if there is one."""
    told = {
        key: Answer(outcome) for key, (_, outcome) in lost.people.items() if outcome in _ANSWERS
    }
    if lost.path is None:
        profiles = _profiles(installation, lost)
        return [
            Settled(key, answer, Decimal(0), resolved_key=profiles.get(key))
            for key, answer in told.items()
        ], 0
    read, prices = read_answers(lost.path, product.line), installation.prices
    echoed = {product.line.key_of(answer.identifier) for answer in read.answers}
    keys = {*lost.people, *(key for key in echoed if key)}
    settled = settle(
        asked={product.identifier(key): key for key in keys},
        read=read,
        lines_expected=None,
        adopted=False,
        cost=lambda items: prices.cost(product.name, product.billed(items, fields), on=on),
        worst_case=prices.worst_case(product.name, fields, on=on),
        items_asked_for=product.items_asked_for(fields),
        unanswered=Answer.UNKNOWN if product.answers_may_be_lost else Answer.DROPPED,
        key_of=product.line.key_of,
    )
    # What the tables say was settled when it landed, by more than the file.
    return [
        replace(item, answer=told.get(item.subject_key, item.answer)) for item in settled or ()
    ], read.lines


def _profiles(installation: Installation, lost: _Lost) -> dict[str, str]:
    """Return whose profile each identifier is, by the table `identities`."""
    if lost.operation not in IDENTIFYING:
        return {}
    query = (
        "SELECT profile_key, profile_url FROM {identities} "
        "WHERE is_best AND profile_url IS NOT NULL AND submission_id = ?"
    )
    found: dict[str, str] = {}
    for key, url in installation.lake.rows(query, parameters=[lost.submission_id]):
        try:
            found[key] = key_of_url(url)
        except InvalidIdentifier:
            continue
    return found


def _put_back_rows(
    installation: Installation,
    outcomes: Sequence[_Row],
    restored: set[str],
    operations: Mapping[str, str],
) -> int:
    """Write the decisions of days that the ledger does not know, or that restored batches serve."""
    by_day: dict[str, dict[date, list[_Row]]] = {}
    for row in outcomes:
        by_day.setdefault(row.operation, {}).setdefault(row.day, []).append(row)
    count = 0
    for operation, days in by_day.items():
        ledger = installation.ledger_of(operation)
        with ledger.write() as tx:
            known = {day for day, _ in ledger_plan.rows_of(tx, operation, sorted(days))}
            due = {
                day: rows
                for day, rows in days.items()
                if day not in known or any(row.submission_id in restored for row in rows)
            }
            decided = [_decision(row, operations) for rows in due.values() for row in rows]
            if due:
                ledger_plan.put_rows(
                    tx,
                    operation,
                    decided=decided,
                    input_rows={day: len(rows) for day, rows in due.items()},
                    now=installation.clock(),
                )
            count += len(decided)
    return count


def _decision(row: _Row, operations: Mapping[str, str]) -> PlannedRow:
    """Return the decision that led to an outcome; `operations` are those of the batches."""
    operation = operations.get(row.submission_id or "", row.operation)
    if row.outcome in _DECISIONS:
        verdict = Verdict(row.outcome)
    elif operation != row.operation:
        verdict = Verdict.AWAIT  # it waits for the answer of another operation
    elif row.outcome == Outcome.REUSED:
        verdict = Verdict.REUSE
    else:
        verdict = Verdict.ASK
    return PlannedRow(row.day, row.row_id, row.key, verdict, row.submission_id, row.detail)
