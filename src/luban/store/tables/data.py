"""Versions of data sets."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Integer, String, Table, Text, UniqueConstraint

from luban.store.tables.columns import Moment, metadata

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
