"""What a landed file answers about each identifier: the facts for settling, read at landing.

No table is made here and no detail is looked at, so that credits and outcomes can be settled within
a second of landing. Lines are read leniently: unknown keys are passed over.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import pyarrow as pa

from crust_pipeline.tables.flatten.judge import Judge
from crust_pipeline.tables.flatten.landed import BadLine, DamagedFile, LandedText, stored_text
from crust_pipeline.tables.specs import LINES
from crust_pipeline.tables.specs.contact import PRONTO_OPERATIONS

_COLUMNS: Final = pa.schema(
    [
        ("source_line", pa.int64()),
        ("identifier", pa.string()),
        ("person_id", pa.int64()),
        ("status", pa.string()),
        ("items", pa.list_(pa.string())),
        ("profile_url", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers in a landed file.

    Args:
        lines: Lines in the file.
        quarantined: What could not be read; line 0 is the file as a whole.
        table: `source_line, identifier` (as echoed)`, person_id, status` (matched, not_found,
            redacted, no_data)`, items` (what was delivered of what is billed).
    """

    lines: int
    quarantined: tuple[BadLine, ...]
    table: pa.Table


class _EnrichLine(msgspec.Struct):
    """The outside of an enrich line; the record's groups stay unread."""

    original_identifier: Any
    data: dict[str, msgspec.Raw]
    internal_id: Any = None


@dataclass(frozen=True, slots=True)
class _Answer:
    identifier: str
    person_id: int | None
    status: str
    items: list[str]
    profile_url: str | None = None


def read_answers(path: Path, *, operation: str) -> Answers:
    """Read what a landed file answers.

    Of a file that is cut off, the whole lines are read; of one whose check sum does not match,
    none.
    """
    read, judge, text = _READERS[operation], Judge(operation), LandedText(path)
    answers: list[tuple[int, _Answer]] = []
    quarantined: list[BadLine] = []
    number = 0
    try:
        for number, line in enumerate(text.lines(), start=1):
            try:
                answer = read(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, _UnreadableError):
                reason = judge.no_answer_reason(line) or "no answer in this line"
                quarantined.append(BadLine(path.name, number, reason, stored_text(line)))
            else:
                answers.append((number, answer))
    except DamagedFile as damage:
        answers = []
        quarantined = [BadLine(path.name, 0, str(damage), "")]
    if text.note:
        quarantined.append(BadLine(path.name, 0, text.note, ""))
    table = pa.table(
        {
            "source_line": [number for number, _ in answers],
            "identifier": [answer.identifier for _, answer in answers],
            "person_id": [answer.person_id for _, answer in answers],
            "status": [answer.status for _, answer in answers],
            "items": [answer.items for _, answer in answers],
            "profile_url": [answer.profile_url for _, answer in answers],
        },
        schema=_COLUMNS,
    )
    return Answers(number, tuple(quarantined), table)


class _UnreadableError(Exception):
    """A line that is JSON but no answer."""


_enrich_decoder: Final = msgspec.json.Decoder(_EnrichLine)
_EMPTY: Final = frozenset({b"{}", b"[]", b"null", b'""'})
_IDS: Final = frozenset({"crustdata_person_id", "updated_at"})
# Longer than any group in which all values are empty; shorter ones are looked into.
_SHELL_BYTES: Final = 2000


def _read_enrich(line: bytes) -> _Answer:
    answer = _enrich_decoder.decode(line)
    delivered = {
        name for name, raw in answer.data.items() if bytes(raw).replace(b" ", b"") not in _EMPTY
    }
    # An empty shell is delivered, and billed, like any other profile.
    items = ["profile", *sorted(delivered & {"dev_platform_profiles", "social_posts"})]
    person_id = answer.data.get("crustdata_person_id")
    return _Answer(
        identifier=_text(answer.original_identifier),
        person_id=_number(msgspec.json.decode(person_id) if person_id else answer.internal_id),
        status="matched" if _holds_something(answer.data, delivered) else "no_data",
        items=items,
    )


def _holds_something(data: dict[str, msgspec.Raw], delivered: set[str]) -> bool:
    for name in delivered - _IDS:
        if len(bytes(data[name])) > _SHELL_BYTES or _filled(msgspec.json.decode(data[name])):
            return True
    return False


