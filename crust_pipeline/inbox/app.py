"""What the inbox answers. A 2xx says that the body is on disk; nothing in it is looked at here.

A vendor may never repeat a delivery that it was refused, so limits are far above what vendors do.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crust_pipeline.inbox.store import Store
from crust_pipeline.ledger.inbox import Delivery, Receipt
from crust_pipeline.ledger.states import LedgerError

_LOGGER = logging.getLogger(__name__)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_CLIENTS_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """What one request, and one client, may take.

    Attributes:
        body_bytes: the most that a body may hold; one contact's result is below 2 kB.
        body_seconds: how long a body may take to come.
        requests_per_second: of one client address, in the long run.
        requests_at_once: of one client address, before that rate counts.
    """

    body_bytes: int = 256_000
    body_seconds: float = 10.0
    requests_per_second: float = 2_000.0
    requests_at_once: float = 4_000.0


@dataclass(slots=True)
class _Allowance:
    """How many requests a client has left, which grows with time."""

    left: float
    at: float


@dataclass(slots=True)
class Rate:
    """Counts requests by client address."""

    limits: RequestLimits
    monotonic: Callable[[], float] = time.monotonic
    _clients: dict[str, _Allowance] = field(default_factory=dict[str, _Allowance])

    def admits(self, client: str) -> bool:
        """Tell whether a client may make one more request now, and count it."""
        now = self.monotonic()
        if len(self._clients) >= _CLIENTS_REMEMBERED:
            self._clients.clear()
        seen = self._clients.setdefault(client, _Allowance(self.limits.requests_at_once, now))
        grown = seen.left + (now - seen.at) * self.limits.requests_per_second
        seen.left, seen.at = min(self.limits.requests_at_once, grown), now
        if seen.left < 1:
            return False
        seen.left -= 1
        return True


class _TooLargeError(Exception):
    """A body is longer than it may be."""


def build_app(
    store: Store,
    *,
    limits: RequestLimits | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Starlette:
    """Return the inbox as an ASGI application.

    Args:
        store: keeps what comes.
        limits: what requests may take.
        monotonic: seconds, for the rate.
    """
    chosen = limits or RequestLimits()
    rate = Rate(chosen, monotonic)

    async def receive(request: Request) -> Response:
        if refused := _refused(request, rate):
            return refused
        try:
            async with asyncio.timeout(chosen.body_seconds):
                body = await _body(request, most_bytes=chosen.body_bytes)
        except TimeoutError:
            return _told("the body took too long", 408, {"connection": "close"})
        except _TooLargeError:
            return _told("the body is too large", 413, {"connection": "close"})
        except ClientDisconnect:
            return _told("the connection was lost", 400)
        return await _kept(store, Delivery(request.path_params["token"], body))

    async def health(_request: Request) -> Response:
        try:
            return JSONResponse({"status": "ok", "deliveries": await store.kept()})
        except (SQLAlchemyError, LedgerError):
            return _told("the ledger cannot be read", 503)

    app = Starlette(
        routes=[
            Route("/hooks/{token}", receive, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
        ]
    )
    # A redirect would carry the token to whatever address the request names as host.
    app.router.redirect_slashes = False
    return app


def _refused(request: Request, rate: Rate) -> Response | None:
    """Return the answer to a request of which no body is read; None for the others."""
    if not rate.admits(request.client.host if request.client else ""):
        return _told("too many requests", 429, {"retry-after": "1"})
    if not _TOKEN.fullmatch(request.path_params["token"]):
        return _told("no such address", 404)
    if "content-length" in request.headers and "transfer-encoding" in request.headers:
        # A proxy may take one and we the other for the body's end (RFC 9112, 6.1).
        return _told("a body has one length", 400, {"connection": "close"})
    return None


async def _kept(store: Store, delivery: Delivery) -> Response:
    try:
        receipt = await store.keep(delivery)
    except (SQLAlchemyError, LedgerError) as error:
        # The statement holds the body: only the kind of error may be told.
        _LOGGER.error("A delivery could not be kept: %s.", type(error).__name__)  # noqa: TRY400
        return _told("the delivery could not be kept; send it again", 503, {"retry-after": "10"})
    match receipt:
        case Receipt.KEPT | Receipt.KNOWN:
            return _told("kept", 200)
        case Receipt.NO_SUCH_ADDRESS:
            return _told("no such address", 404)
        case Receipt.TOO_MANY:
            return _told("too many deliveries for this address", 429)
        case _:
            assert_never(receipt)


async def _body(request: Request, *, most_bytes: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most_bytes:
        raise _TooLargeError
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise _TooLargeError
    return bytes(body)


def _told(words: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"message": words}, status, headers)
