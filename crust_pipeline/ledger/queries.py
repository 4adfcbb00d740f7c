"""Queries for people and tables: outcomes, batches, a summary for `status`. Reads only."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import sqlalchemy as sa

from crust_pipeline.ledger.outcomes import NOT_PERMITTED, Outcome, outcome_of
from crust_pipeline.ledger.schema import days, identifiers, rows, submission_days, submissions
from crust_pipeline.ledger.states import (
    AT_VENDOR,
    IN_PROGRESS,
    RESERVES,
    Answer,
    BatchState,
    Verdict,
)
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.ledger.submit import Pause, pause_of, slots_held
from crust_pipeline.ledger.waits import due_at


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOutcome:
    """What became of one input row for one operation: a row of the table `outcomes`."""

    partition_date: date
    row_id: str
    operation: str
    profile_key: str | None
    outcome: Outcome
    submission_id: str | None
    batch_id: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Troubled:
    """A batch whose next step went wrong when it was last tried, and when it is tried again."""

    submission_id: str
    operation: str
    product: str
    state: BatchState
    error: str
    tries: int
    next_try: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The state of a ledger at one moment."""

    batches: dict[str, int]
    slots_held: int
    pause: Pause | None
    pause_at_once: Pause | None  # of synchronous requests, which need no slot
    credits_reserved: Decimal
    credits_computed: Decimal
    oldest_link: datetime | None
    oldest_job: datetime | None  # submitted then, and still at the vendor
    landing_tries: int | None  # of the completed batch that was tried least often
    next_submit: datetime | None


def rows_in_progress(
    ledger: Ledger, operation: str, partitions: Sequence[date]
) -> dict[tuple[date, str], str]:
    """Return rows of these days that still wait for a batch: {(day, row_id): submission_id}."""
    query = (
        sa.select(rows.c.partition_date, rows.c.row_id, rows.c.submission_id)
        .join(submissions, submissions.c.submission_id == rows.c.submission_id)
        .where(
            rows.c.operation == operation,
            rows.c.partition_date.in_(partitions),
            submissions.c.state.in_(IN_PROGRESS) | (rows.c.verdict == Verdict.AWAIT),
        )
    )
    with ledger.read() as con:
        return {(row.partition_date, row.row_id): row.submission_id for row in con.execute(query)}


def outcomes(ledger: Ledger, operation: str, partitions: Sequence[date]) -> Iterator[RowOutcome]:
    """Yield one outcome for each input row of the days, in the order of days and rows."""
    query = (
        sa.select(
            rows,
            submissions.c.state,
            submissions.c.batch_id,
            submissions.c.error,
            submissions.c.covers,
            submissions.c.field_set,
            identifiers.c.answer,
        )
        .select_from(
            rows.outerjoin(
                submissions, submissions.c.submission_id == rows.c.submission_id
            ).outerjoin(
                identifiers,
                (identifiers.c.submission_id == rows.c.submission_id)
                & (identifiers.c.subject_key == rows.c.subject_key),
            )
        )
        .where(rows.c.operation == operation, rows.c.partition_date.in_(partitions))
        .order_by(rows.c.partition_date, rows.c.row_id)
    )
    with ledger.read() as con:
        for row in con.execute(query):
            state = row.state and BatchState(row.state)
            outcome = outcome_of(
                Verdict(row.verdict),
                state,
                row.answer and Answer(row.answer),
                not_permitted=(row.error or "").startswith(NOT_PERMITTED),
            )
            detail = row.detail
            if outcome.troubled or outcome is Outcome.NOT_PERMITTED:
                detail = detail or row.error
            elif row.covers != row.field_set:
                left_out = ", ".join(fields_not_permitted(row.covers, row.field_set))
                detail = detail or f"{Outcome.NOT_PERMITTED}: {left_out}"
            yield RowOutcome(
                partition_date=row.partition_date,
                row_id=row.row_id,
                operation=operation,
                profile_key=row.subject_key,
                outcome=outcome,
                submission_id=row.submission_id,
                batch_id=row.batch_id,
                detail=detail,
            )


@cache
def fields_not_permitted(covers: str, field_set: str) -> tuple[str, ...]:
    """Return the fields that a batch left out because the account may not have them."""
    asked = field_set.split(",")
    left_out = (name for name in covers.split(",") if name not in asked)
    return tuple(
        f"{name} (in part)" if any(each.startswith(f"{name}.") for each in asked) else name
        for name in left_out
    )


