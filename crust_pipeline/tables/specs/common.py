"""Columns that many tables share: whose row it is, and where it came from."""

from typing import Final

from crust_pipeline.tables.spec import PARTITION, Column

PARTITION_DATE: Final = Column(
    PARTITION, "DATE", "The day of the upstream table that the row belongs to."
)
PROFILE_KEY: Final = Column(
    "profile_key",
    "VARCHAR",
    "Canonical key of the identifier that was asked for: linkedin.com/in/<slug>, or an e-mail address.",
)
SUBMISSION: Final = (
    Column("submission_id", "VARCHAR", "Our id of the batch that bought this."),
    Column("batch_id", "VARCHAR", "The vendor's id of that batch."),
)
RUN: Final = (
    Column("run_id", "VARCHAR", "The run that wrote this row."),
    Column("loaded_at", "TIMESTAMPTZ", "When that run wrote it (UTC)."),
)
# Every row that comes out of a vendor's file ends in these.
LINEAGE: Final = (
    PARTITION_DATE,
    *SUBMISSION,
    Column("source_file", "VARCHAR", "The landed file the row was read from."),
    Column("source_line", "BIGINT", "The line of that file, counted from 1."),
    *RUN,
)


def text(name: str, path: str, description: str) -> Column:
    """Describe a text column with one path."""
    return Column(name, "VARCHAR", description, (path,))


def location(prefix: str, path: str, whose: str) -> tuple[Column, ...]:
    """Describe the columns of a location object."""
    described = {
        "raw": "as written",
        "city": "city",
        "state": "state or region",
        "country": "country",
        "continent": "continent",
        "full_location": "in full",
    }
    return tuple(
        text(f"{prefix}_{part}", f"{path}.{part}", f"{whose}: {words}.")
        for part, words in described.items()
    )
