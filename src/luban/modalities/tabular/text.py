"""Short text as latent semantic components of weighted n-grams.

Terms are weighted by TF-IDF, rows brought to unit length and reduced by a truncated singular value decomposition
(S. Deerwester et al., "Indexing by Latent Semantic Analysis", JASIS 41(6), 1990). What a token is, is said in
`luban.modalities.tabular.tokens`, by regular expressions that Arrow and ONNX Runtime read with one engine (RE2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.arithmetic import Symbolic
from luban.modalities.tabular.feature import Feature
from luban.modalities.tabular.terms import Terms
from luban.modalities.tabular.tokens import UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Reader, Writer


@dataclass(frozen=True)
class Text:
    """Components of one text column.

    Parameters
    ----------
    name : str
    unit : {"words", "characters"}
        What a token is.
    terms : Terms
        The n-grams that count.
    weights : numpy.ndarray
        Inverse document frequencies; float32, shape (terms,).
    components : numpy.ndarray
        float32, shape (terms, components).
    """

    kind: ClassVar[str] = "text"
    name: str
    unit: str
    terms: Terms
    weights: np.ndarray
    components: np.ndarray

    @property
    def features(self) -> tuple[Feature, ...]:
        """One a component."""
        names = [f"{self.name}.component_{i}" for i in range(self.components.shape[1])]
        return tuple(Feature(name=one, sources=(self.name,)) for one in names)

    @classmethod
    def fit(
        cls, columns: Columns, name: str, *, unit: str, limit: int, components: int, random: np.random.Generator
    ) -> tuple[Text, np.ndarray]:
        """Return the block and the matrix of the training rows; `limit` is the most terms that are kept."""
        shortest, longest = (1, 2) if unit == "words" else (2, 4)
        tokens = columns.tokens(name, unit)
        terms = Terms.fit(tokens, shortest=shortest, longest=longest, limit=limit)
        counts = terms.count(tokens)
        present = np.bincount(counts.indices, minlength=len(terms))
        weights = (np.log((1 + columns.rows) / (1 + present)) + 1).astype(np.float32)
        plain = cls(name, unit, terms, weights, np.zeros((len(terms), 0), dtype=np.float32))
        rows = plain._weighted(counts)
        block = cls(name, unit, terms, weights, _right_singular(rows, min(components, *rows.shape), random))
        return block, (rows @ block.components).astype(np.float32)

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, components)."""
        counts = self.terms.count(columns.tokens(self.name, self.unit))
        matrix: np.ndarray = (self._weighted(counts) @ self.components).astype(np.float32)
        return matrix

    def _weighted(self, counts: Any) -> Any:
        """Return rows of unit length from counts, both sparse."""
        from scipy.sparse import csr_array

        rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        weighted = counts.data * self.weights[counts.indices]
        norms = np.sqrt(np.bincount(rows, weighted.astype(np.float64) ** 2, counts.shape[0]))
        data = (weighted / norms[rows]).astype(np.float32)
        return csr_array((data, counts.indices, counts.indptr), shape=counts.shape)

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        do = Symbolic(columns.graph)
        tokens = columns.tokens(self.name, self.unit).tokens
        weighted = columns.graph.node("TfIdfVectorizer", tokens, **self.terms.attributes(self.weights))
        squares = do.reshape(do.total(do.binary("Mul", weighted, weighted), axis=1), (-1, 1))
        nothing = np.array(0, dtype=np.float32)
        norms = do.where(do.binary("Equal", squares, nothing), np.array(1, dtype=np.float32), do.unary("Sqrt", squares))
        tensor: str = do.binary("Div", do.binary("MatMul", weighted, self.components), norms)
        return tensor

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        return {
            "name": self.name,
            "unit": self.unit,
            "terms": [list(term) for term in self.terms.grams],
            "weights": writer.put(self.weights),
            "components": writer.put(self.components),
        }

    @classmethod
    def load(cls, reader: Reader) -> Text:
        """Return the block that `save` wrote."""
        grams = reader.lists("terms")
        if (
            len(set(grams)) != len(grams)
            or not all(1 <= len(gram) <= 4 for gram in grams)
            or list(map(len, grams)) != sorted(map(len, grams))
        ):
            raise reader.wrong("'terms' must hold n-grams, the short ones first")
        weights = reader.array("weights", "float32", (len(grams),))
        components = reader.array("components", "float32", (len(grams), None))
        unit = reader.text("unit", UNITS)
        return cls(reader.text("name"), unit, Terms(grams), weights, components)


def _right_singular(rows: Any, width: int, random: np.random.Generator) -> np.ndarray:
    """Return the leading right singular vectors of a sparse matrix, shape (columns, up to width), float32.

    By random projection with power iterations (N. Halko, P.-G. Martinsson, J. A. Tropp, "Finding structure with
    randomness", SIAM Review 53(2), 2011). Those of a value near zero, which are noise, are left out; the sign of
    each is such that its largest entry is positive.
    """
    if not width:
        return np.zeros((rows.shape[1], 0), dtype=np.float32)
    sample = rows @ random.standard_normal((rows.shape[1], min(width + 10, *rows.shape)))
    for _ in range(4):
        basis, _ = np.linalg.qr(sample)
        basis, _ = np.linalg.qr(rows.T @ basis)
        sample = rows @ basis
    basis, _ = np.linalg.qr(sample)
    _, values, right = np.linalg.svd((rows.T @ basis).T, full_matrices=False)
    right = right[:width][values[:width] > 1e-3 * values[0]]
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    return np.ascontiguousarray((right * signs[:, None]).T.astype(np.float32))
