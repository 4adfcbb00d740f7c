"""How columns are written down, and those that many tables share: whose row, and where from."""

from typing import Final

from crust_pipeline.tables.spec import PARTITION, Column


def text(name: str, path: str, description: str) -> Column:
    """Describe a text column."""
    return Column(name, "VARCHAR", description, (path,))


def count(name: str, path: str, description: str) -> Column:
    """Describe a column of whole numbers: counts and ids."""
    return Column(name, "BIGINT", description, (path,))


def amount(name: str, path: str, description: str) -> Column:
    """Describe a column of numbers with fractions."""
    return Column(name, "DOUBLE", description, (path,))


def flag(name: str, path: str, description: str) -> Column:
    """Describe a column that is true or false."""
    return Column(name, "BOOLEAN", description, (path,))


def day(name: str, path: str, description: str) -> Column:
    """Describe a column of dates."""
    return Column(name, "DATE", description, (path,))


def moment(name: str, path: str, description: str) -> Column:
    """Describe a column of moments; without an offset they are taken for UTC."""
    return Column(name, "TIMESTAMPTZ", f"{description} (UTC).", (path,))


def as_delivered(name: str, path: str, description: str) -> Column:
    """Describe a JSON column, for what has an inner shape that nobody knows."""
    return Column(name, "JSON", f"{description}, as delivered.", (path,))


def location(prefix: str, path: str, whose: str) -> tuple[Column, ...]:
    """Describe the columns of a location object."""
    parts = {
        "raw": "as written",
        "city": "city",
        "state": "state or region",
        "country": "country",
        "continent": "continent",
        "full_location": "in full",
    }
    return tuple(
        text(f"{prefix}_{part}", f"{path}.{part}", f"{whose}: {words}.")
        for part, words in parts.items()
    )


PARTITION_DATE: Final = Column(
    PARTITION, "DATE", "The day of the upstream table that the row belongs to."
)
PROFILE_KEY: Final = Column(
    "profile_key",
    "VARCHAR",
    "Key of who was asked for: linkedin.com/in/<slug>, or an e-mail address.",
)
POSITION: Final = Column("position", "INTEGER", "Place in the delivered list, from 1.", (".#",))
IDENTITY_MISMATCH: Final = Column(
    "identity_mismatch",
    "BOOLEAN",
    "Whether the record's own profile URL is somebody else's; null unless both URLs are known.",
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