@dataclass(frozen=True, slots=True)
class RowsRefused:
    """How many rows of an operation were refused for one reason."""

    operation: str
    reason: str
    rows: int


def rows_refused(
    ledger: Ledger, operations: Sequence[str], partitions: Sequence[date]
) -> list[RowsRefused]:
    """Count the rows of these days whose batch was refused, by operation and reason."""
    group = rows.c.operation, submissions.c.error
    where = submissions.c.state == BatchState.REJECTED
    with ledger.read() as con:
        found = con.execute(_asking_rows(group, operations, partitions).where(where))
        return [RowsRefused(row.operation, row.error or "", row.rows) for row in found]


@dataclass(frozen=True, slots=True)
class RowsWithoutFields:
    """How many rows of an operation go without fields that the account may not have."""

    operation: str
    fields: tuple[str, ...]
    rows: int


def rows_without_fields(
    ledger: Ledger, operations: Sequence[str], partitions: Sequence[date]
) -> list[RowsWithoutFields]:
    """Count the rows of these days that are asked for without some fields, by operation."""
    group = rows.c.operation, submissions.c.covers, submissions.c.field_set
    where = (
        submissions.c.covers != submissions.c.field_set,
        submissions.c.state != BatchState.REJECTED,
    )
    with ledger.read() as con:
        found = con.execute(_asking_rows(group, operations, partitions).where(*where))
        return [
            RowsWithoutFields(
                row.operation, fields_not_permitted(row.covers, row.field_set), row.rows
            )
            for row in found
        ]


def _asking_rows(
    group: Sequence[sa.ColumnElement[Any]], operations: Sequence[str], partitions: Sequence[date]
) -> sa.Select[Any]:
    """Count the rows of these days that ask for somebody, by columns of rows and batches."""
    return (
        sa.select(*group, sa.func.count().label("rows"))
        .select_from(rows.join(submissions, submissions.c.submission_id == rows.c.submission_id))
        .where(
            rows.c.operation.in_(operations),
            rows.c.partition_date.in_(partitions),
            rows.c.verdict == Verdict.ASK,
        )
        .group_by(*group)
        .order_by(*group)
    )


def outcome_counts(
    ledger: Ledger, operation: str, partitions: Sequence[date]
) -> dict[date, Counter[str]]:
    """Count the outcomes of each day; a planned day without rows is included."""
    counts: dict[date, Counter[str]] = {}
    with ledger.read() as con:
        planned = sa.select(days.c.partition_date).where(
            days.c.operation == operation, days.c.partition_date.in_(partitions)
        )
        for day in con.execute(planned.order_by(days.c.partition_date)).scalars():
            counts[day] = Counter()
    for outcome in outcomes(ledger, operation, partitions):
        counts.setdefault(outcome.partition_date, Counter())[outcome.outcome] += 1
    return counts


def batches(
    ledger: Ledger, *, first_partitions: Sequence[date] | None = None
) -> list[dict[str, Any]]:
    """Return all columns of all batches; `partition_date` is the first day of each."""
    query = sa.select(submissions).order_by(submissions.c.created_at, submissions.c.submission_id)
    if first_partitions is not None:
        query = query.where(submissions.c.first_partition.in_(first_partitions))
    with ledger.read() as con:
        return [
            {
                **row,
                "partition_date": row["first_partition"],
                "fields": row["field_set"].split(","),
                "fields_not_permitted": list(fields_not_permitted(row["covers"], row["field_set"])),
            }
            for row in con.execute(query).mappings()
        ]


def first_partitions_of(ledger: Ledger, partitions: Sequence[date]) -> list[date]:
    """Return the partitions of the table `batches` that hold the batches of these days."""
    query = (
        sa.select(submissions.c.first_partition)
        .join(submission_days, submission_days.c.submission_id == submissions.c.submission_id)
        .where(submission_days.c.partition_date.in_(partitions))
        .distinct()
    )
    with ledger.read() as con:
        return sorted(set(con.execute(query).scalars()) | set(partitions))


