"""Registered models: versions, aliases, signatures, notes."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from luban.store.tables.columns import Moment, Serial, metadata

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
