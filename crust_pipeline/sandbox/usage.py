"""The account's requests and what they were charged (vendor documents, usage): a free report.

Of the shapes, only `event_id`, `ts`, `credits_used`, `cost_components` and the paging are known.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from crust_pipeline.sandbox.billing import PRICES, Account, as_number
from crust_pipeline.sandbox.clock import iso
from crust_pipeline.sandbox.validate import Refused, invalid

VISIBLE_AFTER = timedelta(seconds=10)
_LONGEST_WINDOW = timedelta(days=366)
_MOST_EVENTS = 500
_GROUPS = ("day", "endpoint", "component")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A request that sells something, as it came and was answered.

    Attributes:
        event_id: Its `x-request-id`.
        at: When it was answered.
        path: Route.
        status: HTTP status of the answer.
        body: Body as sent.
        error: Body of an error answer.
        batch_id: The job it started; what that costs is known when the job has ended.
    """

    event_id: str
    at: datetime
    path: str
    status: int
    body: str
    error: dict[str, Any] | None = None
    batch_id: str | None = None


class Usage:
    """The events of an account."""

    def __init__(self, account: Account) -> None:
        """Report on `account`."""
        self._account = account
        self._events: list[Event] = []

    def record(self, event: Event) -> None:
        """Note a request."""
        self._events.append(event)

    def page(self, query: Mapping[str, str], *, now: datetime) -> dict[str, Any]:
        """Answer `GET /account/usage/events`, newest first."""
        limit = _number(query, "limit", default=100)
        events = self._within(query, now)
        if (cursor := query.get("cursor")) is not None:
            ids = [event.event_id for event in events]
            if cursor not in ids:
                raise invalid("Invalid cursor")
            events = events[ids.index(cursor) + 1 :]
        shown = events[: min(max(limit, 1), _MOST_EVENTS)]
        has_more = len(events) > len(shown)
        return {
            "events": [self._brief(event) for event in shown],
            "next_cursor": shown[-1].event_id if has_more else None,
            "has_more": has_more,
        }

    def one(self, event_id: str, *, now: datetime) -> dict[str, Any]:
        """Answer `GET /account/usage/events/{request_id}`: with the request and the error."""
        for event in self._visible(now):
            if event.event_id == event_id:
                detail = {"request": {"body": event.body}, "error": event.error}
                return self._brief(event) | detail
        raise Refused(404, "not_found", "No such request")

    def errors(self, query: Mapping[str, str], *, now: datetime) -> dict[str, Any]:
        """Answer `GET /account/usage/errors`: failures by endpoint and message, without 429s."""
        failed = Counter(
            (event.path, event.status, _message(event))
            for event in self._within(query, now)
            if event.error is not None and event.status != 429
        )
        rows = [
            {"endpoint": path, "status_code": status, "message": message, "count": count}
            for (path, status, message), count in failed.most_common()
        ]
        return {"errors": rows}

    def summary(self, query: Mapping[str, str], *, now: datetime) -> dict[str, Any]:
        """Answer `GET /account/usage/summary`: totals of a window, split by `group_by`."""
        group_by = query.get("group_by")
        if group_by is not None and group_by not in _GROUPS:
            raise invalid(f"Unsupported group_by: {group_by!r}. Supported: {list(_GROUPS)}")
        events = self._within(query, now)
        if group_by == "component":
            spent = sum((self._components(event) for event in events), Counter[str]())
            rows = [{"component": c, "credits_used": as_number(n)} for c, n in _credits(spent)]
            return {"rows": rows}
        name: dict[str | None, Callable[[Event], str]] = {
            None: lambda _: "total",
            "day": lambda event: f"{event.at:%Y-%m-%d}",
            "endpoint": lambda event: event.path,
        }
        groups: dict[str, list[Event]] = {}
        for event in events:
            groups.setdefault(name[group_by](event), []).append(event)
        rows = [
            {
                group_by or "total": group,
                "requests": len(members),
                "errors": sum(event.error is not None for event in members),
                "credits_used": as_number(sum((self._cost(e) for e in members), Decimal(0))),
            }
            for group, members in groups.items()
        ]
        return {"rows": rows}

    def _visible(self, now: datetime) -> list[Event]:
        return [event for event in reversed(self._events) if event.at + VISIBLE_AFTER <= now]

    def _within(self, query: Mapping[str, str], now: datetime) -> list[Event]:
        start, end = (_moment(query, name) for name in ("start", "end"))
        if start is not None and start < now - _LONGEST_WINDOW:
            raise invalid("start must not be more than 12 months ago")
        return [
            event
            for event in self._visible(now)
            if (start is None or event.at >= start) and (end is None or event.at < end)
        ]

    def _components(self, event: Event) -> Counter[str]:
        return self._account.items_of(event.batch_id or event.event_id)

    def _cost(self, event: Event) -> Decimal:
        return sum((amount for _, amount in _credits(self._components(event))), Decimal(0))

    def _brief(self, event: Event) -> dict[str, Any]:
        components = self._components(event)
        return {
            "event_id": event.event_id,
            "ts": iso(event.at),
            "endpoint": event.path,
            "status_code": event.status,
            "credits_used": as_number(self._cost(event)),
            "cost_components": [
                {"component": item, "quantity": components[item], "credits": as_number(amount)}
                for item, amount in _credits(components)
            ],
        }


def _credits(items: Counter[str]) -> list[tuple[str, Decimal]]:
    return [(item, PRICES[item] * count) for item, count in items.items()]


def _message(event: Event) -> str:
    error: dict[str, Any] = event.error or {}
    inner: dict[str, Any] = error.get("error", error)
    return str(inner.get("message", ""))


def _number(query: Mapping[str, str], name: str, *, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError:
        raise invalid(f"{name} must be an integer") from None


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    if name not in query:
        return None
    try:
        moment = datetime.fromisoformat(query[name])
    except ValueError:
        raise invalid(f"{name} must be an ISO 8601 date or time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
