"""What batches cost, as accounts of credits: reserved, computed and reported side by side.

Reserved is the worst case that the plan set aside; computed is what was delivered, at our prices;
reported is what the vendor says. Credits of different vendors are different currencies. Reads only.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Decimal
from typing import Any, Literal, assert_never

import sqlalchemy as sa

from crust_pipeline.ledger.schema import Credits, identifiers, submissions
from crust_pipeline.ledger.states import BatchState
from crust_pipeline.ledger.store import Ledger

SETTLED = frozenset({BatchState.LANDED, BatchState.LOADED})
# Nothing is set aside for these, for as a rule they are not billed; unless perhaps they were.
UNBILLED = frozenset({BatchState.FAILED, BatchState.REJECTED})

Grouping = Literal["day", "operation", "partition", "state"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditUsage:
    """What one batch cost one day, in credits. `computed` is None until the file has landed.

    `unrequested` are people of whom something came that was not asked for, and may be billed.
    """

    partition_date: date
    operation: str
    vendor: str
    submission_id: str
    batch_id: str | None
    identifiers: int
    delivered: int | None
    unrequested: int | None
    credits_reserved: Decimal
    credits_computed: Decimal | None
    credits_reported: Decimal | None


@dataclass(slots=True, kw_only=True)
class Spending:
    """The total cost of batches of one vendor that are in the same group.

    Attributes:
        vendor: whose credits these are.
        group: the values that they share, by grouping.
        submission_ids: the batches that belong to the group as a whole or in part.
        identifiers: people asked for.
        delivered: people of whom something came.
        credits_reserved: the worst case; nothing for batches that are not billed.
        credits_computed: what was delivered, at our prices.
        credits_reported: what the vendor says of those for which it tells; None: it does not.
        credits_computed_of_reported: what we computed for the same batches.
    """

    vendor: str
    group: dict[Grouping, str | date]
    submission_ids: set[str] = field(default_factory=set[str])
    identifiers: int = 0
    delivered: int = 0
    credits_reserved: Decimal = Decimal(0)
    credits_computed: Decimal = Decimal(0)
    credits_reported: Decimal | None = None
    credits_computed_of_reported: Decimal = Decimal(0)

    def add(self, usage: CreditUsage, *, billed: bool) -> None:
        """Count a batch, or one day's part of it, in."""
        self.submission_ids.add(usage.submission_id)
        self.identifiers += usage.identifiers
        self.delivered += usage.delivered or 0
        self.credits_reserved += usage.credits_reserved if billed else Decimal(0)
        self.credits_computed += usage.credits_computed or Decimal(0)
        if usage.credits_reported is not None and usage.credits_computed is not None:
            self.credits_reported = (self.credits_reported or Decimal(0)) + usage.credits_reported
            self.credits_computed_of_reported += usage.credits_computed

    def round(self) -> None:
        """Round the amounts to the digits of credits, after batches were divided among days."""
        for name in ("reserved", "computed", "reported", "computed_of_reported"):
            if (amount := getattr(self, f"credits_{name}")) is not None:
                setattr(self, f"credits_{name}", amount.quantize(1 / Credits.scale))


def credit_usage(ledger: Ledger, operation: str, partitions: Sequence[date]) -> list[CreditUsage]:
    """Return the cost of each batch for each day: the credits of its identifiers of that day."""
    of_days = submissions.c.operation == operation, identifiers.c.partition_date.in_(partitions)
    with ledger.read() as con:
        return [usage for usage, _ in _usage(con, *of_days)]


