"""Any order of plans, answers, failures, crashes and duplicates: the ledger's promises hold.

The machine drives the ledger's own transactions as the pipeline does, with an invented vendor whose
answers it draws. After every step it reads the database and checks what must always be true.
"""

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)
from sqlalchemy import event

from crust_pipeline.buying.account import Account
from crust_pipeline.buying.decide import InputRow, Policy
from crust_pipeline.buying.plan import plan
from crust_pipeline.buying.replan import replacements, same_again
from crust_pipeline.ledger import land as ledger_land
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger import queries
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.ledger.erase import erase
from crust_pipeline.ledger.land import LandingRecord, Settled
from crust_pipeline.ledger.limits import NO_LIMITS
from crust_pipeline.ledger.poll import JobReport
from crust_pipeline.ledger.schema import identifiers, submissions
from crust_pipeline.ledger.states import OWNS_IDENTIFIERS, Answer, BatchState, LedgerError
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.ledger.submit import Intent, Pause, PauseKind
from crust_pipeline.vendors.crustdata.products import ENRICH
from crust_pipeline_tests.databases import POSTGRES, new_ledger_url

DAYS = [date(2026, 11, 2), date(2026, 11, 3)]
KEYS = [f"linkedin.com/in/p{number}" for number in range(5)]
FIELD_SETS = [("basic_profile",), ("basic_profile", "skills")]
POLICY = Policy(refresh_after=timedelta(days=9), retry_not_found_after=timedelta(days=3))
SLOTS = 2
WORST = Decimal(1)


