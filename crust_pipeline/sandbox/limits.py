"""The request rate: one sliding minute per path, and one over all of them."""

import math
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from crust_pipeline.sandbox.switches import Switches

_WINDOW = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Where a request stands: the limit, what is left of it, when some returns, if it passes."""

    limit: int
    remaining: int
    reset_seconds: int
    passes: bool

    def headers(self) -> dict[str, str]:
        """Return the vendor's three headers; the reset is in seconds, not a time of day."""
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(self.reset_seconds),
        }


class RateLimits:
    """Counts requests of the last minute."""

    def __init__(self) -> None:
        """Start with nobody having asked."""
        self._seen: dict[str, deque[datetime]] = {}

    def admit(self, path: str, *, now: datetime, switches: Switches) -> Allowance:
        """Count a request on `path`, unless it is over a limit."""
        limits = {path: switches.rate_limits_rpm.get(path, switches.rate_limit_rpm)}
        if switches.token_limit_rpm is not None:
            limits["*"] = switches.token_limit_rpm
        allowance = min(
            (self._look(name, limit, now) for name, limit in limits.items()),
            key=lambda a: a.remaining,
        )
        if not allowance.passes:
            return allowance
        for name in limits:
            self._seen[name].append(now)
        reset = allowance.reset_seconds or math.ceil(_WINDOW.total_seconds())
        return Allowance(allowance.limit, allowance.remaining - 1, reset, passes=True)

    def _look(self, name: str, limit: int, now: datetime) -> Allowance:
        seen = self._seen.setdefault(name, deque())
        while seen and seen[0] <= now - _WINDOW:
            seen.popleft()
        left = limit - len(seen)
        reset = math.ceil((seen[0] + _WINDOW - now).total_seconds()) if seen else 0
        return Allowance(limit, max(left, 0), reset, passes=left > 0)
