"""What keeps models good: policies, questions to people, and the lease of whoever is at it."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, String, Table, Text

from luban.store.tables.columns import Moment, metadata

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
