"""Margins of rows, by a network at rest."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import torch

from luban.core.errors import OutOfTime
from luban.foundation.training.device import arithmetic
from luban.foundation.training.order import by_length

if TYPE_CHECKING:
    import numpy as np

    from luban.foundation.network import Network
    from luban.foundation.training.device import Place
    from luban.foundation.training.rows import Rows


def margins(
    network: Network,
    rows: Rows,
    place: Place,
    *,
    chosen: np.ndarray | None = None,
    batch: int = 64,
    precision: str = "float32",
    until: float = math.inf,
) -> torch.Tensor:
    """Return the margins of all rows, or of the chosen ones in their order, in evaluation mode.

    Shape (n, width); (n, W, K) for labels of words, W being the most words of a row that were read and NaN standing
    where a row has fewer. Several processes share the rows.

    Raises
    ------
    OutOfTime
        If `until` (a value of `time.monotonic`) came first, in any process.
    """
    lengths = rows.lengths if chosen is None else rows.lengths[chosen]
    training = network.training
    network.eval()
    parts: list[tuple[np.ndarray, torch.Tensor]] = []
    with torch.inference_mode(), arithmetic(place.device, precision):
        for number, places in enumerate(by_length(lengths, batch)):
            if time.monotonic() >= until:
                break
            if number % place.processes == place.rank:
                tensors = place.put(rows.batch(places if chosen is None else chosen[places]))
                parts.append((places, network(**tensors).float().cpu()))
    network.train(training)
    if math.isfinite(until) and place.any(flag=time.monotonic() >= until):
        raise OutOfTime("an evaluation was not done in time")
    return _joined([one for part in place.gathered(parts) for one in part], len(lengths), network.head.linear)


def _joined(parts: list[tuple[np.ndarray, torch.Tensor]], rows: int, linear: torch.nn.Linear) -> torch.Tensor:
    if not parts:
        return torch.zeros((rows, linear.out_features))
    shape = parts[0][1].shape[1:]
    if len(shape) == 2:
        shape = torch.Size((max(part.shape[1] for _, part in parts), shape[1]))
    result = torch.full((rows, *shape), float("nan"))
    for places, part in parts:
        index = torch.from_numpy(places)
        if len(shape) == 2:
            result[index, : part.shape[1]] = part
        else:
            result[index] = part
    if len(shape) == 2:
        words = int((~result.isnan()).any(dim=2).sum(dim=1).max())
        return result[:, : max(1, words)]
    return result
