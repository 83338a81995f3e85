"""Short text as latent semantic components of weighted n-grams.

Terms are weighted by TF-IDF, rows brought to unit length and reduced by a truncated singular value decomposition
(S. Deerwester et al., "Indexing by Latent Semantic Analysis", JASIS 41(6), 1990). What a token is, is said in
`luban.modalities.tabular.tokens`, by regular expressions that Arrow and ONNX Runtime read with one engine (RE2).

Weights and components lie on the grids of `luban.modalities.tabular.grid`: their sums of products are exact, so that
NumPy and ONNX Runtime, which add in different orders, find the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.arithmetic import Symbolic
from luban.modalities.tabular.feature import Feature
from luban.modalities.tabular.grid import on_grid
from luban.modalities.tabular.terms import Terms
from luban.modalities.tabular.tokens import UNITS

_WEIGHT_BITS = 10
_COMPONENT_BITS = 24
"""Sums of squares are exact for texts of a norm below 2^16, products with components below 2^19; they are below 2^8 for
all but texts of thousands of words."""

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
        Inverse document frequencies, multiples of 2^-10; float32, shape (terms,).
    components : numpy.ndarray
        Multiples of 2^-24; float32, shape (terms, components).
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
        weights = on_grid(np.log((1 + columns.rows) / (1 + present)) + 1, _WEIGHT_BITS)
        rows, norms = _weighted(counts, weights)
        rows.data /= np.repeat(norms, np.diff(rows.indptr))
        right = _right_singular(rows, min(components, *rows.shape), random)
        block = cls(name, unit, terms, weights, on_grid(right, _COMPONENT_BITS))
        return block, block._reduced(counts)

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, components)."""
        return self._reduced(self.terms.count(columns.tokens(self.name, self.unit)))

    def _reduced(self, counts: Any) -> np.ndarray:
        rows, norms = _weighted(counts, self.weights)
        matrix: np.ndarray = ((rows @ self.components.astype(np.float64)) / norms[:, None]).astype(np.float32)
        return matrix

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        do = Symbolic(columns.graph)
        tokens = columns.tokens(self.name, self.unit).tokens
        counted = columns.graph.node("TfIdfVectorizer", tokens, **self.terms.attributes(self.weights))
        # Only the terms that the batch has are multiplied, a few dozen for one row; zeros add nothing to an exact sum.
        # The first term is always among them, as there must be one.
        first = (np.arange(len(self.terms)) == 0).astype(np.float32)
        present = do.reshape(do.unary("NonZero", do.binary("Add", do.total(counted, axis=0), first)), (-1,))
        weighted = do.cast(do.gather(counted, present, axis=1), "float64")
        squares = do.reshape(do.total(do.binary("Mul", weighted, weighted), axis=1), (-1, 1))
        nothing, one = np.array(0, dtype=np.float64), np.array(1, dtype=np.float64)
        norms = do.where(do.binary("Equal", squares, nothing), one, do.unary("Sqrt", squares))
        product = do.binary("MatMul", weighted, do.cast(do.gather(self.components, present), "float64"))
        tensor: str = do.cast(do.binary("Div", product, norms), "float32")
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


def _weighted(counts: Any, weights: np.ndarray) -> tuple[Any, np.ndarray]:
    """Return the weighted counts (sparse, float64) and the length of each row, 1 for one that has nothing."""
    from scipy.sparse import csr_array

    data = (counts.data * weights[counts.indices]).astype(np.float64)  # a product of float32, as ONNX Runtime makes it
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    squares = np.bincount(rows, data**2, counts.shape[0])
    norms = np.sqrt(np.where(squares == 0, 1.0, squares))
    return csr_array((data, counts.indices, counts.indptr), shape=counts.shape), norms


def _right_singular(rows: Any, width: int, random: np.random.Generator) -> np.ndarray:
    """Return the leading right singular vectors of a sparse matrix, shape (columns, up to width).

    By random projection with power iterations (N. Halko, P.-G. Martinsson, J. A. Tropp, "Finding structure with
    randomness", SIAM Review 53(2), 2011). Those of a value near zero, which are noise, are left out; the sign of
    each is such that its largest entry is positive.
    """
    if not width:
        return np.zeros((rows.shape[1], 0))
    sample = rows @ random.standard_normal((rows.shape[1], min(width + 10, *rows.shape)))
    for _ in range(4):
        basis, _ = np.linalg.qr(sample)
        basis, _ = np.linalg.qr(rows.T @ basis)
        sample = rows @ basis
    basis, _ = np.linalg.qr(sample)
    _, values, right = np.linalg.svd((rows.T @ basis).T, full_matrices=False)
    right = right[:width][values[:width] > 1e-3 * values[0]]
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    vectors: np.ndarray = (right * signs[:, None]).T
    return vectors
