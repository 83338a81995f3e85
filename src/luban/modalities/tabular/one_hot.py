"""Category columns as one 0/1 column a level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.codes import FLOAT
from luban.modalities.tabular.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Reader, Writer


@dataclass(frozen=True)
class OneHot:
    """A column for each level that training had, up to a cap; a row of any other level has zeros.

    Parameters
    ----------
    names : tuple of str
        The category columns.
    labels : tuple of str
        Of each feature: what it stands for.
    places : numpy.ndarray
        Of each feature: the index in `names` of its column. int64, shape (features,).
    codes : numpy.ndarray
        Of each feature: the code that it marks. int64, shape (features,).
    """

    kind: ClassVar[str] = "one_hot"
    names: tuple[str, ...]
    labels: tuple[str, ...]
    places: np.ndarray
    codes: np.ndarray

    @property
    def features(self) -> tuple[Feature, ...]:
        """One a level."""
        return tuple(
            Feature(name=label, sources=(self.names[place],))
            for label, place in zip(self.labels, self.places.tolist(), strict=True)
        )

    @classmethod
    def fit(cls, columns: Columns, names: tuple[str, ...], limit: int) -> tuple[OneHot, np.ndarray]:
        """Return the block and the matrix of the training rows.

        The first `limit` levels of a column are kept; those beyond it, the rare ones and the missing value have a
        column only where training had them, the levels beyond and the rare ones none. Of two levels that are the
        whole column, one column is enough.
        """
        labels: list[str] = []
        places: list[int] = []
        codes: list[int] = []
        for place, name in enumerate(names):
            vocabulary = columns.vocabularies[name]
            counts = np.bincount(columns.codes(name), minlength=vocabulary.size)
            marked = list(range(min(limit, vocabulary.other)))
            if counts[vocabulary.missing]:
                marked.append(vocabulary.missing)
            if len(marked) == 2 and counts[marked].sum() == columns.rows:
                marked = marked[1:]
            for code in marked:
                level = vocabulary.levels[code] if code < vocabulary.other else "(missing)"
                labels.append(f"{name}={level}")
                places.append(place)
                codes.append(code)
        block = cls(names, tuple(labels), np.array(places, dtype=np.int64), np.array(codes, dtype=np.int64))
        return block, block.transform(columns)

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, features)."""
        matrix = np.zeros((columns.rows, len(self.labels)), dtype=np.float32)
        rows = np.arange(columns.rows)
        for place, name in enumerate(self.names):
            mine = np.flatnonzero(self.places == place)
            target = np.full(columns.vocabularies[name].size, -1, dtype=np.int64)
            target[self.codes[mine]] = mine
            feature = target[columns.codes(name)]
            marked = feature >= 0
            matrix[rows[marked], feature[marked]] = 1.0
        return matrix

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        graph = columns.graph
        spread = graph.node("Gather", columns.codes(self.names), graph.constant(self.places), axis=1)
        tensor: str = graph.node("Cast", graph.node("Equal", spread, graph.constant(self.codes)), to=FLOAT)
        return tensor

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        return {
            "names": list(self.names),
            "labels": list(self.labels),
            "places": writer.put(self.places),
            "codes": writer.put(self.codes),
        }

    @classmethod
    def load(cls, reader: Reader) -> OneHot:
        """Return the block that `save` wrote."""
        names, labels = reader.texts("names"), reader.texts("labels")
        places = reader.indices("places", (len(labels),), len(names))
        sizes = np.array([reader.vocabulary_size(name) for name in names], dtype=np.int64)
        codes = reader.array("codes", "int64", (len(labels),))
        if ((codes < 0) | (codes >= sizes[places])).any():
            raise reader.wrong("'codes' points outside its vocabulary")
        return cls(names, labels, places, codes)
