"""What a model version was made from, signatures, deletion, and settings of the workspace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give versions the digests of data, code and surroundings; make the tables of signatures, keys and deletions."""
    for digest in ("data", "code", "environment"):
        op.add_column("models", sa.Column(digest, sa.String(71)))
    op.add_column("alias_changes", sa.Column("undo", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "model_signatures",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("signature", sa.String(88), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["name", "version"], ["models.name", "models.version"], name="model_signatures_model"),
    )
    op.create_table(
        "deleted_models",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("artifact", sa.String(71), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("moment", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("public", sa.String(44), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.UniqueConstraint("name", name="signing_keys_name"),
    )
    op.create_table(
        "settings",
        sa.Column("key", sa.String(100), primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
    )
    op.create_table(
        "unnamed",
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("moment", sa.BigInteger, nullable=False),
    )
