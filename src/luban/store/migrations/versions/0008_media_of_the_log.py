"""Pictures and sounds of the prediction log: which deployments keep them, and which chunk names which content."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column and the table."""
    op.add_column("deployments", sa.Column("media", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "media",
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("chunk", sa.BigInteger, primary_key=True),
        sa.Column("moment", sa.BigInteger, nullable=False),
    )
    op.create_index("media_by_chunk", "media", ["chunk"])
