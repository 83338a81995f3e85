"""Models show: all that is known of one version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.errors import NotFound
from luban.core.model import AliasChange, ModelVersion
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.operations.models.facts import Facts
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class ModelShown:
    """One version, what its digests stand for, and the history of the aliases of its model.

    Attributes
    ----------
    threshold : float, optional
        From which probability on it decides; None where its task has no threshold.
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
    changes : str, optional
        Where it was asked for: what differed from the commit, as ``git apply`` takes it.
    """

    model: str
    version: ModelVersion
    learners: Mapping[str, float]
    size: int | None
    graph: bool
    parity: float | None
    threshold: float | None
    signatures: tuple[Mapping[str, Any], ...]
    code: Mapping[str, Any] | None
    environment: Mapping[str, Any] | None
    deployments: tuple[str, ...]
    alias_history: tuple[AliasChange, ...]
    trouble: tuple[str, ...] = ()
    changes: str | None = None


@operation(permission="models:read", name="models show", about=("model",))
def models_show(workspace: Workspace, model: str, *, diff: bool = False) -> ModelShown:
    """Show one version of a model: digests, what goes in and out, what it was made from, scores, reports, signatures.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    diff
        Show what differed from the commit in the folder that it was made in, as `git apply` takes it.
    """
    from luban.operations.models.facts import facts

    version = workspace.models.get(model)
    found = facts(workspace, version)
    changes, trouble = _changes(workspace, version.reference, found) if diff else (None, ())
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
        threshold=found.threshold,
        signatures=found.signatures,
        code=found.code,
        environment=found.environment,
        deployments=answering(workspace, version.reference),
        alias_history=tuple(workspace.models.alias_history(version.name)),
        trouble=(*found.trouble, *trouble),
        changes=changes,
    )


def _changes(workspace: Workspace, reference: str, found: Facts) -> tuple[str, tuple[str, ...]]:
    """Return the changes of the code as text, and what the text lacks of them."""
    from luban.operations.models.facts import code_in_words

    digest = (found.code or {}).get("diff")
    if not digest:
        note = (found.code or {}).get("note")
        raise NotFound(
            f"no changes of the code are on record of {reference}",
            seen=code_in_words(found.code) + (f"; {note}" if note else ""),
        )
    kept = workspace.blobs.get(digest)
    text = kept.decode("utf-8", "replace")
    if text.encode() == kept:
        return text, ()
    return text, (f"Some of the changes are no text in UTF-8: every byte of them is the content {digest}.",)


def answering(workspace: Workspace, reference: str) -> tuple[str, ...]:
    """Return in words where a version answers now."""
    told = []
    for one in workspace.deployments.list():
        if reference in one.traffic:
            told.append(f"{one.name} ({one.traffic[reference]:.0%})")
        if reference == one.shadow:
            told.append(f"{one.name} (shadow)")
    return tuple(told)
