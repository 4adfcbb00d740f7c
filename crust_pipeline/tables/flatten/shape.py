"""The shape of vendor lines of one kind, derived from the columns that are read from them.

A shape says where objects, lists and values are, and nothing about the type of a value: values are
read as text and cast by the table's own SELECT, so a value of another type costs its field, never
its line. What a JSON column holds is one value, whatever is in it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from crust_pipeline.tables.spec import Source, Table, literal, quoted
from crust_pipeline.tables.specs import TABLES
from crust_pipeline.vendors.lines import LIST, Line


@dataclass(frozen=True, slots=True)
class Value:
    """A leaf: text, or JSON as delivered."""

    json: bool


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    element: "Shape"


@dataclass(frozen=True, slots=True)
class Record:
    """An object and the keys that are read from it."""

    keys: "Mapping[str, Shape]"


Shape = Value | Items | Record


@cache
def shape_of(line: Line) -> Record:
    """Return the shape of lines of one kind."""
    tree: dict[str, dict[str, object]] = {}
    json_paths: set[tuple[str, ...]] = set()
    for path, json in _leaves(line):
        node: dict[str, dict[str, object]] = tree
        for part in path:
            node = node.setdefault(part, {})  # pyright: ignore[reportAssignmentType]  # a tree of dicts
        if json:
            json_paths.add(path)

    def shape(node: Mapping[str, object], path: tuple[str, ...]) -> Shape:
        if not node or path in json_paths:
            return Value(json=path in json_paths)
        parts = {
            key: shape(child, (*path, key))  # pyright: ignore[reportArgumentType]  # a tree of dicts
            for key, child in node.items()
        }
        return Items(parts[LIST]) if LIST in parts else Record(parts)

    root = shape(tree, ())
    assert isinstance(root, Record)  # noqa: S101 - lines are objects
    return root


def segments(path: str) -> tuple[str, ...]:
    """Split a path into its keys and list marks."""
    return tuple(part for part in path.replace(LIST, f".{LIST}.").split(".") if part)


def whole_path(source: Source, path: str) -> str:
    """Return a column's path from the line on, whichever way it is written."""
    return source.path + path.removesuffix(".") if path.startswith(".") else path


def duckdb_type(shape: Shape) -> str:
    """Return the DuckDB type that a shape is read as."""
    match shape:
        case Value(json=json):
            return "JSON" if json else "VARCHAR"
        case Items(element):
            return f"{duckdb_type(element)}[]"
        case Record(keys):
            inner = ", ".join(f"{quoted(key)} {duckdb_type(part)}" for key, part in keys.items())
            return f"STRUCT({inner})"


@cache
def read_columns(line: Line) -> str:
    """Return the `columns` argument of DuckDB's `read_json` for lines of one kind."""
    columns = (
        f"{literal(key)}: {literal(duckdb_type(part))}" for key, part in shape_of(line).keys.items()
    )
    return "{" + ", ".join(columns) + "}"


def _leaves(line: Line) -> Iterator[tuple[tuple[str, ...], bool]]:
    for identifier in line.identifiers:
        yield segments(identifier), False
    for table in TABLES.values():
        for source in table.sources:
            if source.line is line:
                yield from _source_leaves(table, source)


def _source_leaves(table: Table, source: Source) -> Iterator[tuple[tuple[str, ...], bool]]:
    if source.loose:
        yield segments(source.path)[:-1], True
    for column in table.columns:
        for path in source.paths_of(column):
            if not path.endswith("#"):
                parts = segments(whole_path(source, path) + LIST * column.type.endswith(LIST))
                yield parts, column.type == "JSON"
