"""The prediction log and labels, and how much of the log a deployment keeps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables of chunks and of content to erase, and give deployments the settings of their log."""
    op.add_column("deployments", sa.Column("log", sa.Double, nullable=False, server_default="1"))
    op.add_column("deployments", sa.Column("keep", sa.Integer))
    op.create_table(
        "chunks",
        sa.Column("number", _SERIAL, primary_key=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("deployment", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("subjects", sa.BigInteger, nullable=False),
    )
    op.create_index("chunks_by_deployment", "chunks", ["kind", "deployment", "number"])
    op.create_index("chunks_by_digest", "chunks", ["digest"])
    op.create_table(
        "condemned",
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("moment", sa.BigInteger, nullable=False),
    )
