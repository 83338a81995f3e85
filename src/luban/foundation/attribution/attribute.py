"""The evidence for one row of what a network reads: highlighted text, or a picture with its map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from luban.core.preparation import Depicting, Spelling
from luban.core.report import Evidence
from luban.foundation.attribution.integrated import integrated_gradients, token_vectors
from luban.foundation.attribution.maps import last_map
from luban.foundation.attribution.occlusion import occlusion, pictured
from luban.foundation.attribution.spans import words
from luban.foundation.training.device import threads as with_threads
from luban.foundation.training.device import where

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.foundation.attribution.reading import Reading


def attribute(reading: Reading, row: pa.Table, *, effort: Effort) -> list[Evidence]:
    """Return what the score of one row rests on, within the deadline; nothing where the row lacks the value.

    Parameters
    ----------
    row : pyarrow.Table
        Of one row, with the columns of the preparation.
    """
    preparation = reading.preparation
    if effort.expired or all(row.column(name)[0].as_py() in (None, "") for name in preparation.columns):
        return []
    with with_threads(effort.threads):
        if isinstance(preparation, Spelling):
            return _spans(reading, row, effort)
        if isinstance(preparation, Depicting):
            return [_picture(reading, row, effort)]
    return []


def _spans(reading: Reading, row: pa.Table, effort: Effort) -> list[Evidence]:
    preparation = reading.preparation
    table = token_vectors(reading.body)
    assert isinstance(preparation, Spelling)
    if table is None:
        return []
    places = preparation.places(row)[0]
    tensors = where(reading.body).put({name: torch.from_numpy(one) for name, one in preparation(row).items()})
    named = np.array([one.column >= 0 for one in places])
    found = integrated_gradients(reading.score, table, tensors, named, pad=preparation.pad, deadline=effort.deadline)
    weights = np.where(named, found.weights, 0.0)
    parts = [
        words(row.column(name)[0].as_py() or "", places, weights, place)
        for place, name in enumerate(preparation.columns)
    ]
    largest = max((abs(weight) for part in parts for _, weight in part if weight is not None), default=0.0)
    shown = []
    for name, part in zip(preparation.columns, parts, strict=True):
        if part:
            rows = tuple((piece, _share(weight, largest)) for piece, weight in part)
            shown.append(
                Evidence(
                    title=f"What in {name} speaks for {reading.towards}",
                    columns=("piece", "weight"),
                    rows=rows,
                    drawing="spans",
                    y=f"a weight of 1 is {largest:.3g} {reading.unit}; integrated gradients, "
                    f"which add up within {found.gap:.2g}",
                )
            )
    return shown


def _picture(reading: Reading, row: pa.Table, effort: Effort) -> Evidence:
    preparation = reading.preparation
    assert isinstance(preparation, Depicting)
    tensors = preparation(row)
    place = where(reading.body)
    given = place.put({name: torch.from_numpy(one) for name, one in tensors.items()})
    column, towards = preparation.columns[0], reading.towards
    found = last_map(reading.body, reading.score, given)
    if found is not None:
        return pictured(preparation, column, tensors, found, towards=towards, how="Grad-CAM")

    def score(variants: Mapping[str, np.ndarray]) -> np.ndarray:
        with torch.no_grad():
            value = reading.score(place.put({name: torch.from_numpy(one) for name, one in variants.items()}))
        return np.asarray(value.double().cpu().numpy())

    weights = occlusion(score, preparation, tensors, deadline=effort.deadline)
    return pictured(preparation, column, tensors, weights, towards=towards)


def _share(weight: float | None, largest: float) -> float | None:
    return None if weight is None else round(weight / (largest or 1.0), 3)
