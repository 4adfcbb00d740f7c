"""What an error response means: from status, headers and body to the class in `errors`.

The vendor's documents disagree on some statuses; `complaints` finds the words in the body.
"""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

import httpx

from crust_pipeline.vendors import errors
from crust_pipeline.vendors.complaints import Complaint
from crust_pipeline.vendors.masking import REQUEST_ID_LENGTH, masked
from crust_pipeline.vendors.parsing import http_date, number

# A 429 has two documented causes, but not how their bodies differ: words decide before headers.
_ABOUT_SLOTS: Final = re.compile(
    r"\bactive\b|\bconcurrent\b|\bsimultaneous|\bjobs?\b|\bmax(?:imum)?(?: of)? 5\b", re.IGNORECASE
)
# A rate by its unit, or as Django words it, which no limit of jobs has.
_ABOUT_RATE: Final = re.compile(
    r"\bper (?:minute|second|hour)\b|/ ?(?:min|sec|hour|[smh]\b)|\brpm\b|\bthrottled\b",
    re.IGNORECASE,
)
_PERHAPS_ABOUT_RATE: Final = re.compile(r"\brate[ -]?limit|\btoo many requests\b", re.IGNORECASE)
_WAIT: Final = re.compile(
    r"\b(?:available|again|retry|wait)\b\D{0,20}?(\d+(?:\.\d+)?) ?(s|sec|min)", re.IGNORECASE
)
_ABOUT_CREDITS: Final = re.compile(r"credit", re.IGNORECASE)
_ABOUT_LACK_OF_CREDITS: Final = re.compile(
    r"\b(?:insufficient|not enough|too few|no|out of)\b[\w ]{0,30}\bcredits?\b", re.IGNORECASE
)
_ABOUT_KEY: Final = re.compile(
    r"\bauthentication credentials\b|"
    r"\b(?:invalid|expired|missing|revoked|unknown)\b[\w ]{0,10}\b(?:api[ -]?key|token)\b",
    re.IGNORECASE,
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
        else masked(Complaint.read(response).message, secret=secret),
        "request_id": request_id_of(response),
        "credits_used": credits_used_in(response),
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
    complaint = Complaint.read(response)
    known = circumstances(response, secret=secret)
    if lacks_credits(complaint, status=response.status_code):
        return errors.OutOfCredits("The account has too few credits left", **known)
    match response.status_code:
        case 401:
            return _bad_key(known)
        case 403:
            return _forbidden(complaint, known)
        case 404:
            return errors.NotFound("The vendor knows no such thing", **known)
        case 429:
            return _too_many(response.headers, complaint, known, paid=paid, now=now)
        case _:
            return _invalid(complaint, known)


def lacks_credits(complaint: Complaint, *, status: int) -> bool:
    """Tell whether the account has too few credits; a 403 says so with any word about them."""
    if status == 403:
        return not complaint.denied_fields and _ABOUT_CREDITS.search(complaint.words) is not None
    return status == 402 or _ABOUT_LACK_OF_CREDITS.search(complaint.words) is not None


def request_id_of(response: httpx.Response) -> str | None:
    """Return the vendor's id of a call, None if it sent none."""
    request_id = response.headers.get("x-request-id", "")[:REQUEST_ID_LENGTH]
    return request_id if request_id.isprintable() and request_id else None


def credits_used_in(response: httpx.Response) -> Decimal | None:
    """Return what the vendor says it charged for a call, whatever came of it."""
    return number(response.headers.get("x-credits-used"))


def _bad_key(known: errors.Circumstances) -> errors.InvalidKey:
    return errors.InvalidKey("The vendor does not accept the API key: check it", **known)


def _forbidden(complaint: Complaint, known: errors.Circumstances) -> errors.VendorError:
    if denied := complaint.denied_fields:
        return errors.FieldsDenied(
            f"The account may not ask for {masked(', '.join(denied))}", fields=denied, **known
        )
    if _ABOUT_KEY.search(complaint.words):
        return _bad_key(known)
    return errors.NotPermitted("The account's plan does not include this", **known)


def _invalid(complaint: Complaint, known: errors.Circumstances) -> errors.InvalidRequest:
    unknown, available = complaint.unknown_fields, complaint.available_fields
    if unknown or available:
        return errors.FieldsUnsupported(
            "The request asks for a field that does not exist",
            fields=unknown,
            available_fields=available,
            **known,
        )
    return errors.InvalidRequest("The vendor refused the request as it was written", **known)


def _too_many(
    headers: httpx.Headers,
    complaint: Complaint,
    known: errors.Circumstances,
    *,
    paid: bool,
    now: Callable[[], datetime],
) -> errors.RateLimited | errors.SlotsFull:
    retry_after_seconds = _seconds(headers.get("retry-after"), now)
    if retry_after_seconds is None:
        retry_after_seconds = _seconds_in(complaint.message)
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


def _is_about_slots(headers: httpx.Headers, complaint: Complaint) -> bool:
    # Both causes are of one type, so only the words count.
    if _ABOUT_RATE.search(complaint.message):
        return False
    if _ABOUT_SLOTS.search(complaint.message):
        return True
    if _PERHAPS_ABOUT_RATE.search(complaint.message):
        return False
    # The rate-limit headers come with every response, so only "none left" speaks of the rate.
    remaining = number(headers.get("x-ratelimit-remaining"))
    if remaining is not None:
        return remaining > 0
    return "retry-after" not in headers and "x-ratelimit-reset" not in headers


def _seconds_in(words: str) -> float | None:
    """Read a wait out of words such as "Expected available in 12 seconds"."""
    found = _WAIT.search(words)
    if found is None:
        return None
    return float(found[1]) * (60 if found[2].lower() == "min" else 1)


def _seconds(value: str | None, now: Callable[[], datetime]) -> float | None:
    """Read a wait given as seconds or as an HTTP date."""
    seconds = number(value)
    if seconds is not None:
        return max(0.0, float(seconds))
    date = http_date(value)
    return None if date is None else max(0.0, (date - now()).total_seconds())
