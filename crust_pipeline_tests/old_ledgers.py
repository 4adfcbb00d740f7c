"""Ledgers as earlier commits made them; ledger/old/README.md tells how."""

import sqlite3
from pathlib import Path

import sqlalchemy as sa

from crust_pipeline_tests.databases import POSTGRES, new_ledger_url

OLD = Path(__file__).parent / "ledger" / "old"
COMMITS = sorted(path.stem for path in OLD.glob("*.sql"))
FIRST = "fc650d9"


def old_ledger(commit: str, folder: Path) -> str:
    """A ledger as that commit made it; its URL."""
    text = (OLD / f"{commit}.sql").read_text(encoding="utf-8")
    url = new_ledger_url(folder)
    con = sqlite3.connect(":memory:" if POSTGRES else folder / "ledger.db")
    con.executescript(text)
    if POSTGRES:
        copy_to_postgres(con, url)
    con.close()
    return url


def copy_to_postgres(con: sqlite3.Connection, url: str) -> None:
    """The same tables in Postgres, as that commit would have made them there."""
    there = sa.create_engine("sqlite://", creator=lambda: con, poolclass=sa.StaticPool)
    tables = sa.MetaData()
    tables.reflect(there)
    for table in tables.tables.values():
        for column in table.columns:
            if isinstance(column.type, sa.DateTime):
                column.type = sa.DateTime(timezone=True)
            if isinstance(column.type, sa.LargeBinary):
                column.type = sa.LargeBinary()
    here = sa.create_engine(url)
    with there.connect() as source, here.begin() as target:
        target.execute(sa.text("SET TIME ZONE 'UTC'"))
        tables.create_all(target)
        for table in tables.tables.values():
            if found := source.execute(sa.select(table)).mappings().all():
                target.execute(table.insert(), [dict(row) for row in found])
            if "id" in table.c:
                last = sa.select(sa.func.coalesce(sa.func.max(table.c.id), 1)).scalar_subquery()
                sequence = sa.func.pg_get_serial_sequence(table.name, "id")
                target.execute(sa.select(sa.func.setval(sequence, last)))
    here.dispose()


def dump(path: Path) -> list[str]:
    """All that is in a file."""
    con = sqlite3.connect(path)
    found = list(con.iterdump())
    con.close()
    return found