class Machine(RuleBasedStateMachine):
    """One account. `intents` are submits under way in a process that may die."""

    intents = Bundle("intents")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="machine-")
        self.url = new_ledger_url(Path(self.folder.name))
        self.ledger = self.opened()
        self.now = datetime(2026, 11, 20, tzinfo=UTC)
        self.rows: dict[date, int] = {}
        self.jobs = 0
        self.erased: set[str] = set()

    def opened(self) -> Ledger:
        """The ledger as a process that starts finds it; without waiting for the disk."""
        ledger = Ledger(self.url, account="test")
        if not POSTGRES:
            event.listen(ledger.engine, "checkout", _do_not_wait_for_the_disk)
        return ledger

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            self.folder.cleanup()

    @property
    def account(self) -> Account:
        return Account(
            ledger=self.ledger,
            client=cast("Any", None),
            products={"enrich": ENRICH},
            raw=Path(),
            max_active=SLOTS,
            poll_seconds=1,
        )

    def in_state(self, *states: BatchState) -> list[str]:
        query = sa.select(submissions.c.submission_id).where(submissions.c.state.in_(states))
        with self.ledger.read() as con:
            return sorted(con.execute(query.order_by(submissions.c.created_at)).scalars())

    @rule(
        day=st.sampled_from(DAYS),
        keys=st.lists(st.one_of(st.none(), st.sampled_from(KEYS)), max_size=6),
        fields=st.sampled_from(FIELD_SETS),
        limit=st.one_of(st.none(), st.integers(0, 4)),
        refresh=st.booleans(),
        new_rows_only=st.booleans(),
    )
    def plan_a_day(
        self,
        day: date,
        keys: list[str | None],
        fields: tuple[str, ...],
        limit: int | None,
        refresh: bool,
        new_rows_only: bool,
    ) -> None:
        refresh = refresh and not new_rows_only
        self.rows[day] = len(keys)
        plan(
            self.ledger,
            {"profile_url": ENRICH, "email": ENRICH},
            rows=[InputRow(day, str(place), key) for place, key in enumerate(keys)],
            partitions=[day],
            fields=fields,
            policy=Policy(
                refresh_after=POLICY.refresh_after,
                retry_not_found_after=POLICY.retry_not_found_after,
                limit_per_day=None if limit is None else Decimal(limit),
                refresh=refresh,
                new_rows_only=new_rows_only,
            ),
            now=self.now,
        )

    @rule(target=intents)
    def claim(self) -> Intent | None:
        return ledger_submit.claim_next(self.ledger, max_active=SLOTS, owner="one", now=self.now)

    @rule(intent=consumes(intents), again=st.booleans())
    def the_vendor_accepts(self, intent: Intent | None, again: bool) -> None:
        if intent is None:
            return
        self.jobs += 1
        for _ in range(1 + again):  # the same answer may be noted twice
            try:
                ledger_submit.record_accepted(
                    self.ledger,
                    intent.submission_id,
                    batch_id=f"job-{self.jobs}",
                    action="enrich",
                    poll_at=self.now,
                    now=self.now,
                )
            except LedgerError:
                # Somebody gave the submit up, or found its job, while the answer was on its way.
                assert intent.submission_id not in self.in_state(
                    BatchState.SUBMITTING, BatchState.UNKNOWN
                )

    @rule(intent=consumes(intents))
    def the_vendor_is_full(self, intent: Intent | None) -> None:
        if intent and intent.submission_id in self.in_state(BatchState.SUBMITTING):
            pause = Pause(PauseKind.SLOTS, self.now + timedelta(seconds=10), "full")
            ledger_submit.record_not_started(
                self.ledger, intent.submission_id, pause=pause, now=self.now
            )

    @rule(intent=consumes(intents))
    def the_vendor_refuses(self, intent: Intent | None) -> None:
        if intent and intent.submission_id in self.in_state(BatchState.SUBMITTING):
            ledger_submit.record_rejected(
                self.ledger,
                intent.submission_id,
                reason="no",
                now=self.now,
                instead=replacements(self.account, intent.submission_id),
            )

    @rule(intent=consumes(intents))
    def the_answer_is_lost(self, intent: Intent | None) -> None:
        if intent:
            ledger_submit.record_unknown(
                self.ledger, intent.submission_id, reason="lost", now=self.now
            )

    @rule()
    def all_processes_die(self) -> None:
        self.ledger.close()
        self.ledger = self.opened()
        for orphan in ledger_submit.orphaned_intents(self.ledger):
            ledger_submit.record_unknown(
                self.ledger, orphan.submission_id, reason="gone", now=self.now
            )

    @rule(choice=st.integers(0, 9), decision=st.sampled_from(["adopt", "abandon", "resubmit"]))
    def an_unknown_submit_is_decided(self, choice: int, decision: str) -> None:
        if not (unknown := ledger_poll.unknown_submits(self.ledger)):
            return
        submission_id = unknown[choice % len(unknown)].submission_id
        if decision == "adopt":
            self.jobs += 1
            assert ledger_poll.adopt(
                self.ledger,
                submission_id,
                batch_id=f"job-{self.jobs}",
                entity="person",
                action="enrich",
                created_at=None,
                now=self.now,
            )
        elif decision == "resubmit":
            with suppress(LedgerError):  # everybody in it was erased
                ledger_submit.submit_again(
                    self.ledger,
                    submission_id,
                    instead=same_again(self.account, submission_id),
                    reason=decision,
                    limits=NO_LIMITS,
                    now=self.now,
                )
        else:
            ledger_submit.record_rejected(
                self.ledger,
                submission_id,
                reason=decision,
                now=self.now,
                state=BatchState.UNKNOWN,
            )

    @rule(choice=st.integers(0, 9))
    def the_vendor_knows_no_such_job(self, choice: int) -> None:
        if active := self.in_state(BatchState.PENDING, BatchState.PROCESSING):
            ledger_poll.record_missing_job(
                self.ledger,
                active[choice % len(active)],
                ask_at=self.now,
                error="no such job",
                now=self.now,
            )

    @rule(key=st.sampled_from(KEYS[:2]))
    def somebody_is_erased(self, key: str) -> None:
        erase(self.ledger, [key], reason="on request", now=self.now)
        self.erased.add(key)

    @rule(
        choice=st.integers(0, 9),
        state=st.sampled_from([BatchState.PROCESSING, BatchState.COMPLETED]),
        twice=st.booleans(),
    )
    def a_job_goes_on(self, choice: int, state: BatchState, twice: bool) -> None:
        if not (active := self.in_state(BatchState.PENDING, BatchState.PROCESSING)):
            return
        for _ in range(1 + twice):
            ledger_poll.record_report(
                self.ledger,
                active[choice % len(active)],
                JobReport(state=state),
                poll_at=self.now,
                now=self.now,
            )

    @rule(choice=st.integers(0, 9), whole=st.booleans(), twice=st.booleans())
    def a_job_fails(self, choice: int, whole: bool, twice: bool) -> None:
        if not (active := self.in_state(BatchState.PENDING, BatchState.PROCESSING)):
            return
        submission_id = active[choice % len(active)]
        recorded = [
            ledger_poll.record_failure(
                self.ledger,
                submission_id,
                reason="failed",
                now=self.now,
                instead=replacements(self.account, submission_id, whole=whole),
            )
            for _ in range(1 + twice)
        ]
        assert recorded == [True, False][: 1 + twice]

    @rule(
        choice=st.integers(0, 9),
        answers=st.lists(st.sampled_from(Answer), min_size=5, max_size=5),
        twice=st.booleans(),
    )
    def a_file_lands(self, choice: int, answers: Sequence[Answer], twice: bool) -> None:
        if not (due := self.in_state(BatchState.COMPLETED)):
            return
        submission_id = due[choice % len(due)]
        with self.ledger.read() as con:
            keys = [row.subject_key for row in ledger_poll.identifiers_of(con, submission_id)]
        settled = [
            Settled(
                key,
                answer,
                WORST if answer in {Answer.MATCHED, Answer.FAILED} else Decimal(0),
                source_line=1,
            )
            for key, answer in zip(keys, answers, strict=False)
        ]
        file = LandingRecord(source_file="file", sha256="0", size_bytes=1, lines=1)
        landed = [
            ledger_land.record_landed(
                self.ledger, submission_id, file, settled=settled, now=self.now
            )
            for _ in range(1 + twice)
        ]
        assert landed == [True, False][: 1 + twice]

    @rule(choice=st.integers(0, 9))
    def a_link_dies(self, choice: int) -> None:
        if due := self.in_state(BatchState.COMPLETED):
            ledger_land.record_expired(
                self.ledger, due[choice % len(due)], reason="dead", now=self.now
            )

    @rule(choice=st.integers(0, 9))
    def a_job_turns_out_to_be_somebody_elses(self, choice: int) -> None:
        if due := self.in_state(BatchState.PENDING, BatchState.COMPLETED):
            ledger_poll.record_foreign_job(
                self.ledger, due[choice % len(due)], reason="wrong", now=self.now
            )

    @rule()
    def the_days_are_loaded(self) -> None:
        days = [due.partition_date for due in ledger_load.due_days(self.ledger, ["enrich"])]
        versions = ledger_load.versions_of(self.ledger, "enrich", days)
        ledger_load.record_flattened(self.ledger, "enrich", versions, now=self.now)
        ledger_load.record_loaded(self.ledger, ledger_load.versions_flattened(self.ledger, days))

    @rule(hours=st.sampled_from([1, 24, 100, 300]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @invariant()
    def nobody_who_was_erased_is_about_to_be_sent(self) -> None:
        planned = (
            sa.select(identifiers.c.subject_key)
            .join(submissions, submissions.c.submission_id == identifiers.c.submission_id)
            .where(submissions.c.state == BatchState.PLANNED)
        )
        with self.ledger.read() as con:
            assert not self.erased & set(con.execute(planned).scalars())

    @invariant()
    def a_key_is_in_at_most_one_live_batch_for_each_field(self) -> None:
        live = [state for state in OWNS_IDENTIFIERS if state not in FINAL]
        query = (
            sa.select(identifiers.c.subject_key, submissions.c.covers)
            .join(submissions, submissions.c.submission_id == identifiers.c.submission_id)
            .where(submissions.c.state.in_(live))
        )
        with self.ledger.read() as con:
            asked = Counter(
                (row.subject_key, name)
                for row in con.execute(query)
                for name in row.covers.split(",")
            )
        assert max(asked.values(), default=0) <= 1, asked

    @invariant()
    def no_more_slots_are_held_than_there_are(self) -> None:
        assert queries.summary(self.ledger, now=self.now).slots_held <= SLOTS

    @invariant()
    def nothing_costs_more_than_was_reserved(self) -> None:
        for batch in queries.batches(self.ledger):
            reserved = batch["credits_reserved"]
            assert reserved >= WORST * batch["identifier_count"]
            assert (batch["credits_computed"] or 0) <= reserved

    @invariant()
    def every_row_has_one_outcome(self) -> None:
        counts = queries.outcome_counts(self.ledger, "enrich", DAYS)
        assert {day: found.total() for day, found in counts.items()} == self.rows

    @invariant()
    def a_day_that_is_loaded_has_nothing_to_come(self) -> None:
        pending = {
            day
            for day, found in queries.outcome_counts(self.ledger, "enrich", DAYS).items()
            if found["pending"]
        }
        due = {day.partition_date for day in ledger_load.due_days(self.ledger, ["enrich"])}
        assert not pending & due


def _do_not_wait_for_the_disk(connection: Any, *_: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")


FINAL = {BatchState.LANDED, BatchState.LOADED, BatchState.EXPIRED}

TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
