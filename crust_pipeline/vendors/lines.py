"""What a line of a vendor's file says, as paths, and the one reader of it.

A `Line` describes the lines of a product: whom they are about, what they deliver. Settling reads
them here, one by one; the tables' SQL and the strict checks of flattening are made of the same
paths, so that an item is billed exactly when it makes a row.

A path leads from the line to a value: `data.basic_profile.name`; `[]` enters a list.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

import msgspec

from crust_pipeline.errors import CrustError
from crust_pipeline.keys import key_of_echo

LIST: Final = "[]"
_EMPTY: Final = frozenset({b"{}", b"[]", b"null", b'""'})
# Longer than any group in which all values are empty; shorter ones are looked into.
_SHELL_BYTES: Final = 2000
# What msgspec's decoders say of bytes that are no answer.
DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class NoAnswerError(CrustError):
    """Says why a line is no answer, without its content."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where a line has what is billed as one item.

    Attributes:
        item: the item.
        path: a list of it, or an object or list that counts as one when it is not empty; empty for
            what every line delivers.
        values: where an element has its value, the first that is there; `.` is the element itself.
            () for a list of objects that count as they are.
        excluded: a text that no such value holds.
        status: where the state of the value is, for the tables.
    """

    item: str
    path: str = ""
    values: tuple[str, ...] = ()
    excluded: str = ""
    status: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """What one line says.

    Attributes:
        identifier: whom it is about, as echoed.
        status: matched, not_found, redacted or no_data.
        items: what was delivered of what is billed.
        person_id: the vendor's id.
        source_line: the line, counted from 1.
        profile_url: whose profile the best match is, as delivered.
    """

    identifier: str
    status: str
    items: tuple[str, ...]
    person_id: int | None
    source_line: int = 0
    profile_url: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """How the lines of a product's files are read.

    Attributes:
        name: names the description.
        vendor: whose files these are.
        identifiers: where the asked identifier is echoed; the first that is there counts.
        required: objects without which a line is no answer.
        delivered: what is billed.
        subject_id: where the vendor's id of the person or company is.
        content: the object that holds the record, if the line is an envelope around one: without
            a value in it the answer is no_data.
        ids: keys of the record that are no content.
        best: of several matches the one with the highest of these is the answer.
        profile_url: whose profile was found.
        free: what is delivered along and never billed.
        key_of: makes a key of an identifier that did not come back as it was sent.
        unread: paths that the documents name and neither columns nor the reader need.
    """

    name: str
    vendor: str
    identifiers: tuple[str, ...]
    delivered: tuple[Delivered, ...]
    required: tuple[str, ...] = ()
    subject_id: tuple[str, ...] = ()
    content: str = ""
    ids: frozenset[str] = frozenset()
    best: str = ""
    profile_url: str = ""
    free: tuple[Delivered, ...] = ()
    unread: frozenset[str] = frozenset()
    key_of: Callable[[str], str | None] = key_of_echo

    def __repr__(self) -> str:
        """Return the name: it stands for the description in the version of a table."""
        return self.name

    @cached_property
    def head(self) -> re.Pattern[bytes]:
        """What a line begins with when its first key is the first that may identify."""
        key = re.escape(self.identifiers[0].encode())
        return re.compile(rb'\{[ \t]*"' + key + rb'"[ \t]*:[ \t]*"([^"\\\x00-\x1f]*)"')

    @cached_property
    def _echo(self) -> re.Pattern[str]:
        keys = "|".join(re.escape(path.rpartition(".")[2]) for path in self.identifiers)
        return re.compile(rf'"(?:{keys})"\s*:\s*"([^"\\]+)"')

    @cached_property
    def outline(self) -> msgspec.json.Decoder[Any]:
        """The decoder of what makes a line an answer; it passes over everything else."""
        first = {path.split(".")[0]: path.split(".")[1:] for path in self.identifiers}
        identifiers = [(name, _nested(rest), None) for name, rest in first.items()]
        required = [(name, msgspec.defstruct(name, [])) for name in self.required]
        return msgspec.json.Decoder(msgspec.defstruct("Line", [*required, *identifiers]))

    def identifier(self, text: bytes) -> str | None:
        """Return whom a line is about; None if it is certainly no answer."""
        try:
            line = self.outline.decode(text)
        except DECODE_ERRORS:
            return None
        for path in self.identifiers:
            value: Any = line
            for name in path.split("."):
                value = getattr(value, name, None)
            if value is not None:
                return _as_text(value)
        return None

    def identifier_in(self, broken: bytes) -> str | None:
        """Return whom a line that cannot be read is about, if that much of it is whole."""
        found = self._echo.search(broken.decode(errors="replace"))
        return found.group(1) if found else None

    def read(self, text: bytes, *, source_line: int = 0) -> LineAnswer:
        """Read a line as settling needs it.

        Raises:
            NoAnswerError: nobody can say whom it is about, or it is no JSON that can be read.
        """
        try:
            text.decode()
            return self._answer(_Record(text), source_line)
        except DECODE_ERRORS:
            raise NoAnswerError("not a JSON object, or nested too deeply") from None

    def _answer(self, record: "_Record", source_line: int) -> LineAnswer:
        found = (next(record.values(path), None) for path in self.identifiers)
        identifier = next((value for value in found if value is not None), None)
        if identifier is None or any(record.inner(name) is None for name in self.required):
            raise NoAnswerError("no identifier, or no record")
        best = self._best(record)
        items = tuple(sorted({each.item for each in self.delivered if _is_delivered(each, record)}))
        ids = (value for path in self.subject_id for value in record.values(path, first=best))
        person_id = next((number for value in ids if (number := whole(value)) is not None), None)
        url = next(record.values(self.profile_url, first=best), None) if self.profile_url else None
        return LineAnswer(
            identifier=_as_text(identifier),
            status=self._status(record, items, person_id),
            items=items,
            person_id=person_id,
            source_line=source_line,
            profile_url=url if isinstance(url, str) else None,
        )

    def _status(self, record: "_Record", items: Sequence[str], person_id: int | None) -> str:
        if self.content:
            return "matched" if self._holds_something(record) else "no_data"
        if items:
            return "matched"
        if next(record.values("match_status"), None) == "redacted":
            return "redacted"
        return "no_data" if person_id is not None else "not_found"

    def _holds_something(self, record: "_Record") -> bool:
        content = record.inner(self.content)
        for name, raw in content.keys.items() if content else ():
            if name in self.ids or bytes(raw).replace(b" ", b"") in _EMPTY:
                continue
            if len(bytes(raw)) > _SHELL_BYTES or _filled(msgspec.json.decode(raw)):
                return True
        return False

    def _best(self, record: "_Record") -> int:
        """Return the place of the match that is the answer."""
        if not self.best:
            return 0
        matches, _, score = self.best.partition(LIST)
        scores = [_score(_at(match, score)) for match in record.elements(matches)]
        return scores.index(max(scores)) if scores else 0


class _Record:
    """A line of which only what is asked for is decoded: records are kilobytes."""

    def __init__(self, text: bytes | msgspec.Raw) -> None:
        self.keys: Mapping[str, msgspec.Raw] = _object.decode(text)
        self._decoded: dict[str, Any] = {}
        self._inner: dict[str, _Record | None] = {}

    def inner(self, name: str) -> "_Record | None":
        """Return the object under a key; None if there is none."""
        if name not in self._inner:
            try:
                raw = self.keys.get(name)
                self._inner[name] = None if raw is None else _Record(raw)
            except DECODE_ERRORS:
                self._inner[name] = None
        return self._inner[name]

    def value(self, path: str) -> Any:  # noqa: ANN401 - whatever the vendor sent
        """Return what stands at a path without lists; null, or nothing: None."""
        name, _, rest = path.partition(".")
        if rest:
            inner = self.inner(name)
            return None if inner is None else inner.value(rest)
        if name not in self._decoded:
            raw = self.keys.get(name)
            self._decoded[name] = None if raw is None else msgspec.json.decode(raw)
        return self._decoded[name]

    def elements(self, path: str, *, loose: bool = False) -> list[Any]:
        """Return a list's elements that are not null; where it is loose, a lone value as one."""
        return _elements(self.value(path), loose=loose)

    def values(self, path: str, *, first: int = 0) -> Iterator[Any]:
        """Return what stands at a path, of each element of a list on its way from `first` on."""
        head, mark, rest = path.partition(LIST)
        if not mark:
            if (value := self.value(path)) is not None:
                yield value
            return
        elements = self.elements(head)
        for element in [*elements[first:], *elements[:first]]:
            if (value := _at(element, rest)) is not None:
                yield value