def _read_identify(line: bytes) -> _Answer:
    answer = _record(line)
    matches = [match for match in _list(answer.get("matches")) if match is not None]
    best = max(matches, key=_confidence, default=None)
    status = answer.get("match_status")
    if matches:
        status = "matched"
    elif status != "redacted":
        status = "not_found"
    return _Answer(
        identifier=_text(answer.get("matched_on")),
        person_id=_number(_at(best, "person_data", "crustdata_person_id")),
        status=status,
        items=["match"] if matches else [],
        profile_url=_profile_url(best),
    )


def _profile_url(match: object) -> str | None:
    handles = ("person_data", "social_handles", "professional_network_identifier")
    url = _at(match, *handles, "profile_url")
    return url if isinstance(url, str) else None


def _read_contact(line: bytes) -> _Answer:
    answer = _record(line)
    names = LINES["contact"].identifiers
    identifier = next((answer[name] for name in names if answer.get(name) is not None), None)
    people = [_at(match, "person_data") for match in _list(answer.get("matches"))]
    ids = [answer.get("internal_id"), answer.get("person_id")]
    ids += [_at(person, "crustdata_person_id") for person in people]
    person_id = next((number for value in ids if (number := _number(value)) is not None), None)
    items: set[str] = set()
    for place in (answer, answer.get("data")):
        items |= _contact_items(_at(place, "business_email"), _at(place, "personal_contact_info"))
    for person in people:
        contact = _at(person, "contact")
        items |= _contact_items(_at(contact, "business_emails"), contact)
    status = "no_data" if person_id is not None else "not_found"
    if items:
        status = "matched"
    elif answer.get("match_status") == "redacted":
        status = "redacted"
    return _Answer(_text(identifier), person_id, status, sorted(items))


def _contact_items(business: object, personal: object) -> set[str]:
    items: set[str] = set()
    if _texts(business, "email"):
        items.add("business_email")
    if _texts(_at(personal, "personal_emails"), "email"):
        items.add("personal_email")
    # The vendor has been seen to put e-mail addresses among the numbers.
    if any("@" not in text for text in _texts(_at(personal, "phone_numbers"), "phone_number")):
        items.add("phone_number")
    return items


def _read_bulk_contact(line: bytes) -> _Answer:
    answer = _record(line)
    items = [
        item
        for item, places in _PRONTO_ITEMS.items()
        if any(_texts(answer.get(place), "number") for place in places)
    ]
    # `finished` without a value is all that the vendor says of somebody whom it did not find.
    status = "matched" if items else "not_found"
    return _Answer(_text(_at(answer, "custom", "key")), None, status, items)


_PRONTO_ITEMS: Final = {
    "business_email": ("email",),
    "personal_email": ("personal_email",),
    "phone_number": ("phone", "phones"),
}

_READERS: Final = {
    **dict.fromkeys(PRONTO_OPERATIONS, _read_bulk_contact),
    "enrich": _read_enrich,
    "identify": _read_identify,
    "contact": _read_contact,
}


def _record(line: bytes) -> dict[str, Any]:
    record: Any = msgspec.json.decode(line)
    if not isinstance(record, dict):
        raise _UnreadableError
    return cast("dict[str, Any]", record)


def _text(value: object) -> str:
    if value is None:
        raise _UnreadableError
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _number(value: object) -> int | None:
    """Give an id, which may come as a number or as digits."""
    try:
        number = int(cast("Any", value)) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and abs(number) < 1 << 63 else None


def _at(value: object, *keys: str) -> object:
    for key in keys:
        value = cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None
    return value


def _list(value: object) -> list[object]:
    """Give a list, of one where a single value stands for it."""
    if isinstance(value, list):
        return cast("list[object]", value)
    return [] if value is None else [value]


def _texts(value: object, key: str) -> list[str]:
    """Give the texts of a list whose elements are texts, or objects with one under `key`."""
    found = [
        _at(cast("object", element), key) if isinstance(element, dict) else element
        for element in _list(value)
    ]
    return [str(text).strip() for text in found if text is not None and str(text).strip()]


def _confidence(match: object) -> float:
    score = _at(match, "confidence_score")
    return score if isinstance(score, int | float) else 0.0


def _filled(value: object) -> bool:
    """Tell whether anything but empty values is in a value."""
    if isinstance(value, dict):
        return any(_filled(child) for child in cast("dict[str, object]", value).values())
    if isinstance(value, list):
        return any(_filled(child) for child in cast("list[object]", value))
    return value is not None and value != ""
