"""The TensorFlow Serving exporter: a SavedModel where TensorFlow is installed and knows all that the graph does."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import Unsupported
from luban.core.protocols import Unsuitable
from luban.export import folder as folders
from luban.export.names import folder_name
from luban.export.onnx.made import make
from luban.export.onnx.parity import Parity, largest_difference
from luban.export.python.client import client
from luban.export.python.package import README, needed, package, supports
from luban.export.tfserving import saved
from luban.export.tfserving.readme import readme
from luban.learners.graph.feeding import Feeding
from luban.learners.graph.outputs import value_output, values_of
from luban.learners.graph.session import open_session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Examples, Suitable
    from luban.export.onnx.made import Made

MODELS = "models"
MOST_ROWS = 500  # on which the parity is measured


class TensorFlowServingExporter:
    """Writes what ``tensorflow_model_server`` reads (`luban.core.protocols.Exporter`)."""

    def supports(self, model: Any) -> Suitable | Unsuitable:
        """Return whether TensorFlow knows all that the model does, and if not, which part and what else can be done."""
        answer = supports(model)
        if isinstance(answer, Unsuitable):
            return answer
        absent = saved.missing_operators(make(model, None).graph)
        return Unsuitable(str(_refusal(absent))) if absent else answer

    def export(
        self,
        model: Any,
        folder: str,
        examples: Examples | None = None,
        *,
        reference: str = "model/1",
        without: Sequence[str] = (),
    ) -> Mapping[str, Any]:
        """Write ``models/NAME/1`` (the SavedModel), ``client`` and ``README.md``.

        Parameters as of `luban.export.onnx.exporter.OnnxExporter.export`.

        Returns
        -------
        mapping
            ``path`` of the folder of models; ``parity`` of the SavedModel, as it was written, with the model itself, on
            ``rows`` of the examples; the rest as of the ONNX exporter; ``name``, the model's there.

        Raises
        ------
        MissingExtra
            If TensorFlow is not installed.
        Unsupported
            If the graph has an operator that has no form here, or the SavedModel answers differently.
        """
        made = make(model, examples, without)
        inside, described = package(made, reference)
        if absent := saved.missing_operators(made.graph):
            raise _refusal(absent)
        name = folder_name(reference.partition("/")[0])
        contents = {**client(inside, name, "tfserving"), README: readme(described, name).encode()}
        with tempfile.TemporaryDirectory() as scratch:
            where = Path(scratch) / "saved"
            saved.write(made.graph, where)
            measured = _measured(made, where)
            if measured is not None and not measured.holds:
                seen = f"a difference of {measured.difference:.3g}, where {measured.limit:.3g} is allowed"
                raise Unsupported("the SavedModel does not answer as the model does", seen=seen, remedy=_OTHERWISE)
            contents |= {
                f"{MODELS}/{name}/1/{path.relative_to(where).as_posix()}": path.read_bytes()
                for path in where.rglob("*")
                if path.is_file()
            }
        folders.write(Path(folder), contents)
        told = made.told() | ({} if measured is None else {"parity": measured.difference, "rows": measured.rows})
        return {"path": str(Path(folder) / MODELS), **told, "name": name, "packages": list(needed(described))}


_OTHERWISE = "Export it --to docker, --to triton or --to onnx: there the graph runs as it is."


def _refusal(absent: Sequence[str]) -> Unsupported:
    return Unsupported(
        "TensorFlow has no form for a part of the graph", seen=f"operators {', '.join(absent)}", remedy=_OTHERWISE
    )


def _measured(made: Made, where: Path) -> Parity | None:
    """Return how close the SavedModel is to the model itself, on some of the rows that its graph was measured on."""
    if made.parity is None or made.table is None:
        return None
    table = made.table.slice(0, MOST_ROWS)
    expected = np.asarray(made.fitted.model.predict(table), dtype=np.float64)
    feeds = Feeding(open_session(made.graph), made.fitted.signature.inputs).table(table)
    found = saved.ask(where, feeds, value_output(made.fitted.task))
    values = values_of(made.fitted.task, found).reshape(expected.shape)
    difference = largest_difference(expected, values)
    return Parity(difference=difference, limit=made.parity.limit, rows=len(expected))
