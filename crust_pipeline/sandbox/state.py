"""`Sandbox`: all that a running sandbox knows and does, apart from HTTP."""

import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from crust_pipeline.sandbox.answers import Answers, key_of
from crust_pipeline.sandbox.billing import Account
from crust_pipeline.sandbox.clock import Clock
from crust_pipeline.sandbox.files import MERGED, Files, part_names, sign
from crust_pipeline.sandbox.jobs import (
    Job,
    describe,
    duration_seconds,
    purchases_in,
    settle,
    worst_case,
)
from crust_pipeline.sandbox.journal import (
    Journal,
    job_from_json,
    job_to_json,
    order_from_json,
    order_to_json,
)
from crust_pipeline.sandbox.limits import RateLimits
from crust_pipeline.sandbox.switches import JOB_FAULTS, LINE_FAULTS, FaultKind, Faults, Switches
from crust_pipeline.sandbox.usage import Usage
from crust_pipeline.sandbox.validate import Order, Refused, invalid

DEFAULT_KEY = "sandbox-key"
DEFAULT_CREDITS = Decimal(100_000)
_EARLY_PART = 4


class Sandbox:
    """An account at the vendor, with its jobs, credits and files."""

    def __init__(
        self,
        *,
        switches: Switches | None = None,
        keys: Iterable[str] = (DEFAULT_KEY,),
        credits_at_start: Decimal = DEFAULT_CREDITS,
        clock: Clock | None = None,
        state_file: Path | None = None,
    ) -> None:
        """Open an account.

        Args:
            switches: Choices where the documents are silent; the defaults if None.
            keys: API keys of the account; they share everything.
            credits_at_start: The balance.
            clock: The time to live in; real time if None.
            state_file: Where to remember jobs and purchases, and to find those of earlier runs.
        """
        self._switches = switches or Switches()
        self.keys = frozenset(keys)
        self.clock = clock or Clock()
        self.faults = Faults()
        self.credits_at_start = credits_at_start
        self.account = Account(balance=credits_at_start)
        self.limits = RateLimits()
        self.files = Files()
        self.jobs: dict[str, Job] = {}
        self.requests: Counter[str] = Counter()
        self.storage_url = ""
        self.usage = Usage(self.account)
        self._lock = threading.RLock()
        self._journal = Journal(state_file) if state_file else None
        self._restore()

    @property
    def switches(self) -> Switches:
        """The choices in force."""
        return self._switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self._switches = switches
        self.files.forget()

    def change(self, **changes: Any) -> None:  # noqa: ANN401 - a switch's value
        """Set some switches; see `Switches.with_changes`."""
        self.switches = self._switches.with_changes(changes)

    def set_credits(self, amount: Decimal) -> None:
        """Set the balance, after what has ended by now was billed."""
        with self._lock:
            now = self.refresh()
            self.account.balance = amount
            self._remember("credits", now, balance=str(amount))

    def submit(self, order: Order, *, request_id: str) -> Job:
        """Accept a batch.

        Raises:
            Refused: Too many active jobs, or no credits.
        """
        with self._lock:
            now = self.refresh()
            self._check_credits(order)
            if (
                sum(job.is_active(now) for job in self.jobs.values())
                >= self._switches.max_active_jobs
            ):
                raise Refused(
                    429,
                    "rate_limit_exceeded",
                    f"Too many active batch jobs (max {self._switches.max_active_jobs}). "
                    "Wait for a job to finish before you submit another.",
                )
            job = self._new_job(order, now, request_id)
            if self._switches.charged == "at_submit":
                job.reserved = worst_case(order)
            self._take_on(job)
            return job

    def add_foreign_job(
        self,
        *,
        seconds: float | None = None,
        identifier_count: int = 100,
        entity: str = "company",
        action: str = "search",
    ) -> Job:
        """Let another user of the account start a job that takes `seconds` (None: never ends)."""
        with self._lock:
            job = Job(
                batch_id=str(uuid.uuid4()),
                entity=entity,
                action=action,
                order=None,
                identifier_count=identifier_count,
                created_at=self.clock.now(),
                seconds=seconds,
            )
            self._take_on(job)
            return job

    def answer(self, order: Order, *, request_id: str) -> tuple[list[dict[str, Any]], Decimal]:
        """Answer a sync request: its entries, and the credits charged."""
        with self._lock:
            now = self.refresh()
            if not order.preview:
                self._check_credits(order)
            cost = self._sell(order, request_id)
            self._remember("answer", now, order=order_to_json(order), request_id=request_id)
            answers = Answers(order, self._switches)
            return [answers.entry(answers.delivery(i)) for i in order.identifiers], cost

    def refresh(self, at: datetime | None = None) -> datetime:
        """Settle the jobs that have ended by `at`, or by now, in the order in which they ended."""
        with self._lock:
            now = at or self.clock.now()
            ended = [
                (end, job)
                for job in self.jobs.values()
                if not job.settled and (end := job.ends_at()) is not None and end <= now
            ]
            for _, job in sorted(ended, key=lambda pair: pair[0]):
                self.account.take(-job.reserved)
                job.reserved = Decimal(0)
                self.account.buy(settle(job, self._switches, budget=self.account.balance))
            return now

    def job(self, batch_id: str) -> Job:
        """Return a job by its id.

        Raises:
            Refused: No such job.
        """
        try:
            uuid.UUID(batch_id)
        except ValueError:
            if self._switches.non_uuid_batch_status == 400:
                raise invalid("batch_id must be a UUID") from None
        with self._lock:
            self.refresh()
            if batch_id not in self.jobs:
                raise Refused(404, "not_found", f"Batch {batch_id} not found")
            return self.jobs[batch_id]

    def status(self, job: Job) -> dict[str, Any]:
        """Return the answer of `GET /batch/{batch_id}`, links included."""
        now = self.refresh()
        body = describe(job, now, self._switches)
        if body["status"] != "completed" or job.order is None:
            return body
        if job.rows or self._switches.zero_results_link == "dead":
            body["download_url"] = self._link(job, MERGED, now)
            parts = part_names(job, self._switches)
            body["download_urls"] = [self._link(job, name, now) for name in parts]
        return body

    def page(
        self, *, limit: int, status: str | None, cursor: str | None
    ) -> tuple[list[dict[str, Any]], bool]:
        """Return the list of `GET /batch`, newest first, and whether there is more.

        Raises:
            Refused: A cursor that no page gave out.
        """
        with self._lock:
            now = self.refresh()
            newest_first = list(reversed(self.jobs.values()))
            if cursor is not None:
                if cursor not in self.jobs:
                    raise invalid("Invalid cursor")
                newest_first = newest_first[newest_first.index(self.jobs[cursor]) + 1 :]
            fits = [job for job in newest_first if status is None or job.status(now) == status]
            rows = [describe(job, now, self._switches) for job in fits[:limit]]
            return rows, len(fits) > limit

    def times_submitted(self) -> Mapping[tuple[str, str], int]:
        """Count how often each (product, person) was part of an accepted request."""
        return self.account.submitted

    def due_callbacks(self) -> list[tuple[str, dict[str, Any]]]:
        """Return URL and body of the callbacks that are due; each is returned once."""
        with self._lock:
            now = self.refresh()
            due: list[tuple[str, dict[str, Any]]] = []
            for job in self.jobs.values():
                end = job.ends_at()
                url = job.order.webhook_url if job.order else None
                if url is None or end is None or job.called_back:
                    continue
                early = self._switches.webhook == "early"
                if now < (end - (end - job.created_at) / _EARLY_PART if early else end):
                    continue
                job.called_back = True
                ended = replace(job)
                if not ended.settled:
                    settle(ended, self._switches, budget=self.account.balance)
                if self._switches.webhook != "never" and (
                    not ended.fails or self._switches.webhook_on_failed
                ):
                    due.append((url, describe(ended, end, self._switches)))
            return due

    def _take_on(self, job: Job) -> None:
        self._remember("job", job.created_at, job=job_to_json(job))
        self.account.take(job.reserved)
        if job.order is not None:
            self._note_submitted(job.order)
        self.jobs[job.batch_id] = job

    def _sell(self, order: Order, request_id: str) -> Decimal:
        answers = Answers(order, self._switches)
        purchases = [
            purchase
            for identifier in order.identifiers
            for purchase in purchases_in(order, answers.delivery(identifier), source=request_id)
        ]
        self._note_submitted(order)
        self.account.buy(purchases)
        return sum((purchase.credits for purchase in purchases), Decimal(0))

    def _remember(self, kind: str, at: datetime, **details: Any) -> None:  # noqa: ANN401 - JSON
        if self._journal is not None:
            self._journal.add(kind, at=at, **details)

    def _restore(self) -> None:
        journal, self._journal = self._journal, None  # what is read must not be written again
        at = None
        for at, entry in journal.entries() if journal else ():
            self.refresh(at)
            match entry["kind"]:
                case "job":
                    self._take_on(job_from_json(entry["job"], created_at=at))
                case "answer":
                    self._sell(order_from_json(entry["order"]), entry["request_id"])
                case _:
                    self.account.balance = Decimal(entry["balance"])
        if at is not None and at > self.clock.now():
            self.clock.set(at)  # an earlier run had moved its clock forward
        self._journal = journal

    def _new_job(self, order: Order, now: datetime, request_id: str) -> Job:
        path, product = order.endpoint.path, order.endpoint.product
        bad = {kind: self.faults.take(kind, path) for kind in (*JOB_FAULTS, *LINE_FAULTS)}
        # People and companies share the word `enrich`: a list tells them apart by the entity.
        action = product.removeprefix("company_")
        never = bad[FaultKind.JOB_NEVER_ENDS] is not None
        return Job(
            batch_id=str(uuid.uuid4()),
            entity=order.endpoint.entity,
            action=self._switches.identify_action if product == "identify" else action,
            order=order,
            identifier_count=len(order.identifiers),
            created_at=now,
            seconds=None if never else self._duration_seconds(order),
            fails=bad[FaultKind.JOB_FAILS] is not None,
            line_faults=tuple(fault for kind in LINE_FAULTS if (fault := bad[kind])),
            request_id=request_id,
        )

    def _duration_seconds(self, order: Order) -> float:
        in_turn = self._switches.job_seconds
        if not in_turn:
            return duration_seconds(order, self._switches)
        return in_turn[len(self.jobs) % len(in_turn)] / self._switches.time_scale

    def _check_credits(self, order: Order) -> None:
        needed = worst_case(order) if self._switches.charged == "at_submit" else Decimal(0)
        balance = self.account.balance
        if balance <= 0 or balance < needed:
            kind = (
                "insufficient_credits"
                if self._switches.no_credits_status == 402
                else "permission_error"
            )
            raise Refused(self._switches.no_credits_status, kind, "Insufficient credits")

    def _note_submitted(self, order: Order) -> None:
        keys = (key_of(order, identifier) for identifier in order.identifiers)
        self.account.note_submitted(order.endpoint.product, keys)

    def _link(self, job: Job, name: str, now: datetime) -> str:
        path = f"/{job.batch_id}/output/{name}"
        end = job.ends_at()
        signed_at = now if self._switches.links_renewed or end is None else end
        query = sign(path, now=signed_at, days=self._switches.link_days)
        return f"{self.storage_url}{path}?{query}"
