"""Export: a model in a form that runs elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core import plugins
from luban.core.errors import Unsupported
from luban.core.operation import operation
from luban.core.protocols import Unsuitable

if TYPE_CHECKING:
    from luban.store import Workspace

MOST_EXAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written, and how close its answers are to the model's own.

    Attributes
    ----------
    path : str
    parity : float, optional
        Largest absolute difference of a probability (or a prediction) on real rows.
    details : mapping
        What else the exporter has to say.
    """

    model: str
    path: str
    parity: float | None
    details: Mapping[str, Any]


@operation(permission="models:read")
def export(workspace: Workspace, model: str, *, output: Path, to: str = "onnx") -> Exported:
    """Export a registered model.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    output
        Folder to write into.
    to
        The form; `luban plugins exporters` lists what is installed.
    """
    from luban.core.protocols import Examples
    from luban.data import conform, versions
    from luban.operations.loading import fitted
    from luban.operations.reading import labelled

    exporter = plugins.create("exporters", to)
    version = workspace.models.get(model)
    ready = fitted(workspace, model)
    answer = exporter.supports(ready)
    if isinstance(answer, Unsuitable):
        raise Unsupported(f"{version.reference} cannot be exported to {to}", seen=answer.reason)
    examples = None
    if version.dataset is not None:
        table, target = labelled(version.task, versions.table(workspace, version.dataset))
        canonical = conform.conform(table.slice(0, MOST_EXAMPLES), version.signature.inputs).table
        examples = Examples(table=canonical, target=target[:MOST_EXAMPLES])
    written = dict(exporter.export(ready, str(output), examples))
    return Exported(
        model=version.reference, path=str(written.pop("path")), parity=written.pop("parity", None), details=written
    )
