"""What can be done to a running sandbox from outside."""

from datetime import timedelta

import pytest

from crust_pipeline.sandbox.clock import Clock
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline_tests.sandbox.conftest import ENRICH, NOBODY, SAM, START, Caller

URLS = "professional_network_profile_urls"


def control(caller: Caller, name: str, given: object) -> object:
    response = caller.storage.post(f"/_control/{name}", json=given)
    assert response.status_code == 200, response.text
    return response.json()


def test_the_state_tells_what_was_submitted_bought_and_asked(caller: Caller) -> None:
    batch_id = caller.submit(ENRICH, **{URLS: [SAM, NOBODY]})
    caller.finish(batch_id)
    state = caller.storage.get("/_control/state").json()
    assert (state["credits"], state["spent"]) == (99_999, 1)
    assert state["people"]["enrich"] == {
        "linkedin.com/in/sam-sandbox": {"submitted": 1, "billed": {"profile": 1}},
        "linkedin.com/in/no-such-person": {"submitted": 1, "billed": {}},
    }
    assert [job["batch_id"] for job in state["jobs"]] == [batch_id]
    assert state["requests"] == {f"POST {ENRICH}": 1, "GET /batch/{batch_id}": 1}


def test_switches_can_be_set(caller: Caller) -> None:
    control(caller, "switches", {"submit_status": 202, "disabled_endpoints": ["/person/enrich"]})
    assert caller.sandbox.switches.disabled_endpoints == ("/person/enrich",)
    assert caller.post(ENRICH, **{URLS: [SAM]}).status_code == 202


def test_faults_are_replaced(caller: Caller) -> None:
    control(caller, "faults", [{"fault": "server_error", "times": None}])
    assert caller.api.get("/batch").status_code == 500
    control(caller, "faults", [])
    assert caller.api.get("/batch").status_code == 200


def test_the_clock_can_be_advanced_and_jobs_end(caller: Caller) -> None:
    batch_id = caller.submit(ENRICH, **{URLS: [SAM]})
    assert control(caller, "clock", {"advance_seconds": 90.5}) == {
        "now": "2026-11-20T12:01:30.500000+00:00"
    }
    assert caller.status(batch_id)["status"] == "completed"


def test_the_clock_can_be_set_frozen_and_released(caller: Caller, clock: Clock) -> None:
    control(caller, "clock", {"set": "2027-01-01T00:00:00+00:00"})
    assert (clock.now().year, clock.now()) == (2027, clock.now())
    control(caller, "clock", {"freeze": False})
    control(caller, "clock", {"freeze": True})
    assert clock.now() == clock.now()


def test_credits_can_be_set(caller: Caller) -> None:
    assert control(caller, "credits", {"credits": 0.5}) == {"credits": 0.5}
    assert caller.balance() == 0.5


def test_another_user_can_start_a_job(caller: Caller) -> None:
    control(caller, "jobs", {"seconds": 60})
    assert len(caller.api.get("/batch").json()["jobs"]) == 1


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("switches", {"nope": 1}),
        ("switches", {"submit_status": 204}),
        ("switches", []),
        ("faults", [{"fault": "nope"}]),
        ("faults", {}),
        ("clock", {}),
        ("clock", {"set": "yesterday"}),
        ("credits", {"credits": "many"}),
        ("credits", {}),
    ],
)
def test_what_makes_no_sense_is_refused(caller: Caller, name: str, given: object) -> None:
    before = caller.sandbox.switches
    response = caller.storage.post(f"/_control/{name}", json=given)
    assert response.status_code == (200 if (name, given) == ("faults", {}) else 400)
    assert caller.sandbox.switches == before


def test_the_api_has_no_control_routes(caller: Caller) -> None:
    assert caller.api.get("/_control/state").status_code == 404


def test_switches_survive_json() -> None:
    assert Switches().with_changes(Switches().as_json()) == Switches()


def test_time_runs_on_from_where_it_was_set() -> None:
    clock = Clock()
    clock.set(START)
    clock.advance(60)
    assert START + timedelta(seconds=60) <= clock.now() < START + timedelta(seconds=120)
