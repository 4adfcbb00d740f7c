"""The SQL that turns staged vendor lines into the rows of a table, made from the table's spec.

Nothing is executed here. A staged line has the columns of its shape and `line_id`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from crust_pipeline.tables.flatten.shape import (
    Items,
    Record,
    Shape,
    Value,
    segments,
    shape_of,
    whole_path,
)
from crust_pipeline.tables.spec import Column, Source, Table, literal, quoted
from crust_pipeline.vendors.lines import LIST, Line

# DuckDB would round a number with a fraction.
_WHOLE: Final = (
    "(CASE WHEN NOT contains({{value}}, '.') OR ends_with({{value}}, '.0') "
    "THEN TRY_CAST({{value}} AS {0}) END)"
)
# 'infinity' is a DOUBLE, a DATE and a TIMESTAMPTZ to DuckDB, and nothing that pandas could read.
_FINITE: Final = (
    "CASE WHEN isfinite(TRY_CAST({{value}} AS {0})) THEN TRY_CAST({{value}} AS {0}) END"
)
_CASTS: Final = {
    **{kind: _WHOLE.format(kind) for kind in ("INTEGER", "BIGINT")},
    "BOOLEAN": "TRY_CAST({value} AS BOOLEAN)",
    **{kind: _FINITE.format(kind) for kind in ("DOUBLE", "DATE", "TIMESTAMPTZ")},
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How one source's rows of a table are read from staged lines.

    Args:
        select: A SELECT of `line_id`, `odd` and the columns that come out of the lines; `odd` says
            that some value is there but not of its column's type.
        odd_values: A SELECT of `line_id, reason, value` of those values.
    """

    select: str
    odd_values: str


@cache
def readings(table: Table, line: Line, staged: str) -> tuple[Reading, ...]:
    """Return how a table's rows are read from staged lines of one kind."""
    return tuple(
        _Rows(table, source).reading(staged) for source in table.sources if source.line is line
    )


def _identifier_sql(line: Line) -> str:
    """Return the SQL of the identifier a staged line echoes."""
    paths = (map(quoted, segments(path)) for path in line.identifiers)
    return f"coalesce({', '.join('.'.join(path) for path in paths)}, NULL)"


def unusable_sql(line: Line) -> str:
    """Return the SQL that tells whether a staged line is no answer."""
    missing = [f"{quoted(name)} IS NULL" for name in line.required]
    return " OR ".join([f"{_identifier_sql(line)} IS NULL", *missing])


