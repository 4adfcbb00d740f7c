"""Transactions of polling: jobs that are due for a poll, and what the vendor said of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from crust_pipeline.ledger.plan import NewBatch, re_plan
from crust_pipeline.ledger.schema import claims, foreign_jobs, identifiers, submissions, transitions
from crust_pipeline.ledger.states import AT_VENDOR, IN_PROGRESS, BatchState
from crust_pipeline.ledger.store import ERROR_CHARS, Ledger, Transaction
from crust_pipeline.ledger.submit import Pause, PauseKind, end_pause, start_pause
from crust_pipeline.ledger.waits import due_at

# How many finished jobs of a product are used to estimate how long its jobs take.
LATEST_JOBS = 50
# A job just accepted may not be known everywhere at once; after this time it counts as gone.
JOB_MISSING_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """What the vendor says of a job, in the ledger's words."""

    state: BatchState
    entity: str | None = None
    action: str | None = None
    vendor_created_at: datetime | None = None
    vendor_completed_at: datetime | None = None
    result_count: int | None = None
    entities_requested: int | None = None
    entities_fulfilled: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class DuePoll:
    """A job that is due for a poll."""

    submission_id: str
    batch_id: str
    product: str
    identifier_count: int
    submitted_at: datetime
    adopted: bool
    tries: int


@dataclass(frozen=True, slots=True)
class UnknownSubmit:
    """A submit that may have started a job, with the values that a search for the job needs."""

    submission_id: str
    operation: str
    product: str
    identifier_count: int
    intent_at: datetime
    searches: int
    reason: str | None
    takes_slot: bool
    credits_reserved: Decimal
    was_accepted: bool
    """Whether the vendor had once said that it took it."""


def due_polls(ledger: Ledger, *, now: datetime, limit: int) -> list[DuePoll]:
    """Return the jobs that are due for a poll, the longest-waiting first."""
    with ledger.read() as con:
        query = (
            sa.select(
                submissions.c.submission_id,
                submissions.c.batch_id,
                submissions.c.product,
                submissions.c.identifier_count,
                submissions.c.submitted_at,
                submissions.c.adopted,
                submissions.c.tries,
            )
            .where(
                submissions.c.account == ledger.account,
                submissions.c.state.in_(AT_VENDOR),
                due_at(submissions.c.not_before, now=now) <= now,
            )
            .order_by(submissions.c.not_before)
            .limit(limit)
        )
        return [DuePoll(*row) for row in con.execute(query)]


def next_poll(ledger: Ledger, *, now: datetime) -> datetime | None:
    """Return when the next poll is due; None when no job is at the vendor."""
    query = sa.select(sa.func.min(due_at(submissions.c.not_before, now=now))).where(
        submissions.c.account == ledger.account, submissions.c.state.in_(AT_VENDOR)
    )
    with ledger.read() as con:
        return con.execute(query).scalar_one()


def finished_seconds(ledger: Ledger, product: str, identifier_count: int) -> list[float]:
    """Return the seconds that the latest finished jobs of about this size took at the vendor."""
    took = (submissions.c.vendor_created_at, submissions.c.submitted_at)
    ended = (submissions.c.vendor_completed_at, submissions.c.completed_at)
    query = (
        sa.select(*took, *ended, submissions.c.identifier_count)
        .where(
            submissions.c.account == ledger.account,
            submissions.c.product == product,
            submissions.c.completed_at.is_not(None),
            submissions.c.state != BatchState.FAILED,
        )
        .order_by(submissions.c.completed_at.desc())
        .limit(LATEST_JOBS)
    )
    with ledger.read() as con:
        latest = con.execute(query).all()
    return [
        seconds
        for row in latest
        if identifier_count <= 2 * row.identifier_count <= 4 * identifier_count
        and (seconds := _seconds_taken(row)) > 0
    ]


def _seconds_taken(row: sa.Row[Any, Any, Any, Any, Any]) -> float:
    """Return the seconds by the vendor's clock alone, or by ours alone."""
    if row.vendor_created_at and row.vendor_completed_at:
        return (row.vendor_completed_at - row.vendor_created_at).total_seconds()
    return (row.completed_at - row.submitted_at).total_seconds() if row.submitted_at else 0.0


