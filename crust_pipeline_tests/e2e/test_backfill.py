"""A backfill through a real daemon, killed in the middle of a submit; the sandbox counts."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from crust_pipeline.keys import identifier_of
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.outcomes import OPEN_OUTCOMES, TROUBLED_OUTCOMES
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.sandbox.records import person
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.settings import Settings
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline_tests.e2e.crashable_instance import CrashableInstance
from crust_pipeline_tests.e2e.instance_helpers import wait_for
from crust_pipeline_tests.everybody import bytes_of, everybody, named_in
from crust_pipeline_tests.people import DAYS, write_people

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
SAMPLE = PROJECT / "data" / "profile_urls.csv"
SAMPLE_DAYS = ["2026-11-02", "2026-11-03", "2026-11-04"]


@pytest.fixture
def switches() -> Switches:
    # An enrich job of 20 s takes two.
    return Switches(time_scale=10)


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """Three days of the sample, at a time that is past on any machine."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        columns, *rows = csv.reader(file)
    moved = dict(zip(SAMPLE_DAYS, DAYS, strict=True))
    path = tmp_path / "people.csv"
    write_people(
        path, [[moved[row[0]], *row[1:]] for row in rows if row[0] in moved], columns=columns
    )
    return path


@dataclass
class Backfill:
    """A backfill of enrich over three days, that the daemon has just picked up."""

    instance: CrashableInstance
    home: Path
    settings: Settings
    ledger: Ledger

    def wait_until(self, what: str, condition: Callable[[], bool]) -> None:
        wait_for(what, condition, instance=self.instance, home=self.home)

    def is_loaded(self) -> bool:
        return [
            day for name, day in ledger_load.days_loaded(self.ledger) if name == "enrich"
        ] == DAYS

    def rows(self, table: str) -> list[dict[str, Any]]:
        frame = Lake(self.settings.lake).read(table, DAYS[0], DAYS[-1])
        records = frame.astype(object).where(frame.notna(), None).to_dict("records")
        return [{str(name): value for name, value in record.items()} for record in records]


@pytest.fixture
def backfill(
    settings: dict[str, str], sandbox: RunningSandbox, tmp_path: Path
) -> Iterator[Backfill]:
    # Whoever is killed once the job is there is killed before anybody knows of it.
    sandbox.fail("slow_after_accept", value=8)
    settings = settings | {"CRUST_POLL_SECONDS": "0.5"}
    installation = Settings.from_env(settings)
    with CrashableInstance.running(
        home=tmp_path / "dagster", environment=settings, log_dir=tmp_path / "logs", daemon=False
    ) as instance:
        instance.launch_backfill(
            ["profile_urls", "enrich_batches"], [day.isoformat() for day in DAYS]
        )
        instance.start_daemon()
        ledger = Ledger(installation.ledger_url, account=installation.account)
        yield Backfill(instance, tmp_path / "dagster", installation, ledger)
        ledger.close()


def test_killed_daemon_and_worker_lose_nothing_and_buy_nothing_twice(
    backfill: Backfill, sandbox: RunningSandbox
) -> None:
    backfill.wait_until("a job is accepted", lambda: bool(sandbox.state.jobs))
    backfill.instance.kill_daemon()
    assert backfill.instance.kill_run_workers() == 1
    assert states(backfill) == {"submitting": 1, "planned": 1}
    backfill.instance.start_daemon()
    backfill.wait_until("every day is loaded", backfill.is_loaded)
    assert_all_is_well(backfill, sandbox)
    again = backfill.instance.materialize(
        ["profile_urls", "enrich_batches"], [day.isoformat() for day in DAYS]
    )
    backfill.wait_until("the same days again", lambda: backfill.instance.run(again).ended)
    assert backfill.instance.run(again).status == "SUCCESS"
    assert set(sandbox.state.times_submitted().values()) == {1}


def test_a_power_cut_loses_nothing_and_buys_nothing_twice(
    backfill: Backfill, sandbox: RunningSandbox
) -> None:
    backfill.wait_until("a job is accepted", lambda: bool(sandbox.state.jobs))
    backfill.instance.kill()
    assert states(backfill) == {"submitting": 1, "planned": 1}
    backfill.instance.start(daemon=True)
    backfill.wait_until("every day is loaded", backfill.is_loaded)
    assert_all_is_well(backfill, sandbox)


def states(backfill: Backfill) -> dict[str, int]:
    return queries.summary(backfill.ledger, now=datetime.now(UTC)).batches


def assert_all_is_well(backfill: Backfill, sandbox: RunningSandbox) -> None:
    assert set(sandbox.state.times_submitted().values()) == {1}
    assert_every_row_has_one_final_outcome(backfill)
    assert_tables_say_what_the_vendor_said(backfill)
    spent = sum(row["credits_computed"] for row in backfill.rows("credit_usage"))
    assert spent == sandbox.state.account.spent
    assert_nobody_is_named(backfill)


def assert_nobody_is_named(backfill: Backfill) -> None:
    """Dagster's databases, what its processes and runs print: as written on the disk."""
    folder = Path(backfill.settings.upstream).parent
    written = bytes_of([folder / "dagster", folder / "logs"])
    assert b"event=landed submission_id=" in written
    people = everybody(Lake(backfill.settings.lake))
    assert len(people) > 100
    assert not named_in(written, people)


def assert_every_row_has_one_final_outcome(backfill: Backfill) -> None:
    with Path(backfill.settings.upstream).open(encoding="utf-8", newline="") as file:
        asked = Counter(date.fromisoformat(row["added_on"]) for row in csv.DictReader(file))
    outcomes = backfill.rows("outcomes")
    ids = {(row["partition_date"], row["row_id"]) for row in outcomes}
    assert len(ids) == len(outcomes)
    assert Counter(as_date(row["partition_date"]) for row in outcomes) == asked
    assert not {row["outcome"] for row in outcomes} & (OPEN_OUTCOMES | TROUBLED_OUTCOMES)


def assert_tables_say_what_the_vendor_said(backfill: Backfill) -> None:
    matched = {
        row["profile_key"]
        for row in backfill.rows("outcomes")
        if row["outcome"] in {"matched", "no_data"}
    }
    told = {key: person(identifier_of(key)) or {} for key in matched}
    people = {row["profile_key"]: row for row in backfill.rows("people")}
    assert people.keys() == matched
    for key, record in told.items():
        basic = record["basic_profile"]
        assert people[key]["crustdata_person_id"] == record["crustdata_person_id"]
        assert people[key]["headline"] == basic.get("headline")
        assert people[key]["name"] == basic.get("name")
    assert values(backfill, "employment", "company_name") == {
        key: [role.get("name") for role in roles_of(record)]
        for key, record in told.items()
        if roles_of(record)
    }
    assert values(backfill, "skills", "skill") == {
        key: skills
        for key, record in told.items()
        if (skills := (record.get("skills") or {}).get("professional_network_skills"))
    }


def roles_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    details = (record.get("experience") or {}).get("employment_details") or {}
    return [*(details.get("current") or ()), *(details.get("past") or ())]


def values(backfill: Backfill, table: str, column: str) -> dict[str, list[Any]]:
    """The values of a column by person, in the order in which they were delivered."""
    found: dict[str, list[Any]] = {}
    rows = backfill.rows(table)
    for row in sorted(rows, key=lambda row: (not row.get("is_current", True), row["position"])):
        found.setdefault(row["profile_key"], []).append(row[column])
    return found


def as_date(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value
