"""Give the ledgers of all earlier commits one shape: columns, tables and indexes that came later.

The version was 1 whatever they looked like, so what is there is looked at. Everything that was
bought stays known, under the names by which it would be bought today.
"""

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from alembic.operations import Operations

from crust_pipeline.ledger.migrations.reshaping import Value, fill, set_aside
from crust_pipeline.ledger.migrations.versions.tables_0002 import (
    TABLES,
    claims,
    days,
    denied_fields,
    field_sets,
    rows,
    submission_days,
    submissions,
    transitions,
)

# What a batch or a day had that was written before there was a column for it.
_SUBMISSIONS: Final[Mapping[str, Value]] = {
    "takes_slot": sa.literal(value=True),  # synchronous requests came with the column
    "perhaps_billed": sa.literal(value=False),
    "dead_links": sa.literal(0),
}
_DAYS: Final[Mapping[str, Value]] = {"flattened_version": sa.literal(0)}  # made again, for nothing

_PRONTO: Final = "bulk_contact"
_PRONTO_TYPES: Final = ("personal_email", "phone_number")


def upgrade(op: Operations) -> None:
    """Create what is missing, and make anew what is different."""
    con = op.get_bind()
    TABLES.create_all(con)
    # Both say what their people count as asked for, so neither is moved before that is known.
    covers = _covers(con)
    for table in TABLES.sorted_tables:
        if _has_shape(con, table):
            _mend_indexes(op, table)
            continue
        before = set_aside(op, table.name)
        table.create(con)
        match table.name:
            case "submissions":
                _move_submissions(op, before, covers)
            case "claims":
                _move_claims(op, before, covers)
            case "foreign_jobs":
                _move_foreign_jobs(op, table, before)
            case "pauses":
                # The only operation that was ever paused stood for all of them.
                slots = {"takes_slot": sa.literal(value=True)}
                fill(op, table, before, slots, before.c.operation == "")
            case "days":
                fill(op, table, before, _without(before, _DAYS))
            case _:
                fill(op, table, before, {})
        op.drop_table(before.name)
    for contact_type in _PRONTO_TYPES:
        _name_operation(con, contact_type)


def _has_shape(con: sa.Connection, table: sa.Table) -> bool:
    there = sa.inspect(con)
    columns = {column["name"] for column in there.get_columns(table.name)}
    keys = there.get_pk_constraint(table.name)["constrained_columns"]
    return columns == set(table.columns.keys()) and keys == table.primary_key.columns.keys()


def _mend_indexes(op: Operations, table: sa.Table) -> None:
    there = {
        index["name"]: index["column_names"]
        for index in sa.inspect(op.get_bind()).get_indexes(table.name)
    }
    for index in table.indexes:
        if there.get(str(index.name)) == index.columns.keys():
            continue
        if index.name in there:
            op.drop_index(str(index.name), table.name)
        index.create(op.get_bind())


def _without(before: sa.Table, values: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name not in before.c}


def _covers(con: sa.Connection) -> dict[tuple[str, str, str], str]:
    """Return wider fields that people count as asked for: {(account, operation, fields): fields}.

    Namely what the account was denied too, or that would be bought for everybody again as soon as
    the denial is forgotten. Once there was a column for that, claims had it right already.
    """
    before = sa.Table("submissions", sa.MetaData(), autoload_with=con)
    if "covers" in before.c:
        return {}
    denied: dict[tuple[str, str], set[str]] = {}
    for row in con.execute(sa.select(denied_fields)):
        denied.setdefault((row.account, row.operation), set()).add(row.field)
    asked = sa.select(before.c.account, before.c.operation, before.c.field_set).distinct()
    covers: dict[tuple[str, str, str], str] = {}
    for account, operation, fields in con.execute(asked):
        names = set(fields.split(",")) - {""}
        if more := denied.get((account, operation), set()) - names:
            covers[account, operation, fields] = ",".join(sorted(names | more))
    return covers


