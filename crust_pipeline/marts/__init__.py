"""Marts: the most frequent questions of analysts, one SQL file each. Views are never stale.

The comment that opens a file is the mart's documentation: what a row is, then one line per column.
Outcomes stand in it as `$name`, and their words come from the enum (ledger/outcomes.py).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from crust_pipeline.ledger.outcomes import SQL_FRAGMENTS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COLUMN: Final = re.compile(r"-- (\w+): (.+)")
_READS: Final = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)")


@dataclass(frozen=True)
class Mart:
    """One mart.

    Args:
        name: Its name as a view.
        sql: A comment and one SELECT, ready to run.
    """

    name: str
    sql: str

    @cached_property
    def description(self) -> str:
        """What it holds, for people."""
        comment = self.sql.split("\n--\n", maxsplit=1)[0]
        return " ".join(line.removeprefix("-- ") for line in comment.splitlines())

    @cached_property
    def version(self) -> str:
        """A short hash that changes with the file."""
        return hashlib.sha256(self.sql.encode()).hexdigest()[:12]

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """What each column says, in order."""
        return dict(_COLUMN.findall(self.sql.split("\n--\n", maxsplit=1)[1]))

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The names that stand after FROM and JOIN: tables, and what the file itself defines."""
        return tuple(dict.fromkeys(_READS.findall(self.sql)))


def _read(name: str) -> Mart:
    text = Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")
    return Mart(name, Template(text).substitute(SQL_FRAGMENTS))


MARTS: Final[Mapping[str, Mart]] = {
    name: _read(name)
    for name in (
        "people_latest",
        "contactable_people",
        "enrichment_funnel",
        "credit_spend_daily",
        "cost_per_result",
    )
}


def create_marts(connection: "DuckDBPyConnection") -> None:
    """Make a view of each mart, over the tables or views that the connection sees."""
    for mart in MARTS.values():
        connection.execute(f"CREATE OR REPLACE VIEW {mart.name} AS {mart.sql}")
        comments = {f"VIEW {mart.name}": mart.description} | {
            f"COLUMN {mart.name}.{column}": text for column, text in mart.columns.items()
        }
        for what, text in comments.items():
            quoted = text.replace("'", "''")
            connection.execute(f"COMMENT ON {what} IS '{quoted}'")
