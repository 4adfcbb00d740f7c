"""Transactions around a submit: claim a batch and a slot, write the intent, record the answer.

The intent is committed before the request leaves. So a batch in `submitting` without its owner may
have cost money, and no process saw the answer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

import sqlalchemy as sa

from crust_pipeline.ledger.inbox import issue_token
from crust_pipeline.ledger.limits import Limits, credits_left
from crust_pipeline.ledger.plan import NewBatch, re_plan
from crust_pipeline.ledger.queue import ORDER
from crust_pipeline.ledger.schema import claims, denied_fields, identifiers, pauses, submissions
from crust_pipeline.ledger.states import HOLDS_SLOT, BatchState, LedgerError, OverLimitError
from crust_pipeline.ledger.store import ERROR_CHARS, Ledger, Transaction, submission
from crust_pipeline.ledger.waits import LONGEST_WAIT, due_at, furthest

# Plans change; a field that was locked may be open later. Asking again costs one refused request.
DENIAL_LASTS = timedelta(days=7)
# What the vendor refuses for a reason that is not in our list waits for a person.
LONGEST_REFUSAL = timedelta(days=1)


class PauseKind(StrEnum):
    """Why an account waits before its next submit."""

    SLOTS = "slots"  # the vendor counts more active jobs than we do: others use the account
    RATE = "rate"
    CREDITS = "credits"
    KEY = "key"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"  # for a reason that is not in our list


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait before the next submit, and its reason for people."""

    kind: PauseKind
    until: datetime
    detail: str
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Orphan:
    """An intent without a recorded answer, and the process that wrote it."""

    submission_id: str
    product: str
    takes_slot: bool
    owner: str
    intent_at: datetime


@dataclass(frozen=True, slots=True)
class Unsellable:
    """A planned batch of a product that this program does not know, and how often that was said."""

    submission_id: str
    product: str
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A batch that is about to be submitted: it holds a slot from here on."""

    submission_id: str
    product: str
    identifier_type: Literal["profile_url", "email"]
    fields: tuple[str, ...]
    identifiers: tuple[str, ...]
    takes_slot: bool
    token: str | None = None


@dataclass(frozen=True, slots=True)
class RefusedBefore:
    """What was refused before the second half of a batch: the whole, and the first half.

    Attributes:
        reasons: why the whole and the first half were refused.
        unsent: the batches that took the place of the first half and wait to be sent.
    """

    reasons: tuple[str, ...]
    unsent: tuple[str, ...]


def claim_next(
    ledger: Ledger,
    *,
    max_active: int | None,
    owner: str,
    now: datetime,
    products: Collection[str] | None = None,
    run_id: str | None = None,
    with_token: bool = False,
    lines: Sequence[str] | None = None,
) -> Intent | None:
    """Take the next planned batch and a slot in one transaction.

    Args:
        ledger: the ledger.
        max_active: vendor jobs allowed at a time, over all processes; None: take a synchronous
            request, which needs no slot.
        owner: this process, so that others can tell when it is gone.
        now: the present time.
        products: take only batches of these, which the caller can send; None: of any.
        run_id: the Dagster run that submits, if there is one.
        with_token: issue a token under which the vendor may call back.
        lines: take only from these lines of batches, given by the first of each; None: from all.

    Returns:
        None when no slot is free, nothing is planned, or the account has to wait.
    """
    takes_slot = max_active is not None
    with ledger.write() as tx:
        if pause_of(tx.con, ledger.account, now=now, takes_slot=takes_slot):
            return None
        if max_active is not None and slots_held(tx.con, ledger.account) >= max_active:
            return None
        found = tx.con.execute(
            sa.select(submissions)
            .where(
                submissions.c.account == ledger.account,
                submissions.c.state == BatchState.PLANNED,
                submissions.c.takes_slot == takes_slot,
                due_at(submissions.c.not_before, now=now) <= now,
                sa.true() if products is None else submissions.c.product.in_(list(products)),
                sa.true() if lines is None else submissions.c.root_submission_id.in_(lines),
            )
            .order_by(*ORDER)
            .limit(1)
        ).one_or_none()
        if found is None:
            return None
        tx.move(
            found.submission_id,
            BatchState.SUBMITTING,
            now=now,
            intent_at=now,
            owner=owner,
            submit_run_id=run_id,
        )
        sent = tx.con.execute(
            sa.select(identifiers.c.identifier)
            .where(identifiers.c.submission_id == found.submission_id)
            .order_by(identifiers.c.partition_date, identifiers.c.subject_key)
        ).scalars()
        return Intent(
            submission_id=found.submission_id,
            product=found.product,
            identifier_type=found.identifier_type,
            fields=tuple(filter(None, found.field_set.split(","))),
            identifiers=tuple(sent),
            takes_slot=takes_slot,
            token=issue_token(tx, found.submission_id, now=now) if with_token else None,
        )


def is_anything_planned(ledger: Ledger) -> bool:
    """Tell whether a batch waits to be sent."""
    query = sa.select(
        sa.exists().where(
            submissions.c.account == ledger.account, submissions.c.state == BatchState.PLANNED
        )
    )
    with ledger.read() as con:
        return bool(con.execute(query).scalar_one())


def unsellable(ledger: Ledger, *, products: Collection[str], now: datetime) -> list[Unsellable]:
    """Return batches that are due to be sent, and of none of these products."""
    columns = (submissions.c.submission_id, submissions.c.product, submissions.c.tries)
    query = sa.select(*columns).where(
        submissions.c.account == ledger.account,
        submissions.c.state == BatchState.PLANNED,
        due_at(submissions.c.not_before, now=now) <= now,
        submissions.c.product.not_in(list(products)),
    )
    with ledger.read() as con:
        return [Unsellable(*row) for row in con.execute(query)]


def slots_held(con: sa.Connection, account: str) -> int:
    """Count the vendor slots that the account's batches hold, or may hold."""
    query = sa.select(sa.func.count()).where(
        submissions.c.account == account,
        submissions.c.takes_slot,
        submissions.c.state.in_(HOLDS_SLOT),
    )
    return con.execute(query).scalar_one()


