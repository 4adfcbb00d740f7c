"""Transactions of landing: which files are due, and what each says about every identifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa

from crust_pipeline.ledger.plan import KEYS_A_QUERY
from crust_pipeline.ledger.schema import claims, identifiers, rows, submissions
from crust_pipeline.ledger.states import Answer, BatchState, Verdict
from crust_pipeline.ledger.store import ERROR_CHARS, Ledger, Transaction
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
    refused_sha256: str | None


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
    with ledger.read() as con:
        query = (
            sa.select(submissions)
            .where(
                submissions.c.account == ledger.account,
                submissions.c.state == BatchState.COMPLETED,
                due_at(submissions.c.not_before, now=now) <= now,
            )
            .order_by(submissions.c.completed_at)
        )
        return [
            DueLanding(
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
                refused_sha256=row.refused_sha256,
            )
            for row in con.execute(query)
        ]


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
                kept_at=now,
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
                credits_reported=answer.credits_reported,
            )
            end_pause(tx, takes_slot=False)
        elif state is not BatchState.COMPLETED:
            return False
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
    return True


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
