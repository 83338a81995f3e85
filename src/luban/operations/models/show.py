"""Models show: all that is known of one version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.model import AliasChange, ModelVersion
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class ModelShown:
    """One version, what its digests stand for, and the history of the aliases of its model.

    Attributes
    ----------
    learners : mapping of str to float
        Members of the ensemble and their weights.
    size : int, optional
        Bytes of the model's files.
    signatures : tuple of mappings
        ``key``, ``name``, ``state`` (``good``, ``broken``, ``key not trusted``), ``created``, ``actor``.
    code : mapping, optional
        ``state``, ``commit``, ``diff`` (digest of the changes), ``untracked``, ``luban``.
    environment : mapping, optional
        ``python``, ``platform``, ``packages``.
    deployments : tuple of str
        Where it answers, or sees requests, now.
    trouble : tuple of str
        What could not be read, and why.
    """

    model: str
    version: ModelVersion
    learners: Mapping[str, float]
    size: int | None
    graph: bool
    parity: float | None
    signatures: tuple[Mapping[str, Any], ...]
    code: Mapping[str, Any] | None
    environment: Mapping[str, Any] | None
    deployments: tuple[str, ...]
    alias_history: tuple[AliasChange, ...]
    trouble: tuple[str, ...] = ()


@operation(permission="models:read", name="models show", about=("model",))
def models_show(workspace: Workspace, model: str) -> ModelShown:
    """Show one version of a model: digests, what goes in and out, what it was made from, scores, reports, signatures.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    """
    from luban.operations.models.facts import facts

    version = workspace.models.get(model)
    found = facts(workspace, version)
    learners: dict[str, float] = {}
    for learner, weight in found.parts:
        learners[learner] = learners.get(learner, 0.0) + weight
    return ModelShown(
        model=version.reference,
        version=version,
        learners=learners,
        size=found.size,
        graph=found.graph,
        parity=found.parity,
        signatures=found.signatures,
        code=found.code,
        environment=found.environment,
        deployments=answering(workspace, version.reference),
        alias_history=tuple(workspace.models.alias_history(version.name)),
        trouble=found.trouble,
    )


def answering(workspace: Workspace, reference: str) -> tuple[str, ...]:
    """Return in words where a version answers now."""
    told = []
    for one in workspace.deployments.list():
        if reference in one.traffic:
            told.append(f"{one.name} ({one.traffic[reference]:.0%})")
        if reference == one.shadow:
            told.append(f"{one.name} (shadow)")
    return tuple(told)
