"""A small world: one account at a sandbox, its ledger, and one clock that both of them live by."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from crust_pipeline.buying.account import Account
from crust_pipeline.buying.decide import InputRow, Policy
from crust_pipeline.buying.land import Landed, land_files
from crust_pipeline.buying.plan import PlanReport, plan
from crust_pipeline.buying.poll import Polled, poll_jobs
from crust_pipeline.buying.recover import Reconciled, reconcile
from crust_pipeline.buying.submit import Dispatched, fill_slots
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.states import IN_PROGRESS, BatchState
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.sandbox.clock import Clock
from crust_pipeline.sandbox.people import Standing, person_of_slug
from crust_pipeline.sandbox.serve import RunningSandbox, running_sandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC, ENRICH, IDENTIFY
from crust_pipeline.vendors.product import Product
from crust_pipeline_tests.databases import new_ledger_url

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MONDAY, TUESDAY, WEDNESDAY = date(2026, 11, 2), date(2026, 11, 3), date(2026, 11, 4)
POLICY = Policy(refresh_after=timedelta(days=90), retry_not_found_after=timedelta(days=30))
NOBODY = "linkedin.com/in/no-such-person"
REMOVED = "linkedin.com/in/removed-person"
SAM = "linkedin.com/in/sam-sandbox"
ROUNDS = 60


def person(number: int) -> str:
    """The key of somebody whom the vendor knows."""
    known = (n for n in range(10_000) if person_of_slug(f"person-{n}").standing is Standing.KNOWN)
    return f"linkedin.com/in/person-{next(n for place, n in enumerate(known) if place == number)}"


def people(count: int, *, first: int = 0) -> list[str]:
    """Keys of people whom the vendor knows."""
    return [person(number) for number in range(first, first + count)]


class Wire(httpx.HTTPTransport):
    """The network, on which every answer is dated by the vendor's own clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(limits=httpx.Limits(max_keepalive_connections=0))
        self.vendor_clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.headers["date"] = format_datetime(self.vendor_clock.now(), usegmt=True)
        return response


@dataclass(slots=True)
class World:
    """An account that plans, buys and lands, and the vendor who counts what was bought."""

    sandbox: RunningSandbox
    ledger: Ledger
    account: Account
    ahead: timedelta = field(default_factory=timedelta)
    """How far our clock is ahead of the vendor's."""

    def now(self) -> datetime:
        """Our time."""
        return self.sandbox.clock.now() + self.ahead

    def wait(self, **span: float) -> None:
        """Let time pass, for us and for the vendor."""
        self.sandbox.clock.advance(timedelta(**span).total_seconds())

    def plan(
        self,
        *keys: str | None,
        day: date = MONDAY,
        product: Product = ENRICH,
        fields: Sequence[str] | None = None,
        balance: Decimal | None = None,
        dry_run: bool = False,
        **policy: Any,
    ) -> PlanReport:
        """Plan one day with a row for each key; rows are numbered."""
        return self.plan_rows(
            self.rows(*keys, day=day),
            days=[day],
            product=product,
            fields=fields,
            balance=balance,
            dry_run=dry_run,
            **policy,
        )

    def rows(self, *keys: str | None, day: date = MONDAY) -> list[InputRow]:
        """Input rows of a day, numbered."""
        return [InputRow(day, f"{number:06}", key) for number, key in enumerate(keys)]

    def plan_rows(
        self,
        rows: Sequence[InputRow],
        *,
        days: Sequence[date],
        product: Product = ENRICH,
        fields: Sequence[str] | None = None,
        balance: Decimal | None = None,
        dry_run: bool = False,
        **policy: Any,
    ) -> PlanReport:
        """Plan days."""
        by_email = {"contact": CONTACT_SYNC}.get(product.name, product)
        return plan(
            self.ledger,
            {"profile_url": product, "email": by_email},
            rows=rows,
            partitions=days,
            fields=product.fields if fields is None else fields,
            policy=replace(POLICY, **policy),
            now=self.now(),
            balance=balance,
            dry_run=dry_run,
        )

    def submit(self) -> Dispatched:
        """Fill the free slots."""
        return fill_slots(self.account)

    def poll(self) -> Polled:
        """Ask about every job, however lately it was asked about."""
        self.wait(minutes=5)
        return poll_jobs(self.account)

    def land(self) -> Landed:
        """Land what is due."""
        return land_files(self.account)

    def search(self) -> Reconciled:
        """Look for lost submits, however lately it was done."""
        return reconcile(self.account, due_only=False)

    def buy(self, *keys: str, **details: Any) -> str:
        """Plan, submit and land people as one batch; its submission id."""
        (batch,) = self.plan(*keys, **details).batches
        self.until_quiet()
        return batch.submission_id

    def until_quiet(self) -> None:
        """Turn the wheel until nothing is in progress that can go on by itself."""
        for _ in range(ROUNDS):
            poll_jobs(self.account)
            reconcile(self.account)
            fill_slots(self.account)
            land_files(self.account)
            if not set(self.states()) & IN_PROGRESS:
                return
            self.wait(seconds=30)

    def batches(self) -> list[dict[str, Any]]:
        """All batches, oldest first."""
        return queries.batches(self.ledger)

    def batch(self, submission_id: str) -> dict[str, Any]:
        """One batch."""
        return next(row for row in self.batches() if row["submission_id"] == submission_id)

    def states(self) -> Counter[BatchState]:
        """How many batches are in which state."""
        return Counter(BatchState(row["state"]) for row in self.batches())

    def state(self, submission_id: str) -> BatchState:
        """Where a batch is in its life."""
        return BatchState(self.batch(submission_id)["state"])

    def outcomes(self, day: date = MONDAY, *, operation: str = "enrich") -> list[str]:
        """Outcomes of a day's rows, in the order of rows."""
        return [item.outcome for item in queries.outcomes(self.ledger, operation, [day])]

    def sold(self) -> Counter[str]:
        """How often each key was part of an accepted request, in any product."""
        sold: Counter[str] = Counter()
        for (_, key), count in self.sandbox.state.times_submitted().items():
            sold[key] += count
        return sold

    def held(self) -> int:
        """Slots that our batches hold."""
        return queries.summary(self.ledger, now=self.now()).slots_held

    def pause(self) -> str | None:
        """Why the account waits, if it does."""
        pause = queries.summary(self.ledger, now=self.now()).pause
        return pause and pause.kind.value

    def with_engine(self, **changes: Any) -> None:
        """Change limits and settings."""
        self.account = replace(self.account, **changes)


@pytest.fixture
def switches() -> Switches:
    return Switches(instant_jobs=True)


@pytest.fixture
def world(tmp_path: Path, switches: Switches) -> Iterator[World]:
    """An empty ledger and a fresh account; time stands still until the test moves it."""
    clock = Clock()
    clock.freeze(START)
    ledger = Ledger(new_ledger_url(tmp_path), account="test")
    with running_sandbox(switches=switches, clock=clock) as sandbox:
        client = CrustdataClient(
            api_key=sandbox.api_key,
            base_url=sandbox.base_url,
            transport=Wire(clock),
            now=clock.now,
            sleep=lambda _seconds: None,
        )
        account = Account(
            ledger=ledger,
            client=client,
            products={item.name: item for item in (ENRICH, IDENTIFY, CONTACT, CONTACT_SYNC)},
            raw=tmp_path / "raw",
            max_active=5,
            poll_seconds=5,
            clock=clock.now,
        )
        world = World(sandbox, ledger, account)
        world.with_engine(clock=world.now)
        yield world
        client.close()
    ledger.close()
