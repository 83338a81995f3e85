"""Deployments that were removed, with what became of their logs, and versions of data sets that were deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "removed_deployments",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("erased", sa.Boolean, nullable=False),
        sa.Column("keep", sa.Integer),
        sa.Column("moment", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )
    op.create_table(
        "deleted_datasets",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("fingerprint", sa.String(71), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("moment", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )
