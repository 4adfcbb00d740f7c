"""Batch jobs: how long they take, what state they are in, which rows they deliver."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from crust_pipeline.sandbox.answers import Answers, IdentifierAnswer, key_of
from crust_pipeline.sandbox.billing import PRICES, BilledItem, price
from crust_pipeline.sandbox.clock import iso
from crust_pipeline.sandbox.switches import Fault, FaultKind, Switches
from crust_pipeline.sandbox.validate import Order

Row = tuple[int, FaultKind | None]
"""A line of a result file: position of its identifier in the order, and what is wrong with it."""

_PENDING_SHARE = 0.1
_USUAL_FAULTY_ROWS = 3


@dataclass(slots=True, kw_only=True)
class Job:
    """A batch job.

    Attributes:
        batch_id: UUID.
        entity: `person` or `company`.
        action: What the API calls the work.
        order: What was asked; None for jobs of other users.
        identifier_count: Identifiers submitted.
        created_at: When it was accepted.
        seconds: How long it takes; None: it never ends.
        fails: Whether it ends as failed.
        line_faults: What is wrong with its file.
        reserved: Credits set aside at submit.
        request_id: The request that made it.
        settled: Whether its end was worked out and billed.
        rows: Lines of the result, once settled.
        fulfilled: Identifiers that were delivered, once settled.
        error_message: Why it failed.
        called_back: Whether the webhook was handed over for sending.
    """

    batch_id: str
    entity: str
    action: str
    order: Order | None
    identifier_count: int
    created_at: datetime
    seconds: float | None
    fails: bool = False
    line_faults: tuple[Fault, ...] = ()
    reserved: Decimal = Decimal(0)
    request_id: str = ""
    settled: bool = False
    rows: list[Row] = field(default_factory=list[Row])
    fulfilled: int = 0
    error_message: str | None = None
    called_back: bool = False

    def ends_at(self) -> datetime | None:
        """Return when the job ends; None if it never does."""
        return None if self.seconds is None else self.created_at + timedelta(seconds=self.seconds)

    def status(self, now: datetime) -> str:
        """Return `pending`, `processing`, `completed` or `failed`."""
        end = self.ends_at()
        if end is not None and now >= end:
            return "failed" if self.fails else "completed"
        waits = timedelta(seconds=_PENDING_SHARE * (10 if self.seconds is None else self.seconds))
        return "pending" if now < self.created_at + waits else "processing"

    def is_active(self, now: datetime) -> bool:
        """Tell whether the job occupies one of the account's slots."""
        return self.status(now) in ("pending", "processing")

    def rows_so_far(self, now: datetime) -> int:
        """Return `result_count`: all rows at the end, whole chunks while it runs."""
        status = self.status(now)
        if status == "completed":
            return len(self.rows)
        if status != "processing" or not self.seconds or self.order is None:
            return 0
        done = (now - self.created_at) / timedelta(seconds=self.seconds)
        chunks = int(done * self.identifier_count / self.order.chunk_size)
        return chunks * self.order.chunk_size


def duration_seconds(order: Order, switches: Switches) -> float:
    """Return how long a job takes: 2-3 minutes for contact (vendor documents), else by its size."""
    if switches.instant_jobs:
        return 0.0
    count = len(order.identifiers)
    match order.endpoint.product:
        case "contact_enrich":
            seconds = 120 + 60 * count / 300
        case "identify":
            seconds = 20 + 40 * count / 300
        case _:
            seconds = 20 + 160 * count / 10_000
    return seconds / switches.time_scale


def worst_case(order: Order) -> Decimal:
    """Return the most credits an order can cost."""
    match order.endpoint.product:
        case "identify":
            each = PRICES["match"]
        case "company_enrich":
            each = PRICES["company"]
        case "enrich_live":
            each = PRICES["live_profile"]
        case "enrich":
            asked = {name.partition(".")[0] for name in order.fields or ()}
            each = price(("profile", *(asked & {"dev_platform_profiles", "social_posts"})))
        case _:
            verified = ("verified",) if order.verified else ()
            each = price(("business_email", "personal_email", "phone_number", *verified))
    return each * len(order.identifiers)


def purchases_in(order: Order, delivery: IdentifierAnswer, *, source: str) -> list[BilledItem]:
    """Return the items billed for one answer, in the batch or sync request `source`."""
    key = key_of(order, delivery.identifier)
    product = order.endpoint.product
    return [
        BilledItem(key, delivery.identifier, product, item, PRICES[item], source)
        for item in delivery.items
    ]


def settle(job: Job, switches: Switches, *, budget: Decimal) -> list[BilledItem]:
    """Settle an ended job: its answers and their cost.

    Args:
        job: An ended job; its rows and counts are filled in.
        switches: The sandbox's choices.
        budget: Credits there are.

    Returns:
        The purchases to charge; none when the job failed.
    """
    job.settled = True
    if job.order is None:
        return []
    if job.fails:
        job.error_message = job.error_message or "The job could not be processed"
        return []
    answers = Answers(job.order, switches)
    identifiers = job.order.identifiers
    if switches.duplicates == "collapsed":
        identifiers = tuple(dict.fromkeys(identifiers))
    purchases: list[BilledItem] = []
    listed: list[int] = []
    fulfilled = 0
    for index, identifier in enumerate(identifiers):
        delivery = answers.delivery(identifier)
        budget -= price(delivery.items)
        if budget < 0:
            if switches.out_of_credits == "failed":
                job.fails = True
                job.error_message = "Insufficient credits"
                return []
            break
        if answers.has_line(delivery):
            listed.append(index)
        fulfilled += bool(delivery.items)
        purchases.extend(purchases_in(job.order, delivery, source=job.batch_id))
    job.fulfilled = fulfilled
    if switches.line_order == "shuffled":
        random.Random(job.batch_id).shuffle(listed)  # noqa: S311 - an arbitrary order, not a secret
    job.rows = _with_faults([(index, None) for index in listed], job.line_faults)
    return purchases


def _with_faults(rows: list[Row], faults: tuple[Fault, ...]) -> list[Row]:
    rows = list(rows)
    for fault in faults:
        count = int(fault.value or _USUAL_FAULTY_ROWS)
        if fault.kind is FaultKind.UNASKED_LINES:
            rows[1:1] = [(n, fault.kind) for n in range(count)]
            continue
        for n in range(min(count, len(rows))):
            at = n * len(rows) // count
            index, _ = rows[at]
            if fault.kind is FaultKind.DUPLICATE_LINES:
                rows.append((index, None))
            else:
                rows[at] = (index, fault.kind)
    return rows


def describe(job: Job, now: datetime, switches: Switches) -> dict[str, Any]:
    """Return the status object of a job, without links (documents: `GET /batch/{batch_id}`)."""
    status = job.status(now)
    ended = status in ("completed", "failed")
    body: dict[str, Any] = {
        "batch_id": job.batch_id,
        "status": status,
        "entity": job.entity,
        "action": job.action,
        "identifier_count": job.identifier_count,
        "result_count": job.rows_so_far(now),
        "entities_requested": job.identifier_count,
        "entities_fulfilled": job.fulfilled if status == "completed" else 0,
        "created_at": iso(job.created_at),
    }
    end = job.ends_at()
    if ended and end is not None:
        body["completed_at"] = iso(end)
    elif switches.completed_at_before_end == "null":
        body["completed_at"] = None
    if job.error_message is not None and status == "failed":
        body["error_message"] = job.error_message
    return body
