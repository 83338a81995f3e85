"""The Triton exporter: a model repository, and a client that makes tensors of rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.export import folder as folders
from luban.export.names import folder_name
from luban.export.onnx.made import make
from luban.export.python.client import client
from luban.export.python.package import GRAPH, README, needed, package, supports
from luban.export.triton.config import PREPARED_ROWS, ROWS, config
from luban.export.triton.readme import readme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Examples, Suitable, Unsuitable

REPOSITORY = "model_repository"
CLIENT = "tritonclient[http]>=2.50"


class TritonExporter:
    """Writes what ``tritonserver --model-repository`` reads (`luban.core.protocols.Exporter`)."""

    def supports(self, model: Any) -> Suitable | Unsuitable:
        """Return whether all parts run without Luban, and if not, which and why."""
        return supports(model)

    def export(
        self,
        model: Any,
        folder: str,
        examples: Examples | None = None,
        *,
        reference: str = "model/1",
        without: Sequence[str] = (),
    ) -> Mapping[str, Any]:
        """Write ``model_repository/NAME/config.pbtxt`` and ``1/model.onnx``, ``client`` and ``README.md``.

        Parameters as of `luban.export.onnx.exporter.OnnxExporter.export`.

        Returns
        -------
        mapping
            ``path`` of the repository, ``parity`` and the rest as of the ONNX exporter, ``name`` of the model there.
        """
        made = make(model, examples, without)
        inside, described = package(made, reference)
        name = folder_name(reference.partition("/")[0])
        rows = PREPARED_ROWS if described["preparations"] else ROWS
        contents = {
            **client(inside, name, "triton", [CLIENT]),
            f"{REPOSITORY}/{name}/config.pbtxt": config(name, reference, made.graph, rows).encode(),
            f"{REPOSITORY}/{name}/1/{GRAPH}": made.graph,
            README: readme(described, name).encode(),
        }
        folders.write(Path(folder), contents)
        return {
            "path": str(Path(folder) / REPOSITORY),
            **made.told(),
            "name": name,
            "packages": list(needed(described)),
        }
