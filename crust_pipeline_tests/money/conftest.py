"""One small installation against a sandbox that counts what was bought."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from crust_pipeline.app.days import days_between
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.sandbox.serve import RunningSandbox, running_sandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.settings import Settings
from crust_pipeline.vendors.catalog import OPERATIONS
from crust_pipeline_tests.command_line import crust
from crust_pipeline_tests.money.killed import Write, kinds_of_writes, run_and_kill

DAYS = days_between(date(2026, 11, 2), date(2026, 11, 3))
ROWS = [
    ("2026-11-02", "https://www.linkedin.com/in/sam-sandbox", ""),
    ("2026-11-02", "https://www.linkedin.com/in/kill-one", ""),
    ("2026-11-02", "https://www.linkedin.com/in/KILL-ONE/", ""),
    ("2026-11-02", "https://www.linkedin.com/company/nobody", ""),
    ("2026-11-03", "https://www.linkedin.com/in/kill-one?x=1", ""),
    ("2026-11-03", "https://www.linkedin.com/in/kill-two", ""),
    ("2026-11-03", "", "sam@example.com"),
]


@dataclass
class Shop:
    """A sandbox, a data folder, and what one may ask of both."""

    sandbox: RunningSandbox
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the command is run with."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("CRUST")},
            "CRUSTDATA_API_KEY": self.sandbox.api_key,
            "CRUSTDATA_BASE_URL": self.sandbox.base_url,
            "CRUST_DATA_DIR": str(self.folder),
            "CRUST_POLL_SECONDS": "0.05",
        }

    def command(self, *operations: str) -> list[str]:
        """`run` for all days."""
        days = ["run", "--from", DAYS[0].isoformat(), "--to", DAYS[-1].isoformat()]
        return [*days, *(word for name in operations for word in ("--operation", name))]

    def start(self, *operations: str) -> "subprocess.Popen[bytes]":
        """Start `run` in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "crust_pipeline", *self.command(*operations)],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def run(self, *operations: str) -> int:
        """Run the command to its end, in this process, and give its exit code."""
        return crust(*self.command(*operations), settings=self.environment).code

    def run_and_kill(
        self, when: str, write: Write, *operations: str, command: Sequence[str] = ()
    ) -> int:
        """Run `run`, or another command, until a write to the ledger; give the exit code."""
        return run_and_kill(
            when,
            write,
            command=command or self.command(*operations),
            environment=self.environment,
        )

    def kinds_of_writes(self, *command: str) -> list[str]:
        """Run a command to its end; give the kinds of its writes, in order."""
        return kinds_of_writes(command=command, environment=self.environment)

    def outcomes(self) -> dict[str, Counter[str]]:
        """Outcomes by operation, from the ledger."""
        settings = Settings.from_env(self.environment)
        ledger = Ledger(settings.ledger_url, account=settings.account)
        found = {
            name: sum(queries.outcome_counts(ledger, name, DAYS).values(), start=Counter[str]())
            for name in OPERATIONS
        }
        ledger.close()
        return {name: counts for name, counts in found.items() if counts}

    def assert_nothing_is_bought_twice_or_lost(self, *operations: str) -> None:
        """Every key was submitted at most once; every row has one outcome; what was bought came."""
        submitted = Counter(self.sandbox.state.times_submitted())
        assert max(submitted.values(), default=0) <= 1, submitted
        outcomes = self.outcomes()
        for operation in operations:
            counts = outcomes[operation]
            assert counts.total() == len(ROWS), (operation, counts)
            assert not set(counts) & {"pending", "failed", "expired"}, (operation, counts)
        if any(counts["unknown"] for counts in outcomes.values()):
            # Killed between the intent and the request: held for a decision, because nobody can
            # know. Nothing was bought for those rows.
            assert submitted.total() < self.keys_to_submit(outcomes), (submitted, outcomes)

    def assert_what_is_paid_for_came_and_was_paid_once(self, operation: str) -> None:
        """Every person was billed at most once, and whoever was billed is matched."""
        self.sandbox.state.refresh()  # bills what has ended
        billed = self.sandbox.state.account.billed()
        assert max(billed.values(), default=0) <= 1, billed
        counts = self.outcomes()[operation]
        assert counts.total() == len(ROWS), counts
        assert not set(counts) & {"pending", "failed", "expired", "over_budget"}, counts
        assert counts["matched"] == len({key for _, _, key in billed}), (counts, billed)

    @staticmethod
    def keys_to_submit(outcomes: dict[str, Counter[str]]) -> int:
        """How many submissions of a key all operations come to when nothing goes wrong."""
        return 4 * len(outcomes)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A fresh sandbox and an empty data folder with the sample rows."""
    lines = ["added_on,profile_url,business_email", *(",".join(row) for row in ROWS)]
    (tmp_path / "profile_urls.csv").write_text("\n".join(lines) + "\n")
    with running_sandbox(switches=Switches(instant_jobs=True)) as sandbox:
        yield Shop(sandbox, tmp_path)
