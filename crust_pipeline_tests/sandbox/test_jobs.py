"""The life of a batch, and the lists it appears in."""

import uuid
from datetime import timedelta

import pytest

from crust_pipeline_tests.sandbox.conftest import (
    CONTACT,
    ENRICH,
    IDENTIFY,
    LIVE,
    NOBODY,
    SAM,
    START,
    Caller,
)

URLS = "professional_network_profile_urls"
MANY = [f"https://www.linkedin.com/in/person-{n}" for n in range(250)]


def test_a_job_is_pending_then_processing_then_completed(caller: Caller) -> None:
    batch_id = caller.submit(ENRICH, **{URLS: MANY})
    seen = [caller.status(batch_id)["status"]]
    for seconds in (10, 5, 60):
        caller.sandbox.clock.advance(seconds)
        seen.append(caller.status(batch_id)["status"])
    assert seen == ["pending", "processing", "processing", "completed"]


def test_result_count_grows_by_chunks_and_ends_at_the_lines_of_the_file(caller: Caller) -> None:
    batch_id = caller.submit(ENRICH, **{URLS: MANY, "chunk_size": 100})
    caller.sandbox.clock.advance(12)
    halfway = caller.status(batch_id)
    assert (halfway["result_count"], halfway["entities_fulfilled"]) == (100, 0)
    done = caller.finish(batch_id)
    lines = caller.file(done["download_url"])
    assert done["result_count"] == done["entities_fulfilled"] == len(lines) < len(MANY)
    assert done["entities_requested"] == done["identifier_count"] == len(MANY)


def test_times_are_of_the_sandboxs_clock_with_microseconds(caller: Caller) -> None:
    batch_id = caller.submit(ENRICH, **{URLS: MANY})
    caller.sandbox.clock.advance(3600)
    status = caller.status(batch_id)
    assert status["created_at"] == "2026-11-20T12:00:00.000000+00:00"
    assert status["completed_at"] == "2026-11-20T12:00:24.000000+00:00"


def test_completed_at_may_be_absent_before_the_end(caller: Caller) -> None:
    batch_id = caller.submit(ENRICH, **{URLS: [SAM]})
    assert caller.status(batch_id)["completed_at"] is None
    caller.sandbox.change(completed_at_before_end="absent")
    assert "completed_at" not in caller.status(batch_id)


@pytest.mark.parametrize(
    ("path", "count", "seconds"),
    [(ENRICH, 10_000, 180), (IDENTIFY, 300, 60), (CONTACT, 1, 120.2), (CONTACT, 300, 180)],
)
def test_a_job_takes_as_long_as_its_size(
    caller: Caller, path: str, count: int, seconds: float
) -> None:
    urls = [f"https://www.linkedin.com/in/person-{n}" for n in range(count)]
    body = {"fields": ["business_email"]} if path == CONTACT else {}
    job = caller.sandbox.jobs[caller.submit(path, **{URLS: urls}, **body)]
    assert job.ends_at() == START + timedelta(seconds=seconds)


def test_the_time_scale_shortens_jobs_and_nothing_else(caller: Caller) -> None:
    caller.sandbox.change(time_scale=10)
    job = caller.sandbox.jobs[caller.submit(CONTACT, **{URLS: MANY, "fields": ["business_email"]})]
    assert job.ends_at() == START + timedelta(seconds=17)
    assert job.created_at == START


def test_an_instant_job_is_pending_at_submit_and_completed_at_the_first_look(
    caller: Caller,
) -> None:
    caller.sandbox.change(instant_jobs=True)
    response = caller.post(ENRICH, **{URLS: [SAM]})
    assert response.json()["status"] == "pending"
    assert caller.status(response.json()["batch_id"])["status"] == "completed"


