"""Connections of the inbox: how long one may take to begin, and how many one client may hold.

uvicorn has no time limit for headers, and answers 503 to everybody when all connections are taken:
one client that opens them and sends nothing would shut the inbox, and what vendors deliver
meanwhile may never come again.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS_AT_ONCE: Final = 1_000
# Far above what vendors and proxies hold open; so one client leaves room for the others.
CONNECTIONS_OF_A_CLIENT: Final = 500
HEAD_SECONDS: Final = 10.0


class BoundedConnection(H11Protocol):
    """A connection that is closed when its client is too slow, or holds too many already."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # as uvicorn has it
        """Begin to wait for the head of a request."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_OF_A_CLIENT and self._held_by_client() > (
            CONNECTIONS_OF_A_CLIENT
        ):
            transport.close()
            return
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Take what came; more drops of one head give it no more time."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _held_by_client(self) -> int:
        address = _host(self.client)
        held = (other for other in self.connections if isinstance(other, H11Protocol))
        return sum(_host(other.client) == address for other in held)


def _host(client: Sequence[object] | None) -> object:
    return client[0] if client else None
