"""A backfill of thirty days through a real daemon, of which one part after another is killed."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.outcomes import OPEN_OUTCOMES, TROUBLED_OUTCOMES
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.local_dagster.instance import CONFIG
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.settings import Settings
from crust_pipeline_tests.e2e.crashable_instance import CrashableInstance
from crust_pipeline_tests.e2e.instance_helpers import wait_for
from crust_pipeline_tests.people import write_people

pytestmark = pytest.mark.e2e

DAYS = [date(2026, 1, 5) + timedelta(days=number) for number in range(30)]
A_DAY = 200
JOBS = 30 * A_DAY // 300
SLOTS = 5
JOB_SECONDS = 8
# Dagster gives up a run whose worker was killed before it had started after this long: less than
# in production, where a slow start is no reason to kill it, for the test waits for it.
START_TIMEOUT_SECONDS = 60


@pytest.fixture
def switches() -> Switches:
    return Switches(job_seconds=(JOB_SECONDS,))


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """The same number of people on each day."""
    path = tmp_path / "people.csv"
    people = [(day, number) for day in DAYS for number in range(A_DAY)]
    write_people(
        path, [(day, f"https://www.linkedin.com/in/{day}-{number}") for day, number in people]
    )
    return path


@dataclass
class Backfill:
    """A backfill of identify that the daemon has just picked up."""

    instance: CrashableInstance
    home: Path
    ledger: Ledger
    sandbox: RunningSandbox

    def wait_until(self, what: str, condition: Callable[[], bool]) -> None:
        wait_for(what, condition, instance=self.instance, home=self.home)

    def wait_until_full(self, accepted: int) -> None:
        """Wait until the vendor has accepted so many jobs, and has no room for another.

        Until they end, nothing can be killed between the intent to submit and the answer, where
        nobody could know what became of it, and a batch would rightly be held.
        """
        self.wait_until(f"{accepted} jobs", lambda: self._is_full() and len(self._jobs) == accepted)

    def let_jobs_end(self) -> None:
        self.sandbox.clock.advance(JOB_SECONDS)

    @property
    def _jobs(self) -> Collection[object]:
        return self.sandbox.state.jobs

    def _is_full(self) -> bool:
        states = Counter(batch["state"] for batch in queries.batches(self.ledger))
        return states["pending"] + states["processing"] == SLOTS

    def is_loaded(self) -> bool:
        return [day for _, day in ledger_load.days_loaded(self.ledger)] == DAYS


@pytest.fixture
def backfill(
    settings: dict[str, str], sandbox: RunningSandbox, tmp_path: Path
) -> Iterator[Backfill]:
    # The vendor's jobs end when the test says so.
    sandbox.clock.freeze()
    settings = settings | {"CRUST_POLL_SECONDS": "1"}
    installation = Settings.from_env(settings)
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["run_monitoring"]["start_timeout_seconds"] = START_TIMEOUT_SECONDS
    less_patient = tmp_path / "less_patient.yaml"
    less_patient.write_text(yaml.safe_dump(config), encoding="utf-8")
    with CrashableInstance.running(
        home=tmp_path / "dagster",
        environment=settings,
        log_dir=tmp_path / "logs",
        daemon=False,
        config=less_patient,
    ) as instance:
        instance.launch_backfill(
            ["profile_urls", "identify_batches"], [day.isoformat() for day in DAYS]
        )
        instance.start_daemon()
        ledger = Ledger(installation.ledger_url, account=installation.account)
        yield Backfill(instance, tmp_path / "dagster", ledger, sandbox)
        ledger.close()


def test_whatever_is_killed_the_backfill_goes_on_by_itself_and_buys_nobody_twice(
    backfill: Backfill,
) -> None:
    instance = backfill.instance
    backfill.wait_until_full(accepted=SLOTS)
    instance.kill_daemon()
    instance.kill_run_workers()
    instance.start_daemon()
    backfill.let_jobs_end()
    backfill.wait_until_full(accepted=2 * SLOTS)
    backfill.wait_until("a run worker", lambda: instance.kill_run_workers() > 0)
    backfill.let_jobs_end()
    backfill.wait_until_full(accepted=3 * SLOTS)
    instance.kill_web_server()
    backfill.let_jobs_end()
    backfill.wait_until_full(accepted=4 * SLOTS)
    instance.start_web_server()
    backfill.let_jobs_end()
    instance.kill()
    instance.start(daemon=True)
    backfill.wait_until("every day is loaded", backfill.is_loaded)
    assert len(backfill.sandbox.state.jobs) == JOBS
    assert set(backfill.sandbox.state.times_submitted().values()) == {1}
    counts = queries.outcome_counts(backfill.ledger, "identify", DAYS)
    assert {day: found.total() for day, found in counts.items()} == dict.fromkeys(DAYS, A_DAY)
    assert not sum(counts.values(), start=Counter()).keys() & (OPEN_OUTCOMES | TROUBLED_OUTCOMES)
