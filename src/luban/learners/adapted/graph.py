"""Networks of torch as parts of an ONNX graph, behind the preparation that feeds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from luban.core.preparation import Preparation
    from luban.core.protocols import Graph
    from luban.foundation.backbone import Backbone

# Texts that the ONNX form is compared on: of different lengths, with and without a script of its own.
_TEXTS = (None, "A short text.", "A text that is longer than the other one, so that it is padded. 也有中文。")


def network_to_graph(graph: Graph, network: torch.nn.Module, preparation: Preparation) -> str:
    """Add a preparation and a network that turns its tensors into one, and return the name of that one.

    Raises
    ------
    Unsupported
        If the network cannot be written as ONNX, or answers differently there.
    """
    from luban.foundation.to_onnx import to_onnx

    tensors = graph.prepared(preparation)
    content = to_onnx(network, preparation.tensors, samples(preparation))
    (output,) = graph.subgraph(content, tensors)
    return output


def body_to_graph(graph: Graph, backbone: Backbone, columns: Sequence[str]) -> str:
    """Add a preparation and the body of a backbone, and return the name of its vectors, shape (n, d)."""
    return network_to_graph(graph, pooled(backbone.body), backbone.preparation(columns))


def pooled(body: torch.nn.Module) -> torch.nn.Module:
    """Return the network that gives a body's pooled vectors alone."""
    from torch import nn

    class Pooled(nn.Module):  # type: ignore[misc]
        """The body without its steps."""

        def __init__(self) -> None:
            super().__init__()
            self.body = body

        def forward(self, **tensors: torch.Tensor) -> Any:
            return self.body(**tensors).pooled

    return Pooled().eval()


def samples(preparation: Preparation) -> list[Mapping[str, np.ndarray]]:
    """Return batches of tensors as the preparation makes them: of nothing, and of noise or texts."""
    rows = {name: pa.array([None, None], pa.string()) for name in preparation.columns}
    empty = preparation(pa.table(rows))
    if all(one.dtype.startswith("int") for one in preparation.tensors.values()):
        texts = {name: pa.array(_TEXTS, pa.string()) for name in preparation.columns}
        return [preparation(pa.table(texts)), empty]
    random = np.random.default_rng(0)
    noise = {
        name: random.standard_normal(one.shape).astype(one.dtype) if one.dtype.kind == "f" else one
        for name, one in _longer(preparation, empty).items()
    }
    return [noise, empty]


def _longer(preparation: Preparation, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tensors with every open size five times as large, filled with 1."""
    found = {}
    for name, one in tensors.items():
        shape = [
            size if wanted is not None else 5 * size
            for size, wanted in zip(one.shape[1:], preparation.tensors[name].shape, strict=True)
        ]
        found[name] = np.ones((len(one), *shape), dtype=one.dtype)
    return found
