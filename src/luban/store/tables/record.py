"""What was done and found, and what holds for the whole workspace."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text

from luban.store.tables.columns import Moment, Serial, metadata

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
