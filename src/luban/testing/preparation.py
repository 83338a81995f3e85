"""What every preparation must do; run it over one of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.core.errors import LubanError
from luban.core.preparation import Augmenting, Cutting, Glancing, Inspecting, Preparation

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

MOST_VARIED = 3


def check_preparation(preparation: Preparation, table: pa.Table) -> None:
    """Raise AssertionError where a preparation breaks the protocol.

    Parameters
    ----------
    preparation : Preparation
    table : pyarrow.Table
        Canonical rows with its columns: at least two, one of them with missing values only.
    """
    assert isinstance(preparation, Preparation), f"{preparation!r} lacks a part of the protocol Preparation"
    assert preparation.columns, "it reads no column"
    rows = table.select(list(preparation.columns))
    absent = [all(one is None for one in row.values()) for row in rows.to_pylist()]
    assert len(absent) > 1 and any(absent), "give two rows or more, one of them with missing values only"  # noqa: PT018
    found = preparation(rows)
    _check_tensors(preparation, found, rows.num_rows)
    again = type(preparation).load(preparation.save())  # type: ignore[attr-defined]
    assert again.columns == preparation.columns, "its columns change when it is saved and loaded"
    assert _same(again(rows), found), "saved and loaded it makes other tensors"
    assert _same(preparation(rows), found), "asked twice it makes other tensors"
    _check_tensors(preparation, preparation(rows.slice(0, 0)), 0)
    for place in range(rows.num_rows):
        _check_alone(preparation(rows.slice(place, 1)), found, place)
    _check_damage(preparation)
    if isinstance(preparation, Augmenting):
        _check_varied(preparation, rows, found)
    if isinstance(preparation, Cutting):
        _check_cut(preparation, found)
    if isinstance(preparation, Inspecting):
        assert all(one.what for one in preparation.inspect(rows)), "a finding says nothing"
        assert all(one.what for one in preparation.inspect(rows, seconds=0.0)), "a hurried finding says nothing"
    if isinstance(preparation, Glancing):
        assert all(one.what for one in preparation.glance(rows)), "a finding by heads says nothing"


def _check_tensors(preparation: Preparation, found: Mapping[str, np.ndarray], rows: int) -> None:
    assert set(found) == set(preparation.tensors), f"it makes {sorted(found)}, not {sorted(preparation.tensors)}"
    for name, tensor in preparation.tensors.items():
        values = found[name]
        assert values.dtype == np.dtype(tensor.dtype), f"{name} holds {values.dtype}, not {tensor.dtype}"
        assert len(values) == rows, f"{name} has {len(values)} rows, not {rows}"
        fits = len(values.shape[1:]) == len(tensor.shape) and all(
            wanted is None or size == wanted for size, wanted in zip(values.shape[1:], tensor.shape, strict=True)
        )
        assert fits, f"{name} has the shape {values.shape[1:]}, not {tensor.shape}"
        assert np.isfinite(values).all(), f"{name} holds values that are not finite"


def _check_alone(alone: Mapping[str, np.ndarray], whole: Mapping[str, np.ndarray], place: int) -> None:
    """Check that a row alone has the values that it has among others, whatever stands behind them."""
    for name, values in alone.items():
        among = whole[name][place]
        cut = among[tuple(slice(0, size) for size in values.shape[1:])]
        assert np.array_equal(cut, values[0]), f"{name} of row {place} differs when the row comes alone"


def _check_cut(preparation: Preparation, found: Mapping[str, np.ndarray]) -> None:
    assert isinstance(preparation, Cutting)
    for name, tensor in preparation.tensors.items():
        long = found[name].shape[1] if tensor.shape[:1] == (None,) else 0
        assert long <= preparation.max_length, f"{name} has {long} steps, and {preparation.max_length} are the most"


def _check_varied(preparation: Augmenting, rows: pa.Table, found: Mapping[str, np.ndarray]) -> None:
    taken = preparation.taken(rows)
    assert len(taken) == rows.num_rows, "it does not take one value a row"
    assert _same(preparation.finished(taken), found), "its two halves together make other tensors than the whole"
    assert _same(preparation.finished(preparation.varied(taken, {}, np.random.default_rng(0))), found), (
        "without parameters it varies something"
    )
    space = preparation.augmentations
    largest = {name: getattr(one, "high", None) or one.values[-1] for name, one in space.items()}  # type: ignore[union-attr]
    varied = [
        preparation.finished(preparation.varied(taken, largest, np.random.default_rng(seed)))
        for seed in (0, 0, *range(1, MOST_VARIED))
    ]
    assert _same(varied[0], varied[1]), "the same seed varies differently"
    assert _same(preparation.finished(taken), found), "what was taken is changed by varying it"
    for one in varied:
        for values in one.values():
            assert np.isfinite(values).all(), "varied tensors hold values that are not finite"


def _check_damage(preparation: Preparation) -> None:
    payloads = dict(preparation.save())
    assert all(isinstance(data, bytes) for data in payloads.values()), "payloads must be bytes"
    for name, data in payloads.items():
        for damaged in (None, b"", data[: len(data) // 2]):
            changed = {key: value for key, value in payloads.items() if key != name}
            if damaged is not None:
                changed[name] = damaged
            try:
                type(preparation).load(changed)  # type: ignore[attr-defined]
            except LubanError:
                continue
            raise AssertionError(f"a damaged {name} was loaded without complaint")


def _same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    return set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in one)
