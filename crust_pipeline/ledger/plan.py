"""Transactions of the plan: earlier purchases of each key, decisions for rows, new batches.

All of it runs inside one write transaction, so that two plans at the same time cannot buy the same
key or spend the same credits.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa

from crust_pipeline.ledger.schema import (
    claims,
    days,
    field_sets,
    identifiers,
    rows,
    submission_days,
    submissions,
)
from crust_pipeline.ledger.states import IN_PROGRESS, Answer, BatchState, Verdict
from crust_pipeline.ledger.store import Transaction

# SQLite takes at most 32,766 parameters in a statement.
KEYS_A_QUERY = 5_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch's ownership of one key. `answer` is None while the batch is planned or in flight."""

    subject_key: str
    fields: frozenset[str]
    submission_id: str
    state: BatchState
    answer: Answer | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """The plan's decision for one input row."""

    partition_date: date
    row_id: str
    subject_key: str | None
    verdict: Verdict
    submission_id: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch to be written: its identifiers as (subject_key, identifier as sent, day that asked).

    The request asks for `fields`. Its people count as asked for `covers`: `fields`, and the fields
    that the account may not have. Otherwise a field denied today would be bought alone tomorrow.
    """

    submission_id: str
    vendor: str
    operation: str
    product: str
    takes_slot: bool
    identifier_type: str
    fields: tuple[str, ...]
    covers: tuple[str, ...]
    identifiers: Sequence[tuple[str, str, date]]
    priority: int
    credits_reserved: Decimal
    attempt: int = 1
    parent_submission_id: str | None = None
    root_submission_id: str | None = None
    run_id: str | None = None


def new_submission_id() -> str:
    """Return a new id for a batch: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def field_set(fields: Iterable[str]) -> str:
    """Return the canonical spelling of a set of fields."""
    return ",".join(sorted(set(fields)))


def claims_of(tx: Transaction, operation: str, keys: Sequence[str]) -> dict[str, list[Claim]]:
    """Return what is owned of each key: {subject_key: claims}, keys that nobody owns left out.

    A person who asked the vendor for removal has a claim for every operation: never asked again.
    """
    found: dict[str, list[Claim]] = {}
    for start in range(0, len(keys), KEYS_A_QUERY):
        query = (
            sa.select(claims, submissions.c.state, field_sets.c.fields)
            .join(submissions, submissions.c.submission_id == claims.c.submission_id)
            .join(field_sets, field_sets.c.id == claims.c.field_set_id)
            .where(
                claims.c.account == tx.account,
                # Named one by one, so that the primary key is used and history is not walked.
                claims.c.operation.in_(sa.select(submissions.c.operation).distinct()),
                (claims.c.operation == operation) | (claims.c.answer == Answer.REDACTED),
                claims.c.subject_key.in_(keys[start : start + KEYS_A_QUERY]),
            )
        )
        for row in tx.con.execute(query):
            claim = Claim(
                subject_key=row.subject_key,
                fields=frozenset(row.fields.split(",")),
                submission_id=row.submission_id,
                state=BatchState(row.state),
                answer=row.answer and Answer(row.answer),
                answered_at=row.answered_at,
            )
            found.setdefault(row.subject_key, []).append(claim)
    return found


@dataclass(frozen=True, slots=True)
class Identity:
    """What identify knows of an e-mail address: its owner's key, or that the answer is pending."""

    submission_id: str
    subject_key: str | None
    on_its_way: bool


def identities_of(
    tx: Transaction, emails: Sequence[str], *, operations: Sequence[str]
) -> dict[str, Identity]:
    """Return whom these operations have found, or are asked for: {e-mail: identity}."""
    found: dict[str, Identity] = {}
    for start in range(0, len(emails), KEYS_A_QUERY):
        query = (
            sa.select(
                claims.c.subject_key,
                claims.c.submission_id,
                submissions.c.state,
                identifiers.c.resolved_key,
            )
            .join(submissions, submissions.c.submission_id == claims.c.submission_id)
            .join(
                identifiers,
                (identifiers.c.submission_id == claims.c.submission_id)
                & (identifiers.c.subject_key == claims.c.subject_key),
            )
            .where(
                claims.c.account == tx.account,
                claims.c.operation.in_(operations),
                claims.c.subject_key.in_(emails[start : start + KEYS_A_QUERY]),
            )
        )
        for row in tx.con.execute(query):
            on_its_way = BatchState(row.state) in IN_PROGRESS
            if on_its_way or row.resolved_key:
                found[row.subject_key] = Identity(row.submission_id, row.resolved_key, on_its_way)
    return found


