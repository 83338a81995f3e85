"""The rows: what the tables of a workspace look like, a file for what belongs together.

`luban.store.migrations` makes them; a test holds the two together.
"""

from luban.store.tables.access import roles, tokens
from luban.store.tables.columns import EPOCH, Moment, Serial, metadata, microseconds
from luban.store.tables.data import datasets, deleted_datasets
from luban.store.tables.record import audit, audit_head, reports, settings, unnamed
from luban.store.tables.registry import (
    alias_changes,
    aliases,
    deleted_models,
    model_notes,
    model_reports,
    model_signatures,
    models,
    signing_keys,
)
from luban.store.tables.serving import alerts, chunks, condemned, deployments, media, outcomes, removed_deployments
from luban.store.tables.tracking import artifacts, experiments, latest, metrics, run_params, run_tags, runs
from luban.store.tables.updating import approvals, leases, update_policies

__all__ = [
    "EPOCH",
    "Moment",
    "Serial",
    "alerts",
    "alias_changes",
    "aliases",
    "approvals",
    "artifacts",
    "audit",
    "audit_head",
    "chunks",
    "condemned",
    "datasets",
    "deleted_datasets",
    "deleted_models",
    "deployments",
    "experiments",
    "latest",
    "leases",
    "media",
    "metadata",
    "metrics",
    "microseconds",
    "model_notes",
    "model_reports",
    "model_signatures",
    "models",
    "outcomes",
    "removed_deployments",
    "reports",
    "roles",
    "run_params",
    "run_tags",
    "runs",
    "settings",
    "signing_keys",
    "tokens",
    "unnamed",
    "update_policies",
]
