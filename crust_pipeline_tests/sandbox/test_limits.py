"""Request rate, active jobs, credits: what an account may not exceed."""

from datetime import timedelta

import pytest

from crust_pipeline_tests.sandbox.conftest import ENRICH, SAM, SYNC_ENRICH, Caller

URLS = "professional_network_profile_urls"


def test_a_sixth_active_job_is_refused_until_one_has_ended(caller: Caller) -> None:
    batches = [caller.submit(ENRICH, **{URLS: [SAM]}) for _ in range(5)]
    response = caller.post(ENRICH, **{URLS: [SAM]})
    assert response.status_code == 429
    assert "x-ratelimit-reset" not in response.headers
    assert caller.finish(batches[0])["status"] == "completed"
    assert caller.post(ENRICH, **{URLS: [SAM]}).status_code == 200


def test_jobs_of_other_users_of_the_account_count(caller: Caller) -> None:
    for _ in range(4):
        caller.sandbox.add_foreign_job()
    caller.submit(ENRICH, **{URLS: [SAM]})
    assert caller.post(ENRICH, **{URLS: [SAM]}).status_code == 429


def test_a_job_of_another_user_ends_and_is_listed(caller: Caller) -> None:
    job = caller.sandbox.add_foreign_job(seconds=60, identifier_count=7)
    (row,) = caller.api.get("/batch").json()["jobs"]
    assert (row["batch_id"], row["status"], row["entity"]) == (job.batch_id, "pending", "company")
    assert caller.finish(job.batch_id)["status"] == "completed"


def test_a_refused_job_is_not_counted_as_submitted(caller: Caller) -> None:
    caller.sandbox.change(max_active_jobs=1)
    caller.submit(ENRICH, **{URLS: [SAM]})
    caller.post(ENRICH, **{URLS: [SAM]})
    assert caller.sandbox.times_submitted()["enrich", "linkedin.com/in/sam-sandbox"] == 1


def test_the_rate_is_told_in_headers(caller: Caller) -> None:
    caller.sandbox.change(rate_limits_rpm={"/batch": 30})
    headers = caller.api.get("/batch").headers
    assert headers["x-ratelimit-limit"] == "30"
    assert headers["x-ratelimit-remaining"] == "29"
    assert headers["x-ratelimit-reset"] == "60"


def test_requests_over_the_rate_are_refused_with_the_seconds_to_wait(caller: Caller) -> None:
    caller.sandbox.change(rate_limits_rpm={"/batch": 2})
    caller.api.get("/batch")
    caller.sandbox.clock.advance(20)
    caller.api.get("/batch")
    response = caller.api.get("/batch")
    assert response.status_code == 429
    assert response.headers["x-ratelimit-reset"] == "40"
    assert "retry-after" not in response.headers
    caller.sandbox.clock.advance(40)
    assert caller.api.get("/batch").status_code == 200


def test_every_path_has_a_window_of_its_own(caller: Caller) -> None:
    caller.sandbox.change(rate_limit_rpm=1)
    assert caller.api.get("/batch").status_code == 200
    assert caller.api.get("/user/credits").status_code == 200
    assert caller.api.get("/batch").status_code == 429


def test_a_limit_over_all_paths_may_apply(caller: Caller) -> None:
    caller.sandbox.change(token_limit_rpm=2)
    assert [caller.api.get(p).status_code for p in ("/batch", "/user/credits", "/batch")] == [
        200,
        200,
        429,
    ]


def test_a_429_may_carry_retry_after(caller: Caller) -> None:
    caller.sandbox.change(retry_after=True, rate_limits_rpm={"/batch": 1}, max_active_jobs=0)
    caller.api.get("/batch")
    assert caller.api.get("/batch").headers["retry-after"] == "60"
    assert "retry-after" in caller.post(ENRICH, **{URLS: [SAM]}).headers


def test_the_two_kinds_of_429_differ_only_in_their_message(caller: Caller) -> None:
    caller.sandbox.change(rate_limits_rpm={"/batch": 0}, max_active_jobs=0)
    rate = caller.api.get("/batch").json()["error"]
    jobs = caller.error(ENRICH, **{URLS: [SAM]})
    assert rate["type"] == jobs["type"]
    assert rate["message"] != jobs["message"]


@pytest.mark.parametrize("path", [ENRICH, SYNC_ENRICH])
@pytest.mark.parametrize(
    ("status", "kind"), [(402, "insufficient_credits"), (403, "permission_error")]
)
def test_without_credits_nothing_is_sold(caller: Caller, path: str, status: int, kind: str) -> None:
    caller.sandbox.change(no_credits_status=status)
    caller.sandbox.account.balance *= 0
    error = caller.error(path, **{URLS: [SAM]})
    assert (error["status"], error["type"]) == (status, kind)


def test_a_limit_is_the_accounts_and_not_the_keys(caller: Caller) -> None:
    caller.sandbox.keys = frozenset(("one", "two"))
    caller.sandbox.change(max_active_jobs=1)
    headers = [{"authorization": f"Bearer {key}"} for key in ("one", "two")]
    answers = [caller.api.post(ENRICH, json={URLS: [SAM]}, headers=each) for each in headers]
    assert [answer.status_code for answer in answers] == [200, 429]


def test_a_request_a_minute_ago_frees_its_place(caller: Caller) -> None:
    caller.sandbox.change(rate_limits_rpm={"/batch": 1})
    caller.api.get("/batch")
    caller.sandbox.clock.advance(timedelta(minutes=1).total_seconds())
    assert caller.api.get("/batch").status_code == 200
