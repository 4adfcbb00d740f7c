"""When each day's jobs will have ended."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from crust_pipeline.buying.forecast import DaysDone, day_ends, in_ranges
from crust_pipeline.ledger.queue import Queued
from crust_pipeline.ledger.states import BatchState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MONDAY, TUESDAY, WEDNESDAY = (date(2026, 3, day) for day in (2, 3, 4))
JOB = timedelta(seconds=60)


def batch(
    *days: date, state: BatchState = BatchState.PLANNED, since: timedelta | None = None
) -> Queued:
    return Queued(
        submission_id="0" * 32,
        operation="enrich",
        product="enrich",
        state=state,
        priority=100,
        takes_slot=True,
        identifier_count=300,
        submitted_at=None if since is None else NOW - since,
        days=[("enrich", day) for day in days],
    )


def ends(
    queue: Sequence[Queued], *, slots: int = 5, took: tuple[float, ...] = (60,)
) -> dict[date, datetime | None]:
    found = day_ends(queue, finished_seconds=lambda *_: took, slots=slots, now=NOW)
    return {day: at for (_, day), at in found.items()}


def test_a_planned_batch_ends_a_job_from_now_when_a_slot_is_free() -> None:
    assert ends([batch(MONDAY)]) == {MONDAY: NOW + JOB}


def test_a_running_job_has_less_left() -> None:
    running = batch(MONDAY, state=BatchState.PROCESSING, since=timedelta(seconds=50))
    assert ends([running]) == {MONDAY: NOW + timedelta(seconds=10)}


def test_a_job_that_takes_longer_than_others_is_expected_at_once() -> None:
    running = batch(MONDAY, state=BatchState.PROCESSING, since=timedelta(seconds=500))
    assert ends([running]) == {MONDAY: NOW}


def test_with_all_slots_taken_the_next_batch_follows() -> None:
    queue = [batch(MONDAY), batch(TUESDAY), batch(WEDNESDAY)]
    assert ends(queue, slots=2) == {
        MONDAY: NOW + JOB,
        TUESDAY: NOW + JOB,
        WEDNESDAY: NOW + 2 * JOB,
    }


def test_a_day_is_done_with_its_last_batch() -> None:
    assert ends([batch(MONDAY), batch(MONDAY, TUESDAY)], slots=1) == {
        MONDAY: NOW + 2 * JOB,
        TUESDAY: NOW + 2 * JOB,
    }


def test_the_usual_duration_is_the_median() -> None:
    assert ends([batch(MONDAY)], took=(1, 60, 1000)) == {MONDAY: NOW + JOB}


def test_before_the_first_job_has_ended_nobody_can_tell() -> None:
    assert ends([batch(MONDAY)], took=()) == {MONDAY: None}


def test_a_submit_of_unknown_fate_keeps_its_slot_from_the_others() -> None:
    lost = batch(MONDAY, state=BatchState.UNKNOWN, since=timedelta(hours=1))
    assert ends([lost, batch(TUESDAY), batch(WEDNESDAY)], slots=2) == {
        MONDAY: None,
        TUESDAY: NOW + JOB,
        WEDNESDAY: NOW + 2 * JOB,
    }


def test_days_that_are_done_together_are_told_together() -> None:
    soon, late = NOW + JOB, NOW + 2 * JOB
    found = {("enrich", WEDNESDAY): late, ("enrich", TUESDAY): soon, ("enrich", MONDAY): soon}
    assert list(in_ranges(found)) == [
        DaysDone("enrich", MONDAY, TUESDAY, soon),
        DaysDone("enrich", WEDNESDAY, WEDNESDAY, late),
    ]


def test_days_apart_are_told_apart() -> None:
    found = {("enrich", MONDAY): NOW, ("enrich", WEDNESDAY): NOW}
    assert [(days.start, days.end) for days in in_ranges(found)] == [
        (MONDAY, MONDAY),
        (WEDNESDAY, WEDNESDAY),
    ]
