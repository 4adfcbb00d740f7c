"""The ledger itself: its states, its types, how it is opened, and what outcomes mean."""

import itertools
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from crust_pipeline.ledger.outcomes import Outcome, outcome_of
from crust_pipeline.ledger.plan import add_batch
from crust_pipeline.ledger.schema import Credits, UtcDateTime, submissions, transitions
from crust_pipeline.ledger.states import (
    ALLOWED,
    AT_VENDOR,
    HOLDS_SLOT,
    IN_PROGRESS,
    OWNS_IDENTIFIERS,
    RESERVES,
    BatchState,
    LedgerError,
    Verdict,
)
from crust_pipeline.ledger.store import POSTGRES_LOCK, Ledger
from crust_pipeline_tests.batches import new_batch
from crust_pipeline_tests.databases import POSTGRES, new_ledger_url

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "ledger.db"


@pytest.fixture
def url(path: Path) -> str:
    return new_ledger_url(path.parent)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url, account="test")
    yield ledger
    ledger.close()


def add(ledger: Ledger, *, reserved: Decimal = Decimal(1)) -> str:
    """Write a planned batch; its id."""
    batch = new_batch(reserved=reserved)
    with ledger.write() as tx:
        add_batch(tx, batch, now=NOW)
    return batch.submission_id


PAIRS = list(itertools.product(BatchState, BatchState))


def test_every_move_that_is_not_allowed_is_refused_and_every_other_is_made(ledger: Ledger) -> None:
    submission_id = add(ledger)
    assert len(PAIRS) == 121
    for before, after in PAIRS:
        with ledger.write() as tx:
            tx.update(submission_id, state=before.value)
        if after in ALLOWED[before]:
            with ledger.write() as tx:
                tx.move(submission_id, after, now=NOW)
            expected = after
        else:
            with (
                pytest.raises(LedgerError, match=f"is {before} and cannot become {after}"),
                ledger.write() as tx,
            ):
                tx.move(submission_id, after, now=NOW)
            expected = before
        with ledger.write() as tx:
            assert tx.state(submission_id) is expected


def test_every_move_is_written_down_with_its_reason(ledger: Ledger) -> None:
    submission_id = add(ledger)
    with ledger.write() as tx:
        tx.move(submission_id, BatchState.SUBMITTING, now=NOW)
        tx.move(submission_id, BatchState.UNKNOWN, now=NOW, reason="x" * 10_000)
    with ledger.read() as con:
        found = con.execute(sa.select(transitions).order_by(transitions.c.id)).all()
    assert [(row.from_state, row.to_state) for row in found] == [
        ("planned", "submitting"),
        ("submitting", "unknown"),
    ]
    assert found[1].reason == "x" * 500


def test_what_fails_in_the_middle_leaves_no_trace(ledger: Ledger) -> None:
    submission_id = add(ledger)

    def fail_in_the_middle() -> None:
        with ledger.write() as tx:
            tx.move(submission_id, BatchState.SUBMITTING, now=NOW)
            tx.move(submission_id, BatchState.LOADED, now=NOW)

    with pytest.raises(LedgerError):
        fail_in_the_middle()
    with ledger.write() as tx:
        assert tx.state(submission_id) is BatchState.PLANNED
        assert tx.con.execute(sa.select(sa.func.count()).select_from(transitions)).scalar() == 0


def test_a_batch_that_does_not_exist_is_a_message(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no batch abc"), ledger.write() as tx:
        tx.submission("abc")


def test_every_state_leads_to_an_end() -> None:
    final = {BatchState.LOADED, BatchState.FAILED, BatchState.REJECTED}
    assert {after for state in final for after in ALLOWED[state]} <= {BatchState.COMPLETED}
    for start in BatchState:
        reached, new = {start}, {start}
        while new := {after for state in new for after in ALLOWED[state]} - reached:
            reached |= new
        assert reached & final


def test_only_the_vendors_word_frees_a_slot() -> None:
    leaving = {
        (before, after)
        for before, after in PAIRS
        if after in ALLOWED[before] and before in HOLDS_SLOT and after not in HOLDS_SLOT
    }
    assert leaving == {
        (BatchState.SUBMITTING, BatchState.PLANNED),  # a refusal
        (BatchState.SUBMITTING, BatchState.REJECTED),
        (BatchState.SUBMITTING, BatchState.COMPLETED),  # the answer to a synchronous request
        (BatchState.UNKNOWN, BatchState.REJECTED),  # a person's decision
        (BatchState.UNKNOWN, BatchState.COMPLETED),
        (BatchState.PENDING, BatchState.COMPLETED),
        (BatchState.PENDING, BatchState.FAILED),
        (BatchState.PROCESSING, BatchState.COMPLETED),
        (BatchState.PROCESSING, BatchState.FAILED),
    }


def test_whoever_may_cost_something_has_it_set_aside_and_owns_its_people() -> None:
    assert HOLDS_SLOT | IN_PROGRESS == RESERVES
    assert RESERVES <= OWNS_IDENTIFIERS
    assert AT_VENDOR <= HOLDS_SLOT
    assert not OWNS_IDENTIFIERS & {BatchState.FAILED, BatchState.REJECTED}


@pytest.mark.parametrize("state", BatchState)
def test_a_row_is_final_exactly_when_its_batch_is(state: BatchState) -> None:
    outcome = outcome_of(Verdict.ASK, state, None)
    assert (outcome is Outcome.PENDING) == (state in IN_PROGRESS)


def test_a_time_without_a_zone_is_refused(ledger: Ledger) -> None:
    submission_id = add(ledger)
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(Exception, match="time zone"), ledger.write() as tx:
        tx.move(submission_id, BatchState.SUBMITTING, now=naive)


@given(
    moment=st.datetimes(
        min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        max_value=datetime(2100, 1, 1),  # noqa: DTZ001
        timezones=st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours))),
    )
)
def test_a_time_comes_back_as_the_same_moment_in_utc(moment: datetime) -> None:
    kept = UtcDateTime().process_bind_param(moment, sqlite.dialect())
    assert kept is not None
    again = UtcDateTime().process_result_value(kept.replace(tzinfo=None), sqlite.dialect())
    assert again == moment
    assert again is not None
    assert again.tzinfo is UTC


