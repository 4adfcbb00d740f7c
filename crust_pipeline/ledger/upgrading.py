"""Brings a ledger of any release to this one's version of the schema, or refuses a newer one.

A new ledger is created as `schema` describes it; an older one is taken through `migrations`, which
are imported only then. All of it happens in the transaction that opens the ledger and holds the
write lock: two processes upgrade once, and one that is killed leaves the ledger as it was.
"""

import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from crust_pipeline.ledger import schema
from crust_pipeline.ledger.states import LedgerError, RefusedError

if TYPE_CHECKING:
    from crust_pipeline.ledger.migrations import Migration


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What was done to an older ledger; `backup` is a copy as it was, where there is a file."""

    before: int
    after: int
    backup: Path | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a ledger is; `version` is None where there is none yet."""

    version: int | None
    pending: "tuple[Migration, ...]"


def standing(con: sa.Connection) -> Standing:
    """Look, and write nothing.

    Raises:
        LedgerError: it was made by a newer release.
    """
    version = _version(con)
    if version is None or version == schema.VERSION:
        return Standing(version, ())
    from crust_pipeline.ledger.migrations import migrations_after

    return Standing(version, migrations_after(version))


def bring_up_to_date(con: sa.Connection) -> Upgrade | None:
    """Create the ledger, or upgrade it; None when nothing was older.

    Raises:
        LedgerError: it was made by a newer release, or cannot be upgraded. Nothing was changed.
    """
    version = _version(con)
    if version == schema.VERSION:
        return None
    if version is None:
        schema.metadata.create_all(con)
        con.execute(schema.info.insert().values(version=schema.VERSION))
        return None
    try:
        backup = _back_up(con)
        from crust_pipeline.ledger.migrations import migrations_after

        _apply(con, migrations_after(version))
    except Exception as error:
        said = error.said if isinstance(error, RefusedError) else error
        raise LedgerError(
            f"The ledger could not be upgraded from version {version} of its schema to version "
            f"{schema.VERSION} ({said}). It is as it was before: nothing in it is lost, and the "
            "release that made it can still use it. When the cause is gone, the next command "
            "upgrades it; a copy of a SQLite file needs as much space beside it again."
        ) from error
    return Upgrade(version, schema.VERSION, backup)


def _version(con: sa.Connection) -> int | None:
    if not sa.inspect(con).has_table(schema.info.name):
        return None
    # Without a row it is the first release's, of which a copy has lost it.
    version = con.execute(sa.select(schema.info.c.version)).scalar_one_or_none() or 1
    if version > schema.VERSION:
        raise LedgerError(
            f"The ledger was made by a newer release: it has version {version} of its schema, and "
            f"this program knows versions up to {schema.VERSION}. Nothing was changed. Use that "
            "release or a later one (pip install --upgrade crust-pipeline). A copy that it made "
            "before it upgraded the ledger lacks whatever was bought since, which would be bought "
            "again."
        )
    return version


def _apply(con: sa.Connection, pending: "Sequence[Migration]") -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    operations = Operations(MigrationContext.configure(con))
    for migration in pending:
        migration.upgrade(operations)
        con.execute(schema.info.update().values(version=migration.version))


def _back_up(con: sa.Connection) -> Path | None:
    """Copy the file of a SQLite ledger, which nobody else can write to meanwhile."""
    if con.dialect.name != "sqlite":
        return None
    (file,) = (
        row.file for row in con.exec_driver_sql("PRAGMA database_list") if row.name == "main"
    )
    if not file:
        return None  # it is in memory
    path = Path(file)
    copy = path.with_name(f"{path.name}.before-upgrade-to-{schema.VERSION}")
    # Under its name only when it is whole and on the disk.
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    shutil.copymode(path, unfinished)  # it names people, like the ledger itself
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, to be copied back as it is
    with unfinished.open("rb+") as written:
        os.fsync(written.fileno())
    unfinished.replace(copy)
    return copy
