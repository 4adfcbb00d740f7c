"""Free reads: jobs, balance, access and usage, in every shape that the documents leave open."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import httpx
import pytest

from crust_pipeline.vendors import errors
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.models import EndpointAccess, Job, JobStatus
from crust_pipeline_tests.vendors.fakes import (
    BATCH_ID,
    KEY,
    LoopbackServer,
    Vendor,
    answer,
    payload,
    send,
)

COMPLETED = "batch-status.completed.person-enrich-partial-multipart.inferred"
PENDING = "batch-status.pending.inferred"


def read_job(document: Any) -> Job:
    vendor = Vendor(httpx.Response(200, json=document))
    with vendor.client() as client:
        return client.job(BATCH_ID)


def test_a_job_is_asked_for_by_its_id() -> None:
    vendor = Vendor(answer(PENDING))

    with vendor.client() as client:
        client.job("a/b?c")

    assert vendor.requests[0].url.raw_path == b"/batch/a%2Fb%3Fc"


def test_a_completed_job_is_read_whole() -> None:
    document = payload(COMPLETED)

    assert read_job(document) == Job(
        batch_id=BATCH_ID,
        status=JobStatus.COMPLETED,
        raw_status="completed",
        action="enrich",
        entity="person",
        identifier_count=250,
        result_count=241,
        entities_requested=250,
        entities_fulfilled=241,
        created_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
        completed_at=datetime(2026, 11, 20, 12, 0, 41, 250_000, tzinfo=UTC),
        download_url=document["download_url"],
        download_urls=tuple(document["download_urls"]),
        error_message=None,
    )


@pytest.mark.parametrize(
    ("name", "status", "is_terminal"),
    [
        (PENDING, JobStatus.PENDING, False),
        ("batch-status.processing.inferred", JobStatus.PROCESSING, False),
        ("batch-status.completed.zero-results.inferred", JobStatus.COMPLETED, True),
        ("batch-status.failed.inferred", JobStatus.FAILED, True),
    ],
)
def test_every_documented_status_is_known(
    name: str, status: JobStatus, *, is_terminal: bool
) -> None:
    job = read_job(payload(name))

    assert job.status is status
    assert job.status.is_terminal is is_terminal


@pytest.mark.parametrize("word", ["Completed", "COMPLETED", " completed "])
def test_a_status_is_known_in_any_case(word: str) -> None:
    assert read_job({**payload(PENDING), "status": word}).status is JobStatus.COMPLETED


def test_an_unknown_status_counts_as_processing_and_is_kept() -> None:
    job = read_job({**payload(PENDING), "status": "Queued"})

    assert (job.status, job.raw_status) == (JobStatus.PROCESSING, "Queued")


def test_a_job_may_lack_everything_but_id_and_status() -> None:
    job = read_job({"batch_id": BATCH_ID, "status": "pending", "new_key": {"a": 1}})

    assert (job.action, job.identifier_count, job.created_at, job.completed_at) == (None,) * 4
    assert (job.download_url, job.download_urls, job.error_message) == (None, (), None)


def test_numbers_and_times_may_be_written_in_other_ways() -> None:
    job = read_job(
        {
            **payload(COMPLETED),
            "identifier_count": "250",
            "result_count": 241.0,
            "entities_requested": "many",
            "entities_fulfilled": True,
            "created_at": "2026-11-20T12:00:00",
            "completed_at": "2026-11-20T14:00:41Z",
        }
    )

    assert (job.identifier_count, job.result_count) == (250, 241)
    assert (job.entities_requested, job.entities_fulfilled) == (None, None)
    assert job.created_at == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert job.completed_at == datetime(2026, 11, 20, 14, 0, 41, tzinfo=UTC)


def test_times_of_other_zones_are_turned_into_utc() -> None:
    zone = timezone(timedelta(hours=2))
    time = datetime(2026, 11, 20, 12, tzinfo=zone)

    created_at = read_job({**payload(PENDING), "created_at": time.isoformat()}).created_at

    assert created_at is not None
    assert (created_at, created_at.tzinfo) == (time, UTC)


@pytest.mark.parametrize("time", ["soon", "", 12, "9999-12-31T23:59:59-12:00", None])
def test_a_time_that_is_none_is_no_time(time: object) -> None:
    assert read_job({**payload(PENDING), "created_at": time}).created_at is None


def test_the_reason_of_a_failed_job_is_short_and_masked() -> None:
    reason = f"Upstream failed for jane@example.com at {'x' * 400}"

    job = read_job({**payload("batch-status.failed.inferred"), "error_message": reason})

    assert job.error_message is not None
    assert job.error_message.startswith("Upstream failed for [e-mail] at x")
    assert len(job.error_message) == 300


def test_links_are_not_shown_in_passing() -> None:
    assert "Signature" not in repr(read_job(payload(COMPLETED)))


@pytest.mark.parametrize("document", [[], "ok", {}, {"batch_id": BATCH_ID}, {"status": "pending"}])
def test_an_answer_that_is_no_job_is_no_answer(document: object) -> None:
    vendor = Vendor(httpx.Response(200, json=document))

    with vendor.client() as client, pytest.raises(errors.Unavailable, match="cannot be read"):
        client.job(BATCH_ID)


def test_an_unknown_job_is_not_found() -> None:
    vendor = Vendor(answer("error-404.batch-not-found.inferred"))

    with vendor.client() as client, pytest.raises(errors.NotFound):
        client.job(BATCH_ID)


def test_jobs_are_listed_page_by_page() -> None:
    vendor = Vendor(
        answer("batch-list", headers={"date": "Sat, 21 Nov 2026 11:59:58 GMT"}),
        answer("batch-list.last-page.inferred"),
    )

    with vendor.client() as client:
        first = client.jobs()
        last = client.jobs(limit=20, cursor=first.next_cursor)

    assert [job.action for job in first.jobs] == ["search", "enrich"]
    assert [job.entity for job in first.jobs] == ["person", "company_v2024"]
    assert first.has_more
    assert first.server_time == datetime(2026, 11, 21, 11, 59, 58, tzinfo=UTC)
    assert (last.jobs, last.next_cursor, last.has_more, last.server_time) == ((), None, False, None)
    assert dict(vendor.requests[0].url.params) == {"limit": "100"}
    assert dict(vendor.requests[1].url.params) == {"limit": "20", "cursor": first.next_cursor}


def test_a_row_that_cannot_be_read_hides_no_other_job() -> None:
    page = payload("batch-list")
    page["jobs"][0] = {"status": "completed"}
    page["jobs"].append("?")
    vendor = Vendor(httpx.Response(200, json=page))

    with vendor.client() as client:
        assert [job.action for job in client.jobs().jobs] == ["enrich"]


def test_a_list_without_jobs_is_no_answer() -> None:
    vendor = Vendor(httpx.Response(200, json={"next_cursor": None}))

    with vendor.client() as client, pytest.raises(errors.Unavailable):
        client.jobs()


def test_the_balance_is_read_from_the_account() -> None:
    vendor = Vendor(answer("account-credits.inferred-values"))

    with vendor.client() as client:
        assert client.credits() == 9406

    assert [request.url.path for request in vendor.requests] == ["/account/credits"]


@pytest.mark.parametrize(
    "refusal",
    [
        answer("error-404.batch-not-found.inferred"),
        answer("error-403.endpoint-not-enabled.inferred"),
        answer("error-400.missing-version-header.inferred"),
        httpx.Response(200, json={"account": None}),
        httpx.Response(200, json=[]),
    ],
    ids=str,
)
def test_the_balance_falls_back_to_the_older_endpoint(refusal: httpx.Response) -> None:
    vendor = Vendor(refusal, answer("user-credits"))

    with vendor.client() as client:
        assert client.credits() == 9406

    assert vendor.requests[1].url.path == "/user/credits"


def test_a_balance_keeps_its_fractions() -> None:
    vendor = Vendor(httpx.Response(200, content=b'{"account": {"credits": 0.1}}'))

    with vendor.client() as client:
        assert client.credits() == Decimal("0.1")


def test_a_balance_that_nobody_tells_is_none() -> None:
    vendor = Vendor(httpx.Response(200, json={"credits": "plenty"}))

    with vendor.client() as client:
        assert client.credits() is None


def test_a_wrong_key_has_no_balance() -> None:
    vendor = Vendor(answer("error-401.invalid-key"))

    with vendor.client() as client, pytest.raises(errors.InvalidKey):
        client.credits()


def test_access_is_listed_for_each_endpoint() -> None:
    vendor = Vendor(answer("account-endpoints.inferred-values"))

    with vendor.client() as client:
        contact, enrich = client.endpoints()

    assert contact == EndpointAccess(
        path="/person/contact/enrich",
        status="not_enabled",
        rpm=15.0,
        enabled_fields=(),
        disabled_fields=("contact",),
    )
    assert contact.is_refused
    assert not enrich.is_refused
    assert enrich.disabled_fields == ("certifications", "honors")


def test_access_can_be_asked_for_one_endpoint() -> None:
    vendor = Vendor(httpx.Response(200, json={"endpoints": []}))

    with vendor.client() as client:
        assert client.endpoints("/person/contact/enrich") == ()

    assert dict(vendor.requests[0].url.params) == {"path": "/person/contact/enrich"}


@pytest.mark.parametrize("is_bare", [False, True])
def test_access_may_be_a_bare_list_with_gaps(*, is_bare: bool) -> None:
    rows: list[object] = [{"path": "/a", "status": "Enabled"}, {"status": "enabled"}, None]
    vendor = Vendor(httpx.Response(200, json=rows if is_bare else {"endpoints": rows}))

    with vendor.client() as client:
        (access,) = client.endpoints()

    assert not access.is_refused
    assert (access.rpm, access.enabled_fields, access.disabled_fields) == (None, (), ())


def usage_page(*ids: str, cursor: str | None) -> httpx.Response:
    events = [{"event_id": event_id, "credits_used": 1} for event_id in ids]
    return httpx.Response(
        200, json={"events": events, "next_cursor": cursor, "has_more": cursor is not None}
    )


def test_usage_is_gone_through_to_its_end() -> None:
    vendor = Vendor(usage_page("c", "b", cursor="next"), usage_page("a", cursor=None))

    with vendor.client() as client:
        assert [event["event_id"] for event in client.usage_events()] == ["c", "b", "a"]

    assert [dict(request.url.params) for request in vendor.requests] == [
        {"limit": "500"},
        {"limit": "500", "cursor": "next"},
    ]


def test_usage_ends_when_the_cursor_stands_still() -> None:
    vendor = Vendor(usage_page("a", cursor="same"))

    with vendor.client() as client:
        assert len(list(client.usage_events())) == 2


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(500),
        httpx.Response(502, content=b"<html>Bad Gateway</html>"),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(301, headers={"location": "https://elsewhere.example/"}),
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("disconnected"),
    ],
    ids=str,
)
def test_a_read_that_fails_is_asked_again(failure: httpx.Response | Exception) -> None:
    vendor = Vendor(failure, failure, failure, answer(PENDING))

    with vendor.client() as client:
        assert client.job(BATCH_ID).status is JobStatus.PENDING

    assert len(vendor.slept) == 3
    for slept, base in zip(vendor.slept, (1, 2, 4), strict=True):
        assert base <= slept <= 1.25 * base


def test_a_read_that_goes_on_failing_is_unavailable() -> None:
    vendor = Vendor(answer("error-500.inferred"))

    with vendor.client() as client, pytest.raises(errors.Unavailable) as caught:
        client.job(BATCH_ID)

    assert len(vendor.requests) == 4
    assert caught.value.status == 500


def test_a_read_that_timed_out_has_waited_long_enough() -> None:
    vendor = Vendor(httpx.ReadTimeout("timed out"))

    with vendor.client() as client, pytest.raises(errors.Unavailable, match="timed out"):
        client.job(BATCH_ID)

    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset": "7", "x-ratelimit-remaining": "0"}, 7),
        ({"retry-after": "3"}, 3),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:05 GMT"}, 5),
        ({}, 10),
    ],
)
def test_a_rate_limited_read_waits_as_long_as_the_vendor_says(
    headers: dict[str, str], seconds: float
) -> None:
    vendor = Vendor(answer("error-429.rate-limit.inferred", headers=headers), answer(PENDING))

    with vendor.client() as client:
        client.job(BATCH_ID)

    (slept,) = vendor.slept
    assert seconds <= slept <= 1.25 * seconds


def test_a_rate_limit_that_takes_long_is_handed_on_at_once() -> None:
    vendor = Vendor(answer("error-429.rate-limit.inferred", headers={"x-ratelimit-reset": "60"}))

    with vendor.client() as client, pytest.raises(errors.RateLimited) as caught:
        client.job(BATCH_ID)

    assert caught.value.retry_after_seconds == 60
    assert vendor.slept == []


def test_a_refused_read_is_not_asked_again() -> None:
    vendor = Vendor(answer("error-403.endpoint-not-enabled.inferred"))

    with vendor.client() as client, pytest.raises(errors.NotPermitted):
        client.job(BATCH_ID)

    assert len(vendor.requests) == 1


def test_the_key_does_not_follow_a_redirect() -> None:
    with LoopbackServer() as elsewhere:
        moved = send("HTTP/1.1 302 Found", f"Location: {elsewhere.url(host='localhost')}/batch/1")
        with (
            LoopbackServer(moved, moved, moved, moved) as server,
            CrustdataClient(
                api_key=KEY, base_url=server.url(), sleep=lambda _seconds: None
            ) as client,
            pytest.raises(errors.Unavailable),
        ):
            client.job(BATCH_ID)

    assert len(server.requests) == 4
    assert elsewhere.requests == []