@given(amount=st.decimals(min_value=-(10**9), max_value=10**9, places=4))
def test_credits_come_back_exactly(amount: Decimal) -> None:
    kept = Credits().process_bind_param(amount, sqlite.dialect())
    assert isinstance(kept, int)
    assert Credits().process_result_value(kept, sqlite.dialect()) == amount


def test_a_sum_of_fractions_of_a_credit_is_exact(ledger: Ledger) -> None:
    for _ in range(10):
        add(ledger, reserved=Decimal("0.1"))
    with ledger.read() as con:
        total = con.execute(sa.select(sa.func.sum(submissions.c.credits_reserved))).scalar_one()
    assert total == 1


@pytest.mark.skipif(POSTGRES is not None, reason="Postgres sees to this by itself")
def test_commits_survive_a_power_cut_and_readers_do_not_wait(ledger: Ledger) -> None:
    with ledger.read() as con:
        assert con.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert con.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert con.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 60_000


def test_a_reader_sees_a_consistent_past_while_somebody_writes(ledger: Ledger) -> None:
    submission_id = add(ledger)
    query = sa.select(submissions.c.state)
    with ledger.read() as con:
        assert con.execute(query).scalar_one() == "planned"
        with ledger.write() as tx:
            tx.move(submission_id, BatchState.SUBMITTING, now=NOW)
        assert con.execute(query).scalar_one() == "planned"
    with ledger.read() as con:
        assert con.execute(query).scalar_one() == "submitting"


def test_a_write_transaction_holds_the_lock_from_its_start(ledger: Ledger, path: Path) -> None:
    with ledger.write():
        if POSTGRES:
            with ledger.read() as con:
                taken = sa.func.pg_try_advisory_xact_lock(POSTGRES_LOCK)
                assert con.execute(sa.select(taken)).scalar_one() is False
            return
        other = sqlite3.connect(path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_opening_a_ledger_again_keeps_what_is_in_it(ledger: Ledger, url: str) -> None:
    submission_id = add(ledger)
    ledger.close()
    again = Ledger(url, account="test")
    with again.write() as tx:
        assert tx.state(submission_id) is BatchState.PLANNED
    again.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://host/database", "oracle://x"])
def test_an_address_that_is_no_usable_database_is_a_message(url: str) -> None:
    with pytest.raises(LedgerError, match="CRUST_LEDGER_URL"):
        Ledger(url, account="test")


def test_a_file_that_is_no_database_is_a_message_without_anybodys_data(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"certainly no database, but long enough to be read as one" * 100)
    broken = Ledger(f"sqlite:///{path}", account="test")
    with pytest.raises(LedgerError, match="database refused"), broken.read():
        pass
    broken.close()


def test_one_vendor_job_belongs_to_one_batch(ledger: Ledger) -> None:
    first, second = add(ledger), add(ledger)
    with ledger.write() as tx:
        tx.update(first, batch_id="job-1")
    with pytest.raises(LedgerError, match="refused"), ledger.write() as tx:
        tx.update(second, batch_id="job-1")


@pytest.mark.parametrize("ends", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_ctrl_c_in_the_middle_of_a_statement_stays_what_it_is(
    ledger: Ledger, ends: type[BaseException]
) -> None:
    def interrupted(*_: object) -> None:
        raise ends

    submission_id = add(ledger)
    sa.event.listen(ledger.engine, "do_execute", interrupted)
    with pytest.raises(ends), ledger.write() as tx:
        tx.update(submission_id, error="never written")
    sa.event.remove(ledger.engine, "do_execute", interrupted)
    with ledger.write() as tx:
        assert tx.submission(submission_id).error is None
