"""Calls back when jobs end. What batch callbacks look like is unknown, so a switch decides."""

import hashlib
import hmac
import json
import urllib.request
import uuid
from typing import Any

from crust_pipeline.sandbox.posting import Poster
from crust_pipeline.sandbox.state import Sandbox

_TRIES = 3


class Webhooks(Poster):
    """Calls back for ended jobs that asked for it."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Call back for the jobs of `sandbox`."""
        super().__init__("sandbox webhooks")
        self._sandbox = sandbox

    def post_what_is_due(self) -> None:
        """Call back for the jobs that have ended."""
        for url, body in self._sandbox.due_callbacks():
            repeats = 2 if self._sandbox.switches.webhook == "duplicate" else 1
            request = self._request(url, body)
            for _ in range(repeats):
                self.post(request, tries=_TRIES)

    def _request(self, url: str, body: dict[str, Any]) -> urllib.request.Request:
        data = json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        if self._sandbox.switches.webhook == "signed":
            # As the vendor signs the deliveries of watches (vendor documents, webhooks).
            moment = int(self._sandbox.clock.now().timestamp())
            key = min(self._sandbox.keys).encode()
            digest = hmac.new(key, f"{moment}.".encode() + data, hashlib.sha256).hexdigest()
            headers["x-crustdata-signature"] = f"t={moment},v1={digest}"
            headers["x-crustdata-event-id"] = str(uuid.uuid4())
        return urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 - checked at submit