def poll_again(
    ledger: Ledger, submission_id: str, *, at: datetime, error: str | None = None
) -> None:
    """Postpone the poll of a job about which nothing was learned; without `error`, it stays."""
    with ledger.write() as tx:
        told = {} if error is None else {"error": error[:ERROR_CHARS]}
        tx.update(submission_id, not_before=at, **told)


def put_off(ledger: Ledger, submission_id: str, *, at: datetime, error: str) -> None:
    """Record that the next step of an open batch failed; try it again at a time."""
    with ledger.write() as tx:
        if tx.state(submission_id) in AT_VENDOR | {BatchState.PLANNED}:
            tx.update(
                submission_id,
                not_before=at,
                tries=submissions.c.tries + 1,
                error=error[:ERROR_CHARS],
            )


def try_at_once(tx: Transaction, *, now: datetime) -> None:
    """End the waits of batches whose last step failed."""
    tx.con.execute(
        submissions.update()
        .where(
            submissions.c.account == tx.account,
            submissions.c.state.in_(IN_PROGRESS),
            submissions.c.tries > 0,
            submissions.c.error.is_not(None),
            submissions.c.not_before > now,
        )
        .values(not_before=now)
    )


def record_missing_job(
    ledger: Ledger, submission_id: str, *, ask_at: datetime, error: str, now: datetime
) -> bool:
    """Record that the vendor does not know a job that it had accepted.

    Returns:
        True when it has said so for so long that the batch is unknown now. The slot stays taken:
        the job may run and be billed all the same.
    """
    with ledger.write() as tx:
        batch = tx.submission(submission_id)
        if batch.state not in AT_VENDOR:
            return False  # another process was faster
        since = batch.missing_since or now
        if now - since < JOB_MISSING_AFTER:
            tx.update(
                submission_id, not_before=ask_at, missing_since=since, error=error[:ERROR_CHARS]
            )
            return False
        reason = (
            f"the vendor has said since {since:%Y-%m-%d %H:%M} UTC that it knows no job "
            f"{batch.batch_id}, which it had accepted; it may be running and billed"
        )
        if batch.adopted:
            _undo_adoption(tx, batch, reason=reason, now=now)
        else:
            # Without its id, so that the job is adopted again if it is in the vendor's list.
            _unknown_again(tx, submission_id, reason=reason, now=now)
    return True


def postpone_polls(ledger: Ledger, *, until: datetime, now: datetime) -> None:
    """Postpone the polls of all jobs to that time."""
    with ledger.write() as tx:
        tx.con.execute(
            submissions.update()
            .where(
                submissions.c.account == ledger.account,
                submissions.c.state.in_(AT_VENDOR),
                due_at(submissions.c.not_before, now=now) < until,
            )
            .values(not_before=until)
        )


def record_report(
    ledger: Ledger, submission_id: str, report: JobReport, *, poll_at: datetime, now: datetime
) -> None:
    """Record what the vendor said of a job that has not failed."""
    with ledger.write() as tx:
        before = BatchState(tx.submission(submission_id).state)
        if before not in AT_VENDOR:
            return  # another process polled it at the same time and was faster
        values: dict[str, Any] = {
            "vendor_created_at": report.vendor_created_at,
            "vendor_completed_at": report.vendor_completed_at,
            "result_count": report.result_count,
            "entities_requested": report.entities_requested,
            "entities_fulfilled": report.entities_fulfilled,
            "missing_since": None,
            "tries": 0,
            "error": None,
        }
        if report.action is not None:
            values |= {"entity": report.entity, "action": report.action}
        if report.state is BatchState.COMPLETED:
            tx.move(
                submission_id, BatchState.COMPLETED, now=now, completed_at=now, owner=None, **values
            )
            end_pause(tx, PauseKind.SLOTS)  # a slot is free again
        elif report.state is BatchState.PROCESSING and before is BatchState.PENDING:
            values["not_before"] = poll_at
            tx.move(submission_id, BatchState.PROCESSING, now=now, **values)
        else:
            tx.update(submission_id, not_before=poll_at, **values)


