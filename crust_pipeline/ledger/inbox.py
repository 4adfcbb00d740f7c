"""Transactions of the inbox: tokens for vendors to call back with, and what they deliver.

A token is all that a delivery needs, so only its hash is kept. A delivery proves only that its
sender knows the token. So it makes its batch due for a poll, and the vendor is asked for the facts.
"""

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

import sqlalchemy as sa

from crust_pipeline.ledger.schema import deliveries, hooks, identifiers, submissions
from crust_pipeline.ledger.states import Answer, BatchState
from crust_pipeline.ledger.store import Ledger, Transaction

# In these states a batch accepts no more deliveries: its tokens have expired ...
NO_MORE_DELIVERIES = frozenset({BatchState.FAILED, BatchState.REJECTED})
# ... and in these it accepts them only while the answer for an identifier is missing.
MISSING_DELIVERIES_ONLY = frozenset({BatchState.LANDED, BatchState.LOADED})
# A job that has not ended in this time will not be called back for (links live 5 days).
TOKEN_LIVES = timedelta(days=30)
# A token that leaked cannot fill the disk with more.
DELIVERIES_A_BATCH = 1_000
_BYTES_OF_A_TOKEN = 32


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request to the inbox: the token in its path, and its body as received."""

    token: str
    body: bytes


class Receipt(StrEnum):
    """What became of a delivery. All but the last two are durable."""

    KEPT = "kept"
    KNOWN = "known"  # the same body came before
    NO_SUCH_ADDRESS = "no_such_address"  # never issued, or spent
    TOO_MANY = "too_many"


def issue_token(tx: Transaction, submission_id: str, *, now: datetime) -> str:
    """Make the secret part of an address to which a vendor may deliver for a batch."""
    token = secrets.token_urlsafe(_BYTES_OF_A_TOKEN)
    tx.con.execute(
        hooks.insert().values(
            token_sha256=_sha256(token.encode()), submission_id=submission_id, issued_at=now
        )
    )
    return token


def keep(ledger: Ledger, received: Sequence[Delivery], *, now: datetime) -> list[Receipt]:
    """Keep deliveries in one transaction, durable when it returns, and wake their batches.

    Returns:
        One receipt for each, in their order.
    """
    with ledger.read() as con:
        batch_of = _batches_by_token(con, {delivery.token for delivery in received}, now=now)
    if not batch_of:
        return [Receipt.NO_SUCH_ADDRESS] * len(received)
    with ledger.write() as tx:
        room = _room(tx.con, set(batch_of.values()))
        known = _known(tx.con, received, batch_of)
        receipts: list[Receipt] = []
        new: list[dict[str, Any]] = []
        for delivery in received:
            submission_id = batch_of.get(delivery.token)
            digest = _sha256(delivery.body)
            if submission_id is None:
                receipts.append(Receipt.NO_SUCH_ADDRESS)
            elif (submission_id, digest) in known:
                receipts.append(Receipt.KNOWN)
            elif not room[submission_id]:
                receipts.append(Receipt.TOO_MANY)
            else:
                receipts.append(Receipt.KEPT)
                room[submission_id] -= 1
                known.add((submission_id, digest))
                new.append(
                    {
                        "submission_id": submission_id,
                        "received_at": now,
                        "body": delivery.body,
                        "body_sha256": digest,
                    }
                )
        if new:
            tx.con.execute(deliveries.insert(), new)
            _wake(tx, {item["submission_id"] for item in new}, now=now)
    return receipts


def delivered(ledger: Ledger, submission_id: str, *, most: int | None = None) -> list[bytes]:
    """Return the bodies delivered for a batch as received, oldest first, at most `most`."""
    query = (
        sa.select(deliveries.c.body)
        .where(deliveries.c.submission_id == submission_id)
        .order_by(deliveries.c.id)
        .limit(most)
    )
    with ledger.read() as con:
        return list(con.execute(query).scalars())


def jobs_named(ledger: Ledger, submission_id: str, *, most: int = 20) -> list[str]:
    """Return the vendor jobs that deliveries name for a batch; only the vendor can confirm them.

    Args:
        ledger: the ledger.
        submission_id: the batch.
        most: how many deliveries are read; a sender that knows the token can send many.
    """
    named: dict[str, None] = {}
    for body in delivered(ledger, submission_id, most=most):
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            continue
        if isinstance(said, dict):
            batch_id = cast("dict[str, object]", said).get("batch_id")
            if isinstance(batch_id, str) and batch_id:
                named[batch_id] = None
    return list(named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """A batch whose answers are delivered one by one.

    Attributes:
        submission_id: our id of it.
        batch_id: the vendor's id; None while it is not known.
        submitted_at: when it was sent.
        identifiers: what was sent, and comes back with each answer.
        can_be_asked: whether the vendor can be asked for the answer: the batch has one identifier.
    """

    submission_id: str
    batch_id: str | None
    submitted_at: datetime
    identifiers: frozenset[str]
    can_be_asked: bool


def awaited(
    ledger: Ledger, *, batch_id: str | None = None, submission_id: str | None = None
) -> Awaited | None:
    """Return a batch by the vendor's id or by ours; None if there is no such batch."""
    by_id = (
        submissions.c.submission_id == submission_id
        if submission_id is not None
        else submissions.c.batch_id == batch_id
    )
    with ledger.read() as con:
        batch = con.execute(
            sa.select(submissions).where(submissions.c.account == ledger.account, by_id)
        ).one_or_none()
        if batch is None:
            return None
        sent = con.execute(
            sa.select(identifiers.c.identifier).where(
                identifiers.c.submission_id == batch.submission_id
            )
        ).scalars()
        return Awaited(
            submission_id=batch.submission_id,
            batch_id=batch.batch_id,
            submitted_at=batch.submitted_at or batch.intent_at,
            identifiers=frozenset(sent),
            can_be_asked=batch.identifier_count == 1 and batch.batch_id is not None,
        )


