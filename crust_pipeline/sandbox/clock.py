"""The time the sandbox lives in: real time, unless somebody sets or moves it."""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Real time plus an offset, or a moment at which time stands still."""

    def __init__(self) -> None:
        """Start at real time."""
        self._offset = timedelta()
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """Return the sandbox's time, UTC, microseconds."""
        if self._frozen is not None:
            return self._frozen
        return datetime.fromtimestamp(time.time(), tz=UTC) + self._offset

    def freeze(self, at: datetime | None = None) -> None:
        """Let time stand still, at `at` or now, until it is advanced or released."""
        self._frozen = (at or self.now()).astimezone(UTC)

    def advance(self, seconds: float) -> None:
        """Move time forward."""
        step = timedelta(seconds=seconds)
        if self._frozen is None:
            self._offset += step
        else:
            self._frozen += step

    def set(self, moment: datetime) -> None:
        """Make it `moment`, from where time goes on as it did (or stands still)."""
        self.advance((moment - self.now()).total_seconds())

    def release(self) -> None:
        """Let time run again from where it stands."""
        if self._frozen is not None:
            self._offset = self._frozen - datetime.fromtimestamp(time.time(), tz=UTC)
            self._frozen = None


def iso(moment: datetime) -> str:
    """Return ISO 8601 with microseconds and `+00:00` (documents: `GET /batch/{batch_id}`)."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
