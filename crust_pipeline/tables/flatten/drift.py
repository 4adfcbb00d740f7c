"""Keys in the vendor's lines that nobody expects: found, named and counted, never shown.

Every file's sample is looked at; only when that shows something is the whole file counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from crust_pipeline.tables.flatten.shape import Items, Record, Shape, Value, shape_of
from crust_pipeline.vendors.lines import DECODE_ERRORS, Line


@dataclass(frozen=True, slots=True)
class Drift:
    """A key that no column reads.

    Args:
        path: Where it is.
        count: How often it was seen.
        example_type: The JSON type of one of its values.
    """

    path: str
    count: int
    example_type: str


def unknown_keys(line: Line, lines: Iterable[bytes]) -> tuple[Drift, ...]:
    """Return the keys in some lines that nobody expects, by path. Bad lines are passed over."""
    shape, unread = shape_of(line), line.unread
    counts: Counter[str] = Counter()
    types: dict[str, str] = {}
    for text in lines:
        try:
            record = msgspec.json.decode(text)
        except DECODE_ERRORS:
            continue
        for path, value in _unknown(record, shape, ""):
            if path in unread:
                continue
            counts[path] += 1
            if value is not None or path not in types:
                types[path] = _json_type(value)
    return tuple(Drift(path, counts[path], types[path]) for path in sorted(counts))


def _unknown(value: object, shape: Shape, path: str) -> Iterator[tuple[str, object]]:
    match shape:
        case Record(keys) if isinstance(value, dict):
            for key, child in cast("dict[str, Any]", value).items():
                if (part := keys.get(key)) is None:
                    yield f"{path}.{key}".removeprefix("."), child
                elif not isinstance(part, Value):
                    yield from _unknown(child, part, f"{path}.{key}")
        case Items(element) if isinstance(value, list) and not isinstance(element, Value):
            for child in cast("list[Any]", value):
                yield from _unknown(child, element, f"{path}[]")
        case _:
            return


def _json_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case dict():
            return "object"
        case list():
            return "array"
        case _:
            return "number"