def being_submitted(ledger: Ledger, sent: Sequence[str]) -> dict[str, str]:
    """Whom the identifiers of a batch that is being submitted stand for: {as sent: subject_key}."""
    query = (
        sa.select(identifiers.c.identifier, identifiers.c.subject_key)
        .join(submissions, submissions.c.submission_id == identifiers.c.submission_id)
        .where(
            submissions.c.account == ledger.account,
            submissions.c.state == BatchState.SUBMITTING,
            identifiers.c.identifier.in_(sent),
        )
    )
    with ledger.read() as con:
        return {row.identifier: row.subject_key for row in con.execute(query)}


def deliveries_kept(ledger: Ledger) -> int:
    """Return how many deliveries are kept; this also proves that the ledger can be read."""
    with ledger.read() as con:
        return con.execute(sa.select(sa.func.count()).select_from(deliveries)).scalar_one()


def _batches_by_token(con: sa.Connection, tokens: set[str], *, now: datetime) -> dict[str, str]:
    by_hash = {_sha256(token.encode()): token for token in tokens}
    query = (
        sa.select(hooks.c.token_sha256, hooks.c.submission_id)
        .join(submissions, submissions.c.submission_id == hooks.c.submission_id)
        .where(
            hooks.c.token_sha256.in_(by_hash),
            hooks.c.issued_at > now - TOKEN_LIVES,
            submissions.c.state.not_in(NO_MORE_DELIVERIES),
            submissions.c.state.not_in(MISSING_DELIVERIES_ONLY) | _answer_missing(),
        )
    )
    return {by_hash[row.token_sha256]: row.submission_id for row in con.execute(query)}


def _answer_missing() -> sa.ColumnElement[bool]:
    return (
        sa.select(1)
        .where(
            identifiers.c.submission_id == submissions.c.submission_id,
            identifiers.c.answer == Answer.UNKNOWN,
        )
        .exists()
    )


def _room(con: sa.Connection, batches: set[str]) -> Counter[str]:
    """Return how many more deliveries may be kept for each of these batches."""
    query = (
        sa.select(deliveries.c.submission_id, sa.func.count().label("kept"))
        .where(deliveries.c.submission_id.in_(batches))
        .group_by(deliveries.c.submission_id)
    )
    room = Counter(dict.fromkeys(batches, DELIVERIES_A_BATCH))
    room.subtract({row.submission_id: row.kept for row in con.execute(query)})
    return room


def _known(
    con: sa.Connection, received: Sequence[Delivery], batch_of: dict[str, str]
) -> set[tuple[str, str]]:
    digests = {_sha256(delivery.body) for delivery in received}
    query = sa.select(deliveries.c.submission_id, deliveries.c.body_sha256).where(
        deliveries.c.submission_id.in_(set(batch_of.values())),
        deliveries.c.body_sha256.in_(digests),
    )
    return {(row.submission_id, row.body_sha256) for row in con.execute(query)}


def _wake(tx: Transaction, batches: set[str], *, now: datetime) -> None:
    """Make the monitor look at these batches at once.

    Jobs are polled, unknown submits are searched for, and missing answers are landed again.
    """
    waits_for_the_vendor = (BatchState.PENDING, BatchState.PROCESSING, BatchState.UNKNOWN)
    tx.con.execute(
        submissions.update()
        .where(
            submissions.c.submission_id.in_(batches),
            submissions.c.state.in_(waits_for_the_vendor),
        )
        .values(not_before=now)
    )
    landed = sa.select(submissions.c.submission_id).where(
        submissions.c.submission_id.in_(batches), submissions.c.state.in_(MISSING_DELIVERIES_ONLY)
    )
    for submission_id in list(tx.con.execute(landed).scalars()):
        reason = "an answer that had been given up was delivered"
        tx.move(
            submission_id, BatchState.COMPLETED, now=now, reason=reason, owner=None, kept_at=None
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
