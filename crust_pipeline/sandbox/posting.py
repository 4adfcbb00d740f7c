"""Posts that a vendor makes by itself: from a thread of their own, tried again when refused."""

import threading
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable

_LOOK_SECONDS = 0.05
_TIMEOUT_SECONDS = 5.0


class Poster(ABC):
    """Looks for what is to be posted until it is stopped."""

    def __init__(self, name: str) -> None:
        """Name the thread."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        # Posts go to loopback receivers too, so no proxy of the environment may take them.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._ended.set()
        self._thread.join()

    @abstractmethod
    def post_what_is_due(self) -> None:
        """Post everything that is to be posted now."""

    def post(
        self,
        request: urllib.request.Request,
        *,
        tries: int,
        wait_seconds: Callable[[int], float] = lambda _: 0,
    ) -> None:
        """Post until it is accepted; wait `wait_seconds(number of the try)` before the next try."""
        for number in range(tries):
            try:
                with self._opener.open(request, timeout=_TIMEOUT_SECONDS):
                    return
            except OSError:  # an error status, a refused connection, a time-out
                if self._ended.wait(wait_seconds(number)):
                    return

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self.post_what_is_due()