def record_accepted(
    ledger: Ledger,
    submission_id: str,
    *,
    batch_id: str,
    action: str | None,
    entity: str | None = None,
    poll_at: datetime,
    now: datetime,
) -> bool:
    """Record that the vendor accepted the job.

    Returns:
        False when another batch has that job: nothing is written, and the submit is unknown.

    Raises:
        LedgerError: the batch was given up meanwhile, so that the job will be billed for nothing.
    """
    with ledger.write() as tx:
        batch = tx.submission(submission_id)
        if batch.batch_id == batch_id:
            return True  # the answer took so long that another process found the job first
        if tx.has_job(batch_id):
            return False
        if batch.state not in {BatchState.SUBMITTING, BatchState.UNKNOWN}:
            raise LedgerError(
                f"The vendor accepted batch {submission_id} as job {batch_id} after the batch had "
                f"become {batch.state}. The job will be billed, and nobody waits for it."
            )
        tx.move(
            submission_id,
            BatchState.PENDING,
            now=now,
            batch_id=batch_id,
            entity=entity,
            action=action,
            submitted_at=now,
            not_before=poll_at,
            error=None,
        )
        end_pause(tx)
    return True


def record_not_started(ledger: Ledger, submission_id: str, *, pause: Pause, now: datetime) -> None:
    """Record that no job started: the batch is planned again, and the account waits."""
    with ledger.write() as tx:
        tx.move(
            submission_id,
            BatchState.PLANNED,
            now=now,
            reason=pause.detail,
            owner=None,
            error=pause.detail,
        )
        start_pause(tx, pause, takes_slot=tx.submission(submission_id).takes_slot)


def record_refused_fields(
    ledger: Ledger,
    submission_id: str,
    *,
    refused: Sequence[str],
    kept: Sequence[str],
    now: datetime,
) -> None:
    """Record that the account may not have some fields, and plan the batch without them.

    Args:
        ledger: the ledger.
        submission_id: the batch.
        refused: the fields that the vendor refused just now; () when it did so to another batch.
        kept: those still to be asked for.
        now: the present time.
    """
    with ledger.write() as tx:
        batch = tx.submission(submission_id)
        remaining = ",".join(sorted(kept))
        reason = (
            "the vendor refused the fields " + ", ".join(sorted(refused))
            if refused
            else "fields are left out that the vendor refused to another batch"
        )
        tx.move(
            submission_id,
            BatchState.PLANNED,
            now=now,
            reason=reason,
            owner=None,
            field_set=remaining,
            error=reason,
        )
        for field in refused:
            where = (
                denied_fields.c.account == ledger.account,
                denied_fields.c.operation == batch.operation,
                denied_fields.c.field == field,
            )
            tx.con.execute(denied_fields.delete().where(*where))
            tx.con.execute(
                denied_fields.insert().values(
                    account=ledger.account, operation=batch.operation, field=field, seen_at=now
                )
            )


