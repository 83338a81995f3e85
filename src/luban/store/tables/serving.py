"""What is deployed, what it was asked and what became of that."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, Index, Integer, String, Table, Text, false

from luban.store.tables.columns import Moment, Serial, metadata

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

# What became of the requests to a deployment, and of their rows in the prediction log, counted by minute.
outcomes = Table(
    "outcomes",
    metadata,
    Column("deployment", String(100), primary_key=True),
    Column("minute", Moment, primary_key=True),
    Column("outcome", String(20), primary_key=True),
    Column("count", BigInteger, nullable=False),
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
    Column("notice", JSON(none_as_null=True)),
    Column("claimed", Moment),
    Index("alerts_by_deployment", "deployment"),
)
