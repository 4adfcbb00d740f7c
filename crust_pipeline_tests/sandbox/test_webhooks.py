"""When a callback is due, and what it says. That it travels is tested with the server."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from crust_pipeline.sandbox.webhooks import Webhooks
from crust_pipeline_tests.sandbox.conftest import DEFAULT_KEY, ENRICH, SAM, Caller, Fail
from crust_pipeline_tests.sandbox.test_payloads import assert_same_shape, payload

URLS = "professional_network_profile_urls"
HOOK = "https://hooks.example/batch"


def submit(caller: Caller) -> str:
    return caller.submit(ENRICH, **{URLS: [SAM], "webhook_url": HOOK})


def due(caller: Caller, *, seconds: float) -> list[tuple[str, dict[str, Any]]]:
    caller.sandbox.clock.advance(seconds)
    return caller.sandbox.due_callbacks()


def test_one_callback_is_due_when_the_job_has_ended(caller: Caller) -> None:
    batch_id = submit(caller)
    assert due(caller, seconds=1) == []
    ((url, body),) = due(caller, seconds=60)
    assert (url, body["batch_id"], body["status"]) == (HOOK, batch_id, "completed")
    assert due(caller, seconds=60) == []


def test_a_callback_is_the_status_without_links(caller: Caller) -> None:
    submit(caller)
    ((_, body),) = due(caller, seconds=60)
    assert_same_shape(body, "webhook-batch-finished.inferred.json")


def test_a_job_without_a_webhook_url_calls_nobody(caller: Caller) -> None:
    caller.submit(ENRICH, **{URLS: [SAM]})
    assert due(caller, seconds=60) == []


def test_a_callback_may_come_before_the_status_says_so(caller: Caller) -> None:
    caller.sandbox.change(webhook="early")
    batch_id = submit(caller)
    ((_, body),) = due(caller, seconds=17)
    assert (body["status"], body["result_count"]) == ("completed", 1)
    assert caller.status(batch_id)["status"] == "processing"
    assert due(caller, seconds=60) == []


def test_a_callback_may_never_come(caller: Caller) -> None:
    caller.sandbox.change(webhook="never")
    submit(caller)
    assert due(caller, seconds=60) == []


@pytest.mark.parametrize("sent", [True, False])
def test_a_failed_job_may_call_back_or_not(caller: Caller, fail: Fail, sent: bool) -> None:
    caller.sandbox.change(webhook_on_failed=sent)
    fail("job_fails")
    submit(caller)
    assert [body["status"] for _, body in due(caller, seconds=60)] == ["failed"] * sent


def test_a_callback_may_be_signed_as_for_watches(caller: Caller) -> None:
    caller.sandbox.change(webhook="signed")
    request = Webhooks(caller.sandbox)._request(HOOK, {"batch_id": "x"})
    signature = request.get_header("X-crustdata-signature")
    moment = int(caller.sandbox.clock.now().timestamp())
    assert isinstance(request.data, bytes)
    signed = f"{moment}.".encode() + request.data
    digest = hmac.new(DEFAULT_KEY.encode(), signed, hashlib.sha256).hexdigest()
    assert signature == f"t={moment},v1={digest}"
    assert set(payload("webhook-watch-headers.json")) <= {n.lower() for n in request.headers}
    assert json.loads(request.data) == {"batch_id": "x"}
