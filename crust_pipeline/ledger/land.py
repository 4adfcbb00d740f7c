"""Transactions of landing: which files are due, and what each says about every identifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from crust_pipeline.ledger.plan import KEYS_A_QUERY, take_claims
from crust_pipeline.ledger.schema import claims, identifiers, rows, submissions
from crust_pipeline.ledger.states import Answer, BatchState, Verdict
from crust_pipeline.ledger.store import ERROR_CHARS, Ledger, Transaction, submission
from crust_pipeline.ledger.submit import end_pause
from crust_pipeline.ledger.waits import due_at


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A vendor file on our disk, of which nothing is judged yet; `source_file`: below `raw`."""

    source_file: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DueLanding:
    """A completed job whose file is not kept, or not settled, yet.

    Attributes:
        result_count: lines that the file should have, as far as the vendor has said.
        kept: the file, if it is kept already.
        kept_at: when the first file was kept.
        refused_sha256: of the last file that failed its checks.
    """

    submission_id: str
    batch_id: str
    vendor: str
    operation: str
    product: str
    fields: tuple[str, ...]
    adopted: bool
    tries: int
    dead_links: int
    completed_at: datetime
    owner: str | None
    taken_at: datetime
    result_count: int | None
    kept: KeptFile | None
    kept_at: datetime | None
    refused_sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedBatch:
    """A batch whose job had ended, as its file may be fetched again.

    Attributes:
        batch_id: the vendor's id of the job.
        source_file: the file that the ledger knows, below the raw folder; None if there is none.
        sha256: of that file.
        answered: those about whom that file says something, by subject_key.
    """

    submission_id: str
    state: BatchState
    batch_id: str | None
    vendor: str
    operation: str
    product: str
    fields: tuple[str, ...]
    adopted: bool
    source_file: str | None
    sha256: str | None
    answered: frozenset[str]


# Answers that stand in a line of the file.
SAID: Final = frozenset({Answer.MATCHED, Answer.NOT_FOUND, Answer.REDACTED, Answer.NO_DATA})


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingRecord:
    """A vendor file as it was kept; `source_file`: below the raw folder, None if there was none."""

    source_file: str | None
    sha256: str | None
    size_bytes: int
    lines: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class DirectAnswer:
    """What the vendor said beside the answer to a synchronous request."""

    request_id: str | None
    credits_reported: Decimal | None


