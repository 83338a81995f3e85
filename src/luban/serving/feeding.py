"""One row's plain values as the arrays that a session takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luban.export.onnx.columns import tensor_name, tensor_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.core.schema import Column


def row_feeder(columns: Sequence[Column]) -> Callable[[Mapping[str, Any]], dict[str, np.ndarray]]:
    """Return the function from conformed values by column to arrays of shape (1, 1) by tensor.

    All columns of one type become one array whose parts are handed out: making an array costs more than
    the value in it.
    """
    groups: list[tuple[Any, tuple[str, ...], tuple[str, ...]]] = []
    for kind in (np.float32, np.int64, np.object_):
        chosen = [column.name for column in columns if tensor_type(column) is kind]
        if chosen:
            groups.append((kind, tuple(chosen), tuple(map(tensor_name, chosen))))

    def feed(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for kind, names, tensors in groups:
            block = np.array([values[name] for name in names], dtype=kind).reshape(-1, 1, 1)
            found.update(zip(tensors, block, strict=True))
        return found

    return feed
