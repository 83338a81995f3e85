"""Notices that are to be told, kept until they were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the columns."""
    op.add_column("alerts", sa.Column("notice", sa.JSON))
    op.add_column("alerts", sa.Column("claimed", sa.BigInteger))
