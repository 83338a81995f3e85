"""Who may ask a server for what."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Double, String, Table, Text

from luban.store.tables.columns import Moment, metadata

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
