"""What the rows of a table should be, worked out from one line in plain Python.

Knows the specs, and nothing of how flattening works: no SQL, no shapes, no vectors.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from crust_pipeline.tables.spec import Column, Source, Table
from crust_pipeline.vendors.catalog import line_of

_TRUE, _FALSE = ("true", "t", "1", "yes", "y"), ("false", "f", "0", "no", "n")


def expected_rows(table: Table, operation: str, line: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the rows that a line makes in a table: the columns that are read from the line."""
    return [
        {column.name: _value(column, source, line, elements) for column in _read_columns(table)}
        | {name: sql == "true" for name, sql in source.constants.items()}
        for source in table.sources
        if source.line is line_of(operation)
        for elements in _elements(source, line)
    ]


def _read_columns(table: Table) -> Iterator[Column]:
    return (column for column in table.columns if column.paths and column.sql == "{value}")


def _elements(source: Source, line: dict[str, Any]) -> Iterator[list[tuple[str, int, Any]]]:
    """Give, for every row, the list elements on the way to it: path, place from 1, value."""

    def walk(
        value: Any, rest: list[str], path: str, above: list[tuple[str, int, Any]]
    ) -> Iterator[list[tuple[str, int, Any]]]:
        if not rest:
            yield above
            return
        items = _descend(value, rest[0])
        inner = f"{path}{rest[0]}[]"
        for place, item in enumerate(items if isinstance(items, list) else [], start=1):
            # Where objects are wanted, anything else is nothing.
            if item is not None and (isinstance(item, dict) or _takes_values(source)):
                yield from walk(item, rest[1:], inner, [*above, (inner, place, item)])

    lists = source.path.split("[]")[:-1]
    yield from walk(line, [name.removeprefix(".") for name in lists], "", [])


def _takes_values(source: Source) -> bool:
    return source.path.endswith(("professional_network_skills[]", "honors[]"))


def _value(
    column: Column, source: Source, line: dict[str, Any], elements: list[tuple[str, int, Any]]
) -> Any:
    for path in column.paths:
        found = _cast(column.type, _at(path, source, line, elements))
        if found is not None or path.endswith("#"):
            return found
    return None


def _at(
    path: str, source: Source, line: dict[str, Any], elements: list[tuple[str, int, Any]]
) -> Any:
    whole = source.path + path.removesuffix(".") if path.startswith(".") else path
    base: Any = line
    place, rest = 0, whole
    for inner, at, item in elements:
        if whole.replace("[].", "[]").startswith(inner.replace("[].", "[]")):
            base, place = item, at
            rest = whole.replace("[].", "[]").removeprefix(inner.replace("[].", "[]"))
    return place if rest == "#" else _descend(base, rest)


def _descend(value: Any, path: str) -> Any:
    for key in filter(None, path.split(".")):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _cast(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "JSON":
        return json.dumps(value, sort_keys=True)
    if kind == "VARCHAR[]":
        return [_text(item) for item in value] if isinstance(value, list) else None
    text = _text(value)
    if kind == "VARCHAR" or text is None:
        return text
    try:
        return _CASTS[kind](text)
    except (ValueError, KeyError):
        return None


def _whole(bits: int) -> Callable[[str], int | None]:
    def cast(text: str) -> int | None:
        return int(text) if -(2**bits) <= int(text) < 2**bits else None

    return cast


def _iso(text: str) -> str:
    # Python takes 20240229 for a date as well, and vendors' numbers are none.
    if re.match(r"\d{4}-\d\d-\d\d", text) is None:
        raise ValueError(text)
    return text


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(_iso(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_CASTS: dict[str, Callable[[str], Any]] = {
    "INTEGER": _whole(31),
    "BIGINT": _whole(63),
    "DOUBLE": float,
    "BOOLEAN": {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}.__getitem__,
    "DATE": lambda text: date.fromisoformat(_iso(text)[:10]),
    "TIMESTAMPTZ": _moment,
}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
