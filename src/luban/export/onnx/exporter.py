"""The ONNX exporter: a folder with one graph, its signature, a README and an example that runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import Unsupported
from luban.core.protocols import Examples, Suitable, Unsuitable
from luban.export.onnx import members
from luban.export.onnx.build import build
from luban.export.onnx.package import write_package
from luban.export.onnx.parity import Parity, measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa


class OnnxExporter:
    """Writes a fitted model as one ONNX graph (`luban.core.protocols.Exporter`)."""

    def supports(self, model: Any) -> Suitable | Unsuitable:
        """Return whether all parts of the fitted model convert, and if not, which and why."""
        try:
            build(model)
        except Unsupported as error:
            return Unsuitable(str(_refusal(model, error, None)))
        return Suitable()

    def export(
        self, model: Any, folder: str, examples: Examples | None = None, *, without: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """Write ``model.onnx``, ``signature.json``, ``README.md`` and ``example.py`` into `folder`.

        Parameters
        ----------
        model : Fitted
        folder : str
            Made if it does not exist; files of these names in it are replaced.
        examples : Examples, optional
            Rows on which the parity with the model itself is measured.
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
        """
        table = None if examples is None or not examples.table.num_rows else examples.table
        chosen = members.without(model, without) if without else model
        try:
            graph = build(chosen)
        except Unsupported as error:
            raise _refusal(chosen, error, table) from error
        measured = None if table is None else measure(chosen, graph, table)
        if measured is not None and not measured.holds:
            raise _disagreement(chosen, measured, table)
        path = write_package(Path(folder), chosen, graph, measured, table)
        difference = None
        if without and table is not None:
            difference = float(np.abs(model.model.predict(table) - chosen.model.predict(table)).max())
        return {
            "path": str(path),
            "parity": None if measured is None else measured.difference,
            "rows": 0 if measured is None else measured.rows,
            "bytes": len(graph),
            "members": list(members.names(chosen)),
            "left_out": list(without),
            "difference": difference,
        }


def _refusal(fitted: Any, error: Unsupported, table: pa.Table | None) -> Unsupported:
    """Return the error with the members it comes from, and what can be exported instead."""
    refused = members.refusals(fitted)
    if not refused:  # the inputs, the calibration or a model that is no ensemble
        return error
    reasons = "; ".join(f"{name}: {reason.rstrip('.')}" for name, reason in refused.items())
    return Unsupported(
        f"{', '.join(refused)} cannot be written as ONNX",
        seen=reasons,
        remedy=members.offer(fitted, list(refused), table),
    )


def _disagreement(fitted: Any, measured: Parity, table: pa.Table | None) -> Unsupported:
    """Return an error that names the members whose graphs answer differently."""
    seen = f"a difference of {measured.difference:.3g} on {measured.rows} rows, where {measured.limit:.3g} is allowed"
    alone = {} if table is None else members.parities(fitted, table)
    guilty = [name for name, one in alone.items() if not one.holds]
    if not guilty:
        return Unsupported("the ONNX graph does not answer as the model does", seen=seen)
    each = ", ".join(f"{name} alone {one.difference:.3g}" for name, one in alone.items())
    return Unsupported(
        f"the ONNX graph of {', '.join(guilty)} does not answer as the model does",
        seen=f"{seen}; {each}",
        remedy=members.offer(fitted, guilty, table),
    )
