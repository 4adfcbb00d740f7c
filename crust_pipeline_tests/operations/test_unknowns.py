"""What the documents leave open about all jobs: whichever way it is, the tables are the same."""

from decimal import Decimal
from typing import Any

import pytest

from crust_pipeline.app import checks
from crust_pipeline.sandbox.switches import Fault, FaultKind
from crust_pipeline_tests.operations.conftest import (
    DAY,
    KNOWN,
    NOBODY,
    REMOVED,
    SAM,
    UNREACHABLE,
    Buy,
)

# An operation and the settings that choose one of the requests for it.
WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "identify": ("identify", {}),
    "contact": ("contact", {}),
    "live enrich": ("enrich", {"CRUST_ENRICH_MODE": "live"}),
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS)
OTHERWISE: list[dict[str, Any]] = [
    {"submit_status": 202},
    {"completed_at_before_end": "absent", "instant_jobs": False},
    {"parts": "one"},
    {"line_order": "input"},
    {"duplicates": "collapsed"},
    {"charged": "at_submit"},
    {"links_renewed": False},
    {"retry_after": True, "max_active_jobs": 1, "instant_jobs": False},
    {"zero_results_link": "absent"},
]


@EVERY_WAY
@pytest.mark.parametrize("switches", OTHERWISE, ids=lambda switches: next(iter(switches)))
def test_the_tables_are_the_same(buy: Buy, usual: Buy, way: str, switches: dict[str, Any]) -> None:
    operation, settings = WAYS[way]
    expected = usual(operation, settings=settings)
    other = buy(operation, switches=switches, settings=settings)
    assert other.tables() == expected.tables()
    assert other.outcomes == expected.outcomes
    assert other.computed == other.billed == expected.computed
    assert checks.credits_are_as_reported(other.pipeline, [DAY]).passed


@EVERY_WAY
@pytest.mark.parametrize("link", ["dead", "absent"])
def test_a_job_without_results_is_no_error(buy: Buy, way: str, link: str) -> None:
    operation, settings = WAYS[way]
    people = (NOBODY, REMOVED)
    bought = buy(operation, *people, switches={"zero_results_link": link}, settings=settings)
    assert set(bought.outcomes.values()) <= {"dropped", "not_found", "redacted"}
    assert bought.billed == bought.computed == 0


@EVERY_WAY
@pytest.mark.parametrize("status", [402, 403])
def test_without_credits_everything_waits_for_a_top_up(buy: Buy, way: str, status: int) -> None:
    operation, settings = WAYS[way]
    bought = buy(operation, SAM, switches={"no_credits_status": status}, settings=settings)
    spent = bought.billed
    bought.plan_too(KNOWN[0])
    bought.sandbox.state.set_credits(Decimal(0))
    bought.go_on()
    assert bought.outcomes == {SAM: "matched", KNOWN[0]: "pending"}
    assert bought.billed == spent
    bought.sandbox.state.set_credits(Decimal(100))
    bought.go_on()
    assert bought.outcomes == {SAM: "matched", KNOWN[0]: "matched"}


@EVERY_WAY
@pytest.mark.parametrize("end", ["partial", "failed"])
def test_when_credits_run_out_within_a_job_only_what_came_is_paid_for(
    buy: Buy, way: str, end: str
) -> None:
    operation, settings = WAYS[way]
    bought = buy(operation, SAM, switches={"out_of_credits": end}, settings=settings)
    bought.plan_too(*KNOWN)
    bought.sandbox.state.set_credits(Decimal(10))
    bought.go_on()
    assert bought.computed == bought.billed
    assert bought.counts.total() == 1 + len(KNOWN)


@pytest.mark.parametrize("shape", ["list", "object"])
def test_a_field_that_the_vendor_does_not_know_buys_nothing(buy: Buy, shape: str) -> None:
    settings = {
        "CRUST_ENRICH_MODE": "live",
        "CRUST_ENRICH_FIELDS": "skills,social_handles.twitter_handle",
    }
    bought = buy("enrich", SAM, switches={"bad_fields_metadata": shape}, settings=settings)
    assert bought.outcomes == {SAM: "failed"}
    assert bought.billed == 0


@EVERY_WAY
def test_a_job_that_fails_is_tried_again_and_costs_nothing(buy: Buy, usual: Buy, way: str) -> None:
    operation, settings = WAYS[way]
    failed = buy(operation, faults=(Fault(kind=FaultKind.JOB_FAILS),), settings=settings)
    assert failed.outcomes == usual(operation, settings=settings).outcomes
    assert failed.computed == failed.billed


@EVERY_WAY
@pytest.mark.parametrize(
    "fault",
    [
        FaultKind.CONNECTION_LOST_AFTER_ACCEPT,
        FaultKind.SERVER_ERROR_AFTER_ACCEPT,
        FaultKind.NO_BATCH_ID,
        FaultKind.UNREADABLE_ANSWER,
    ],
)
def test_a_job_whose_acceptance_was_lost_is_found_and_not_bought_twice(
    buy: Buy, usual: Buy, way: str, fault: FaultKind
) -> None:
    operation, settings = WAYS[way]
    path = next(iter(usual(operation, settings=settings).sandbox.state.jobs.values())).order
    assert path is not None
    lost = Fault(kind=fault, path=path.endpoint.path)
    bought = buy(operation, faults=(lost,), settings=settings)
    assert bought.outcomes == usual(operation, settings=settings).outcomes
    assert max(bought.sandbox.state.times_submitted().values()) == 1


@EVERY_WAY
def test_people_without_anything_are_not_paid_for(buy: Buy, way: str) -> None:
    operation, settings = WAYS[way]
    bought = buy(operation, NOBODY, REMOVED, UNREACHABLE, settings=settings)
    assert bought.computed == bought.billed