class _Rows:
    """Builds the nested SELECT: one level of unnesting for every list on the way to the row."""

    def __init__(self, table: Table, source: Source) -> None:
        self._table = table
        self._source = source
        self._lists = source.path.split(LIST)[:-1]
        self._depth = len(self._lists)
        # Shapes of: the line, and the element of each list.
        self._shapes: list[Shape] = [shape_of(source.line)]
        for path in self._lists:
            self._shapes.append(_element(_descend(self._shapes[-1], path)))
        self._carried: list[tuple[int, str, str]] = []  # level, SQL there, name further up
        self._odd: list[tuple[str, str, str]] = []  # reason, value, condition

    def reading(self, staged: str) -> Reading:
        """Build the statements."""
        selected = [
            f"{self._column(column)} AS {quoted(column.name)}"
            for column in self._table.columns
            if _in_lines(column, self._source)
        ]
        rows = self._from(staged)
        any_odd = " OR ".join(condition for _, _, condition in self._odd) or "false"
        select = f"SELECT line_id, {any_odd} AS odd, {', '.join(selected)} FROM {rows}"
        if self._table.keep != "true" or self._table.distinct:
            per_line = ", ".join(["line_id", *map(quoted, self._table.distinct)])
            select = (
                f"SELECT * FROM ({select}) WHERE {self._table.keep} "
                f"QUALIFY row_number() OVER (PARTITION BY {per_line} ORDER BY position) = 1"
            )
        nothing = "SELECT 0::BIGINT AS line_id, '' AS reason, '' AS value WHERE false"
        odd_values = [
            f"SELECT line_id, {literal(reason)} AS reason, {value} AS value "
            f"FROM {rows} WHERE {condition}"
            for reason, value, condition in self._odd
        ]
        return Reading(select, " UNION ALL ".join(odd_values) or nothing)

    def _column(self, column: Column) -> str:
        """Return the SQL of a column: the first of its paths that is there and can be cast."""
        if column.name in self._source.constants:
            return self._source.constants[column.name]
        paths = self._source.paths_of(column)
        found = [sql for path in paths if (sql := self._at(path, column)) is not None]
        value = found[0] if len(found) == 1 else f"coalesce({', '.join([*found, 'NULL'])})"
        return column.sql.format(value=value, position=self._place(self._depth), line="line_id")

    def _at(self, path: str, column: Column) -> str | None:
        """Return the SQL of a path; None if it lies in a list that this source does not enter."""
        if path.startswith("."):
            level, rest = self._depth, path.removeprefix(".")
        else:
            level = path.count(LIST)
            *lists, rest = path.split(LIST)
            if lists != self._lists[:level]:
                return None
            rest = rest.removeprefix(".")
        if rest == "#":
            return self._place(level)
        text = self._access(level, rest, column)
        sql = text
        if column.type in _CASTS and column.sql == "{value}":
            sql = _CASTS[column.type].format(value=text)
        if level < self._depth:
            # Cast before it is repeated for every element; people's own table judges it.
            name = f"v{len(self._carried)}"
            self._carried.append((level, sql, name))
            return name
        if sql != text:
            reason = f"{whole_path(self._source, path)}: not a {column.type}"
            # An empty text stands for "none" in many of the vendor's fields, whatever their type.
            self._odd.append(
                (f"{reason}; the field was set to null", text, f"({text} <> '' AND {sql} IS NULL)")
            )
        return sql

    def _access(self, level: int, rest: str, column: Column) -> str:
        base = f"e{level}" if level else ""
        shape, keys, left = self._shapes[level], [base] * bool(base), list(segments(rest))
        while left and isinstance(shape, Record):
            keys.append(quoted(left[0]))
            shape = shape.keys[left.pop(0)]
        sql = ".".join(keys)
        if not isinstance(shape, Value) or not shape.json or (column.type == "JSON" and not left):
            return sql
        if left:
            inside = "$" + "".join(f'."{key}"' for key in left)
            return f"({sql} {'->' if column.type == 'JSON' else '->>'} {literal(inside)})"
        return f"CASE WHEN json_type({sql}) NOT IN ('OBJECT', 'ARRAY') THEN {sql} ->> '$' END"

    def _place(self, level: int) -> str:
        if self._source.also_empty:
            return f"CASE WHEN e{level} IS NOT NULL THEN p{level} END"
        return f"p{level}"

    def _from(self, staged: str) -> str:
        rows = staged
        for level, path in enumerate(self._lists):
            base = f"e{level}." if level else ""
            items = base + ".".join(quoted(key) for key in segments(path))
            if self._source.loose and level == self._depth - 1:
                items = _as_list(items)
            if self._source.also_empty:
                items = f"CASE WHEN len({items}) > 0 THEN {items} ELSE [NULL] END"
            inherited = [f"p{lower}" for lower in range(1, level + 1)]
            inherited += [name for at, _, name in self._carried if at < level]
            here = [f"{sql} AS {name}" for at, sql, name in self._carried if at == level]
            columns = ", ".join(["line_id", *inherited, *here])
            unnested = (
                f"SELECT {columns}, unnest({items}) AS e{level + 1}, "
                f"generate_subscripts({items}, 1) AS p{level + 1} FROM {rows}"
            )
            rows = f"({unnested})"
            if not self._source.also_empty:
                rows = f"(SELECT * FROM {rows} WHERE e{level + 1} IS NOT NULL)"
        return rows


def _in_lines(column: Column, source: Source) -> bool:
    known = column.name in source.constants or column.name in source.paths
    return known or bool(column.paths) or column.sql != "{value}"


def _as_list(value: str) -> str:
    """Return the SQL of a JSON value as a list of JSON, whether or not it is one."""
    return (
        f"CASE json_type({value}) WHEN 'ARRAY' THEN from_json({value}, '[\"JSON\"]') "
        f"WHEN 'NULL' THEN NULL ELSE [{value}] END"
    )


def _descend(shape: Shape, path: str) -> Shape:
    for key in _keys(path):
        if not isinstance(shape, Record):
            break
        shape = shape.keys[key]
    return shape


def _keys(path: str) -> Iterator[str]:
    return iter(segments(path))


def _element(shape: Shape) -> Shape:
    return shape.element if isinstance(shape, Items) else Value(json=True)
