"""One installation of a campaign: people, sandbox, processes, and the audit at the end."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from crust_pipeline.app.days import days_between
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.settings import Settings
from crust_pipeline.vendors.catalog import OPERATIONS

FIRST_DAY = date(2026, 11, 2)
DAYS = days_between(FIRST_DAY, FIRST_DAY + timedelta(days=2))
COLUMNS = ("added_on", "profile_url", "business_email", "first_name", "last_name", "company_name")
# Longer than any command takes on a busy machine; a campaign ends all the same.
COMMAND_SECONDS = 240
ROWS = 80
TRIES = 4

# Each with what it may be drawn with. All are transient: in the end everything can be had.
FAULTS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("server_error", {}),
    ("server_error", {"path": "/batch/{batch_id}"}),
    ("rate_limited", {}),
    ("connection_lost", {}),
    ("server_error_after_accept", {}),
    ("connection_lost_after_accept", {}),
    ("no_batch_id", {}),
    ("empty_answer", {"path": "/batch/{batch_id}"}),
    ("unreadable_answer", {"path": "/batch"}),
    ("job_fails", {}),
    ("malformed_lines", {"value": 2}),
    ("unasked_lines", {"value": 2}),
    ("duplicate_lines", {"value": 2}),
    ("truncated_download", {}),
    ("corrupt_download", {}),
    ("wrong_download", {}),
    ("dead_link", {"value": 403}),
    ("redirect", {}),
)


@dataclass
class Shop:
    """An installation with its sandbox.

    Attributes:
        draw: the run's source of randomness.
        sandbox: the vendors.
        folder: where everything is kept.
        operations: what is bought.
        more_settings: what this kind of run sets beside the usual.
        killed: how many processes were killed or told to end.
        faults: what went wrong on purpose, by kind.
        audit: what it came to in the end.
    """

    draw: random.Random
    sandbox: RunningSandbox
    folder: Path
    operations: Sequence[str] = ("identify", "contact", "enrich")
    more_settings: dict[str, str] = field(default_factory=dict[str, str])
    killed: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    audit: "Audit | None" = None
    _processes: list["subprocess.Popen[bytes]"] = field(
        default_factory=list["subprocess.Popen[bytes]"]
    )

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        """What commands are run with."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("CRUST")},
            "CRUSTDATA_API_KEY": self.sandbox.api_key,
            "CRUSTDATA_BASE_URL": self.sandbox.base_url,
            "CRUST_OPERATIONS": ",".join(self.operations),
            "CRUST_DATA_DIR": str(self.data),
            "CRUST_UPSTREAM": str(self.folder / "profile_urls.csv"),
            "CRUST_PARTITIONS_START": str(FIRST_DAY),
            "CRUST_POLL_SECONDS": "0.1",
            **self.more_settings,
        }

    def write_people(self) -> None:
        """Write rows over the days, of which some are the same person, and some nobody."""
        lines = [",".join(COLUMNS)]
        for number in range(ROWS):
            person = self.draw.randrange(ROWS)
            day = self.draw.choice(DAYS)
            url = f"https://www.linkedin.com/in/campaign-{person}"
            email = f"campaign.{person}@example.com"
            kind = self.draw.random()
            given = ("", email) if kind < 0.2 else ("nobody", "") if kind < 0.25 else (url, "")
            lines.append(f"{day},{','.join(given)},Cam,Paign{number},Example")
        (self.folder / "profile_urls.csv").write_text("\n".join(lines) + "\n")

    def add_faults(self) -> None:
        """Let three to seven things go wrong, once to three times each."""
        for kind, details in self.draw.choices(FAULTS, k=self.draw.randint(3, 7)):
            times = self.draw.randint(1, 3)
            self.faults[kind] += times
            skip = self.draw.randint(0, 4)
            self.sandbox.fail(kind, **{"times": times, "skip": skip, **details})

    def start(self, *command: str, wrong_by_seconds: float = 0.0) -> "subprocess.Popen[bytes]":
        """Start a command in a process group of its own."""
        module = ["bench.campaign.at_time", str(wrong_by_seconds)]
        process = subprocess.Popen(
            [sys.executable, "-m", *(module if wrong_by_seconds else ["crust_pipeline"]), *command],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "commands.log").open("ab"),
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def run_command(self) -> tuple[str, ...]:
        """Return `run` over all days."""
        return ("run", "--from", str(DAYS[0]), "--to", str(DAYS[-1]))

    def end(self, process: "subprocess.Popen[bytes]", after_seconds: float) -> None:
        """Let a process run for a while; then kill it, or tell it to end."""
        try:
            process.wait(timeout=after_seconds)
        except subprocess.TimeoutExpired:
            number = self.draw.choice(
                (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
            )
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
            self.killed += 1
            process.wait(timeout=COMMAND_SECONDS)

    def finish(self) -> None:
        """Run without faults until all is done, and keep the books."""
        self.sandbox.state.faults.set([])
        for _ in range(TRIES):
            if self.start(*self.run_command()).wait(timeout=COMMAND_SECONDS) == 0:
                break
        self.audit = self._audited()

    def stop(self) -> None:
        """Kill what is left of the processes."""
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _audited(self) -> "Audit":
        """Compare what the vendors have sold with what the ledger says."""
        self.sandbox.state.refresh()
        settings = Settings.from_env(self.environment)
        ledger = Ledger(settings.ledger_url, account=settings.account)
        outcomes = {
            name: sum(queries.outcome_counts(ledger, name, DAYS).values(), start=Counter[str]())
            for name in OPERATIONS
        }
        batches = queries.batches(ledger)
        ledger.close()
        pronto = self.sandbox.pronto
        searched = Counter(
            (search.kind, str(search.contact.get("custom"))) for search in pronto.searches
        )
        billed = self.sandbox.state.account.billed()
        asked = {name: counts for name, counts in outcomes.items() if name in self.operations}
        computed = sum(
            (
                batch["credits_computed"] or Decimal(0)
                for batch in batches
                if batch["vendor"] == "crustdata"
            ),
            Decimal(0),
        )
        return Audit(
            rows=ROWS * len(self.operations),
            rows_accounted_for=sum(counts.total() for counts in asked.values()),
            outcomes=sum(asked.values(), start=Counter[str]()),
            identifiers_billed=len({(product, key) for product, _, key in billed}),
            billed_twice=sum(count - 1 for count in billed.values() if count > 1)
            + sum(count - 1 for count in searched.values() if count > 1),
            credits_billed=self.sandbox.state.account.spent,
            credits_computed=computed,
            open_at_vendor=sum(
                batch["state"] not in {"landed", "failed", "rejected"} for batch in batches
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What a run came to."""

    rows: int
    rows_accounted_for: int
    outcomes: Counter[str]
    identifiers_billed: int
    billed_twice: int
    credits_billed: Decimal
    credits_computed: Decimal
    open_at_vendor: int

    @property
    def problems(self) -> list[str]:
        """What must not be."""
        found: list[str] = []
        if self.billed_twice:
            found.append(f"{self.billed_twice} billed twice")
        if self.rows != self.rows_accounted_for:
            found.append(f"{self.rows - self.rows_accounted_for} rows without an outcome")
        if lost := sum(self.outcomes[name] for name in ("failed", "expired", "pending")):
            found.append(f"{lost} rows failed, expired or pending")
        # A batch whose submit nobody can decide is not settled: then the ledger may be behind.
        if self.credits_billed != self.credits_computed and not self.outcomes["unknown"]:
            found.append(f"billed {self.credits_billed}, computed {self.credits_computed}")
        return found
