"""What the tests of the waterfall share: an installation that buys from both vendors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from crust_pipeline.app.installation import Installation
from crust_pipeline.app.run_loop import RunReport, run_to_end
from crust_pipeline.inbox.app import build_app
from crust_pipeline.inbox.store import Store
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.sandbox.pronto.account import ProntoSwitches
from crust_pipeline.sandbox.serve import Listener, RunningSandbox
from crust_pipeline.settings import Settings
from crust_pipeline_tests.people import DAYS, write_people

DAY = DAYS[0]
COLUMNS = ("added_on", "profile_url", "first_name", "last_name", "company_name")


@dataclass(slots=True)
class Clock:
    """Real time, and what was added to it."""

    added: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.added


@dataclass(slots=True)
class SandboxedInstallation:
    """A pipeline that buys from both vendors."""

    sandbox: RunningSandbox
    pipeline: Installation
    clock: Clock

    def run(self, *operations: str, until: Callable[[], bool] | None = None) -> RunReport:
        """Run the day; after a while of waiting `until` may move time on."""
        names = operations or ("contact", "bulk_contact")

        def wait(seconds: float) -> None:
            if until is not None:
                until()
            sleep(min(seconds, 0.05))

        return run_to_end(
            self.pipeline,
            operations=names,
            start=DAY,
            end=DAY,
            policy=self.pipeline.policy,
            run_id="test",
            show=lambda _: None,
            sleep=wait,
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the lake."""
        with self.pipeline.lake.connect() as connection:
            return connection.execute(query).fetchall()

    def batches(self) -> list[dict[str, Any]]:
        """Pronto's batches, as the ledger knows them."""
        every = queries.batches(self.pipeline.ledger)
        return [batch for batch in every if batch["vendor"] == "pronto"]


@contextmanager
def served_inbox(url: str) -> Iterator[str]:
    """An inbox for a ledger: its address."""
    ledger = Ledger(url, account="any")
    listener = Listener(build_app(Store(ledger)), host="127.0.0.1", port=0)
    listener.start()
    try:
        yield listener.url
    finally:
        listener.stop()
        ledger.close()


@pytest.fixture
def people(upstream: Path) -> int:
    """Forty people with names and employers, one without a name."""
    rows = [
        (DAY, f"https://www.linkedin.com/in/person-{n}", "Ada", f"Example{n}", "Example")
        for n in range(40)
    ]
    rows.append((DAY, "https://www.linkedin.com/in/no-name", "", "", "Example"))
    write_people(upstream, rows, columns=COLUMNS)
    return len(rows)


@pytest.fixture
def installation(
    settings: dict[str, str], sandbox: RunningSandbox, people: int, tmp_path: Path
) -> Iterator[SandboxedInstallation]:
    assert people
    sandbox.pronto.switches = ProntoSwitches(seconds=0)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with served_inbox(url) as address:
        yield installed(settings, sandbox, CRUST_LEDGER_URL=url, CRUST_INBOX_URL=address)


def installed(
    settings: dict[str, str], sandbox: RunningSandbox, **more: str
) -> SandboxedInstallation:
    environment = settings | {
        "PRONTO_API_KEY": sandbox.api_key,
        "PRONTO_BASE_URL": sandbox.pronto_url,
        "CRUST_BUSINESS_EMAIL_VENDORS": "crustdata,pronto",
        **more,
    }
    clock = Clock()
    pipeline = Installation(settings=Settings.from_env(environment), clock=clock)
    return SandboxedInstallation(sandbox, pipeline, clock)
