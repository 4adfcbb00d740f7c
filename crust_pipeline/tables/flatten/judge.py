"""Finding and mending the bad lines of a text that DuckDB refuses to read.

Clean texts never come here. A line that is no answer is replaced by an empty object, so that the
places of the others stay; a field that is a list where an object belongs, or the like, is set to
null, so that the rest of the record survives. What this judges good and DuckDB still refuses (a key
that stands twice) is found by dividing the text with DuckDB as the judge.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

import msgspec

from crust_pipeline.tables.flatten.shape import Items, Record, Shape, Value, shape_of
from crust_pipeline.vendors.landed import stored_text
from crust_pipeline.vendors.lines import Line, NoAnswerError

NO_ANSWER: Final = b"{}"
_TOO_DEEP: Final = "nested too deeply"


@dataclass(frozen=True, slots=True, order=True)
class Verdict:
    """What was wrong with a line: the whole of it, or (`field`) one value that was set to null."""

    line_number: int
    reason: str
    content: str
    field: bool


class Judge:
    """Judges lines of one kind."""

    def __init__(self, line: Line) -> None:
        """Make the judge."""
        self._shape = shape_of(line)
        self._line = line
        self._fits = _fitting(line)

    def mend(self, lines: list[bytes]) -> list[Verdict]:
        """Replace, in place, what cannot be read; `line_number` is a line's index in the list."""
        verdicts: list[Verdict] = []
        for index, line in enumerate(lines):
            lines[index], found = self._judge(index, line)
            verdicts += found
        return verdicts

    def no_answer_reason(self, line: bytes) -> str | None:
        """Return why a line is no answer, without its content; None if it is one."""
        try:
            self._answer(line)
        except NoAnswerError as error:
            return str(error)
        return None

    def _judge(self, number: int, line: bytes) -> tuple[bytes, list[Verdict]]:
        try:
            record = self._answer(line)
        except NoAnswerError as error:
            return NO_ANSWER, [Verdict(number, str(error), stored_text(line), field=False)]
        try:
            self._fits.decode(line)
        except msgspec.DecodeError:
            return self._mended(number, line, record)
        return line, []

    def _mended(
        self, number: int, line: bytes, record: dict[str, Any]
    ) -> tuple[bytes, list[Verdict]]:
        """Set to null what does not fit the shape."""
        try:
            found = [
                Verdict(number, f"{path}: {reason}; the field was set to null", content, field=True)
                for path, reason, content in _mend(record, self._shape, "")
            ]
            return msgspec.json.encode(record), found
        except RecursionError:
            return NO_ANSWER, [Verdict(number, _TOO_DEEP, stored_text(line), field=False)]

    def _answer(self, line: bytes) -> dict[str, Any]:
        """Return the record of a line that is an answer; raise for any other."""
        try:
            return self._answer_of(line)
        except RecursionError:
            raise NoAnswerError(_TOO_DEEP) from None

    def _answer_of(self, line: bytes) -> dict[str, Any]:
        if not line.strip():
            raise NoAnswerError("empty line")
        try:
            line.decode()
            record: Any = msgspec.json.decode(line)
        except UnicodeDecodeError as error:
            raise NoAnswerError(f"not UTF-8 at byte {error.start}") from None
        except msgspec.DecodeError as error:
            raise NoAnswerError(f"not JSON: {error}") from None
        if not isinstance(record, dict):
            raise NoAnswerError("not a JSON object")
        answer = cast("dict[str, Any]", record)
        if all(_at(answer, path) is None for path in self._line.identifiers):
            raise NoAnswerError("no identifier: nobody can say whom the line is about")
        for name in self._line.required:
            if not isinstance(answer.get(name), dict):
                raise NoAnswerError(f"{name} is missing, null or no object")
        if _repeats_a_key(line, answer):
            raise NoAnswerError("a key stands twice in one object")
        return answer


def _at(record: dict[str, Any], path: str) -> object:
    value: Any = record
    for key in path.split("."):
        value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
    return value


def divide(lines: list[bytes], readable: Callable[[list[bytes]], bool]) -> Iterator[int]:
    """Return the indexes of the lines that make `lines` unreadable, by halving.

    Args:
        lines: Lines of which at least one is refused.
        readable: Whether lines can be read together.
    """
    pending = [range(len(lines))]
    while pending:
        part = pending.pop()
        if readable([lines[index] for index in part]):
            continue
        if len(part) == 1:
            yield part[0]
            continue
        middle = len(part) // 2
        pending += [part[:middle], part[middle:]]


@cache
def _fitting(line: Line) -> msgspec.json.Decoder[Any]:
    """Return a decoder that refuses what does not fit the shape of lines of one kind."""
    return msgspec.json.Decoder(_type_of(shape_of(line), "Line"))


def _type_of(shape: Shape, name: str) -> Any:  # noqa: ANN401 - a type made at run time
    match shape:
        case Value():
            return Any
        case Items(element):
            return list[_type_of(element, name)] | None
        case Record(keys):
            fields = [(key, _type_of(part, f"{name}_{key}"), None) for key, part in keys.items()]
            return msgspec.defstruct(name, fields) | None


def _mend(
    value: dict[str, Any] | list[Any], shape: Shape, path: str
) -> Iterator[tuple[str, str, str]]:
    """Set to null, in place, what does not fit the shape; give path, reason and content of each."""
    children: list[tuple[Any, Shape, str]]
    match shape:
        case Record(keys):
            assert isinstance(value, dict)  # noqa: S101 - the caller has looked
            children = [(key, part, f"{path}.{key}") for key, part in keys.items() if key in value]
        case Items(element):
            children = [(place, element, f"{path}[{place}]") for place in range(len(value))]
        case Value():
            return
    for key, part, inner in children:
        child: Any = value[key]
        if child is None or isinstance(part, Value):
            continue
        wanted = dict if isinstance(part, Record) else list
        if isinstance(child, wanted):
            yield from _mend(cast("dict[str, Any] | list[Any]", child), part, inner)
        else:
            value[key] = None
            kind = "an object" if wanted is dict else "a list"
            content = stored_text(msgspec.json.encode(child))
            yield inner.removeprefix("."), f"expected {kind}, got {_kind(child)}", content


def _kind(value: object) -> str:
    match value:
        case bool():
            return "a truth value"
        case str():
            return "text"
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return "a number"


def _repeats_a_key(line: bytes, record: dict[str, Any]) -> bool:
    # Reading a repeated key and writing the record again loses one `":`. Escapes may change the
    # count too, so a difference is only a suspicion; the slow look follows.
    if line.count(b'":') == msgspec.json.encode(record).count(b'":'):
        return False
    repeated = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated |= len({key for key, _ in pairs}) < len(pairs)

    json.loads(line, object_pairs_hook=look)
    return repeated
