"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NAME = sa.String(100)
_DIGEST = sa.String(71)
_RUN = sa.String(16)
_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables of data sets, runs, metrics, models, deployments, reports and the audit chain."""
    _data_sets()
    _runs()
    _models()
    _deployments_and_reports()
    _audit()


def _data_sets() -> None:
    op.create_table(
        "datasets",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("fingerprint", _DIGEST, nullable=False),
        sa.Column("schema", sa.JSON, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("parents", sa.JSON, nullable=False),
        sa.Column("recipe", sa.JSON),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.UniqueConstraint("name", "fingerprint", name="datasets_content"),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", _RUN, primary_key=True),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("parent", _RUN, sa.ForeignKey("runs.id", name="runs_parent")),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.Column("environment", sa.JSON, nullable=False),
        sa.Column("error", sa.JSON),
        sa.Column("actor", sa.Text, nullable=False),
    )
    op.create_index("runs_by_parent", "runs", ["parent"])
    op.create_index("runs_by_operation", "runs", ["operation", "id"])
    op.create_table(
        "run_tags",
        sa.Column("run", _RUN, sa.ForeignKey("runs.id", name="run_tags_run"), primary_key=True),
        sa.Column("key", sa.String(250), primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
    )
    op.create_table(
        "metrics",
        sa.Column("number", _SERIAL, primary_key=True),
        sa.Column("run", _RUN, sa.ForeignKey("runs.id", name="metrics_run"), nullable=False),
        sa.Column("metric", sa.String(250), nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("moment", sa.BigInteger, nullable=False),
    )
    op.create_index("metrics_history", "metrics", ["run", "metric", "step"])
    op.create_table(
        "latest_metrics",
        sa.Column("run", _RUN, sa.ForeignKey("runs.id", name="latest_metrics_run"), primary_key=True),
        sa.Column("metric", sa.String(250), primary_key=True),
        sa.Column("value", sa.Double),
        sa.Column("step", sa.BigInteger, nullable=False),
    )
    op.create_index("latest_metrics_by_value", "latest_metrics", ["metric", "value", "run"])


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("artifact", _DIGEST, nullable=False),
        sa.Column("signature", sa.JSON, nullable=False),
        sa.Column("task", sa.JSON, nullable=False),
        sa.Column("recipe", sa.JSON),
        sa.Column("dataset", sa.Text),
        sa.Column("run", _RUN, sa.ForeignKey("runs.id", name="models_run")),
        sa.Column("scores", sa.JSON, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )
    op.create_index("models_by_dataset", "models", ["dataset"])
    op.create_index("models_by_run", "models", ["run"])
    version = ["models.name", "models.version"]
    op.create_table(
        "model_reports",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("check", sa.String(100), primary_key=True),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.ForeignKeyConstraint(["name", "version"], version, name="model_reports_model"),
    )
    op.create_table(
        "aliases",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("alias", _NAME, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["name", "version"], version, name="aliases_model"),
    )
    op.create_table(
        "alias_changes",
        sa.Column("number", _SERIAL, primary_key=True),
        sa.Column("model", _NAME, nullable=False),
        sa.Column("alias", _NAME, nullable=False),
        sa.Column("before", sa.Integer),
        sa.Column("after", sa.Integer),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("moment", sa.BigInteger, nullable=False),
    )
    op.create_index("alias_changes_by_model", "alias_changes", ["model", "number"])


def _deployments_and_reports() -> None:
    op.create_table(
        "deployments",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("traffic", sa.JSON, nullable=False),
        sa.Column("shadow", sa.Text),
        sa.Column("replicas", sa.Integer, nullable=False),
    )
    op.create_table(
        "reports",
        sa.Column("number", _SERIAL, primary_key=True),
        sa.Column("check", sa.String(100), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("verdict", sa.String(5), nullable=False),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )
    op.create_index("reports_by_subject", "reports", ["subject", "number"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", _SERIAL, primary_key=True, autoincrement=False),
        sa.Column("moment", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("audit_by_subject", "audit", ["subject", "number"])
    head = op.create_table(
        "audit_head",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"only": 1, "number": 0, "hash": "0" * 64}])