def record_failure(
    ledger: Ledger,
    submission_id: str,
    *,
    reason: str,
    now: datetime,
    instead: Sequence[NewBatch] = (),
    not_before: datetime | None = None,
    out_of_credits_until: datetime | None = None,
) -> bool:
    """Record that a job ended without results; the vendor bills nothing for it.

    Args:
        ledger: the ledger.
        submission_id: the batch.
        reason: what the vendor said, for people.
        now: the present time.
        instead: batches that take its place; without any, its identifiers can be planned again.
        not_before: when those batches may be submitted.
        out_of_credits_until: when to submit again, if the job failed because credits ended.

    Returns:
        Whether this call recorded the failure; False when another process was faster.
    """
    with ledger.write() as tx:
        if BatchState(tx.submission(submission_id).state) not in AT_VENDOR:
            return False
        tx.move(
            submission_id,
            BatchState.FAILED,
            now=now,
            reason=reason,
            completed_at=now,
            error=reason[:ERROR_CHARS],
        )
        tx.con.execute(claims.delete().where(claims.c.submission_id == submission_id))
        re_plan(tx, instead, parent=submission_id, now=now, not_before=not_before or now)
        end_pause(tx, PauseKind.SLOTS)  # a slot is free again
        if out_of_credits_until is not None:
            start_pause(tx, Pause(PauseKind.CREDITS, out_of_credits_until, reason), takes_slot=True)
        tx.mark_days_stale(submission_id)
    return True


def failures_in_line(ledger: Ledger, root_submission_id: str) -> int:
    """Return how many batches failed or were refused in one line of re-plans."""
    with ledger.read() as con:
        query = sa.select(sa.func.count()).where(
            submissions.c.root_submission_id == root_submission_id,
            submissions.c.state.in_([BatchState.FAILED, BatchState.REJECTED]),
        )
        return con.execute(query).scalar_one()


def identifiers_of(con: sa.Connection, submission_id: str) -> Sequence[sa.Row[Any, Any, Any]]:
    """Return a batch's identifiers: (subject_key, identifier, partition_date), in order of days."""
    query = (
        sa.select(identifiers.c.subject_key, identifiers.c.identifier, identifiers.c.partition_date)
        .where(identifiers.c.submission_id == submission_id)
        .order_by(identifiers.c.partition_date, identifiers.c.subject_key)
    )
    return con.execute(query).all()


def unknown_submits(ledger: Ledger, *, now: datetime | None = None) -> list[UnknownSubmit]:
    """Return unknown submits, oldest first; with `now`, only those due for a search."""
    with ledger.read() as con:
        accepted = sa.exists().where(
            transitions.c.submission_id == submissions.c.submission_id,
            transitions.c.from_state == BatchState.SUBMITTING,
            transitions.c.to_state == BatchState.PENDING,
        )
        query = sa.select(submissions, accepted.label("was_accepted")).where(
            submissions.c.account == ledger.account, submissions.c.state == BatchState.UNKNOWN
        )
        if now is not None:
            query = query.where(due_at(submissions.c.not_before, now=now) <= now)
        return [
            UnknownSubmit(
                row.submission_id,
                row.operation,
                row.product,
                row.identifier_count,
                row.intent_at,
                row.tries,
                row.error,
                row.takes_slot,
                row.credits_reserved,
                row.was_accepted,
            )
            for row in con.execute(query.order_by(submissions.c.intent_at))
        ]


def longest_to_appear(ledger: Ledger) -> timedelta:
    """Return how long after its submit a job was at most found in the vendor's list."""
    query = (
        sa.select(submissions.c.intent_at, sa.func.min(transitions.c.at).label("found_at"))
        .join(transitions, transitions.c.submission_id == submissions.c.submission_id)
        .where(
            submissions.c.account == ledger.account,
            submissions.c.adopted,
            transitions.c.from_state == BatchState.UNKNOWN,
            transitions.c.to_state == BatchState.PENDING,
        )
        .group_by(submissions.c.submission_id, submissions.c.intent_at)
    )
    with ledger.read() as con:
        took = [row.found_at - row.intent_at for row in con.execute(query)]
    return max(took, default=timedelta(0))