def bought_elsewhere(tx: Transaction, operation: str, keys: Sequence[str]) -> dict[str, int]:
    """Return how many of these are bought under other accounts of the ledger: {account: people}."""
    accounts = sa.select(submissions.c.account).where(
        submissions.c.operation == operation, submissions.c.account != tx.account
    )
    found: dict[str, int] = {}
    for account in sorted(tx.con.execute(accounts.distinct()).scalars()):
        for start in range(0, len(keys), KEYS_A_QUERY):
            query = sa.select(sa.func.count(claims.c.subject_key.distinct())).where(
                claims.c.account == account,
                claims.c.operation == operation,
                claims.c.subject_key.in_(keys[start : start + KEYS_A_QUERY]),
                claims.c.answer.is_not(None),
            )
            count = tx.con.execute(query).scalar_one()
            found[account] = found.get(account, 0) + count
    return {account: count for account, count in found.items() if count}


def rows_of(
    tx: Transaction, operation: str, partitions: Sequence[date]
) -> dict[tuple[date, str], PlannedRow]:
    """Return the decisions of earlier plans: {(day, row_id): row}."""
    query = (
        sa.select(rows, submissions.c.account)
        .outerjoin(submissions, submissions.c.submission_id == rows.c.submission_id)
        .where(rows.c.operation == operation, rows.c.partition_date.in_(partitions))
    )
    return {
        (row.partition_date, row.row_id): PlannedRow(
            row.partition_date,
            row.row_id,
            row.subject_key,
            Verdict(row.verdict),
            row.submission_id if row.account == tx.account else None,
            row.detail,
        )
        for row in tx.con.execute(query)
    }


def add_batch(
    tx: Transaction, batch: NewBatch, *, now: datetime, not_before: datetime | None = None
) -> None:
    """Write a planned batch with its identifiers and take ownership of its keys."""
    covers = field_set(batch.covers)
    tx.con.execute(
        submissions.insert().values(
            submission_id=batch.submission_id,
            account=tx.account,
            vendor=batch.vendor,
            operation=batch.operation,
            product=batch.product,
            takes_slot=batch.takes_slot,
            state=BatchState.PLANNED.value,
            identifier_type=batch.identifier_type,
            field_set=field_set(batch.fields),
            covers=covers,
            identifier_count=len(batch.identifiers),
            priority=batch.priority,
            first_partition=min(day for _, _, day in batch.identifiers),
            attempt=batch.attempt,
            parent_submission_id=batch.parent_submission_id,
            root_submission_id=batch.root_submission_id or batch.submission_id,
            credits_reserved=batch.credits_reserved,
            run_id=batch.run_id,
            created_at=now,
            not_before=not_before or now,
        )
    )
    tx.con.execute(
        identifiers.insert(),
        [
            {
                "submission_id": batch.submission_id,
                "subject_key": key,
                "identifier": sent,
                "partition_date": day,
            }
            for key, sent, day in batch.identifiers
        ],
    )
    take_claims(
        tx, batch.operation, covers, batch.submission_id, [key for key, _, _ in batch.identifiers]
    )
    tx.log_event(BatchState.PLANNED, batch.submission_id, batch.operation)
    # A day whose rows are gone from the upstream table by now still gets what it bought.
    days_asking = {(batch.submission_id, day) for _, _, day in batch.identifiers}
    _note_waiting(tx, batch.operation, days_asking)


def take_claims(
    tx: Transaction, operation: str, asked: str, submission_id: str, keys: Sequence[str]
) -> None:
    """Claim the keys for a batch, in place of a purchase that is stale or failed."""
    number = _number_of(tx, asked)
    for start in range(0, len(keys), KEYS_A_QUERY):
        tx.con.execute(
            claims.delete().where(
                claims.c.account == tx.account,
                claims.c.operation == operation,
                claims.c.field_set_id == number,
                claims.c.subject_key.in_(keys[start : start + KEYS_A_QUERY]),
            )
        )
    tx.con.execute(
        claims.insert(),
        [
            {
                "account": tx.account,
                "operation": operation,
                "subject_key": key,
                "field_set_id": number,
                "submission_id": submission_id,
            }
            for key in keys
        ],
    )