_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _is_delivered(delivered: Delivered, record: _Record) -> bool:
    """Tell whether a line has a row's worth of something: the table's SQL keeps the same."""
    if not delivered.path:
        return True
    if not delivered.path.endswith(LIST):
        return record.value(delivered.path) not in (None, "", [], {})
    *outer, last, _ = delivered.path.split(LIST)
    places: list[Any] = [record]
    for path in outer:
        places = [element for place in places for element in _inside(place, path, loose=False)]
    loose = bool(delivered.values)
    elements = [element for place in places for element in _inside(place, last, loose=loose)]
    if not delivered.values:
        return any(isinstance(element, dict) for element in elements)
    return any(_usable(element, delivered) for element in elements)


def _inside(place: Any, path: str, *, loose: bool) -> list[Any]:  # noqa: ANN401 - as above
    if isinstance(place, _Record):
        return place.elements(path, loose=loose)
    return _elements(_at(place, path), loose=loose)


def _elements(value: Any, *, loose: bool) -> list[Any]:  # noqa: ANN401 - as above
    if isinstance(value, list):
        return [element for element in cast("list[Any]", value) if element is not None]
    return [value] if loose and value is not None else []


def _usable(element: Any, delivered: Delivered) -> bool:  # noqa: ANN401 - as above
    for path in delivered.values:
        if path == ".":
            value = None if isinstance(element, dict | list) else element
        else:
            value = _at(element, path)
        if value is not None:
            text = _as_text(value).strip(" ")
            return text != "" and not (delivered.excluded and delivered.excluded in text)
    return False


def _at(value: Any, path: str) -> Any:  # noqa: ANN401 - as above
    for key in path.split("."):
        if key:
            value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
    return value


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def whole(value: object) -> int | None:
    """Return an id, which may come as a number or as digits."""
    try:
        number = int(cast("Any", value)) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and abs(number) < 1 << 63 else None


def _score(value: object) -> float:
    try:
        return float(cast("Any", value))
    except (TypeError, ValueError):
        return float("-inf")


def _filled(value: object) -> bool:
    """Tell whether anything but empty values is in a value."""
    if isinstance(value, dict):
        return any(_filled(child) for child in cast("dict[str, object]", value).values())
    if isinstance(value, list):
        return any(_filled(child) for child in cast("list[object]", value))
    return value is not None and value != ""


def _nested(names: list[str]) -> Any:  # noqa: ANN401 - a type made at run time
    if not names:
        return Any
    return msgspec.defstruct(names[0], [(names[0], _nested(names[1:]), None)]) | None
