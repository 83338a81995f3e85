"""Alert rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of alert rules and of how they stand."""
    op.create_table(
        "alerts",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("deployment", sa.Text, nullable=False),
        sa.Column("figure", sa.Text, nullable=False),
        sa.Column("comparison", sa.String(2), nullable=False),
        sa.Column("limit", sa.Double, nullable=False),
        sa.Column("to", sa.Text, nullable=False),
        sa.Column("secret", sa.Text),
        sa.Column("quiet", sa.Text),
        sa.Column("repeat", sa.Double),
        sa.Column("since", sa.BigInteger),
        sa.Column("told", sa.BigInteger),
        sa.Column("value", sa.Double),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )
    op.create_index("alerts_by_deployment", "alerts", ["deployment"])
