"""Keep what the vendor says that a job is about: person and company jobs may have one action."""

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    """Add the column; of jobs that were seen before nobody noted it."""
    op.add_column("submissions", sa.Column("entity", sa.String))
