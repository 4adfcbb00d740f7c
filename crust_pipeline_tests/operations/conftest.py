"""A purchase from a sandbox with switches, down to its tables: what came, what it cost."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from crust_pipeline.app.days import load_accounts, load_results, load_upstream, plan_days
from crust_pipeline.app.installation import Installation
from crust_pipeline.buying.advance import advance
from crust_pipeline.buying.recover import reconcile
from crust_pipeline.ledger import queries, spending
from crust_pipeline.ledger.spending import CreditUsage
from crust_pipeline.sandbox.clock import Clock
from crust_pipeline.sandbox.people import Standing, person_of_slug
from crust_pipeline.sandbox.serve import RunningSandbox, SandboxConfig, running_sandbox
from crust_pipeline.sandbox.switches import Fault, Switches
from crust_pipeline.settings import Settings
from crust_pipeline.tables.specs import tables_of
from crust_pipeline_tests.people import write_people

DAY = date(2026, 11, 19)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SAM, NOBODY = "linkedin.com/in/sam-sandbox", "linkedin.com/in/no-such-person"
REMOVED, UNREACHABLE = "linkedin.com/in/removed-person", "linkedin.com/in/no-contact-person"
SAMS_EMAIL, NOBODYS_EMAIL = "sam@example.com", "nobody@example.com"
KNOWN = [
    f"linkedin.com/in/person-{number}"
    for number in range(30)
    if person_of_slug(f"person-{number}").standing is Standing.KNOWN
][:12]
EVERYBODY = [SAM, NOBODY, REMOVED, UNREACHABLE, *KNOWN]
WITH_CONSENT = {
    "CRUST_PERSONAL_EMAIL_VENDORS": "crustdata",
    "CRUST_PHONE_NUMBER_VENDORS": "crustdata",
    "CRUST_PERSONAL_CONTACT_CONSENT": "true",
}
TURNS = 25
# Where a row comes from differs from one purchase to the next; what it says must not.
LINEAGE = {"submission_id", "batch_id", "source_file", "source_line", "run_id", "loaded_at"}


@dataclass(slots=True)
class Bought:
    """What came of a purchase."""

    pipeline: Installation
    sandbox: RunningSandbox
    operation: str

    @property
    def outcomes(self) -> dict[str | None, str]:
        """{profile_key: outcome}."""
        found = queries.outcomes(self.pipeline.ledger, self.operation, [DAY])
        return {item.profile_key: item.outcome for item in found}

    @property
    def counts(self) -> Counter[str]:
        """How many rows had which outcome."""
        return Counter(
            item.outcome for item in queries.outcomes(self.pipeline.ledger, self.operation, [DAY])
        )

    @property
    def usage(self) -> list[CreditUsage]:
        """What each batch cost."""
        return spending.credit_usage(self.pipeline.ledger, self.operation, [DAY])

    @property
    def computed(self) -> Decimal:
        """Credits for what was delivered, by our prices."""
        return sum((item.credits_computed or Decimal(0) for item in self.usage), Decimal(0))

    @property
    def billed(self) -> Decimal:
        """Credits that the sandbox took."""
        return self.sandbox.state.account.spent

    @property
    def batches(self) -> list[dict[str, Any]]:
        """All batches, oldest first."""
        return queries.batches(self.pipeline.ledger)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """A table, but for where its rows come from."""
        records = self.pipeline.lake.read(table, DAY, DAY).to_dict("records")
        rows = [
            {str(name): value for name, value in row.items() if name not in LINEAGE}
            for row in records
        ]
        return sorted(rows, key=repr)

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """All tables of the operation."""
        return {table.name: self.rows(table.name) for table in tables_of(self.operation)}

    def ask_too(self, *people: str) -> None:
        """Let the input table grow, and buy what is new."""
        self.plan_too(*people)
        self.go_on()

    def plan_too(self, *people: str) -> None:
        """Let the input table grow, and plan what is new."""
        with Path(self.pipeline.settings.upstream).open("a", encoding="utf-8") as file:
            file.writelines(f"{DAY},{who},\n" for who in people)
        load_upstream(self.pipeline, start=DAY, end=DAY, run_id="test")
        self.plan()

    def change_settings(self, **settings: str) -> None:
        """Go on with other settings."""
        known = {
            spec.metadata["variable"]: str(getattr(self.pipeline.settings, spec.name))
            for spec in fields(Settings)
            if spec.name in {"api_key", "base_url", "data_dir", "poll_seconds"}
        }
        self.pipeline = replace(self.pipeline, settings=Settings.from_env({**known, **settings}))

    def again(self, operation: str | None = None) -> None:
        """Plan the day once more, perhaps for another operation, and buy what is missing."""
        self.operation = operation or self.operation
        self.plan()
        self.go_on()

    def plan(self) -> None:
        """Plan the day."""
        policy = self.pipeline.policy
        plan_days(self.pipeline, self.operation, [DAY], policy=policy, run_id="test")

    def go_on(self) -> None:
        """Go on until nothing is under way, then fill the tables."""
        account = self.pipeline.accounts["crustdata"]
        for _ in range(TURNS):
            reconcile(account)
            advance(account)
            states = queries.summary(account.ledger, now=account.now()).batches
            if not set(states) - {"landed", "loaded", "rejected", "failed"}:
                break
            self.sandbox.clock.advance(30)
        load_results(self.pipeline, self.operation, [DAY], run_id="test")
        load_accounts(self.pipeline, [DAY], run_id="test")


Buy = Callable[..., Bought]


@dataclass(slots=True)
class Market:
    """Opens sandboxes, and closes them at the end."""

    folder: Path
    stack: ExitStack
    opened: list[Bought] = field(default_factory=list[Bought])

    def buy(
        self,
        operation: str,
        *people: str,
        switches: dict[str, Any] | None = None,
        faults: tuple[Fault, ...] = (),
        balance: int = 1_000,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> Bought:
        """Buy an operation for people, by profile URL or e-mail.

        Args:
            operation: what to buy.
            people: whom; everybody there is when none is named.
            switches: of the sandbox, beside jobs that end at once.
            faults: what goes wrong there.
            balance: the account's credits.
            settings: of the installation.
        """
        folder = self.folder / str(len(self.opened))
        folder.mkdir()
        clock = Clock()
        clock.freeze(NOON)
        config = SandboxConfig(
            switches=Switches(instant_jobs=True).with_changes(switches or {}),
            faults=faults,
            credits=Decimal(balance),
        )
        sandbox = self.stack.enter_context(running_sandbox(config=config, clock=clock))
        rows = [
            (DAY, "" if "@" in who else who, who if "@" in who else "")
            for who in people or EVERYBODY
        ]
        columns = ("added_on", "profile_url", "business_email")
        write_people(folder / "profile_urls.csv", rows, columns=columns)
        environment = {
            "CRUSTDATA_API_KEY": sandbox.api_key,
            "CRUSTDATA_BASE_URL": sandbox.base_url,
            "CRUST_DATA_DIR": str(folder),
            "CRUST_POLL_SECONDS": "1",
            **settings,
        }
        pipeline = Installation(settings=Settings.from_env(environment), clock=clock.now)
        self.stack.callback(pipeline.ledger.close)
        load_upstream(pipeline, start=DAY, end=DAY, run_id="test")
        bought = Bought(pipeline, sandbox, operation)
        self.opened.append(bought)
        bought.again()
        return bought


@pytest.fixture
def buy(tmp_path: Path) -> Iterator[Buy]:
    """Buys from a sandbox of its own each time."""
    with ExitStack() as stack:
        yield Market(tmp_path, stack).buy


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buy]:
    """What comes when every switch is as it is, bought once for all tests of a module."""
    known: dict[object, Bought] = {}
    with ExitStack() as stack:
        market = Market(tmp_path_factory.mktemp("usual"), stack)

        def buy_once(
            operation: str, *people: str, settings: Mapping[str, str] = MappingProxyType({})
        ) -> Bought:
            key = (operation, people, frozenset(settings.items()))
            if key not in known:
                known[key] = market.buy(operation, *people, settings=settings)
            return known[key]

        yield buy_once
