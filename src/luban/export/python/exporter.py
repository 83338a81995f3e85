"""The Python exporter: a folder that predicts with onnxruntime and numpy alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.export import folder as folders
from luban.export.onnx.made import make
from luban.export.python.package import needed, package, supports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Examples, Suitable, Unsuitable


class PythonExporter:
    """Writes a fitted model as a small program beside its graph (`luban.core.protocols.Exporter`)."""

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
        """Write ``predict.py``, ``model.onnx``, ``signature.json``, ``requirements.txt`` and ``README.md``.

        Parameters as of `luban.export.onnx.exporter.OnnxExporter.export`.

        Returns
        -------
        mapping
            ``path`` of the folder, ``parity`` and the rest as of the ONNX exporter, and ``packages`` that it needs.
        """
        made = make(model, examples, without)
        contents, described = package(made, reference)
        folders.write(Path(folder), contents)
        return {"path": folder, **made.told(), "packages": list(needed(described))}
