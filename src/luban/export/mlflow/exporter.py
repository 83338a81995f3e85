"""The MLflow exporter: a model folder that ``mlflow models serve`` and ``mlflow.pyfunc.load_model`` read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.export import folder as folders
from luban.export.mlflow.files import LOADER, model_files
from luban.export.onnx.made import make
from luban.export.python.package import REQUIREMENTS, needed, package, source, supports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Examples, Suitable, Unsuitable


class MlflowExporter:
    """Writes a fitted model as MLflow keeps its own (`luban.core.protocols.Exporter`); MLflow is not needed for it."""

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
        """Write ``MLmodel``, the environment, the loader in ``code`` and the Python package in ``data``.

        Parameters as of `luban.export.onnx.exporter.OnnxExporter.export`.

        Returns
        -------
        mapping
            ``path`` of the folder, ``parity`` and the rest as of the ONNX exporter, and ``packages`` beside MLflow.
        """
        made = make(model, examples, without)
        inside, described = package(made, reference)
        contents = {f"data/{name}": content for name, content in inside.items()}
        contents[f"code/{LOADER}.py"] = source("luban.export.mlflow", "alone.py")
        folders.write(Path(folder), contents | model_files(described, inside[REQUIREMENTS].decode()))
        return {"path": folder, **made.told(), "packages": list(needed(described))}
