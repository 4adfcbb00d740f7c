"""Transactions of lookups: purchases for which there is no input row, and their answers.

They are batches like any other, but they are found by person, not by day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from crust_pipeline.ledger.erase import suppressed_keys
from crust_pipeline.ledger.load import NO_DAY, LandedSource
from crust_pipeline.ledger.queries import fields_not_permitted
from crust_pipeline.ledger.schema import claims, identifiers, submissions
from crust_pipeline.ledger.states import Answer, BatchState
from crust_pipeline.ledger.store import ERROR_CHARS, Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class LastPurchase:
    """The last batch of a line that asked for a person, and its answer for them.

    Attributes:
        credits: what this person cost; None until the answer is settled.
        error: what went wrong with the batch, when something did.
        fields_not_permitted: what was left out, because the account may not have it.
    """

    submission_id: str
    state: BatchState
    answer: Answer | None
    person_id: int | None
    credits: Decimal | None
    landed_at: datetime | None
    error: str | None
    fields_not_permitted: tuple[str, ...]


def last_purchases(ledger: Ledger, asked: Mapping[str, str]) -> dict[str, LastPurchase]:
    """Return what became of people: {subject_key: the batch that asks, or the first of its line}.

    A batch that is halved or tried again is replaced by others; the last of them counts.

    Args:
        ledger: the ledger.
        asked: {profile_key: the batch that asks for the person, or the first batch of its line}.
    """
    found: dict[str, LastPurchase] = {}
    with ledger.read() as con:
        for key, submission_id in asked.items():
            line = sa.select(submissions.c.root_submission_id).where(
                submissions.c.submission_id == submission_id
            )
            query = (
                sa.select(
                    submissions,
                    identifiers.c.answer,
                    identifiers.c.person_id,
                    identifiers.c.credits,
                )
                .join(identifiers, identifiers.c.submission_id == submissions.c.submission_id)
                .where(
                    submissions.c.root_submission_id == line.scalar_subquery(),
                    identifiers.c.subject_key == key,
                )
                .order_by(submissions.c.attempt.desc())
                .limit(1)
            )
            if row := con.execute(query).one_or_none():
                found[key] = _last_purchase(row)
    return found


def _last_purchase(row: sa.Row[Any]) -> LastPurchase:
    return LastPurchase(
        submission_id=row.submission_id,
        state=BatchState(row.state),
        answer=row.answer and Answer(row.answer),
        person_id=row.person_id,
        credits=row.credits,
        landed_at=row.landed_at,
        error=row.error,
        fields_not_permitted=fields_not_permitted(row.covers, row.field_set),
    )


def sources_of_people(
    ledger: Ledger, operation: str, keys: Sequence[str], *, day: date
) -> list[LandedSource]:
    """Return the landed files with the answers bought for these people, oldest first.

    People who were erased are left out, as in all tables.

    Args:
        ledger: the account's ledger.
        operation: what was bought.
        keys: the people.
        day: the day under which to show them, whenever they were bought.
    """
    with ledger.read() as con:
        suppressed = suppressed_keys(con)
        owners = sa.select(claims.c.submission_id).where(
            claims.c.account == ledger.account,
            claims.c.operation == operation,
            claims.c.subject_key.in_(set(keys) - suppressed),
            claims.c.answer == Answer.MATCHED,
        )
        files = (
            sa.select(submissions)
            .where(submissions.c.submission_id.in_(owners), submissions.c.source_file.is_not(None))
            .order_by(submissions.c.landed_at, submissions.c.submission_id)
        )
        asked: dict[str, list[tuple[str, str, date]]] = {}
        for row in con.execute(
            sa.select(identifiers).where(identifiers.c.submission_id.in_(owners))
        ):
            shown = NO_DAY if row.subject_key in suppressed else day
            asked.setdefault(row.submission_id, []).append((row.identifier, row.subject_key, shown))
        return [
            LandedSource(
                submission_id=file.submission_id,
                batch_id=file.batch_id or "",
                operation=operation,
                source_file=file.source_file,
                sha256=file.file_sha256,
                landed_at=file.landed_at,
                asked=asked[file.submission_id],
            )
            for file in con.execute(files)
        ]


def credits_reported(ledger: Ledger, lines: Sequence[str]) -> Decimal | None:
    """Return the credits that the vendor reports for these lines; None if it reports none."""
    query = sa.select(sa.func.sum(submissions.c.credits_reported)).where(
        submissions.c.root_submission_id.in_(lines)
    )
    with ledger.read() as con:
        return con.execute(query).scalar_one()


def any_planned(ledger: Ledger, lines: Sequence[str]) -> bool:
    """Tell whether a batch of these lines is still planned."""
    query = sa.select(sa.func.count()).where(_planned_in(lines))
    with ledger.read() as con:
        return con.execute(query).scalar_one() > 0


def withdraw(ledger: Ledger, lines: Sequence[str], *, reason: str, now: datetime) -> None:
    """Return up the batches of these lines that were not sent: nothing was billed for them."""
    with ledger.write() as tx:
        query = sa.select(submissions.c.submission_id).where(_planned_in(lines))
        for submission_id in list(tx.con.execute(query).scalars()):
            tx.move(
                submission_id,
                BatchState.REJECTED,
                now=now,
                reason=reason,
                error=reason[:ERROR_CHARS],
            )
            tx.con.execute(claims.delete().where(claims.c.submission_id == submission_id))
            tx.mark_days_stale(submission_id)


def _planned_in(lines: Sequence[str]) -> sa.ColumnElement[bool]:
    return (submissions.c.state == BatchState.PLANNED) & submissions.c.root_submission_id.in_(lines)
