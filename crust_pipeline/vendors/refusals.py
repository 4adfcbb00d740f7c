"""What an error response means: from status, headers and body to the class in `errors`.

The vendor's documents disagree on some statuses and show several shapes of the body; all are read.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, Self

import httpx

from crust_pipeline.vendors import errors
from crust_pipeline.vendors.masking import REQUEST_ID_LENGTH, masked
from crust_pipeline.vendors.parsing import Json, http_date, number, object_or_empty, objects, texts

# A 429 has two documented causes, but not how their bodies differ: words decide before headers.
_ABOUT_SLOTS: Final = re.compile(
    r"\bactive\b|\bconcurrent\b|\bsimultaneous|\bjobs?\b|\bmax(?:imum)?(?: of)? 5\b", re.IGNORECASE
)
_ABOUT_RATE: Final = re.compile(r"\bper (?:minute|second|hour)\b|\brpm\b", re.IGNORECASE)
_ABOUT_CREDITS: Final = re.compile(r"credit", re.IGNORECASE)
_DENIED_FIELDS: Final = re.compile(
    r"denied to fields?:\s*([\w.]+(?:\s*,\s*[\w.]+)*)", re.IGNORECASE
)


class Refusal(Protocol):
    """Makes the error for a 4xx: `refusal` below, or what knows another vendor's words."""

    def __call__(
        self,
        response: httpx.Response,
        *,
        paid: bool,
        secret: str,
        now: Callable[[], datetime],
    ) -> errors.VendorError:
        """Make the error."""
        ...


def circumstances(response: httpx.Response, *, secret: str) -> errors.Circumstances:
    """Return what an error may tell of a response; `secret` is the key to mask in it."""
    return {
        "status": response.status_code,
        # What a success says is data about people, never a message.
        "vendor_message": ""
        if response.is_success
        else masked(_Complaint.read(response).message, secret=secret),
        "request_id": request_id_of(response),
    }


def refusal(
    response: httpx.Response, *, paid: bool, secret: str, now: Callable[[], datetime]
) -> errors.VendorError:
    """Make the error for a 4xx, which proves that nothing was carried out.

    Args:
        response: the refusal.
        paid: whether the request was for a job; only such a one can lack a slot.
        secret: the key to mask in the vendor's words.
        now: the clock to compare a date in `retry-after` with.
    """
    complaint = _Complaint.read(response)
    known = circumstances(response, secret=secret)
    match response.status_code:
        case 401:
            return errors.InvalidKey("The vendor does not accept the API key: check it", **known)
        case 402 | 403:
            return _forbidden(complaint, known, status=response.status_code)
        case 404:
            return errors.NotFound("The vendor knows no such thing", **known)
        case 429:
            return _too_many(response.headers, complaint, known, paid=paid, now=now)
        case _:
            return _invalid(complaint, known)


def request_id_of(response: httpx.Response) -> str | None:
    """Return the vendor's id of a call, None if it sent none."""
    request_id = response.headers.get("x-request-id", "")[:REQUEST_ID_LENGTH]
    return request_id if request_id.isprintable() and request_id else None


@dataclass(frozen=True, slots=True)
class _Complaint:
    """An error body in any of the shapes that the vendor's documents show."""

    kind: str
    message: str
    metadata: tuple[Json, ...]

    @classmethod
    def read(cls, response: httpx.Response) -> Self:
        try:
            outer = object_or_empty(json.loads(response.content))
        except (ValueError, RecursionError):
            return cls("", response.text, ())
        # A 401 has its message outside, everything else inside `error`.
        inner = object_or_empty(outer.get("error")) or outer
        message = inner.get("message") or outer.get("error")
        return cls(
            str(inner.get("type") or ""),
            message if isinstance(message, str) else "",
            objects(inner.get("metadata")),
        )

    @property
    def words(self) -> str:
        return f"{self.kind.replace('_', ' ')} {self.message}"

    @property
    def denied_fields(self) -> tuple[str, ...]:
        if listed := self.listed("denied_fields"):
            return listed
        named = _DENIED_FIELDS.search(self.message)
        return tuple(re.split(r"\s*,\s*", named[1].rstrip("."))) if named else ()

    def listed(self, key: str) -> tuple[str, ...]:
        """Return the texts of a list in the metadata, which is one object or a list of them."""
        return tuple(name for entry in self.metadata for name in texts(entry.get(key)))


def _forbidden(
    complaint: _Complaint, known: errors.Circumstances, *, status: int
) -> errors.VendorError:
    if status == 402 or (
        not complaint.denied_fields and _ABOUT_CREDITS.search(complaint.words) is not None
    ):
        return errors.OutOfCredits("The account has too few credits left", **known)
    if denied := complaint.denied_fields:
        return errors.FieldsDenied(
            f"The account may not ask for {masked(', '.join(denied))}", fields=denied, **known
        )
    return errors.NotPermitted("The account's plan does not include this", **known)


def _invalid(complaint: _Complaint, known: errors.Circumstances) -> errors.InvalidRequest:
    if available := complaint.listed("available_fields"):
        return errors.FieldsUnsupported(
            f"The request asks for a field that does not exist; there are {len(available)} others",
            available_fields=available,
            **known,
        )
    return errors.InvalidRequest("The vendor refused the request as it was written", **known)


def _too_many(
    headers: httpx.Headers,
    complaint: _Complaint,
    known: errors.Circumstances,
    *,
    paid: bool,
    now: Callable[[], datetime],
) -> errors.RateLimited | errors.SlotsFull:
    retry_after_seconds = _seconds(headers.get("retry-after"), now)
    if paid and _is_about_slots(headers, complaint):
        return errors.SlotsFull(
            "The account has as many active jobs as it may have; one must end first",
            retry_after_seconds=retry_after_seconds,
            **known,
        )
    reset_seconds = _seconds(headers.get("x-ratelimit-reset"), now)
    waits = [seconds for seconds in (retry_after_seconds, reset_seconds) if seconds is not None]
    if not waits:
        return errors.RateLimited("Too many requests", **known)
    return errors.RateLimited(
        f"Too many requests; there is room again in {max(waits):g} s",
        retry_after_seconds=max(waits),
        **known,
    )


def _is_about_slots(headers: httpx.Headers, complaint: _Complaint) -> bool:
    if _ABOUT_RATE.search(complaint.words):
        return False
    if _ABOUT_SLOTS.search(complaint.words):
        return True
    # The rate-limit headers come with every response, so only "none left" speaks of the rate.
    remaining = number(headers.get("x-ratelimit-remaining"))
    if remaining is not None:
        return remaining > 0
    return "retry-after" not in headers and "x-ratelimit-reset" not in headers


def _seconds(value: str | None, now: Callable[[], datetime]) -> float | None:
    """Read a wait given as seconds or as an HTTP date."""
    seconds = number(value)
    if seconds is not None:
        return max(0.0, float(seconds))
    date = http_date(value)
    return None if date is None else max(0.0, (date - now()).total_seconds())
