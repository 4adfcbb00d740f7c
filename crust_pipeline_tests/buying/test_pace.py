"""When a job is asked about again."""

from hypothesis import given
from hypothesis import strategies as st

from crust_pipeline.buying.pace import SHARE_OF_AGE, SOONEST_SECONDS, seconds_to_next_poll


def wait(
    age: float,
    *,
    finished: tuple[float, ...] = (),
    most: float = 10.0,
    active: int = 5,
    rate: int | None = None,
) -> float:
    return seconds_to_next_poll(
        age_seconds=age,
        finished_seconds=finished,
        most_seconds=most,
        active=active,
        rate_per_minute=rate,
    )


def test_a_job_of_unknown_length_is_asked_about_at_a_share_of_its_age() -> None:
    assert wait(100) == 100 * SHARE_OF_AGE


def test_a_young_job_is_not_asked_about_all_the_time() -> None:
    assert wait(0) == SOONEST_SECONDS


def test_a_long_job_is_asked_about_at_the_pace_that_is_set() -> None:
    assert wait(3600) == 10


def test_a_job_is_left_alone_until_the_shortest_of_its_kind_were_done() -> None:
    assert wait(0, finished=(60, 40, 50)) == 36


def test_near_the_expected_end_it_is_asked_about_often() -> None:
    assert wait(45, finished=(40, 50)) == 45 * SHARE_OF_AGE


def test_a_pace_that_is_set_to_fractions_is_kept() -> None:
    assert wait(100, most=0.2) == 0.2


def test_all_jobs_together_stay_at_half_of_the_rate_that_the_vendor_allows() -> None:
    assert wait(10, most=1, rate=30) == 5 * 60 / 15


@given(
    age=st.floats(0, 10_000),
    finished=st.lists(st.floats(0.1, 10_000)).map(tuple),
    most=st.floats(0, 60),
    active=st.integers(1, 20),
    rate=st.integers(1, 6000),
)
def test_the_rate_is_never_passed(
    age: float, finished: tuple[float, ...], most: float, active: int, rate: int
) -> None:
    polls_a_minute = active * 60 / wait(age, finished=finished, most=most, active=active, rate=rate)
    assert polls_a_minute <= rate / 2 * 1.0001


@given(duration=st.floats(5, 7200), most=st.floats(1, 60))
def test_a_jobs_end_is_seen_within_one_poll_of_its_share_or_the_pace(
    duration: float, most: float
) -> None:
    age, polls = 0.0, 0
    while age < duration:
        age += wait(age, most=most)
        polls += 1
    assert age - duration <= min(max(SOONEST_SECONDS, SHARE_OF_AGE * duration), most) + 1e-6
    assert polls <= 130 + duration / most
