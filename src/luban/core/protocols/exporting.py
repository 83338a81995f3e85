"""How a model leaves the house: the graph that it writes itself into, and the forms that it is written in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from luban.core.preparation import Preparation
    from luban.core.protocols.learner import Examples, Suitable, Unsuitable


class Graph(Protocol):
    """An ONNX graph under construction, as `Exportable` models see it."""

    def column(self, name: str) -> str:
        """Return the tensor of an input column, shape (n, 1).

        float32 (NaN where missing) for numbers; string ("" where missing) for categories, text and booleans
        ("true" / "false"); int64 microseconds since 1970 for dates (the smallest int64 where missing).
        """

    def constant(self, values: np.ndarray) -> str:
        """Return the name of a constant tensor."""

    def node(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Add a node and return the name of its output, or a tuple of names where `outputs` > 1."""

    def prepared(self, preparation: Preparation) -> Mapping[str, str]:
        """Return the tensors that a preparation makes outside of the graph, by their names there.

        They become inputs of the graph, and the preparation travels in the same file. Equal preparations are kept once.
        """

    def subgraph(self, model: bytes, inputs: Mapping[str, str]) -> tuple[str, ...]:
        """Add all nodes of a serialised ONNX model and return the names of its outputs.

        Parameters
        ----------
        inputs : mapping of str to str
            For each input of the model the tensor of this graph that it reads.
        """


@runtime_checkable
class Exportable(Protocol):
    """Ability of a model: it can be written as ONNX nodes."""

    def to_graph(self, graph: Graph) -> str:
        """Add the model to the graph and return the name of its float output.

        Shape (n, K) for classes, labels and quantiles, (n, 1) for regression, (n, L, K) for tokens.

        Raises
        ------
        Unsupported
            Naming the part that cannot be converted, and why.
        """


@runtime_checkable
class Exporter(Protocol):
    """A form a model can leave the house in (group ``luban.exporters``)."""

    def supports(self, model: Any) -> Suitable | Unsuitable:
        """Return whether the loaded model can be exported, and if not which part and why."""

    def export(
        self, model: Any, folder: str, examples: Examples | None = None, *, reference: str = "model/1"
    ) -> Mapping[str, Any]:
        """Write into `folder` and return ``{"path": ..., "parity": ...}`` and what else is worth knowing.

        `reference` is what the registry calls the model: ``name/version``.
        """