def troubled(ledger: Ledger) -> list[Troubled]:
    """Return batches whose next step failed, oldest first; without submits of unknown outcome."""
    query = (
        sa.select(submissions)
        .where(
            submissions.c.account == ledger.account,
            submissions.c.state.in_(IN_PROGRESS),
            submissions.c.tries > 0,
            submissions.c.error.is_not(None),
        )
        .order_by(submissions.c.created_at, submissions.c.submission_id)
    )
    with ledger.read() as con:
        return [
            Troubled(
                row.submission_id,
                row.operation,
                row.product,
                BatchState(row.state),
                row.error,
                row.tries,
                row.not_before,
            )
            for row in con.execute(query)
        ]


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A batch that was settled from a file with which something is wrong."""

    submission_id: str
    operation: str
    problem: str


def incomplete(ledger: Ledger, *, completed_after: datetime) -> list[Incomplete]:
    """Return batches whose file was taken although something is wrong with it, oldest first."""
    query = (
        sa.select(submissions.c.submission_id, submissions.c.operation, submissions.c.error)
        .where(
            submissions.c.account == ledger.account,
            submissions.c.state.in_([BatchState.LANDED, BatchState.LOADED]),
            submissions.c.error.is_not(None),
            submissions.c.completed_at > completed_after,
        )
        .order_by(submissions.c.completed_at)
    )
    with ledger.read() as con:
        return [Incomplete(*row) for row in con.execute(query)]


def summary(ledger: Ledger, *, now: datetime) -> Summary:
    """Return the batches by state, slots, the account's pause and credits."""
    ours = submissions.c.account == ledger.account
    with ledger.read() as con:
        states = con.execute(
            sa.select(submissions.c.state, sa.func.count())
            .where(ours)
            .group_by(submissions.c.state)
        ).all()
        reserved = con.execute(
            sa.select(sa.func.sum(submissions.c.credits_reserved)).where(
                ours, submissions.c.state.in_(RESERVES)
            )
        ).scalar_one()
        computed = con.execute(
            sa.select(sa.func.sum(submissions.c.credits_computed)).where(ours)
        ).scalar_one()
        # A file that is kept needs its link no more, unless it was refused.
        needs_link = submissions.c.kept_at.is_(None) | (
            submissions.c.refused_sha256 == submissions.c.file_sha256
        )
        fetched_by = sa.case((needs_link, submissions.c.completed_at))
        oldest, landing_tries = con.execute(
            sa.select(sa.func.min(fetched_by), sa.func.min(submissions.c.tries)).where(
                ours, submissions.c.state == BatchState.COMPLETED
            )
        ).one()
        oldest_job = con.execute(
            sa.select(sa.func.min(submissions.c.submitted_at)).where(
                ours, submissions.c.state.in_(AT_VENDOR)
            )
        ).scalar_one()
        due = con.execute(
            sa.select(sa.func.min(due_at(submissions.c.not_before, now=now))).where(
                ours, submissions.c.state == BatchState.PLANNED
            )
        ).scalar_one()
        return Summary(
            batches=dict(states),
            slots_held=slots_held(con, ledger.account),
            pause=pause_of(con, ledger.account, now=now),
            pause_at_once=pause_of(con, ledger.account, now=now, takes_slot=False),
            credits_reserved=reserved or Decimal(0),
            credits_computed=computed or Decimal(0),
            oldest_link=oldest,
            oldest_job=oldest_job,
            landing_tries=landing_tries,
            next_submit=due,
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows of some days, and those of them that still wait for a batch."""

    rows: int
    rows_open: int


def waiting_rows(
    ledger: Ledger,
    operations: Sequence[str],
    partitions: Sequence[date],
    *,
    searches: int,
    without: Collection[str] = (),
) -> Waiting:
    """Count the rows that wait for a batch in progress.

    Args:
        ledger: the ledger.
        operations: whose rows.
        partitions: the days.
        searches: after so many searches without a result an unknown submit is not waited for.
        without: batches that are not waited for.
    """
    of_days = rows.c.operation.in_(operations) & rows.c.partition_date.in_(partitions)
    still_searched = (submissions.c.state == BatchState.UNKNOWN) & (submissions.c.tries < searches)
    total = sa.select(sa.func.count()).select_from(rows).where(of_days)
    waiting = (
        sa.select(sa.func.count())
        .select_from(rows.join(submissions, submissions.c.submission_id == rows.c.submission_id))
        .where(
            of_days,
            submissions.c.submission_id.not_in(without),
            submissions.c.state.in_(IN_PROGRESS)
            | still_searched
            | (rows.c.verdict == Verdict.AWAIT),
        )
    )
    with ledger.read() as con:
        return Waiting(con.execute(total).scalar_one(), con.execute(waiting).scalar_one())
