"""Clients that open connections and do not go on: the inbox stays open for vendors."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from crust_pipeline.inbox import connections
from crust_pipeline.inbox.app import build_app
from crust_pipeline.inbox.connections import BoundedConnection
from crust_pipeline.inbox.store import Store
from crust_pipeline.ledger import inbox
from crust_pipeline.sandbox.serve import Listener
from crust_pipeline_tests.inbox.conftest import Batches


@pytest.fixture
def address(batches: Batches, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An inbox that gives a head half a second, and a client five connections."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(connections, "CONNECTIONS_OF_A_CLIENT", 5)
    config = uvicorn.Config

    def bounded(app: object, **settings: object) -> uvicorn.Config:
        return config(app, **{**settings, "http": BoundedConnection})  # pyright: ignore[reportArgumentType]  # passed on

    monkeypatch.setattr(uvicorn, "Config", bounded)
    listener = Listener(build_app(Store(batches.ledger)), host="127.0.0.1", port=0)
    listener.start()
    yield listener.url
    listener.stop()


def connected(address: str, sends: bytes) -> socket.socket:
    place = urlsplit(address)
    connection = socket.create_connection((place.hostname, place.port), timeout=20)
    connection.sendall(sends)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side closed, before anything was answered."""
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sends", [b"", b"POST /hooks/x HTTP/1.1\r\n"])
def test_a_connection_without_a_whole_head_is_closed(address: str, sends: bytes) -> None:
    with connected(address, sends) as connection:
        assert is_closed(connection)


def test_drops_of_a_head_give_it_no_more_time(address: str) -> None:
    with connected(address, b"POST /hooks/x HTTP/1.1\r\n") as connection:
        connection.settimeout(0.05)
        for _ in range(400):  # 20 seconds
            try:
                assert is_closed(connection)
                break
            except TimeoutError:
                with suppress(ConnectionError):  # told by the next look
                    connection.sendall(b"a: b\r\n")
        else:
            pytest.fail("the connection stayed open")


def test_the_second_request_of_a_connection_has_the_same_time(address: str) -> None:
    whole = b"GET /health HTTP/1.1\r\nhost: inbox.example\r\n\r\n"
    with connected(address, whole) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        connection.sendall(whole[:10])
        left = b"".join(iter(lambda: connection.recv(1000), b""))
        assert b"HTTP/1.1" not in left


def test_a_client_that_holds_many_connections_is_given_no_more(
    address: str, batches: Batches
) -> None:
    submission_id, token = batches.pending()
    with ExitStack() as held:
        for _ in range(5):
            held.enter_context(connected(address, b"POST "))
        with connected(address, b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n") as one_more:
            assert is_closed(one_more)
    # When they are closed, deliveries come through again, and what is acknowledged is kept.
    for _ in range(50):
        try:
            response = httpx.post(f"{address}/hooks/{token}", content=b"body", trust_env=False)
        except httpx.HTTPError:
            continue
        break
    else:
        pytest.fail("the inbox stayed shut")
    assert response.status_code == 200
    assert inbox.delivered(batches.ledger, submission_id) == [b"body"]


def test_a_body_of_two_lengths_is_refused_and_the_connection_closed(
    address: str, batches: Batches
) -> None:
    submission_id, token = batches.pending()
    head = f"POST /hooks/{token} HTTP/1.1\r\nhost: inbox.example\r\n".encode()
    lengths = b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n"
    second = b"GET /health HTTP/1.1\r\nhost: inbox.example\r\n\r\n"
    with connected(address, head + lengths + b"0\r\n\r\n" + second) as connection:
        answer = b"".join(iter(lambda: connection.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
    assert inbox.delivered(batches.ledger, submission_id) == []
