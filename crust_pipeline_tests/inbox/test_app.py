"""What the inbox answers, called as a server would call it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from crust_pipeline.inbox.app import RequestLimits, build_app
from crust_pipeline.inbox.store import Store
from crust_pipeline.ledger import inbox
from crust_pipeline.ledger.inbox import Delivery, Receipt
from crust_pipeline.ledger.store import Ledger
from crust_pipeline_tests.inbox.conftest import NOW, Batches


def answers(
    ledger: Ledger, requests: Sequence[tuple[str, str, object]], limits: RequestLimits | None = None
) -> list[httpx.Response]:
    """The responses to (method, path, body), all sent at the same time."""

    async def ask() -> list[httpx.Response]:
        store = Store(ledger, clock=lambda: NOW)
        app = build_app(store, limits=limits, monotonic=lambda: 0.0)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://inbox.example") as http:
            return await asyncio.gather(
                *(http.request(method, path, content=body) for method, path, body in requests)  # pyright: ignore[reportArgumentType]  # bytes or a stream
            )

    return asyncio.run(ask())


def test_a_delivery_is_kept_before_it_is_acknowledged(batches: Batches) -> None:
    submission_id, token = batches.pending()
    (response,) = answers(batches.ledger, [("POST", f"/hooks/{token}", b"body")])
    assert response.status_code == 200
    assert inbox.delivered(batches.ledger, submission_id) == [b"body"]


def test_deliveries_at_the_same_time_share_a_transaction(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission_id, token = batches.pending()
    keep, sizes = inbox.keep, list[int]()

    def counted(ledger: Ledger, received: Sequence[Delivery], **more: object) -> list[Receipt]:
        sizes.append(len(received))
        return keep(ledger, received, **more)  # pyright: ignore[reportArgumentType]  # passed on

    monkeypatch.setattr(inbox, "keep", counted)
    bodies = [str(number).encode() for number in range(150)]
    responses = answers(batches.ledger, [("POST", f"/hooks/{token}", body) for body in bodies])
    assert {response.status_code for response in responses} == {200}
    assert sorted(inbox.delivered(batches.ledger, submission_id)) == sorted(bodies)
    assert len(sizes) < 20


@pytest.mark.parametrize("token", ["", "short", "x" * 43, "x" * 5_000, "../health", "%00" * 43])
def test_a_token_that_was_never_issued_is_not_found(batches: Batches, token: str) -> None:
    batches.pending()
    (response,) = answers(batches.ledger, [("POST", f"/hooks/{token}", b"body")])
    assert response.status_code in {404, 405}
    assert inbox.deliveries_kept(batches.ledger) == 0


def test_a_body_announced_too_large_is_refused(batches: Batches) -> None:
    _, token = batches.pending()
    path = f"/hooks/{token}"
    small = RequestLimits(body_bytes=10)
    long, fits = answers(
        batches.ledger, [("POST", path, b"x" * 11), ("POST", path, b"x" * 10)], small
    )
    assert (long.status_code, fits.status_code) == (413, 200)
    assert inbox.deliveries_kept(batches.ledger) == 1


def test_a_body_that_turns_out_too_large_is_refused(batches: Batches) -> None:
    _, token = batches.pending()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 5

    requests = [("POST", f"/hooks/{token}", chunks())]
    (response,) = answers(batches.ledger, requests, RequestLimits(body_bytes=10))
    assert response.status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(batches: Batches) -> None:
    _, token = batches.pending()

    async def never_ends() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    requests = [("POST", f"/hooks/{token}", never_ends())]
    (response,) = answers(batches.ledger, requests, RequestLimits(body_seconds=0.01))
    assert response.status_code == 408
    assert inbox.deliveries_kept(batches.ledger) == 0


def test_a_client_that_asks_too_often_is_told_to_wait(batches: Batches) -> None:
    _, token = batches.pending()
    limits = RequestLimits(requests_per_second=1, requests_at_once=3)
    requests = [("POST", f"/hooks/{token}", str(number).encode()) for number in range(5)]
    responses = answers(batches.ledger, requests, limits)
    assert sorted(response.status_code for response in responses) == [200, 200, 200, 429, 429]
    assert {response.headers.get("retry-after") for response in responses} == {None, "1"}


def test_what_cannot_be_kept_is_not_acknowledged(
    batches: Batches, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, token = batches.pending()

    def disk_full(*_args: object, **_more: object) -> list[Receipt]:
        raise OperationalError("INSERT ada@example.com", {}, Exception("disk full"))

    monkeypatch.setattr(inbox, "keep", disk_full)
    (response,) = answers(batches.ledger, [("POST", f"/hooks/{token}", b"ada@example.com")])
    assert response.status_code == 503
    assert "OperationalError" in caplog.text
    assert "example.com" not in caplog.text + response.text


def test_the_health_page_counts_what_is_kept(batches: Batches) -> None:
    _, token = batches.pending()
    answers(batches.ledger, [("POST", f"/hooks/{token}", b"body")])
    (response,) = answers(batches.ledger, [("GET", "/health", None)])
    assert response.json() == {"status": "ok", "deliveries": 1}


def test_the_health_page_says_when_the_ledger_cannot_be_read(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_args: object) -> int:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(inbox, "deliveries_kept", gone)
    (response,) = answers(batches.ledger, [("GET", "/health", None)])
    assert response.status_code == 503


def test_writing_goes_on_while_a_delivery_is_being_written(
    batches: Batches, ledger_url: str
) -> None:
    """One that comes while the disk is waited for gets into the next transaction."""
    submission_id, token = batches.pending()
    other = Ledger(ledger_url, account="test")
    with other.write():  # nobody else can write meanwhile
        worker_answers: list[httpx.Response] = []

        def send() -> None:
            requests = [("POST", f"/hooks/{token}", body) for body in (b"one", b"two")]
            worker_answers.extend(answers(batches.ledger, requests))

        worker = threading.Thread(target=send)
        worker.start()
    worker.join()
    other.close()
    assert [response.status_code for response in worker_answers] == [200, 200]
    assert len(inbox.delivered(batches.ledger, submission_id)) == 2


def test_no_redirect_carries_a_token_to_another_host(batches: Batches) -> None:
    _, token = batches.pending()
    (response,) = answers(batches.ledger, [("POST", f"/hooks/{token}/", b"body")])
    assert response.status_code == 404
    assert "location" not in response.headers
