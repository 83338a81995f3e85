"""The graph of a model, made and measured: what every form that leaves the house begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import Unsupported
from luban.core.protocols import Examples, Suitable, Unsuitable
from luban.export.onnx import members
from luban.export.onnx.build import build
from luban.export.onnx.parity import Parity, measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Made:
    """A graph and what is known of it.

    Parameters
    ----------
    fitted : Fitted
        The model that the graph is of, without the members that were left out.
    graph : bytes
    parity : Parity, optional
        Against the model itself, where there were examples.
    table : pyarrow.Table, optional
        The canonical rows that it was measured on.
    left_out : tuple of str
        Members that are not in the graph.
    difference : float, optional
        The largest that leaving them out made.
    """

    fitted: Any
    graph: bytes
    parity: Parity | None
    table: pa.Table | None
    left_out: tuple[str, ...] = ()
    difference: float | None = None

    def told(self) -> dict[str, Any]:
        """Return what an exporter says of it beside its path."""
        return {
            "parity": None if self.parity is None else self.parity.difference,
            "rows": 0 if self.parity is None else self.parity.rows,
            "bytes": len(self.graph),
            "members": list(members.names(self.fitted)),
            "left_out": list(self.left_out),
            "difference": self.difference,
        }


def supports(model: Any) -> Suitable | Unsuitable:
    """Return whether all parts of the fitted model convert, and if not, which and why."""
    try:
        build(model)
    except Unsupported as error:
        return Unsuitable(str(_refusal(model, error, None)))
    return Suitable()


def make(model: Any, examples: Examples | None, without: Sequence[str] = ()) -> Made:
    """Return the graph of a fitted model, measured on the examples.

    Raises
    ------
    Unsupported
        If a part cannot be converted, or answers differently.
    NotFound, InputError
        If there is no such member to leave out, or none would be left.
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
    difference = None
    if without and table is not None:
        difference = float(np.abs(model.model.predict(table) - chosen.model.predict(table)).max())
    return Made(
        fitted=chosen, graph=graph, parity=measured, table=table, left_out=tuple(without), difference=difference
    )


def _refusal(fitted: Any, error: Unsupported, table: pa.Table | None) -> Unsupported:
    """Return the error with the members it comes from, and what can be exported instead."""
    refused: Mapping[str, str] = members.refusals(fitted)
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
