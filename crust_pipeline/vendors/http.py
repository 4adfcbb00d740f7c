"""How requests are sent: paid ones once, free reads again and again.

It knows time-outs, retries and what a lost connection proves, but no endpoint; those are in the
module of each vendor. What an error response means is in `vendors/refusals.py`.
"""

import json
import logging
import random
import ssl
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, TypeVar

import httpx

from crust_pipeline.errors import CrustError
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.masking import masked
from crust_pipeline.vendors.parsing import Json, http_date, number
from crust_pipeline.vendors.refusals import (
    Refusal,
    circumstances,
    credits_used_in,
    refusal,
    request_id_of,
)

PAID_TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)
READ_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
RETRY_WAITS_SECONDS: Final = (1.0, 2.0, 4.0)
# A sensor's tick has 60 seconds: a longer wait is an error, and is waited for elsewhere.
LONGEST_WAIT_SECONDS: Final = 10.0
# The largest answers, those to synchronous requests for 25 people, take a few megabytes.
MOST_BODY_BYTES: Final = 64 << 20
# Time-outs watch over each piece of a body; one that comes in drops would never end.
MOST_BODY_SECONDS: Final = 120.0
# What is inflated here is so piece by piece: the limit holds for what comes out.
_ENCODINGS: Final = {"": False, "identity": False, "gzip": True, "x-gzip": True}
_GZIP: Final = zlib.MAX_WBITS | 16

# httpx logs every URL at INFO, signed links among them; httpcore logs every header at DEBUG.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_Failure = TypeVar("_Failure", bound=errors.VendorError)

_OF_BODY: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})

# Only these prove that no byte of the request went out.
_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class UnreadableBodyError(CrustError):
    """A response has a body that is too large, takes too long, or cannot be inflated."""


@cache
def tls() -> ssl.SSLContext:
    """Return what certificates are checked by; reading those that are trusted takes 50 ms."""
    return httpx.create_ssl_context()