def fields_denied(
    con: sa.Connection, account: str, operation: str, *, now: datetime
) -> frozenset[str]:
    """Return the fields that the vendor refused to this account in the last days."""
    query = sa.select(denied_fields.c.field).where(
        denied_fields.c.account == account,
        denied_fields.c.operation == operation,
        denied_fields.c.seen_at > now - DENIAL_LASTS,
    )
    return frozenset(con.execute(query).scalars())


def record_rejected(
    ledger: Ledger,
    submission_id: str,
    *,
    reason: str,
    now: datetime,
    instead: Sequence[NewBatch] = (),
    unsent: Sequence[str] = (),
    state: BatchState = BatchState.SUBMITTING,
) -> None:
    """Record that the vendor refused the job for good: nothing was billed, its keys are free.

    Args:
        ledger: the ledger.
        submission_id: the batch.
        reason: why, for people.
        now: the present time.
        instead: batches that take its place.
        unsent: batches that would be refused for the same reason, if they still wait to be sent.
        state: the state that the batch must have.

    Raises:
        LedgerError: the batch is in another state.
    """
    with ledger.write() as tx:
        _reject(tx, submission_id, reason=reason, now=now, instead=instead, state=state)
        for other in unsent:
            if tx.state(other) is BatchState.PLANNED:
                _reject(tx, other, reason=reason, now=now, instead=(), state=BatchState.PLANNED)


def refused_before(ledger: Ledger, submission_id: str) -> RefusedBefore | None:
    """Return what was refused before a batch that is the second half of another.

    Returns:
        None when it is no half, the other half was not refused, or a part of that was sent.
    """
    with ledger.read() as con:
        whole = submission(con, submission_id).parent_submission_id
        halves = _in_place_of(con, whole) if whole else []
        others = [half for half in halves if half.submission_id != submission_id]
        if whole is None or len(others) != 1 or others[0].state != BatchState.REJECTED:
            return None
        parts = _in_place_of(con, others[0].submission_id)
        for part in parts:  # grows: what took the place of a part is one too
            parts += _in_place_of(con, part.submission_id)
        if any(part.state not in {BatchState.PLANNED, BatchState.REJECTED} for part in parts):
            return None
        return RefusedBefore(
            (submission(con, whole).error or "", others[0].error or ""),
            tuple(part.submission_id for part in parts if part.state == BatchState.PLANNED),
        )


def _in_place_of(con: sa.Connection, submission_id: str) -> list[sa.Row[Any]]:
    """Return the batches that took the place of another."""
    query = sa.select(submissions).where(submissions.c.parent_submission_id == submission_id)
    return list(con.execute(query))


def record_charge(ledger: Ledger, submission_id: str, *, credits_used: Decimal) -> None:
    """Add what the vendor says it charged for a request that brought nothing."""
    with ledger.write() as tx:
        before = tx.submission(submission_id).credits_reported or Decimal(0)
        tx.update(submission_id, credits_reported=before + credits_used)


def _reject(
    tx: Transaction,
    submission_id: str,
    *,
    reason: str,
    now: datetime,
    instead: Sequence[NewBatch],
    state: BatchState,
) -> None:
    if (found := tx.state(submission_id)) is not state:
        raise LedgerError(
            f"Batch {submission_id} is {found}, not {state}: nothing was decided about it."
        )
    tx.move(submission_id, BatchState.REJECTED, now=now, reason=reason, error=reason[:ERROR_CHARS])
    tx.con.execute(claims.delete().where(claims.c.submission_id == submission_id))
    re_plan(tx, instead, parent=submission_id, now=now, not_before=now)
    tx.mark_days_stale(submission_id)


