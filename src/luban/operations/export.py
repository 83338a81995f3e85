"""Export: a model in a form that runs elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core import plugins
from luban.core.operation import operation

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
def export(
    workspace: Workspace, model: str, *, output: Path, to: str = "onnx", without: tuple[str, ...] = ()
) -> Exported:
    """Export a registered model.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    output
        Folder to write into, such as `-o churn_onnx` (output="churn_onnx" in Python).
    to
        The form; `luban plugins exporters` lists what is installed.
    without
        Members of the ensemble to leave out, where they cannot be converted; the error names them.
    """
    from luban.core.protocols import Examples
    from luban.data import conform, versions
    from luban.operations.loading import fitted
    from luban.operations.reading import labelled

    exporter = plugins.create("exporters", to)
    version = workspace.models.get(model)
    ready = fitted(workspace, model)
    examples = None
    if version.dataset is not None:
        table, target = labelled(version.task, versions.table(workspace, version.dataset))
        canonical = conform.conform(table.slice(0, MOST_EXAMPLES), version.signature.inputs).table
        examples = Examples(table=canonical, target=target[:MOST_EXAMPLES])
    options = {"without": without} if without else {}
    written = dict(exporter.export(ready, str(output), examples, reference=version.reference, **options))
    return Exported(
        model=version.reference, path=str(written.pop("path")), parity=written.pop("parity", None), details=written
    )
