"""A vendor for tests: in the process, or on a loopback socket where the socket itself matters."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx

from crust_pipeline.vendors.crustdata.client import CrustdataClient

KEY = "sandbox-key-0123456789abcdef"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
JANE = "https://www.linkedin.com/in/jane-doe"
BATCH_ID = "22f80b2b-e5bd-480b-86cc-29f79dc6c821"
LINK = f"https://storage.example/{BATCH_ID}/results.jsonl.gz?X-Amz-Signature=abcdef0123"

Behaviour = Callable[[socket.socket], None]


def payload(name: str) -> Any:
    """A documented answer."""
    return json.loads((Path(__file__).parent / "payloads" / f"{name}.json").read_bytes())


def answer(
    name: str, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """A documented answer as a response; the status of an error is in its name."""
    if status is None:
        status = int(name[6:9]) if name.startswith("error-") else 200
    return httpx.Response(status, json=payload(name), headers=headers)


class Vendor:
    """Gives its answers one after the other, the last one for ever, and remembers the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(said, Exception):
            raise said
        return httpx.Response(
            said.status_code,
            headers=said.headers,
            stream=httpx.ByteStream(said.content),
            request=request,
        )

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]

    @contextmanager
    def client(self) -> Iterator[CrustdataClient]:
        """A client whose network is this vendor."""
        with CrustdataClient(
            api_key=KEY,
            transport=httpx.MockTransport(self),
            now=lambda: NOW,
            sleep=self.slept.append,
        ) as client:
            yield client


class LoopbackServer:
    """Takes one connection after the other, reads its request, and behaves as told."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self._behaviours = behaviours
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.requests: list[str] = []
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        # Closing a socket does not wake the thread that accepts on it; a connection does.
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._socket.close()

    def url(self, *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}"

    def _serve(self) -> None:
        behaviours = iter(self._behaviours)
        while True:
            connection, _ = self._socket.accept()
            with connection:
                connection.settimeout(10)
                request = _read_request(connection)
                if not request:
                    return
                self.requests.append(request)
                next(behaviours)(connection)


def send(*lines: str, body: bytes = b"", length: int | None = None) -> Behaviour:
    """Behave by sending a status line, headers and a body whose length may be a lie."""
    head = [*lines, f"Content-Length: {len(body) if length is None else length}"]
    return lambda connection: connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def send_raw(data: bytes) -> Behaviour:
    """Behave by sending bytes that need not be HTTP."""
    return lambda connection: connection.sendall(data)


def reset(connection: socket.socket) -> None:
    """Behave by breaking the connection off."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _read_request(connection: socket.socket) -> str:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (chunk := connection.recv(65536)):
            break
        received += chunk
        if received[:1] == b"\x16":  # a TLS handshake, which never ends like HTTP
            return "TLS"
    head, _, body = received.partition(b"\r\n\r\n")
    for line in head.decode().split("\r\n"):
        name, _, value = line.partition(":")
        while name.lower() == "content-length" and len(body) < int(value):
            body += connection.recv(65536)
    return (head + b"\r\n\r\n" + body).decode() if received else ""
