"""Bodies of the API's answers: read within bounds, whatever comes."""

import gzip
import socket
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest

from crust_pipeline.vendors import errors, http
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.crustdata.products import ENRICH
from crust_pipeline_tests.vendors.fakes import (
    BATCH_ID,
    JANE,
    KEY,
    LoopbackServer,
    Vendor,
    send,
)

Call = Callable[[CrustdataClient], object]

DEEP = b"[" * 100_000 + b"]" * 100_000


def ask(client: CrustdataClient) -> object:
    return client.job(BATCH_ID)


def buy(client: CrustdataClient) -> object:
    return client.submit(ENRICH, identifier_type="profile_url", identifiers=[JANE])


CALLS = pytest.mark.parametrize(
    ("call", "expected"), [(ask, errors.Unavailable), (buy, errors.MaybeStarted)]
)


@CALLS
def test_an_answer_nested_too_deeply_cannot_be_read(
    call: Call, expected: type[errors.VendorError]
) -> None:
    vendor = Vendor(httpx.Response(200, content=DEEP))
    with vendor.client() as client, pytest.raises(expected, match="cannot be read"):
        call(client)


def test_a_refusal_nested_too_deeply_is_a_refusal() -> None:
    vendor = Vendor(httpx.Response(401, content=DEEP))
    with vendor.client() as client, pytest.raises(errors.InvalidKey):
        client.job(BATCH_ID)


@CALLS
def test_an_answer_that_is_too_large_cannot_be_read(
    call: Call, expected: type[errors.VendorError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MOST_BODY_BYTES", 1000)
    vendor = Vendor(
        httpx.Response(200, content=b'{"batch_id": "x", "status": "pending"}' + b" " * 1000)
    )
    with vendor.client() as client, pytest.raises(expected, match="cannot be read"):
        call(client)


def test_an_answer_that_inflates_beyond_all_bounds_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "RETRY_WAITS_SECONDS", ())
    bomb = gzip.compress(b" " * (http.MOST_BODY_BYTES + 1))
    answer = send("HTTP/1.1 200 OK", "Content-Encoding: gzip", body=bomb)
    with (
        LoopbackServer(answer) as api,
        CrustdataClient(api_key=KEY, base_url=api.url()) as client,
        pytest.raises(errors.Unavailable, match="cannot be read"),
    ):
        client.job(BATCH_ID)


def test_a_compressed_answer_is_read() -> None:
    body = gzip.compress(b'{"batch_id": "x", "status": "pending"}')
    answer = send("HTTP/1.1 200 OK", "Content-Encoding: gzip", body=body)
    with (
        LoopbackServer(answer) as api,
        CrustdataClient(api_key=KEY, base_url=api.url()) as client,
    ):
        assert client.job(BATCH_ID).batch_id == "x"
    assert "accept-encoding: gzip\r\n" in api.requests[0].lower()


def test_an_answer_in_an_encoding_that_was_not_asked_for_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "RETRY_WAITS_SECONDS", ())
    answer = send("HTTP/1.1 200 OK", "Content-Encoding: br", body=b"{}")
    with (
        LoopbackServer(answer) as api,
        CrustdataClient(api_key=KEY, base_url=api.url()) as client,
        pytest.raises(errors.Unavailable, match="cannot be read"),
    ):
        client.job(BATCH_ID)


def test_an_answer_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "RETRY_WAITS_SECONDS", ())
    monkeypatch.setattr(http, "MOST_BODY_BYTES", 1 << 20)

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError):  # the other side hangs up
            while True:
                connection.sendall(b" " * 65536)

    with (
        LoopbackServer(endless) as api,
        CrustdataClient(api_key=KEY, base_url=api.url()) as client,
        pytest.raises(errors.Unavailable, match="cannot be read"),
    ):
        client.job(BATCH_ID)


def test_an_answer_that_comes_in_drops_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_BODY_SECONDS", -1.0)
    vendor = Vendor(httpx.Response(200, json={"batch_id": "x", "status": "pending"}))
    with vendor.client() as client, pytest.raises(errors.Unavailable, match="cannot be read"):
        client.job(BATCH_ID)


def test_cookies_are_not_sent_back() -> None:
    said = httpx.Response(
        200, json={"batch_id": "x", "status": "pending"}, headers={"set-cookie": "id=1; Path=/"}
    )
    vendor = Vendor(said)
    with vendor.client() as client:
        client.job(BATCH_ID)
        client.job(BATCH_ID)
    assert not any("cookie" in request.headers for request in vendor.requests)


@pytest.mark.parametrize("count", ["1e999999999", "1e40"])
def test_a_count_that_no_job_has_is_no_count(count: str) -> None:
    body = f'{{"batch_id": "x", "status": "pending", "result_count": {count}}}'
    vendor = Vendor(httpx.Response(200, content=body.encode()))
    with vendor.client() as client:
        assert client.job(BATCH_ID).result_count is None