def search_again(ledger: Ledger, submission_id: str, *, at: datetime) -> None:
    """Postpone the next search for the job of an unknown submit; count this one."""
    with ledger.write() as tx:
        if BatchState(tx.submission(submission_id).state) is BatchState.UNKNOWN:
            tx.update(submission_id, not_before=at, tries=submissions.c.tries + 1)


def jobs_known(
    ledger: Ledger, batch_ids: Sequence[str]
) -> tuple[dict[str, datetime], frozenset[tuple[str, str]]]:
    """Return what the ledger knows of these vendor jobs.

    Returns:
        The jobs of our batches with their time of submit; and pairs (job, submission id) of jobs
        that turned out not to belong to that submit.
    """
    ours = sa.select(submissions.c.batch_id, submissions.c.submitted_at).where(
        submissions.c.account == ledger.account, submissions.c.batch_id.in_(batch_ids)
    )
    foreign = sa.select(foreign_jobs.c.batch_id, foreign_jobs.c.submission_id).where(
        foreign_jobs.c.account == ledger.account, foreign_jobs.c.batch_id.in_(batch_ids)
    )
    with ledger.read() as con:
        return (
            {row.batch_id: row.submitted_at for row in con.execute(ours)},
            frozenset((row.batch_id, row.submission_id) for row in con.execute(foreign)),
        )


def job_kinds_seen(ledger: Ledger) -> dict[tuple[str | None, str], str]:
    """Return what the vendor called our jobs: {(entity, action): product}."""
    kind = submissions.c.entity, submissions.c.action, submissions.c.product
    with ledger.read() as con:
        query = (
            sa.select(*kind)
            .where(submissions.c.account == ledger.account, submissions.c.action.is_not(None))
            .distinct()
        )
        return {(row.entity, row.action): row.product for row in con.execute(query)}


def adopt(
    ledger: Ledger,
    submission_id: str,
    *,
    batch_id: str,
    entity: str | None,
    action: str | None,
    created_at: datetime | None,
    now: datetime,
) -> bool:
    """Adopt a job of the vendor's list for an unknown submit; landing verifies it.

    Returns:
        False when the submit is not unknown any more, or another batch has the job.
    """
    with ledger.write() as tx:
        if tx.state(submission_id) is not BatchState.UNKNOWN or tx.has_job(batch_id):
            return False
        tx.move(
            submission_id,
            BatchState.PENDING,
            now=now,
            reason=f"job {batch_id} adopted",
            batch_id=batch_id,
            entity=entity,
            action=action,
            adopted=True,
            submitted_at=tx.submission(submission_id).intent_at,
            vendor_created_at=created_at,
            error=None,
        )
        tx.mark_days_stale(submission_id)
    return True


def record_foreign_job(ledger: Ledger, submission_id: str, *, reason: str, now: datetime) -> None:
    """Record that an adopted job belongs to another submit; this submit is unknown again."""
    with ledger.write() as tx:
        batch = tx.submission(submission_id)
        if not batch.adopted or batch.state not in AT_VENDOR | {BatchState.COMPLETED}:
            return  # another process was faster
        _undo_adoption(tx, batch, reason=reason, now=now)


def _undo_adoption(tx: Transaction, batch: sa.Row[Any], *, reason: str, now: datetime) -> None:
    submission_id = batch.submission_id
    tx.con.execute(
        foreign_jobs.insert().values(
            account=tx.account, batch_id=batch.batch_id, submission_id=submission_id, seen_at=now
        )
    )
    _unknown_again(tx, submission_id, reason=reason, now=now)


def _unknown_again(tx: Transaction, submission_id: str, *, reason: str, now: datetime) -> None:
    """Make a batch unknown again: its job is not known any more."""
    tx.move(
        submission_id,
        BatchState.UNKNOWN,
        now=now,
        reason=reason,
        batch_id=None,
        entity=None,
        action=None,
        adopted=False,
        submitted_at=None,
        missing_since=None,
        kept_at=None,
        source_file=None,
        file_sha256=None,
        file_bytes=None,
        refused_sha256=None,
        error=reason[:ERROR_CHARS],
    )
    tx.mark_days_stale(submission_id)


def revision(ledger: Ledger) -> int:
    """Return a number that grows with every step of any batch."""
    with ledger.read() as con:
        return con.execute(sa.select(sa.func.max(transitions.c.id))).scalar_one() or 0