def test_the_action_names_the_work(caller: Caller) -> None:
    fields = {"fields": ["business_email"]}
    actions = [
        caller.post(path, **{URLS: [SAM]}, **(fields if path == CONTACT else {})).json()["action"]
        for path in (ENRICH, LIVE, CONTACT, IDENTIFY)
    ]
    assert actions == ["enrich", "enrich_live", "contact_enrich", "identify"]


def test_the_action_of_identify_may_be_another(caller: Caller) -> None:
    caller.sandbox.change(identify_action="reverse_lookup")
    assert caller.post(IDENTIFY, **{URLS: [SAM]}).json()["action"] == "reverse_lookup"


def test_an_unknown_batch_is_404(caller: Caller) -> None:
    response = caller.api.get(f"/batch/{uuid.uuid4()}")
    assert (response.status_code, response.json()["error"]["type"]) == (404, "not_found")
    assert caller.api.get("/batch/no-uuid").status_code == 404


def test_a_batch_id_that_is_no_uuid_may_be_400(caller: Caller) -> None:
    caller.sandbox.change(non_uuid_batch_status=400)
    assert caller.api.get("/batch/no-uuid").status_code == 400
    assert caller.api.get(f"/batch/{uuid.uuid4()}").status_code == 404


def test_the_list_is_newest_first_and_has_no_links(caller: Caller) -> None:
    batches = [caller.submit(ENRICH, **{URLS: [SAM]}) for _ in range(3)]
    caller.sandbox.clock.advance(3600)
    jobs = caller.api.get("/batch").json()["jobs"]
    assert [job["batch_id"] for job in jobs] == batches[::-1]
    assert all("download_url" not in job for job in jobs)


def test_the_list_is_paged_by_cursor(caller: Caller) -> None:
    for _ in range(5):
        caller.sandbox.add_foreign_job(seconds=0)
    seen: list[str] = []
    query: dict[str, str] = {"limit": "2"}
    sizes: list[int] = []
    while query["cursor" if sizes else "limit"]:
        page = caller.api.get("/batch", params=query).json()
        seen += [job["batch_id"] for job in page["jobs"]]
        sizes.append(len(page["jobs"]))
        assert page["has_more"] == (len(sizes) < 3)
        query["cursor"] = page["next_cursor"]
    assert sizes == [2, 2, 1]
    assert len(set(seen)) == 5


@pytest.mark.parametrize(("limit", "rows"), [("0", 1), ("-5", 1), ("1000", 100), (None, 20)])
def test_the_limit_is_clamped(caller: Caller, limit: str | None, rows: int) -> None:
    for _ in range(120):
        caller.sandbox.add_foreign_job(seconds=0)
    query = {} if limit is None else {"limit": limit}
    assert len(caller.api.get("/batch", params=query).json()["jobs"]) == rows


def test_the_list_may_be_of_one_status(caller: Caller) -> None:
    caller.submit(ENRICH, **{URLS: [SAM]})
    caller.sandbox.clock.advance(3600)
    pending = caller.submit(ENRICH, **{URLS: [SAM]})
    jobs = caller.api.get("/batch", params={"status": "pending"}).json()["jobs"]
    assert [job["batch_id"] for job in jobs] == [pending]


@pytest.mark.parametrize("query", [{"status": "done"}, {"cursor": "nonsense"}, {"limit": "many"}])
def test_a_bad_query_of_the_list_is_refused(caller: Caller, query: dict[str, str]) -> None:
    assert caller.api.get("/batch", params=query).status_code == 400


def test_a_job_without_results_has_a_link_that_leads_nowhere(caller: Caller) -> None:
    done = caller.finish(caller.submit(ENRICH, **{URLS: [NOBODY]}))
    assert (done["status"], done["result_count"], done["download_urls"]) == ("completed", 0, [])
    assert caller.storage.get(done["download_url"]).status_code == 404


def test_a_job_without_results_may_have_no_link(caller: Caller) -> None:
    caller.sandbox.change(zero_results_link="absent")
    done = caller.finish(caller.submit(ENRICH, **{URLS: [NOBODY]}))
    assert "download_url" not in done