def _move_submissions(
    op: Operations, before: sa.Table, covers: Mapping[tuple[str, str, str], str]
) -> None:
    row = before.c
    told: dict[str, Value] = {
        "product": row.operation,
        "covers": row.field_set,
        # The hash of a file stood for the last one that failed its checks until one was landed.
        # Woken by a late delivery, it is completed again: what came later is fetched anew.
        "kept_at": sa.case(
            (row.source_file.is_not(None) & (row.state != "completed"), row.landed_at)
        ),
        "refused_sha256": sa.case((row.state == "completed", row.file_sha256)),
    }
    fill(op, submissions, before, _without(before, {**_SUBMISSIONS, **told}))
    for (account, operation, fields), covered in covers.items():
        op.get_bind().execute(
            submissions.update()
            .where(
                submissions.c.account == account,
                submissions.c.operation == operation,
                submissions.c.field_set == fields,
            )
            .values(covers=covered)
        )


def _move_claims(
    op: Operations, before: sa.Table, covers: Mapping[tuple[str, str, str], str]
) -> None:
    """Give a number to each of the sets of fields."""
    con = op.get_bind()
    asked = sa.select(before.c.account, before.c.operation, before.c.field_set).distinct()
    # Those that change come last: who has a claim to the larger set as well keeps both.
    for found in sorted(con.execute(asked), key=lambda row: tuple(row) in covers):
        account, operation, fields = found
        number = _number_of(con, covers.get((account, operation, fields), fields))
        same = (
            before.c.account == account,
            before.c.operation == operation,
            before.c.field_set == fields,
        )
        taken = sa.exists().where(
            claims.c.account == account,
            claims.c.operation == operation,
            claims.c.profile_key == before.c.profile_key,
            claims.c.field_set_id == number,
        )
        as_asked = sa.literal(_number_of(con, fields))
        fill(op, claims, before, {"field_set_id": as_asked}, *same, taken)
        fill(op, claims, before, {"field_set_id": sa.literal(number)}, *same, ~taken)


def _number_of(con: sa.Connection, fields: str) -> int:
    query = sa.select(field_sets.c.id).where(field_sets.c.fields == fields)
    known = con.execute(query).scalar_one_or_none()
    if known is not None:
        return known
    new = field_sets.insert().values(fields=fields).returning(field_sets.c.id)
    return con.execute(new).scalar_one()


def _move_foreign_jobs(op: Operations, table: sa.Table, before: sa.Table) -> None:
    """Find the submit whose job it was not: it became unknown again in the same transaction."""
    moved = (
        sa.select(transitions.c.submission_id)
        .where(transitions.c.at == before.c.seen_at, transitions.c.to_state == "unknown")
        .order_by(transitions.c.id)
        .limit(1)
        .scalar_subquery()
    )
    fill(op, table, before, {"submission_id": moved}, moved.is_not(None))


def _name_operation(con: sa.Connection, contact_type: str) -> None:
    """Return one type of Pronto's contact data the operation that it is bought as today."""
    name = f"{_PRONTO}_{contact_type}"
    batches = sa.select(submissions.c.submission_id).where(
        submissions.c.operation == _PRONTO, submissions.c.field_set == contact_type
    )
    again = claims.alias()
    con.execute(
        claims.delete().where(
            claims.c.operation == _PRONTO,
            claims.c.submission_id.in_(batches),
            # Bought once more under its new name.
            sa.exists().where(
                again.c.account == claims.c.account,
                again.c.operation == name,
                again.c.profile_key == claims.c.profile_key,
                again.c.field_set_id == claims.c.field_set_id,
            ),
        )
    )
    planned_again = sa.select(days.c.partition_date).where(days.c.operation == name)
    of_batches = sa.select(rows.c.partition_date).where(
        rows.c.operation == _PRONTO,
        rows.c.submission_id.in_(batches),
        rows.c.partition_date.not_in(planned_again),
    )
    partitions = list(con.execute(of_batches.distinct()).scalars())
    renamed = {"operation": name}
    news = renamed | {"version": days.c.version + 1, "load_requests": 0}
    for table, values in ((rows, renamed), (days, news)):
        con.execute(
            table.update()
            .where(table.c.operation == _PRONTO, table.c.partition_date.in_(partitions))
            .values(values)
        )
    for table in (claims, submission_days):
        con.execute(
            table.update()
            .where(table.c.operation == _PRONTO, table.c.submission_id.in_(batches))
            .values(operation=name)
        )
    con.execute(
        submissions.update()
        .where(submissions.c.submission_id.in_(batches))
        .values(operation=name, product=submissions.c.product + f"_{contact_type}")
    )
