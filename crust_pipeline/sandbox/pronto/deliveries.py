"""Posts results to where they were asked for, as badly as the switches say."""

import json
import urllib.request
import uuid
from typing import Any

from crust_pipeline.sandbox.posting import Poster
from crust_pipeline.sandbox.pronto.account import ProntoAccount

_FIRST_RETRY_SECONDS = 0.2


class Deliveries(Poster):
    """Posts results that are ready."""

    def __init__(self, account: ProntoAccount) -> None:
        """Post for `account`."""
        super().__init__("sandbox deliveries")
        self._account = account
        self._count = 0

    def post_what_is_due(self) -> None:
        """Deliver the results that are ready now."""
        for url, body in list(self._account.due()):
            self._deliver(url, body)
            self._account.posts_ended += 1

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
        self.post(
            request,
            tries=self._account.switches.tries,
            wait_seconds=lambda number: _FIRST_RETRY_SECONDS * 2**number,
        )