def new_client(transport: httpx.BaseTransport | None, *, user_agent: str) -> httpx.Client:
    """Make a client that keeps neither connections nor cookies, and follows no redirect.

    A connection kept open may be closed by the other side just as a paid request goes out, and
    nobody could tell whether it was taken. So every request has its own.
    """
    return httpx.Client(
        transport=transport,
        verify=tls(),
        limits=httpx.Limits(max_keepalive_connections=0),
        follow_redirects=False,
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
        headers={"user-agent": user_agent},
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """A response that succeeded: its JSON and its headers."""

    document: Any
    response: httpx.Response

    @property
    def credits_used(self) -> Decimal | None:
        """What the vendor says it charged for this call."""
        return credits_used_in(self.response)

    @property
    def request_id(self) -> str | None:
        """The vendor's id of this call."""
        return request_id_of(self.response)

    @property
    def server_time(self) -> datetime | None:
        """The vendor's clock when it answered."""
        return http_date(self.response.headers.get("date"))


class Api:
    """Requests to one vendor's API, with its key, which follow no redirect to another host."""

    def __init__(
        self,
        client: httpx.Client,
        *,
        base_url: str,
        headers: Mapping[str, str],
        secret: str,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        refused: Refusal = refusal,
    ) -> None:
        """Hold what every request needs.

        Args:
            client: sends the requests.
            base_url: where the API is.
            headers: sent with every request, the key among them.
            secret: the key, masked wherever the vendor echoes it.
            now: the clock that dates in headers are compared with.
            sleep: waits between two attempts of a free read.
            refused: says what a 4xx of this vendor means.
        """
        self._refused = refused
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._headers = headers
        self._secret = secret
        self._now = now
        self._sleep = sleep
        self.reads_per_minute: int | None = None

    def pay(self, path: str, body: Json) -> Reply:
        """Send a paid request, once: no failure but a refusal proves that it was not carried out.

        Raises:
            NotSent: nothing reached the vendor.
            MaybeStarted: it may have been carried out.
            VendorError: the class for the vendor's refusal; nothing was carried out.
        """
        try:
            response = self._sent("POST", path, json=body, timeout=PAID_TIMEOUT)
        except _NEVER_SENT as error:
            raise errors.NotSent(
                f"The vendor could not be reached ({self._said(str(error))}), so nothing was sent"
            ) from error
        except httpx.HTTPError as error:
            raise errors.MaybeStarted(
                "The connection failed after a paid request was sent "
                f"({type(error).__name__}); it may be running and billed"
            ) from error
        if response.is_client_error:
            raise self._refused(response, paid=True, secret=self._secret, now=self._now)
        if not response.is_success:
            raise self._error(
                errors.MaybeStarted,
                "The vendor failed on a paid request; it may be running and billed",
                response,
            )
        try:
            return Reply(_parsed(response), response)
        except (ValueError, RecursionError) as error:
            raise self.unreadable_sale(response) from error

    def read(self, path: str, params: Mapping[str, str | int] | None = None) -> Reply:
        """Ask for something free, a few times if need be.

        Raises:
            Unavailable: no attempt brought an answer that can be read.
            RateLimited: the wait is longer than may be spent here, or was not enough.
            VendorError: the class for the vendor's refusal.
        """
        for backoff_seconds in RETRY_WAITS_SECONDS:
            try:
                return self._read_once(path, params)
            except (errors.Unavailable, errors.RateLimited) as error:
                wait_seconds = _wait_seconds(error, backoff_seconds)
                if wait_seconds is None:
                    raise
            # Jitter keeps several processes from coming back at the same moment.
            self._sleep(wait_seconds * random.uniform(1.0, 1.25))  # noqa: S311 - not a secret
        return self._read_once(path, params)

    def unreadable_sale(self, response: httpx.Response) -> errors.MaybeStarted:
        """Make the error for a paid request whose success nobody can read."""
        return self._error(
            errors.MaybeStarted,
            "The vendor took a paid request but its answer cannot be read; "
            "it may be running and billed",
            response,
        )

    def unreadable(self, response: httpx.Response) -> errors.Unavailable:
        """Make the error for a free read whose answer nobody can read."""
        return self._error(
            errors.Unavailable, "The vendor's answer cannot be read; ask again later", response
        )

    def _read_once(self, path: str, params: Mapping[str, str | int] | None) -> Reply:
        try:
            response = self._sent("GET", path, params=params, timeout=READ_TIMEOUT)
        except httpx.HTTPError as error:
            reason = self._said(str(error)) or type(error).__name__
            raise errors.Unavailable(f"The vendor could not be asked: {reason}") from error
        if (limit := number(response.headers.get("x-ratelimit-limit"))) is not None:
            self.reads_per_minute = int(limit)
        if response.is_client_error:
            raise self._refused(response, paid=False, secret=self._secret, now=self._now)
        if not response.is_success:
            raise self._error(errors.Unavailable, "The vendor did not answer a free read", response)
        try:
            return Reply(_parsed(response), response)
        except (ValueError, RecursionError) as error:
            raise self.unreadable(response) from error

    def _sent(
        self,
        method: str,
        path: str,
        *,
        timeout: httpx.Timeout,
        json: Json | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> httpx.Response:
        """Send a request and read the answer, whose body is empty if it is out of all bounds."""
        request = self._client.build_request(
            method,
            self._base_url + path,
            json=json,
            params=params,
            headers={**self._headers, "accept-encoding": "gzip"},
            timeout=timeout,
        )
        response = self._client.send(request, stream=True)
        try:
            body = _body(response)
        except UnreadableBodyError:
            body = b""  # no JSON: what takes the answer says that it cannot be read
        finally:
            response.close()
        # What describes the body on its way does not describe it any more.
        headers = [
            (name, value) for name, value in response.headers.multi_items() if name not in _OF_BODY
        ]
        return httpx.Response(response.status_code, headers=headers, content=body, request=request)

    def _error(self, kind: type[_Failure], text: str, response: httpx.Response) -> _Failure:
        return kind(text, **circumstances(response, secret=self._secret))

    def _said(self, text: str) -> str:
        return masked(text, secret=self._secret)


def _wait_seconds(
    error: errors.Unavailable | errors.RateLimited, backoff_seconds: float
) -> float | None:
    """Return how long to wait before asking again, None for not at all."""
    if isinstance(error, errors.RateLimited):
        wait_seconds = error.retry_after_seconds
        return wait_seconds if wait_seconds <= LONGEST_WAIT_SECONDS else None
    # What timed out has waited its share already.
    return None if isinstance(error.__cause__, httpx.TimeoutException) else backoff_seconds


def _body(response: httpx.Response) -> bytes:
    """Read a body, inflated.

    Raises:
        UnreadableBodyError: it is larger than any answer, does not end, or cannot be inflated.
        HTTPError: the connection failed.
    """
    packed = _ENCODINGS.get(response.headers.get("content-encoding", "").strip().lower())
    if packed is None:
        raise UnreadableBodyError("an encoding that was not asked for")
    inflater = zlib.decompressobj(_GZIP) if packed else None
    until = time.monotonic() + MOST_BODY_SECONDS
    parts: list[bytes] = []
    left_bytes = MOST_BODY_BYTES
    for part in response.iter_raw():
        if time.monotonic() > until:
            raise UnreadableBodyError("it takes too long")
        try:
            # One byte more than fits shows that there is too much.
            text = inflater.decompress(part, left_bytes + 1) if inflater else part
        except zlib.error:
            raise UnreadableBodyError("it cannot be inflated") from None
        left_bytes -= len(text)
        if left_bytes < 0:
            raise UnreadableBodyError("it is too large")
        parts.append(text)
    return b"".join(parts)


def _parsed(response: httpx.Response) -> Any:  # noqa: ANN401 - whatever the vendor sent
    return json.loads(response.content, parse_float=Decimal)