def _added(before: Decimal | None, now: Decimal | None) -> Decimal | None:
    """Add what the vendor reports now to what it charged for tries that brought nothing."""
    return now if before is None else before + (now or Decimal(0))


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer for one identifier, and its cost in credits."""

    subject_key: str
    answer: Answer
    credits: Decimal
    person_id: int | None = None
    source_line: int | None = None
    resolved_key: str | None = None
    unrequested: tuple[str, ...] = ()


def due_landings(ledger: Ledger, *, now: datetime) -> list[DueLanding]:
    """Return completed jobs to land now, the oldest link first, because links die."""
    query = (
        _completed(ledger)
        .where(due_at(submissions.c.not_before, now=now) <= now)
        .order_by(submissions.c.completed_at)
    )
    with ledger.read() as con:
        return [_due(row) for row in con.execute(query)]


def completed_landing(ledger: Ledger, submission_id: str) -> DueLanding | None:
    """Return a completed job, due or not; None if the batch is not completed."""
    query = _completed(ledger).where(submissions.c.submission_id == submission_id)
    with ledger.read() as con:
        found = con.execute(query).one_or_none()
        return None if found is None else _due(found)


def _completed(ledger: Ledger) -> sa.Select[Any]:
    return sa.select(submissions).where(
        submissions.c.account == ledger.account, submissions.c.state == BatchState.COMPLETED
    )


def _due(row: sa.Row[Any]) -> DueLanding:
    return DueLanding(
        submission_id=row.submission_id,
        batch_id=row.batch_id,
        vendor=row.vendor,
        operation=row.operation,
        product=row.product,
        fields=tuple(row.field_set.split(",")),
        adopted=row.adopted,
        tries=row.tries,
        dead_links=row.dead_links,
        completed_at=row.completed_at,
        owner=row.owner,
        taken_at=row.taken_at or row.completed_at,
        result_count=row.result_count,
        kept=KeptFile(
            source_file=row.source_file,
            sha256=row.file_sha256,
            size_bytes=row.file_bytes,
        )
        if row.kept_at
        else None,
        kept_at=row.kept_at,
        refused_sha256=row.refused_sha256,
    )


def landed_batch(ledger: Ledger, submission_id: str) -> LandedBatch:
    """Return a batch, with those about whom its file says something.

    Raises:
        LedgerError: there is no such batch.
    """
    said = sa.select(identifiers.c.subject_key).where(
        identifiers.c.submission_id == submission_id, identifiers.c.answer.in_(SAID)
    )
    with ledger.read() as con:
        row = submission(con, submission_id)
        return LandedBatch(
            submission_id=submission_id,
            state=BatchState(row.state),
            batch_id=row.batch_id,
            vendor=row.vendor,
            operation=row.operation,
            product=row.product,
            fields=tuple(row.field_set.split(",")),
            adopted=row.adopted,
            source_file=row.source_file,
            sha256=row.file_sha256,
            answered=frozenset(con.execute(said).scalars()),
        )


def take_landing(ledger: Ledger, due: DueLanding, *, owner: str, now: datetime) -> bool:
    """Reserve a landing for one process, so that two do not download the same file.

    Returns:
        False when another process took it since `due` was read.
    """
    with ledger.write() as tx:
        batch = tx.submission(due.submission_id)
        if BatchState(batch.state) is not BatchState.COMPLETED or batch.owner != due.owner:
            return False
        tx.update(due.submission_id, owner=owner, taken_at=now)
        return True


def keep(
    ledger: Ledger,
    submission_id: str,
    file: KeptFile,
    *,
    result_count: int | None,
    now: datetime,
) -> None:
    """Record that the file is on our disk, so that its link is not needed any more."""
    with ledger.write() as tx:
        batch = tx.submission(submission_id)
        if BatchState(batch.state) is BatchState.COMPLETED:
            tx.update(
                submission_id,
                kept_at=batch.kept_at or now,
                source_file=file.source_file,
                file_sha256=file.sha256,
                file_bytes=file.size_bytes,
                result_count=batch.result_count if result_count is None else result_count,
            )


def land_again(
    ledger: Ledger,
    submission_id: str,
    *,
    at: datetime,
    error: str,
    sha256: str | None = None,
    dead_link: bool = False,
) -> None:
    """Record that the file could not be kept, or settled, this time.

    Args:
        ledger: the ledger.
        submission_id: the batch.
        at: when to try again.
        error: what happened, for people.
        sha256: the hash of a file that failed its checks.
        dead_link: whether the storage did not serve the link.
    """
    with ledger.write() as tx:
        if BatchState(tx.submission(submission_id).state) is BatchState.COMPLETED:
            tx.update(
                submission_id,
                owner=None,
                not_before=at,
                tries=submissions.c.tries + 1,
                dead_links=submissions.c.dead_links + 1 if dead_link else 0,
                error=error[:ERROR_CHARS],
                refused_sha256=sha256 or submissions.c.refused_sha256,
            )


def record_expired(ledger: Ledger, submission_id: str, *, reason: str, now: datetime) -> None:
    """Record that the link died before the file was kept: its answers are lost."""
    with ledger.write() as tx:
        if tx.state(submission_id) is not BatchState.COMPLETED:
            return  # another process landed it after all
        tx.move(
            submission_id, BatchState.EXPIRED, now=now, reason=reason, error=reason[:ERROR_CHARS]
        )
        tx.mark_days_stale(submission_id)


def record_landed(
    ledger: Ledger,
    submission_id: str,
    file: LandingRecord,
    *,
    settled: Sequence[Settled],
    now: datetime,
    answer: DirectAnswer | None = None,
) -> bool:
    """Keep what the file says: every identifier's answer, the credits, and who owns the purchase.

    Args:
        ledger: the ledger.
        submission_id: the batch.
        file: the file as kept.
        settled: what became of each identifier.
        now: the present time.
        answer: what came with the file, when it is the answer to a synchronous request.

    Returns:
        False when another process landed it first; nothing is written then.
    """
    with ledger.write() as tx:
        batch = tx.submission(submission_id)
        state = BatchState(batch.state)
        if answer is not None and state in {BatchState.SUBMITTING, BatchState.UNKNOWN}:
            tx.move(
                submission_id,
                BatchState.COMPLETED,
                now=now,
                submitted_at=now,
                completed_at=now,
                # An id that is not unique, against the documents, must not lose what was paid for.
                batch_id=None if tx.has_job(answer.request_id) else answer.request_id,
                credits_reported=_added(batch.credits_reported, answer.credits_reported),
            )
            end_pause(tx, takes_slot=False)
        elif state is not BatchState.COMPLETED:
            return False
        land_in(tx, submission_id, file, settled=settled, now=now)
    return True


def record_refetched(
    ledger: Ledger,
    before: LandedBatch,
    file: LandingRecord,
    *,
    settled: Sequence[Settled],
    now: datetime,
) -> bool:
    """Settle a batch anew, from a better file than the one that it was settled from.

    Args:
        ledger: the ledger.
        before: the batch as it was when the files were compared.
        file: the better file.
        settled: what became of each identifier.
        now: the present time.

    Returns:
        False when the batch has changed since; nothing is written then.
    """
    with ledger.write() as tx:
        batch = tx.submission(before.submission_id)
        if (BatchState(batch.state), batch.file_sha256) != (before.state, before.sha256):
            return False
        if before.state is not BatchState.EXPIRED:
            reason = "a better file was fetched"
            tx.move(before.submission_id, BatchState.COMPLETED, now=now, reason=reason)
        _own_again(tx, batch, settled)
        land_in(tx, before.submission_id, file, settled=settled, now=now)
    return True


def land_in(
    tx: Transaction,
    submission_id: str,
    file: LandingRecord,
    *,
    settled: Sequence[Settled],
    now: datetime,
) -> None:
    """Write the file, every identifier's answer, the credits and who owns the purchase."""
    batch = tx.submission(submission_id)
    tx.move(
        submission_id,
        BatchState.LANDED,
        now=now,
        reason=file.note,
        landed_at=now,
        source_file=file.source_file,
        file_sha256=file.sha256,
        file_bytes=file.size_bytes,
        file_lines=file.lines,
        kept_at=(batch.kept_at or now) if file.source_file else None,
        refused_sha256=None,
        credits_computed=sum((item.credits for item in settled), Decimal(0)),
        error=file.note and file.note[:ERROR_CHARS],
    )
    if settled:
        tx.con.execute(
            identifiers.update()
            .where(
                identifiers.c.submission_id == submission_id,
                identifiers.c.subject_key == sa.bindparam("key"),
            )
            .values(
                answer=sa.bindparam("new_answer"),
                person_id=sa.bindparam("person"),
                source_line=sa.bindparam("line"),
                credits=sa.bindparam("cost"),
                resolved_key=sa.bindparam("resolved"),
                unrequested=sa.bindparam("extra"),
            ),
            [
                {
                    "key": item.subject_key,
                    "new_answer": item.answer.value,
                    "person": item.person_id,
                    "line": item.source_line,
                    "cost": item.credits,
                    "resolved": item.resolved_key,
                    "extra": ",".join(item.unrequested) or None,
                }
                for item in settled
            ],
        )
    _free_unserved(tx, submission_id, settled)
    answer_of = (
        sa.select(identifiers.c.answer)
        .where(
            identifiers.c.submission_id == submission_id,
            identifiers.c.subject_key == claims.c.subject_key,
        )
        .scalar_subquery()
    )
    tx.con.execute(
        claims.update()
        .where(claims.c.submission_id == submission_id)
        .values(answer=answer_of, answered_at=now)
    )
    tx.mark_days_stale(submission_id)


