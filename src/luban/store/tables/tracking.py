"""Runs, with all that is logged to them."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Double, ForeignKey, Index, String, Table, Text, UniqueConstraint

from luban.store.tables.columns import Moment, Serial, metadata

runs = Table(
    "runs",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("operation", Text, nullable=False),
    Column("request", JSON, nullable=False),
    Column("state", String(12), nullable=False),
    Column("parent", String(16), ForeignKey("runs.id", name="runs_parent")),
    Column("started", Moment, nullable=False),
    Column("ended", Moment),
    Column("environment", JSON, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("actor", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("experiment", BigInteger, nullable=False, server_default="0"),
    Column("deleted", Moment),
    Index("runs_by_parent", "parent"),
    Index("runs_by_operation", "operation", "id"),
    Index("runs_by_experiment", "experiment", "id"),
)

# Groups of runs by name. The one of number 0, "Default", has every run that names no other; it is there without a row.
experiments = Table(
    "experiments",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", String(500), nullable=False),
    Column("tags", JSON, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("deleted", Moment),
    UniqueConstraint("name", name="experiments_name"),
)

# Parameters that were told while a run went on; those it was called with are its request.
run_params = Table(
    "run_params",
    metadata,
    Column("run", String(16), ForeignKey("runs.id", name="run_params_run"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", JSON, nullable=False),
)

run_tags = Table(
    "run_tags",
    metadata,
    Column("run", String(16), ForeignKey("runs.id", name="run_tags_run"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", JSON, nullable=False),
)

# Files that a run keeps, by their path in it.
artifacts = Table(
    "artifacts",
    metadata,
    Column("run", String(16), ForeignKey("runs.id", name="artifacts_run"), primary_key=True),
    Column("path", String(1000), primary_key=True),
    Column("digest", String(71), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created", Moment, nullable=False),
    Index("artifacts_by_digest", "digest"),
)

# Every value that was logged, in the order of logging. NULL stands for NaN, which SQLite cannot keep.
metrics = Table(
    "metrics",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("run", String(16), ForeignKey("runs.id", name="metrics_run"), nullable=False),
    Column("metric", String(250), nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("value", Double),
    Column("moment", BigInteger, nullable=False),
    Index("metrics_history", "run", "metric", "step"),
)

# The value at the last step, one row a run and metric, so that runs are filtered and sorted without the history.
latest = Table(
    "latest_metrics",
    metadata,
    Column("run", String(16), ForeignKey("runs.id", name="latest_metrics_run"), primary_key=True),
    Column("metric", String(250), primary_key=True),
    Column("value", Double),
    Column("step", BigInteger, nullable=False),
    Index("latest_metrics_by_value", "metric", "value", "run"),
)
