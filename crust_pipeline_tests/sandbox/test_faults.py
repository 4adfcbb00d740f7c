"""Things that go wrong, at the place and as often as asked for."""

import gzip
import json
import zlib
from collections import Counter
from typing import Any

import httpx
import pytest

from crust_pipeline.sandbox.switches import Fault, FaultKind
from crust_pipeline_tests.sandbox.conftest import (
    CONTACT,
    ENRICH,
    IDENTIFY,
    NOBODY,
    SAM,
    Caller,
    Fail,
    lines_of,
)

URLS = "professional_network_profile_urls"
MANY = [f"https://www.linkedin.com/in/person-{n}" for n in range(40)]


def test_a_server_error_before_acceptance_starts_no_job(caller: Caller, fail: Fail) -> None:
    fail("server_error", value=503)
    assert caller.post(ENRICH, **{URLS: [SAM]}).status_code == 503
    assert not caller.sandbox.jobs


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("server_error_after_accept", 500),
        ("empty_answer", 200),
        ("unreadable_answer", 200),
        ("no_batch_id", 200),
    ],
)
def test_an_answer_spoiled_after_acceptance_leaves_a_job_running(
    caller: Caller, fail: Fail, kind: str, status: int
) -> None:
    fail(kind)
    response = caller.post(ENRICH, **{URLS: [SAM]})
    assert response.status_code == status
    assert "batch_id" not in (response.json() if kind == "no_batch_id" else {})
    (job,) = caller.api.get("/batch").json()["jobs"]
    assert caller.finish(job["batch_id"])["result_count"] == 1
    assert caller.sandbox.account.spent == 1


def test_a_refused_request_is_not_spoiled(caller: Caller, fail: Fail) -> None:
    fail("server_error_after_accept")
    assert caller.post(ENRICH).status_code == 400
    assert caller.post(ENRICH, **{URLS: [SAM]}).status_code == 500


def test_a_poll_does_not_use_up_what_is_to_happen_to_a_sale(caller: Caller, fail: Fail) -> None:
    fail("server_error_after_accept")
    assert caller.api.get("/batch").status_code == 200
    assert caller.post(ENRICH, **{URLS: [SAM]}).status_code == 500


def test_a_rate_limit_may_be_hit_without_reason(caller: Caller, fail: Fail) -> None:
    fail("rate_limited", path=ENRICH)
    response = caller.post(ENRICH, **{URLS: [SAM]})
    assert response.status_code == 429
    assert int(response.headers["x-ratelimit-reset"]) >= 1
    assert not caller.sandbox.jobs


def test_a_fault_strikes_as_often_as_asked_and_only_on_its_path(caller: Caller, fail: Fail) -> None:
    fail("server_error", path="/batch", skip=1, times=2)
    caller.api.get("/user/credits")
    statuses = [caller.api.get("/batch").status_code for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]


def test_a_fault_without_a_number_strikes_always(caller: Caller, fail: Fail) -> None:
    fail("server_error", times=None)
    assert {caller.api.get("/batch").status_code for _ in range(10)} == {500}


def test_a_job_may_fail_and_bills_nothing(caller: Caller, fail: Fail) -> None:
    fail("job_fails")
    done = caller.finish(caller.submit(ENRICH, **{URLS: [SAM]}))
    assert done["status"] == "failed"
    assert done["error_message"]
    assert "download_url" not in done
    assert caller.sandbox.account.spent == 0


def test_a_failed_job_gives_back_what_was_taken_at_submit(caller: Caller, fail: Fail) -> None:
    caller.sandbox.change(charged="at_submit")
    fail("job_fails")
    caller.finish(caller.submit(ENRICH, **{URLS: [SAM]}))
    assert caller.balance() == 100_000


def test_a_job_may_never_end(caller: Caller, fail: Fail) -> None:
    fail("job_never_ends")
    assert caller.finish(caller.submit(ENRICH, **{URLS: [SAM]}))["status"] == "processing"


def test_a_download_may_be_corrupt(caller: Caller, fail: Fail) -> None:
    done = caller.finish(caller.submit(ENRICH, **{URLS: MANY}))
    fail("corrupt_download")
    broken = caller.storage.get(done["download_url"]).content
    with pytest.raises((OSError, EOFError, zlib.error)):
        gzip.decompress(broken)
    assert len(caller.storage.get(done["download_url"]).content) == len(broken)


