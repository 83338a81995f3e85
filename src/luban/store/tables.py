"""The rows: what the tables of a workspace look like.

`luban.store.migrations` makes them; a test holds the two together.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Return a moment as whole microseconds since 1970 in UTC."""
    return (moment - EPOCH) // timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, kept as microseconds since 1970: exact, sortable, the same in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Return what the database keeps."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return what was kept."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


# SQLite counts up only columns of the type INTEGER.
Serial = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

datasets = Table(
    "datasets",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", String(71), nullable=False),
    Column("schema", JSON, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("parents", JSON, nullable=False),
    Column("recipe", JSON(none_as_null=True)),
    Column("source", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    UniqueConstraint("name", "fingerprint", name="datasets_content"),
)

# What was once a version of a data set: a number is never given to another version.
deleted_datasets = Table(
    "deleted_datasets",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", String(71), nullable=False),
    Column("reason", Text, nullable=False),
    Column("moment", Moment, nullable=False),
    Column("actor", Text, nullable=False),
)

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

models = Table(
    "models",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("artifact", String(71), nullable=False),
    # Digests of the data it learnt from, of the code and of the surroundings; unknown for the oldest versions.
    Column("data", String(71)),
    Column("code", String(71)),
    Column("environment", String(71)),
    Column("signature", JSON, nullable=False),
    Column("task", JSON, nullable=False),
    Column("recipe", JSON(none_as_null=True)),
    Column("dataset", Text),
    Column("run", String(16), ForeignKey("runs.id", name="models_run")),
    Column("scores", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("created", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Index("models_by_dataset", "dataset"),
    Index("models_by_run", "run"),
)

model_reports = Table(
    "model_reports",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("check", String(100), primary_key=True),
    Column("digest", String(71), nullable=False),
    ForeignKeyConstraint(["name", "version"], ["models.name", "models.version"], name="model_reports_model"),
)

# Ed25519 signatures, each by the key of this identifier, over the digest of the manifest, the name and the version.
model_signatures = Table(
    "model_signatures",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("key", String(32), primary_key=True),
    Column("signature", String(88), nullable=False),
    Column("created", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    ForeignKeyConstraint(["name", "version"], ["models.name", "models.version"], name="model_signatures_model"),
)

# What was once registered: a number is never given to another version.
deleted_models = Table(
    "deleted_models",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("artifact", String(71), nullable=False),
    Column("reason", Text, nullable=False),
    Column("moment", Moment, nullable=False),
    Column("actor", Text, nullable=False),
)

# Public keys whose signatures count in this workspace; the identifier is made from the key itself.
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("public", String(44), nullable=False),
    Column("created", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    UniqueConstraint("name", name="signing_keys_name"),
)

# What holds for the whole workspace.
settings = Table(
    "settings",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("value", JSON, nullable=False),
)

# Content that a deleted model or data set named and that is removed where nothing else names it.
unnamed = Table(
    "unnamed",
    metadata,
    Column("digest", String(71), primary_key=True),
    Column("moment", Moment, nullable=False),
)

# What people write beside a model (version 0) or a version of it, and may change: descriptions, tags.
model_notes = Table(
    "model_notes",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
    Column("changed", Moment, nullable=False),
)

aliases = Table(
    "aliases",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("alias", String(100), primary_key=True),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(["name", "version"], ["models.name", "models.version"], name="aliases_model"),
)

alias_changes = Table(
    "alias_changes",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("model", String(100), nullable=False),
    Column("alias", String(100), nullable=False),
    Column("before", Integer),
    Column("after", Integer),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("moment", Moment, nullable=False),
    # Whether it took the last one back, so that the next goes further back.
    Column("undo", Boolean, nullable=False, server_default=false()),
    Index("alias_changes_by_model", "model", "number"),
)

deployments = Table(
    "deployments",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("traffic", JSON, nullable=False),
    Column("shadow", Text),
    Column("replicas", Integer, nullable=False),
    Column("log", Double, nullable=False, server_default="1"),
    Column("keep", Integer),
    Column("media", Boolean, nullable=False, server_default=false()),
)

# What was once deployed and is no more, and what became of its log: erased, or kept for so many days, or for good.
removed_deployments = Table(
    "removed_deployments",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("erased", Boolean, nullable=False),
    Column("keep", Integer),
    Column("moment", Moment, nullable=False),
    Column("actor", Text, nullable=False),
)

# Where the rows of the prediction log and the labels are: Parquet in blobs, each of some rows in the order of writing.
chunks = Table(
    "chunks",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("deployment", String(100), nullable=False),
    Column("digest", String(71), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("first", Moment, nullable=False),
    Column("last", Moment, nullable=False),
    Column("subjects", BigInteger, nullable=False),
    Index("chunks_by_deployment", "kind", "deployment", "number"),
    Index("chunks_by_digest", "digest"),
)

# Content that no row names any more and that is to be erased: a killed process leaves it to the next.
condemned = Table(
    "condemned",
    metadata,
    Column("digest", String(71), primary_key=True),
    Column("moment", Moment, nullable=False),
)

# Which chunk of the prediction log names which picture or sound. In place of a chunk: a negative number is the claim of
# a writer that is about to store it, 0 says that nothing names it any more and it is to be erased.
media = Table(
    "media",
    metadata,
    Column("digest", String(71), primary_key=True),
    Column("chunk", BigInteger, primary_key=True, autoincrement=False),
    Column("moment", Moment, nullable=False),
    Index("media_by_chunk", "chunk"),
)

# Who may ask a server for what. Of a token's secret only a digest is kept.
tokens = Table(
    "tokens",
    metadata,
    Column("id", String(10), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("only", JSON, nullable=False),
    Column("rate", Double),
    Column("expires", Moment),
    Column("created", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("revoked", Moment),
)

# Sets of scopes by name.
roles = Table(
    "roles",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("scopes", JSON, nullable=False),
    Column("only", JSON, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("check", String(100), nullable=False),
    Column("subject", Text, nullable=False),
    Column("verdict", String(5), nullable=False),
    Column("digest", String(71), nullable=False),
    Column("created", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Index("reports_by_subject", "subject", "number"),
)

# Rules on monitored figures, and how each stands: since when its alarm is on, and when somebody was told.
alerts = Table(
    "alerts",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("deployment", Text, nullable=False),
    Column("figure", Text, nullable=False),
    Column("comparison", String(2), nullable=False),
    Column("limit", Double, nullable=False),
    Column("to", Text, nullable=False),
    Column("secret", Text),
    Column("quiet", Text),
    Column("repeat", Double),
    Column("since", Moment),
    Column("told", Moment),
    Column("value", Double),
    Column("created", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Index("alerts_by_deployment", "deployment"),
)

# What became of the requests to a deployment, and of their rows in the prediction log, counted by minute.
outcomes = Table(
    "outcomes",
    metadata,
    Column("deployment", String(100), primary_key=True),
    Column("minute", Moment, primary_key=True),
    Column("outcome", String(20), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# Who may do a piece of work that nobody else may do meanwhile; the token grows each time it changes hands.
leases = Table(
    "leases",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("expires", Moment, nullable=False),
)

# What waits for a person's yes, and what they said.
approvals = Table(
    "approvals",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("action", String(100), nullable=False),
    Column("subject", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("state", String(10), nullable=False),
    Column("asked", Moment, nullable=False),
    Column("asker", Text, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("decided", Moment),
    Column("decider", Text),
    Column("reason", Text),
    Index("approvals_by_state", "state", "id"),
)

# When a model or a deployment is updated by itself, and how.
update_policies = Table(
    "update_policies",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("policy", JSON, nullable=False),
    Column("created", Moment, nullable=False),
    Column("actor", Text, nullable=False),
)

# Each entry holds the hash of the one before it; detail is kept as the very text that was hashed.
audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("moment", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("audit_by_subject", "subject", "number"),
)

# The end of the chain, one row: whoever appends locks it first.
audit_head = Table(
    "audit_head",
    metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
