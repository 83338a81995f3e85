"""Experiments, parameters told on the way, kept files, and notes beside models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give runs a name, an experiment and a moment of deletion; make the tables of what they keep."""
    op.add_column("runs", sa.Column("name", sa.Text, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("experiment", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("deleted", sa.BigInteger))
    op.create_index("runs_by_experiment", "runs", ["experiment", "id"])
    op.create_table(
        "experiments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("name", sa.String(500), nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.BigInteger),
        sa.UniqueConstraint("name", name="experiments_name"),
    )
    op.create_table(
        "run_params",
        sa.Column("run", sa.String(16), sa.ForeignKey("runs.id", name="run_params_run"), primary_key=True),
        sa.Column("key", sa.String(250), primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
    )
    op.create_table(
        "artifacts",
        sa.Column("run", sa.String(16), sa.ForeignKey("runs.id", name="artifacts_run"), primary_key=True),
        sa.Column("path", sa.String(1000), primary_key=True),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    op.create_index("artifacts_by_digest", "artifacts", ["digest"])
    op.create_table(
        "model_notes",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(250), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
    )
