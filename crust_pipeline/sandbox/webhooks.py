"""Calls back when jobs end. What batch callbacks look like is unknown, so a switch decides."""

import hashlib
import hmac
import json
import threading
import urllib.request
import uuid
from typing import Any

from crust_pipeline.sandbox.state import Sandbox

_TRIES = 3
_TIMEOUT_SECONDS = 5.0
_LOOK_SECONDS = 0.05


class Webhooks:
    """Looks for ended jobs that asked for a callback, in a thread of its own."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Call back for the jobs of `sandbox`."""
        self._sandbox = sandbox
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox webhooks", daemon=True)
        # Callbacks go to loopback receivers too, so no proxy of the environment may take them.
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
            for url, body in self._sandbox.due_callbacks():
                repeats = 2 if self._sandbox.switches.webhook == "duplicate" else 1
                request = self._request(url, body)
                for _ in range(repeats):
                    self._send(request)

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

    def _send(self, request: urllib.request.Request) -> None:
        for _ in range(_TRIES):
            try:
                with self._opener.open(request, timeout=_TIMEOUT_SECONDS):
                    return
            except OSError:  # an error status, a refused connection, a time-out
                continue
