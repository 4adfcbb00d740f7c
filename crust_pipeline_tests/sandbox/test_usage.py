"""The report of requests and charges."""

import pytest

from crust_pipeline_tests.sandbox.conftest import ENRICH, NOBODY, SAM, SYNC_CONTACT, Caller

URLS = "professional_network_profile_urls"


def events(caller: Caller, **query: str) -> list[dict[str, object]]:
    return caller.api.get("/account/usage/events", params=query).json()["events"]


def test_a_request_appears_ten_seconds_after_its_answer(caller: Caller) -> None:
    answer = caller.post(ENRICH, **{URLS: [SAM]})
    caller.sandbox.clock.advance(9)
    assert events(caller) == []
    caller.sandbox.clock.advance(1)
    (event,) = events(caller)
    assert event["event_id"] == answer.headers["x-request-id"]
    assert event["ts"] == "2026-11-20T12:00:00.000000+00:00"


def test_an_event_shows_its_charge_with_the_components(caller: Caller) -> None:
    caller.post(SYNC_CONTACT, **{URLS: [SAM]})
    caller.sandbox.clock.advance(10)
    (event,) = events(caller)
    assert event["credits_used"] == 5
    assert event["cost_components"] == [
        {"component": "business_email", "quantity": 1, "credits": 1},
        {"component": "personal_email", "quantity": 1, "credits": 2},
        {"component": "phone_number", "quantity": 1, "credits": 2},
    ]


def test_what_a_batch_cost_is_shown_once_it_has_ended(caller: Caller) -> None:
    caller.submit(ENRICH, **{URLS: [SAM, NOBODY]})
    caller.sandbox.clock.advance(10)
    assert [event["credits_used"] for event in events(caller)] == [0]
    caller.sandbox.clock.advance(3600)
    assert [event["credits_used"] for event in events(caller)] == [1]


def test_an_event_whose_answer_was_lost_can_be_found_with_its_request(caller: Caller) -> None:
    caller.post(ENRICH, **{URLS: [SAM]})
    caller.sandbox.clock.advance(10)
    (event,) = events(caller)
    detail = caller.api.get(f"/account/usage/events/{event['event_id']}").json()
    assert SAM in detail["request"]["body"]
    assert detail["error"] is None


def test_an_event_shows_the_error_it_was_answered_with(caller: Caller) -> None:
    refused = caller.post(ENRICH)
    caller.sandbox.clock.advance(10)
    event_id = refused.headers["x-request-id"]
    detail = caller.api.get(f"/account/usage/events/{event_id}").json()
    assert (detail["status_code"], detail["error"]) == (400, refused.json())


def test_an_unknown_event_is_404(caller: Caller) -> None:
    assert caller.api.get("/account/usage/events/none").status_code == 404


def test_events_are_newest_first_and_paged(caller: Caller) -> None:
    ids = [caller.post(ENRICH, **{URLS: [SAM]}).headers["x-request-id"] for _ in range(3)]
    caller.sandbox.clock.advance(10)
    first = caller.api.get("/account/usage/events", params={"limit": 2}).json()
    assert [event["event_id"] for event in first["events"]] == ids[:0:-1]
    assert first["has_more"]
    query = {"limit": "2", "cursor": first["next_cursor"]}
    last = caller.api.get("/account/usage/events", params=query).json()
    assert [event["event_id"] for event in last["events"]] == ids[:1]
    assert (last["has_more"], last["next_cursor"]) == (False, None)


def test_errors_are_counted_by_message_without_429s(caller: Caller) -> None:
    caller.sandbox.change(max_active_jobs=0)
    for body in ({}, {}, {URLS: [SAM]}, {URLS: [SAM], "chunk_size": 1}):
        caller.post(ENRICH, **body)
    caller.sandbox.clock.advance(10)
    errors = caller.api.get("/account/usage/errors").json()["errors"]
    assert [(row["status_code"], row["count"]) for row in errors] == [(400, 2), (400, 1)]


def test_the_summary_adds_up(caller: Caller) -> None:
    caller.post(SYNC_CONTACT, **{URLS: [SAM]})
    caller.post(ENRICH)
    caller.sandbox.clock.advance(10)
    total = caller.api.get("/account/usage/summary").json()["rows"]
    assert total == [{"total": "total", "requests": 2, "errors": 1, "credits_used": 5}]
    by_day = caller.api.get("/account/usage/summary", params={"group_by": "day"}).json()["rows"]
    assert [row["day"] for row in by_day] == ["2026-11-20"]
    by_component = caller.api.get(
        "/account/usage/summary", params={"group_by": "component"}
    ).json()["rows"]
    assert sum(row["credits_used"] for row in by_component) == 5


def test_a_window_may_be_given(caller: Caller) -> None:
    caller.post(ENRICH, **{URLS: [SAM]})
    caller.sandbox.clock.advance(86400)
    assert events(caller, start="2026-11-20", end="2026-11-21")
    assert not events(caller, start="2026-11-21")


@pytest.mark.parametrize(
    "query",
    [
        {"start": "2020-01-01"},
        {"start": "yesterday"},
        {"limit": "many"},
        {"cursor": "nonsense"},
    ],
)
def test_a_bad_query_is_refused(caller: Caller, query: dict[str, str]) -> None:
    assert caller.api.get("/account/usage/events", params=query).status_code == 400


def test_a_bad_grouping_is_refused(caller: Caller) -> None:
    response = caller.api.get("/account/usage/summary", params={"group_by": "mood"})
    assert response.status_code == 400


def test_the_report_is_free_and_not_reported_itself(caller: Caller) -> None:
    response = caller.api.get("/account/usage/events")
    assert "x-credits-used" not in response.headers
    caller.sandbox.clock.advance(10)
    assert events(caller) == []