def _free_unserved(tx: Transaction, submission_id: str, settled: Sequence[Settled]) -> None:
    """Release people for whom the credits did not suffice, so that they can be bought later."""
    unserved = [item.subject_key for item in settled if item.answer is Answer.OVER_BUDGET]
    for start in range(0, len(unserved), KEYS_A_QUERY):
        keys = unserved[start : start + KEYS_A_QUERY]
        tx.con.execute(
            claims.delete().where(
                claims.c.submission_id == submission_id, claims.c.subject_key.in_(keys)
            )
        )
        tx.con.execute(
            rows.update()
            .where(rows.c.submission_id == submission_id, rows.c.subject_key.in_(keys))
            .values(
                verdict=Verdict.OVER_BUDGET.value,
                detail="the account's credits ended while its job was running",
            )
        )


def _own_again(tx: Transaction, batch: sa.Row[Any], settled: Sequence[Settled]) -> None:
    """Claim people again who were released as unserved, and are in the file after all.

    Whom another batch has claimed meanwhile stays that batch's.
    """
    delivered = {item.subject_key for item in settled if item.answer in SAID}
    released = (
        sa.select(identifiers.c.subject_key)
        .where(
            identifiers.c.submission_id == batch.submission_id,
            identifiers.c.answer == Answer.OVER_BUDGET,
            ~sa.select(1)
            .where(
                claims.c.account == tx.account,
                claims.c.operation == batch.operation,
                claims.c.subject_key == identifiers.c.subject_key,
            )
            .exists(),
        )
        .order_by(identifiers.c.subject_key)
    )
    keys = [key for key in tx.con.execute(released).scalars() if key in delivered]
    if not keys:
        return
    take_claims(tx, batch.operation, batch.covers, batch.submission_id, keys)
    for start in range(0, len(keys), KEYS_A_QUERY):
        tx.con.execute(
            rows.update()
            .where(
                rows.c.submission_id == batch.submission_id,
                rows.c.subject_key.in_(keys[start : start + KEYS_A_QUERY]),
                rows.c.verdict == Verdict.OVER_BUDGET,
            )
            .values(verdict=Verdict.ASK.value, detail=None)
        )
