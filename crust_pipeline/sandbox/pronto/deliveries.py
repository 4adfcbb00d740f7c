"""Posts results to where they were asked for, as badly as the switches say."""

import json
import threading
import urllib.request
import uuid
from typing import Any

from crust_pipeline.sandbox.pronto.account import ProntoAccount

_LOOK_SECONDS = 0.05
_TIMEOUT_SECONDS = 5.0
_FIRST_RETRY_SECONDS = 0.2


class Deliveries:
    """Looks for results that are ready, in a thread of its own."""

    def __init__(self, account: ProntoAccount) -> None:
        """Post for `account`."""
        self._account = account
        self._count = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox deliveries", daemon=True)
        # As for other callbacks: loopback receivers are not reached through a proxy.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            for url, body in list(self._account.due()):
                self._deliver(url, body)

    def _deliver(self, url: str, body: dict[str, Any]) -> None:
        switches = self._account.switches
        self._count += 1
        if switches.forged:
            forged = body | {"email": "forged@example.net", "custom": {"key": uuid.uuid4().hex}}
            self._post(url, forged)
        if switches.deliveries == "lossy" and self._count % 10 < switches.lost_of_ten:
            return
        self._post(url, body)
        if switches.deliveries == "twice":
            self._post(url, body)

    def _post(self, url: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(  # noqa: S310 - our own receiver
            url, data=json.dumps(body).encode(), headers={"content-type": "application/json"}
        )
        wait = _FIRST_RETRY_SECONDS
        for _ in range(self._account.switches.tries):
            try:
                with self._opener.open(request, timeout=_TIMEOUT_SECONDS):
                    return
            except OSError:  # an error status, a refused connection, a time-out
                if self._ended.wait(wait):
                    return
                wait *= 2