def submit_again(
    ledger: Ledger,
    submission_id: str,
    *,
    instead: NewBatch,
    reason: str,
    limits: Limits,
    now: datetime,
) -> None:
    """Buy an unknown submit again; the credits of the first one stay reserved.

    Raises:
        OverLimitError: it would pass a limit. Nothing was written.
        LedgerError: the submit is not unknown any more.
    """
    with ledger.write() as tx:
        left = credits_left(tx, limits, now=now, run_id=instead.run_id)
        if left is not None and instead.credits_reserved > left:
            raise OverLimitError(
                f"Buying batch {submission_id} again could cost {instead.credits_reserved:f} "
                f"credits, and only {max(left, Decimal(0)):f} may be spent now. Nothing was "
                "decided about it. Raise the credit limit, or decide tomorrow."
            )
        _reject(
            tx, submission_id, reason=reason, now=now, instead=(instead,), state=BatchState.UNKNOWN
        )
        tx.update(submission_id, perhaps_billed=True)


def record_unknown(ledger: Ledger, submission_id: str, *, reason: str, now: datetime) -> bool:
    """Record that no usable answer came: a job may be running and billed. The slot stays taken.

    Returns:
        False when its process has reported after all, or another one said this first.
    """
    with ledger.write() as tx:
        if tx.state(submission_id) is not BatchState.SUBMITTING:
            return False
        tx.move(
            submission_id, BatchState.UNKNOWN, now=now, reason=reason, error=reason[:ERROR_CHARS]
        )
        tx.mark_days_stale(submission_id)
    return True


def orphaned_intents(ledger: Ledger) -> list[Orphan]:
    """Return the batches in `submitting`; the caller can tell which owners are gone."""
    columns = (submissions.c.submission_id, submissions.c.product, submissions.c.takes_slot)
    query = sa.select(*columns, submissions.c.owner, submissions.c.intent_at).where(
        submissions.c.account == ledger.account, submissions.c.state == BatchState.SUBMITTING
    )
    with ledger.read() as con:
        return [Orphan(*row) for row in con.execute(query)]


def pause_of(
    con: sa.Connection, account: str, *, now: datetime, takes_slot: bool = True
) -> Pause | None:
    """Return the pause of batches, or of synchronous requests; None if there is no pause."""
    row = con.execute(
        sa.select(pauses).where(
            pauses.c.account == account,
            pauses.c.takes_slot == takes_slot,
            pauses.c.until > now,
        )
    ).one_or_none()
    if row is None:
        return None
    pause = Pause(PauseKind(row.kind), row.until, row.detail, row.tries)
    longest = LONGEST_REFUSAL if pause.kind is PauseKind.REFUSED else LONGEST_WAIT
    return None if pause.until > furthest(now, longest=longest) else pause


def tries_so_far(ledger: Ledger, kind: PauseKind, *, takes_slot: bool) -> int:
    """Return how many pauses of one kind came in a row, with no request accepted between."""
    with ledger.read() as con:
        query = sa.select(pauses.c.tries).where(
            pauses.c.account == ledger.account,
            pauses.c.takes_slot == takes_slot,
            pauses.c.kind == kind,
        )
        return con.execute(query).scalar_one_or_none() or 0


def start_pause(tx: Transaction, pause: Pause, *, takes_slot: bool) -> None:
    """Make every process on this ledger wait before its next submit."""
    before = tx.con.execute(
        sa.select(pauses).where(pauses.c.account == tx.account, pauses.c.takes_slot == takes_slot)
    ).one_or_none()
    end_pause(tx, takes_slot=takes_slot)
    tx.con.execute(
        pauses.insert().values(
            account=tx.account,
            takes_slot=takes_slot,
            until=pause.until,
            kind=pause.kind.value,
            tries=before.tries + 1 if before and before.kind == pause.kind else 1,
            detail=pause.detail[:ERROR_CHARS],
        )
    )


def end_pause(tx: Transaction, kind: PauseKind | None = None, *, takes_slot: bool = True) -> None:
    """End a wait, or end it only if it is of this kind."""
    ended = pauses.delete().where(pauses.c.account == tx.account, pauses.c.takes_slot == takes_slot)
    tx.con.execute(ended if kind is None else ended.where(pauses.c.kind == kind))


def backoff(tries: int, *, first_seconds: float, most_seconds: float) -> timedelta:
    """Return a wait that doubles with every try."""
    return timedelta(seconds=min(most_seconds, first_seconds * 2 ** min(tries, 30)))
