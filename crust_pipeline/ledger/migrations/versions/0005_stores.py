"""Keep which raw folder and lake belong to an account, and which batches there are set aside."""

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    """Add the tables, empty: an installation from before is entered at its next step."""
    op.create_table(
        "stores",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("place", sa.String(8), primary_key=True),
        sa.Column("store_id", sa.String(32), nullable=False),
        sa.Column("path", sa.String, nullable=False),
    )
    op.create_table(
        "set_aside",
        sa.Column("submission_id", sa.String(32), primary_key=True),
    )
