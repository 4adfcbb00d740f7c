"""Single values out of a vendor's JSON and headers, read tolerantly.

The vendor's documents leave much open: numbers may be strings, keys may be absent, lists may be
lone objects. What is not as hoped becomes None or empty, so that one odd value hides no other.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any, Final, cast

Json = Mapping[str, Any]

_LIST: Final = re.compile(r'\s*(?:\{\s*"results"\s*:\s*)?\[\s*')
_BETWEEN: Final = re.compile(r"\s*,?\s*")
_DECODER: Final = json.JSONDecoder()
# No count or id has more digits; `1e999999999` would take all memory as a whole number.
_MOST_DIGITS: Final = 30
_ONE_LINE: Final = {ord("\n"): " ", ord("\r"): " "}


def as_object(value: Any) -> Json:  # noqa: ANN401 - whatever the vendor sent
    """Return a JSON object.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, Mapping):
        raise ValueError("not a JSON object")  # noqa: TRY004 - as for JSON that cannot be parsed
    return cast("Json", value)


def object_or_empty(value: Any) -> Json:  # noqa: ANN401 - whatever the vendor sent
    """Return a JSON object, an empty one for anything else."""
    empty: Json = {}
    return cast("Json", value) if isinstance(value, Mapping) else empty


def objects(value: Any) -> tuple[Json, ...]:  # noqa: ANN401 - whatever the vendor sent
    """Return the objects in a list, or a lone object as a list of one; nothing else."""
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    return tuple(cast("Json", item) for item in values if isinstance(item, Mapping))


def text(value: Any) -> str | None:  # noqa: ANN401 - whatever the vendor sent
    """Return a text that is not empty, None for anything else."""
    return value if isinstance(value, str) and value else None


def texts(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever the vendor sent
    """Return the texts in a list that are not empty, nothing else."""
    values = cast("list[Any]", value) if isinstance(value, list) else []
    return tuple(item for item in values if isinstance(item, str) and item)


def number(value: Any) -> Decimal | None:  # noqa: ANN401 - whatever the vendor sent
    """Read a number or a text that is one, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        parsed = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return parsed if parsed.is_finite() else None


def whole_number(value: Any) -> int | None:  # noqa: ANN401 - whatever the vendor sent
    """Read a whole number or a text that is one, None for anything else."""
    parsed = number(value)
    if parsed is None or parsed.adjusted() > _MOST_DIGITS or parsed != parsed.to_integral_value():
        return None
    return int(parsed)


def moment(value: Any) -> datetime | None:  # noqa: ANN401 - whatever the vendor sent
    """Read an ISO 8601 time as UTC, None for anything else."""
    try:
        return _in_utc(datetime.fromisoformat(value))
    except (TypeError, ValueError, OverflowError):
        return None


def http_date(value: str | None) -> datetime | None:
    """Read the time in a header such as `Date`, None for anything else."""
    try:
        return _in_utc(parsedate_to_datetime(value or ""))
    except (ValueError, OverflowError):
        return None


def _in_utc(time: datetime) -> datetime:
    # Some of the vendor's times come without an offset; all that have one are in UTC.
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def elements_as_written(body: bytes, elements: Sequence[Any]) -> tuple[str, ...]:
    """Return the elements of a JSON list as they were sent, each in one line.

    Args:
        body: a list, or an object that has one under `results`, as JSON.
        elements: the same list, read; written anew when it is not found where it should be.
    """
    found: list[str] = []
    try:
        text = body.decode()
        opening = _LIST.match(text)
        place = opening.end() if opening else len(text)
        while place < len(text) and text[place] != "]":
            _, end = _DECODER.raw_decode(text, place)
            # A line break within a text is written as an escape, so these stand between values.
            found.append(text[place:end].translate(_ONE_LINE))
            between = _BETWEEN.match(text, end)
            place = between.end() if between else end
    except (ValueError, RecursionError):
        found = []
    if len(found) == len(elements):
        return tuple(found)
    return tuple(json.dumps(element, ensure_ascii=False, default=float) for element in elements)
