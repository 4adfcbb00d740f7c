"""Makes a table anew in another shape, for what SQLite cannot change in place."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations

Value = sa.ColumnElement[Any]


def set_aside(op: Operations, name: str) -> sa.Table:
    """Rename a table, and give up all names that its successor needs."""
    con = op.get_bind()
    before = f"{name}_before"
    there = sa.inspect(con)
    for index in there.get_indexes(name):
        if index["name"] and "duplicates_constraint" not in index:
            op.drop_index(index["name"], name)
    if con.dialect.name == "postgresql":
        # They are indexes there, whose names no two tables may share.
        keys = [there.get_pk_constraint(name), *there.get_unique_constraints(name)]
        for key in keys:
            if key["name"]:
                op.drop_constraint(key["name"], name)
    op.rename_table(name, before)
    return sa.Table(before, sa.MetaData(), autoload_with=con)


def fill(
    op: Operations,
    table: sa.Table,
    before: sa.Table,
    values: Mapping[str, Value],
    *where: sa.ColumnElement[bool],
) -> None:
    """Copy the rows of a table that was set aside, with values for columns that it did not have."""
    found: dict[str, Value] = {column.name: column for column in before.columns}
    found |= values
    names = [column.name for column in table.columns if column.name in found]
    query = sa.select(*(found[name].label(name) for name in names)).where(*where)
    op.get_bind().execute(table.insert().from_select(names, query))