def _number_of(tx: Transaction, fields: str) -> int:
    """Return the number of a set of fields; a new set gets the next number."""
    query = sa.select(field_sets.c.id).where(field_sets.c.fields == fields)
    known = tx.con.execute(query).scalar_one_or_none()
    if known is not None:
        return known
    return tx.con.execute(
        field_sets.insert().values(fields=fields).returning(field_sets.c.id)
    ).scalar_one()


def put_rows(
    tx: Transaction,
    operation: str,
    *,
    decided: Sequence[PlannedRow],
    input_rows: Mapping[date, int],
    now: datetime,
) -> None:
    """Replace the decisions for whole days, and note which batches the days wait for.

    Args:
        tx: the transaction.
        operation: for which operation the days were planned.
        decided: one row for each input row of the days.
        input_rows: {day: number of its rows}; a day without rows is in it too.
        now: the time of the plan.
    """
    partitions = list(input_rows)
    of_days = rows.c.partition_date.in_(partitions)
    tx.con.execute(rows.delete().where(rows.c.operation == operation, of_days))
    if decided:
        tx.con.execute(
            rows.insert(),
            [
                {
                    "partition_date": row.partition_date,
                    "operation": operation,
                    "row_id": row.row_id,
                    "subject_key": row.subject_key,
                    "verdict": row.verdict.value,
                    "submission_id": row.submission_id,
                    "detail": row.detail,
                }
                for row in decided
            ],
        )
    _note_waiting(
        tx,
        operation,
        {
            (row.submission_id, row.partition_date)
            for row in decided
            if row.submission_id and row.verdict is not Verdict.AWAIT
        },
    )
    known = set(
        tx.con.execute(
            sa.select(days.c.partition_date).where(
                days.c.operation == operation, days.c.partition_date.in_(partitions)
            )
        ).scalars()
    )
    for day, count in input_rows.items():
        if day in known:
            tx.con.execute(
                days.update()
                .where(days.c.partition_date == day, days.c.operation == operation)
                .values(
                    planned_at=now, input_rows=count, version=days.c.version + 1, load_requests=0
                )
            )
        else:
            tx.con.execute(
                days.insert().values(
                    partition_date=day,
                    operation=operation,
                    planned_at=now,
                    input_rows=count,
                    version=1,
                )
            )


def _note_waiting(tx: Transaction, operation: str, pairs: set[tuple[str, date]]) -> None:
    known = {
        (row.submission_id, row.partition_date)
        for row in tx.con.execute(
            sa.select(submission_days.c.submission_id, submission_days.c.partition_date).where(
                submission_days.c.operation == operation,
                submission_days.c.partition_date.in_({day for _, day in pairs}),
            )
        )
    }
    if missing := sorted(pairs - known):
        tx.con.execute(
            submission_days.insert(),
            [
                {"submission_id": submission_id, "partition_date": day, "operation": operation}
                for submission_id, day in missing
            ],
        )


def re_plan(
    tx: Transaction,
    batches: Sequence[NewBatch],
    *,
    parent: str,
    now: datetime,
    not_before: datetime,
) -> None:
    """Put new batches in the place of one that failed: its rows and days now wait for these."""
    for batch in batches:
        add_batch(tx, batch, now=now, not_before=not_before)
        keys = [key for key, _, _ in batch.identifiers]
        for start in range(0, len(keys), KEYS_A_QUERY):
            tx.con.execute(
                rows.update()
                .where(
                    rows.c.submission_id == parent,
                    rows.c.subject_key.in_(keys[start : start + KEYS_A_QUERY]),
                )
                .values(submission_id=batch.submission_id)
            )
        waiting = tx.con.execute(
            sa.select(rows.c.partition_date)
            .where(rows.c.submission_id == batch.submission_id)
            .distinct()
        ).scalars()
        _note_waiting(tx, batch.operation, {(batch.submission_id, day) for day in waiting})
