"""The ONNX exporter: a folder with one graph, its signature, a README and an example that runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.export import folder as folders
from luban.export.onnx.example import EXAMPLE
from luban.export.onnx.made import make, supports
from luban.export.onnx.package import describe, parts
from luban.export.onnx.readme import readme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Examples, Suitable, Unsuitable


class OnnxExporter:
    """Writes a fitted model as one ONNX graph (`luban.core.protocols.Exporter`)."""

    def supports(self, model: Any) -> Suitable | Unsuitable:
        """Return whether all parts of the fitted model convert, and if not, which and why."""
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
        """Write ``model.onnx``, ``signature.json``, ``README.md`` and ``example.py`` into `folder`.

        Parameters
        ----------
        model : Fitted
        folder : str
            Made if it does not exist; an earlier export in it is replaced.
        examples : Examples, optional
            Rows on which the parity with the model itself is measured.
        reference : str
            What the registry calls the model; ``signature.json`` says it.
        without : sequence of str
            Members of the ensemble to leave out.

        Returns
        -------
        mapping
            ``path`` of the graph; ``parity``, the largest absolute difference of a prediction (None without examples);
            ``rows`` it was measured on; ``bytes``; ``members`` in the graph; ``left_out``, with ``difference``, the
            largest difference that leaving them out made (None without examples).

        Raises
        ------
        Unsupported
            If a part cannot be converted, or answers differently; nothing is written then.
        Conflict
            If the folder holds something else.
        """
        made = make(model, examples, without)
        described = describe(made, reference)
        beside = {"README.md": readme(described).encode(), "example.py": EXAMPLE.encode()}
        folders.write(Path(folder), parts(made, described) | beside)
        return {"path": str(Path(folder) / "model.onnx"), **made.told()}
