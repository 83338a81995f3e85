"""Ratios, differences and products of two number columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.arithmetic import NUMERICAL, Symbolic
from luban.modalities.tabular.columns import LARGEST
from luban.modalities.tabular.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.modalities.tabular.arithmetic import Arithmetic
    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Reader, Writer

SIGNS = {"Div": "/", "Sub": "-", "Mul": "*"}


@dataclass(frozen=True)
class Pairs:
    """Two columns and an operator a feature; a ratio to zero is missing.

    Parameters
    ----------
    names : tuple of str
        The number columns in use.
    terms : tuple of (str, int, int)
        The operator of each feature and the places of its columns in `names`, in the order of the operators.
    """

    kind: ClassVar[str] = "pairs"
    names: tuple[str, ...]
    terms: tuple[tuple[str, int, int], ...]

    @classmethod
    def of(cls, terms: Sequence[tuple[str, str, str]]) -> Pairs:
        """Return the block of these (operator, left column, right column)."""
        names = tuple(dict.fromkeys(name for _, *both in terms for name in both))
        order = list(SIGNS)
        placed = sorted(
            ((sign, names.index(a), names.index(b)) for sign, a, b in terms), key=lambda t: order.index(t[0])
        )
        return cls(names, tuple(placed))

    @property
    def features(self) -> tuple[Feature, ...]:
        """One a term."""
        return tuple(
            Feature(
                name=f"{self.names[left]} {SIGNS[operator]} {self.names[right]}",
                sources=(self.names[left], self.names[right]),
            )
            for operator, left, right in self.terms
        )

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, terms)."""
        matrix: np.ndarray = self._apply(NUMERICAL, columns.numbers(self.names))
        return matrix

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        tensor: str = self._apply(Symbolic(columns.graph), columns.numbers(self.names))
        return tensor

    def _apply(self, do: Arithmetic, numbers: Any) -> Any:
        parts = []
        for operator in SIGNS:
            places = np.array([both for one, *both in self.terms if one == operator], dtype=np.int64)
            if not len(places):
                continue
            left = do.gather(numbers, places[:, 0], axis=1)
            right = do.gather(numbers, places[:, 1], axis=1)
            part = do.binary(operator, left, right)
            if operator == "Div":
                zero = do.binary("Equal", right, np.array(0, dtype=np.float32))
                part = do.where(zero, np.array(np.nan, dtype=np.float32), part)
            parts.append(part)
        return do.clip(do.concatenate(parts), np.array(-LARGEST), np.array(LARGEST))

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        places = np.array([both for _, *both in self.terms], dtype=np.int64)
        return {
            "names": list(self.names),
            "operators": [operator for operator, *_ in self.terms],
            "places": writer.put(places),
        }

    @classmethod
    def load(cls, reader: Reader) -> Pairs:
        """Return the block that `save` wrote."""
        names, operators = reader.texts("names"), reader.texts("operators")
        places = reader.indices("places", (len(operators), 2), len(names)).tolist()
        if not operators or not set(operators) <= set(SIGNS):
            raise reader.wrong("'operators' holds an unknown one")
        return cls(names, tuple((sign, left, right) for sign, (left, right) in zip(operators, places, strict=True)))