def spending(
    ledger: Ledger, *, accounts: Collection[str], by: Sequence[Grouping] = ()
) -> list[Spending]:
    """Return the cost of all batches of these accounts, by vendor and grouping.

    Args:
        ledger: the ledger.
        accounts: whose purchases.
        by: `day` (of the plan, UTC), `operation`, `partition`, `state`; several of them are
            combined, () gives the total of each vendor.
    """
    groups: dict[tuple[object, ...], Spending] = {}
    with ledger.read() as con:
        for usage, batch in _usage(con, submissions.c.account.in_(accounts)):
            billed = batch.perhaps_billed or batch.state not in UNBILLED
            group: dict[Grouping, str | date] = {name: _common(name, usage, batch) for name in by}
            key = (usage.vendor, *group.values())
            if key not in groups:
                groups[key] = Spending(vendor=usage.vendor, group=group)
            groups[key].add(usage, billed=billed)
    for found in groups.values():
        found.round()
    return [groups[key] for key in sorted(groups, key=lambda key: tuple(map(str, key)))]


def first_day(ledger: Ledger) -> date | None:
    """Return the day (UTC) on which the account's first batch was planned."""
    query = sa.select(sa.func.min(submissions.c.created_at)).where(
        submissions.c.account == ledger.account
    )
    with ledger.read() as con:
        first = con.execute(query).scalar_one()
    return first and first.astimezone(UTC).date()


def _common(name: Grouping, usage: CreditUsage, batch: sa.Row[Any]) -> str | date:
    match name:
        case "day":
            return batch.created_at.astimezone(UTC).date()
        case "operation":
            return usage.operation
        case "partition":
            return usage.partition_date
        case "state":
            return batch.state
        case _:
            assert_never(name)


def _usage(
    con: sa.Connection, *where: sa.ColumnElement[bool]
) -> Iterator[tuple[CreditUsage, sa.Row[Any]]]:
    """Yield the usage of batches, divided among the days that asked for their people."""
    earlier = identifiers.alias()
    query = (
        sa.select(
            submissions,
            identifiers.c.partition_date,
            sa.func.count().label("identifiers"),
            sa.select(sa.func.count())
            .where(
                earlier.c.submission_id == submissions.c.submission_id,
                earlier.c.partition_date < identifiers.c.partition_date,
            )
            .scalar_subquery()
            .label("identifiers_before"),
            sa.func.count(identifiers.c.source_line).label("delivered"),
            sa.func.count(identifiers.c.unrequested).label("unrequested"),
            sa.func.sum(identifiers.c.credits).label("computed"),
        )
        .join(identifiers, identifiers.c.submission_id == submissions.c.submission_id)
        .where(*where)
        .group_by(submissions.c.submission_id, identifiers.c.partition_date)
        .order_by(
            identifiers.c.partition_date, submissions.c.created_at, submissions.c.submission_id
        )
    )
    for row in con.execute(query):
        yield (
            CreditUsage(
                partition_date=row.partition_date,
                operation=row.operation,
                vendor=row.vendor,
                submission_id=row.submission_id,
                batch_id=row.batch_id,
                identifiers=row.identifiers,
                delivered=row.delivered if row.state in SETTLED else None,
                unrequested=row.unrequested if row.state in SETTLED else None,
                credits_reserved=_share(row.credits_reserved, row),
                credits_computed=_computed(row),
                credits_reported=_reported_share(row),
            ),
            row,
        )


def _computed(row: sa.Row[Any]) -> Decimal | None:
    """Return a day's computed part; nothing was delivered for what was charged and refused."""
    charged_for_nothing = row.state in UNBILLED and row.credits_reported is not None
    return Decimal(0) if row.computed is None and charged_for_nothing else row.computed


def _reported_share(row: sa.Row[Any]) -> Decimal | None:
    """Return a day's part of the reported credits; the computed part where batch totals agree."""
    if row.credits_reported is None:
        return None
    if row.credits_reported == row.credits_computed:
        return row.computed
    return _share(row.credits_reported, row)


def _share(amount: Decimal, row: sa.Row[Any]) -> Decimal:
    """Return a day's part of a batch's credits by its people; the rounded parts add up."""

    def of_people(count: int) -> Decimal:
        return (amount * count / row.identifier_count).quantize(1 / Credits.scale)

    return of_people(row.identifiers_before + row.identifiers) - of_people(row.identifiers_before)