def test_a_download_may_be_something_else(caller: Caller, fail: Fail) -> None:
    done = caller.finish(caller.submit(ENRICH, **{URLS: MANY}))
    fail("wrong_download")
    assert caller.storage.get(done["download_url"]).text.startswith("<html>")


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_link_may_die_early(caller: Caller, fail: Fail, status: int) -> None:
    done = caller.finish(caller.submit(ENRICH, **{URLS: MANY}))
    fail("dead_link", value=status)
    assert caller.storage.get(done["download_url"]).status_code == status
    assert caller.storage.get(done["download_url"]).status_code == 200


def test_a_download_may_redirect(caller: Caller, fail: Fail) -> None:
    done = caller.finish(caller.submit(ENRICH, **{URLS: MANY}))
    fail("redirect")
    response = caller.storage.get(done["download_url"])
    assert response.status_code == 307
    assert caller.storage.get(response.headers["location"]).status_code == 200


def content(caller: Caller, path: str, **body: Any) -> tuple[dict[str, int], bytes]:
    done = caller.finish(caller.submit(path, **body))
    return done, caller.storage.get(done["download_url"]).content


def test_lines_may_be_malformed(caller: Caller, fail: Fail) -> None:
    fail("malformed_lines", value=2)
    _, file = content(caller, ENRICH, **{URLS: MANY})
    bad = [line for line in gzip.decompress(file).splitlines() if not readable(line)]
    assert len(bad) == 2


def readable(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_lines_may_hold_nul_bytes(caller: Caller, fail: Fail) -> None:
    fail("nul_bytes", value=20)
    _, file = content(caller, ENRICH, **{URLS: MANY})
    text = gzip.decompress(file)
    assert b"\x00" in text
    assert b"\\u0000" in text


def test_lines_may_hold_wrong_types(caller: Caller, fail: Fail) -> None:
    fail("wrong_types", value=1)
    _, file = content(caller, ENRICH, **{URLS: MANY})
    kinds = Counter(type(line["internal_id"]) for line in lines_of(file))
    assert kinds[str] == 1
    assert Counter(type(line["data"]["basic_profile"]) for line in lines_of(file))[str] == 1


@pytest.mark.parametrize("path", [ENRICH, IDENTIFY, CONTACT])
def test_lines_may_be_for_identifiers_nobody_asked_for(
    caller: Caller, fail: Fail, path: str
) -> None:
    fail("unasked_lines", value=2)
    fields = {"fields": ["business_email"]} if path == CONTACT else {}
    done, file = content(caller, path, **{URLS: MANY}, **fields)
    echoes = ("original_identifier", "matched_on", "professional_network_url")
    echoed = {line[name] for line in lines_of(file) for name in echoes if name in line}
    assert len(echoed - set(MANY)) == 2
    assert done["result_count"] == len(lines_of(file))


def test_lines_may_be_there_twice(caller: Caller, fail: Fail) -> None:
    fail("duplicate_lines", value=3)
    done, file = content(caller, ENRICH, **{URLS: MANY})
    echoed = Counter(line["original_identifier"] for line in lines_of(file))
    assert list(echoed.values()).count(2) == 3
    assert caller.sandbox.account.spent == done["entities_fulfilled"] == len(echoed)


def test_lines_may_be_of_the_wrong_person(caller: Caller, fail: Fail) -> None:
    fail("wrong_person", value=1)
    _, file = content(caller, ENRICH, **{URLS: MANY})
    strangers = [line for line in lines_of(file) if "stranger" in json.dumps(line["data"])]
    (line,) = strangers
    assert line["original_identifier"] in MANY


def test_a_file_without_rows_can_still_hold_unasked_lines(caller: Caller, fail: Fail) -> None:
    fail("unasked_lines", value=1)
    _, file = content(caller, ENRICH, **{URLS: [NOBODY]})
    assert len(lines_of(file)) == 1


@pytest.mark.parametrize("kind", ["connection_lost", "connection_lost_after_accept"])
def test_a_lost_connection_is_an_exception_without_a_server(
    caller: Caller, fail: Fail, kind: str
) -> None:
    fail(kind)
    with pytest.raises((httpx.TransportError, ConnectionAbortedError)):
        caller.post(ENRICH, **{URLS: [SAM]})
    assert len(caller.sandbox.jobs) == (kind == "connection_lost_after_accept")


@pytest.mark.parametrize("item", [{"fault": "flood"}, {"fault": "slow", "seconds": 1}, {}])
def test_a_fault_that_does_not_exist_is_refused(item: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"FaultKind|seconds"):
        Fault.from_json(item)


def test_every_fault_can_be_written_as_json(fail: Fail, caller: Caller) -> None:
    for kind in FaultKind:
        fail(kind.value)
    assert [fault.kind for fault in caller.sandbox.faults.pending()] == list(FaultKind)
