"""The steps from each version of the ledger's schema to the next.

Each is a module in `versions`, named after the version that it leads to. The first line of its
docstring says what it does, for `crust-pipeline upgrade --check`; its `upgrade(op)` does it with
Alembic's operations, inside the transaction that holds the write lock. There is no 0001: that was
the version of every ledger before there were migrations, and 0002 also starts from nothing.

To change the schema, change `schema.py`, raise its VERSION and add a module here. What is released
is not changed any more, so a migration imports nothing from `schema.py`. A column that may not be
empty is added as one that may, filled, and then altered within `op.batch_alter_table`, which SQLite
needs. A test holds that the migrations lead to exactly the tables which `schema.py` describes.
"""

import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final

from crust_pipeline.ledger.migrations import versions

if TYPE_CHECKING:
    from alembic.operations import Operations

_NAME: Final = re.compile(r"(\d{4})_\w+")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step; `version` is the one that it leads to."""

    version: int
    module: str

    @property
    def what(self) -> str:
        """What it changes, for people."""
        return (self._imported.__doc__ or "").split("\n", 1)[0]

    @property
    def upgrade(self) -> "Callable[[Operations], None]":
        """Does it, on the connection of these operations."""
        return self._imported.upgrade

    @property
    def _imported(self) -> ModuleType:
        return import_module(f"{versions.__name__}.{self.module}")


def migrations_after(version: int) -> tuple[Migration, ...]:
    """Return what a ledger of this version lacks, in order."""
    names = (module.name for module in pkgutil.iter_modules(versions.__path__))
    found = (Migration(int(match[1]), match[0]) for match in map(_NAME.fullmatch, names) if match)
    return tuple(sorted((each for each in found if each.version > version), key=_by_version))


def _by_version(migration: Migration) -> int:
    return migration.version
