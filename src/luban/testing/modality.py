"""What every modality, and every fitted encoding, must do; run it over one of your own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol, get_args

import numpy as np

from luban.core.errors import LubanError
from luban.core.protocols import Modality
from luban.core.schema import Kind
from luban.core.serial import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa


class Fitted(Protocol):
    """A fitted encoding, as learners see it."""

    names: tuple[str, ...]
    sources: tuple[tuple[int, ...], ...]
    categorical: tuple[int, ...]
    cardinalities: tuple[int, ...]

    def transform(self, table: pa.Table) -> np.ndarray:
        """Return the matrix of a canonical table."""

    def save(self) -> Mapping[str, bytes]:
        """Return the typed payloads."""

    @classmethod
    def load(cls, payloads: Mapping[str, bytes]) -> Fitted:
        """Return what `save` wrote."""


def check_modality(modality: Modality, columns: Mapping[str, pa.ChunkedArray], kinds: Mapping[str, str | None]) -> None:
    """Raise AssertionError where a modality breaks the protocol.

    Parameters
    ----------
    modality : Modality
    columns : mapping of str to pyarrow.ChunkedArray
        Columns by name, among them one that is not of this modality.
    kinds : mapping of str to str or None
        What each is to be recognised as.
    """
    assert isinstance(modality, Modality), f"{modality!r} lacks a part of the protocol Modality"
    assert None in kinds.values(), "give a column that is not of this modality too"
    for name, values in columns.items():
        kind = modality.detect(name, values)
        assert kind is None or kind in get_args(Kind), f"{name}: {kind!r} is no kind of column"
        assert kind == kinds[name], f"{name}: {kind!r} was recognised where {kinds[name]!r} is right"
        assert modality.detect(name, values) == kind, f"{name}: asked twice, it answers differently"
        figures = modality.profile(name, values)
        plain = to_json(figures)
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain, f"{name}: its figures are no JSON values"


def check_encoding(encoding: Fitted, table: pa.Table, strange: Sequence[pa.Table] = ()) -> None:
    """Raise AssertionError where a fitted encoding breaks what learners rely on.

    Parameters
    ----------
    encoding : fitted encoding
    table : pyarrow.Table
        Canonical rows of the kind it was fitted on.
    strange : sequence of pyarrow.Table
        Canonical rows with what training never had: unseen levels, extremes, nothing but missing values.
    """
    width = len(encoding.names)
    assert width, "it makes no feature"
    assert len(set(encoding.names)) == width, "two features have one name"
    assert len(encoding.sources) == width, "a feature is without an entry in `sources`"
    assert all(encoding.sources), "a feature comes from no column"
    assert len(encoding.cardinalities) == len(encoding.categorical), "`cardinalities` does not fit `categorical`"
    again = type(encoding).load(encoding.save())
    for name in ("names", "sources", "categorical", "cardinalities"):
        assert getattr(again, name) == getattr(encoding, name), f"{name} changes when it is saved and loaded"
    for rows in (table, *strange, table.slice(0, 1), table.slice(0, 0)):
        matrix = encoding.transform(rows)
        _check_matrix(encoding, matrix, rows.num_rows)
        assert again.transform(rows).tobytes() == matrix.tobytes(), "saved and loaded it encodes differently"
        for place in range(min(3, rows.num_rows)):
            one = encoding.transform(rows.slice(place, 1))
            assert np.allclose(one, matrix[place : place + 1], rtol=1e-5, atol=1e-6, equal_nan=True), (
                f"row {place} is encoded differently when it comes alone"
            )
        if rows.num_columns > 1:
            turned = rows.select(rows.column_names[::-1])
            assert encoding.transform(turned).tobytes() == matrix.tobytes(), "the order of the columns matters"
    _check_damage(encoding)


def _check_matrix(encoding: Fitted, matrix: np.ndarray, rows: int) -> None:
    assert matrix.shape == (rows, len(encoding.names)), f"{matrix.shape} is not (rows, features)"
    assert matrix.dtype == np.float32, f"the matrix holds {matrix.dtype}, not float32"
    assert matrix.flags["C_CONTIGUOUS"], "the matrix is not in C order"
    assert not np.isinf(matrix).any(), "the matrix holds infinities"
    for place, size in zip(encoding.categorical, encoding.cardinalities, strict=True):
        codes = matrix[:, place]
        sound = ((codes >= 0) & (codes < size) & (codes == np.floor(codes))).all()
        assert sound, f"{encoding.names[place]} holds codes outside 0..{size - 1}"


def _check_damage(encoding: Fitted) -> None:
    """Check that a payload that is missing, cut or empty is refused with an error for users."""
    payloads: dict[str, Any] = dict(encoding.save())
    for name, data in payloads.items():
        for damaged in (None, b"", data[: len(data) // 2]):
            changed = {**payloads, name: damaged}
            if damaged is None:
                del changed[name]
            elif damaged == data:
                continue
            try:
                type(encoding).load(changed)
            except LubanError:
                continue
            raise AssertionError(f"a damaged {name} was loaded without complaint")
