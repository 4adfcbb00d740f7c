"""Answers that go wrong below HTTP: connections that end early. Needs the real server (uvicorn)."""

import asyncio
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_TRANSPORT = "sandbox.transport"


def with_transport(app: ASGIApp) -> ASGIApp:
    """Return `app` such that its responses can reach the connection.

    ASGI has no way to break a connection, so the transport is taken from uvicorn's bound `send`.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await app(scope, receive, send)

    return wrapped


class ConnectionLost(Response):
    """No answer: the connection is reset instead."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Reset the connection."""
        transport: asyncio.Transport | None = scope.get(_TRANSPORT)
        if transport is None:
            raise ConnectionAbortedError("the sandbox broke the connection, as asked")
        transport.abort()
        await _until_disconnected(receive)


class CutShort(Response):
    """An answer whose body ends before the length it announced."""

    def __init__(self, content: bytes, *, sent: int, **rest: Any) -> None:  # noqa: ANN401 - Response's
        """Announce all of `content`, send the first `sent` bytes."""
        super().__init__(content, **rest)
        self._sent = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a part, then close the connection."""
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        part = bytes(self.body)[: self._sent]
        await send({"type": "http.response.body", "body": part, "more_body": True})
        transport: asyncio.Transport | None = scope.get(_TRANSPORT)
        if transport is None:
            raise ConnectionAbortedError("the sandbox broke the connection, as asked")
        transport.close()
        await _until_disconnected(receive)


async def _until_disconnected(receive: Receive) -> None:
    # Returning earlier would let uvicorn report an unfinished answer, and send a 500 of its own.
    while (await receive())["type"] != "http.disconnect":
        pass
