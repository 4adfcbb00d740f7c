"""The tests' own waiting goes by progress: a slow machine is no failure, a standstill is one."""

from pathlib import Path

import pytest

from crust_pipeline_tests.waiting import NothingHappensError, events_of_runs, wait_for_progress


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, _: float) -> None:
        self.seconds += 1


def test_it_waits_for_ever_as_long_as_something_happens() -> None:
    clock = Clock()
    wait_for_progress(
        "an hour",
        lambda: clock.seconds >= 3600,
        progress=lambda: clock.seconds // 9,
        patience_seconds=10,
        clock=clock,
        sleep=clock.sleep,
    )
    assert clock.seconds == 3600


def test_it_gives_up_when_nothing_happens_any_more() -> None:
    clock = Clock()
    with pytest.raises(NothingHappensError, match="10 s while waiting for a miracle"):
        wait_for_progress(
            "a miracle",
            lambda: False,
            progress=lambda: min(clock.seconds, 50),
            patience_seconds=10,
            clock=clock,
            sleep=clock.sleep,
        )
    assert clock.seconds == 60


def test_an_event_of_a_run_is_progress_and_a_heartbeat_is_none(tmp_path: Path) -> None:
    events = tmp_path / "history" / "runs" / "one.db"
    events.parent.mkdir(parents=True)
    events.write_bytes(b"started")
    before = events_of_runs(tmp_path)
    (tmp_path / "schedules.db").write_bytes(b"heartbeat")
    assert events_of_runs(tmp_path) == before
    events.write_bytes(b"started and ended")
    assert events_of_runs(tmp_path) != before
