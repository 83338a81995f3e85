"""Which pairs, crosses and group ratios are worth adding.

Candidates are made from the columns that tell most of the target by themselves. Each is scored, on a sample of rows,
by how much it explains of what a small tree on the plain columns leaves unexplained; a pair of numbers also by how
much more it tells than either of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.modalities.tabular.gain import SAMPLE, gain_of_groups, gains, unexplained
from luban.modalities.tabular.group_ratios import GroupRatios
from luban.modalities.tabular.pairs import SIGNS, Pairs
from luban.modalities.tabular.target_encoding import MOST_CELLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.modalities.tabular.columns import Columns

_TELLING = 8  # columns of a kind that candidates are made from
_TREE_COLUMNS = 64
_FIRST_LOOK = 2_000_000  # cells


@dataclass(frozen=True)
class Engineering:
    """The choices for one table.

    Parameters
    ----------
    columns : Columns
        Of the training rows.
    numbers, categories : tuple of str
        The columns to combine.
    figures : numpy.ndarray
        What is to be told, float64, shape (n, outputs).
    random : numpy.random.Generator
        Draws the sample of rows.
    """

    columns: Columns
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    figures: np.ndarray
    random: np.random.Generator

    @cached_property
    def _rows(self) -> np.ndarray:
        rows = self.columns.rows
        return self.random.permutation(rows)[:SAMPLE]

    @cached_property
    def _centred(self) -> np.ndarray:
        figures = self.figures[self._rows]
        centred: np.ndarray = figures - figures.mean(axis=0)
        return centred

    @cached_property
    def _telling_numbers(self) -> tuple[str, ...]:
        rows = slice(max(1000, _FIRST_LOOK // max(1, len(self.numbers))))  # fewer where there are many columns
        matrix = self.columns.numbers(self.numbers)[self._rows[rows]]
        figures = self._centred[rows]
        scores = gains(matrix, figures - figures.mean(axis=0))
        return tuple(self.numbers[i] for i in np.argsort(-scores, kind="stable"))

    @cached_property
    def _telling_categories(self) -> tuple[str, ...]:
        scores = [gain_of_groups(self.columns.codes(name)[self._rows], self._centred) for name in self.categories]
        return tuple(self.categories[i] for i in np.argsort(-np.array(scores), kind="stable"))

    @cached_property
    def _left(self) -> np.ndarray:
        """What the plain columns leave unexplained on the sample."""
        matrix = self.columns.numbers(self._telling_numbers[:_TREE_COLUMNS])[self._rows]
        codes = [self.columns.codes(name)[self._rows, None] for name in self._telling_categories[:_TREE_COLUMNS]]
        return unexplained(np.concatenate([matrix, *codes], axis=1, dtype=np.float32), self._centred)

    def pairs(self, count: int) -> Pairs | None:
        """Return the most telling `count` ratios, differences and products, or None where none tells anything."""
        names = self._telling_numbers[:_TELLING]
        candidates = [(sign, *both) for both in combinations(names, 2) for sign in SIGNS]
        if not candidates:
            return None
        block = Pairs.of(candidates)
        sample = self.columns.take(self._rows, names)
        matrix = block.transform(sample)
        alone = dict(zip(names, gains(sample.numbers(names), self._centred), strict=True))
        parents = np.array([max(alone[block.names[a]], alone[block.names[b]]) for _, a, b in block.terms])
        scores = np.maximum(gains(matrix, self._centred) - parents, 0) + np.maximum(gains(matrix, self._left), 0)
        terms = [block.terms[i] for i in _best(scores, count)]
        return Pairs.of([(sign, block.names[a], block.names[b]) for sign, a, b in terms]) if terms else None

    def crosses(self, count: int) -> list[tuple[str, str]]:
        """Return the most telling `count` pairs of category columns."""
        sizes = {name: self.columns.vocabularies[name].size for name in self.categories}
        candidates = [
            both
            for both in combinations(self._telling_categories[:_TELLING], 2)
            if sizes[both[0]] * sizes[both[1]] <= MOST_CELLS
        ]
        scores = []
        for left, right in candidates:
            groups = self.columns.codes(left)[self._rows] * sizes[right] + self.columns.codes(right)[self._rows]
            scores.append(gain_of_groups(groups, self._left))
        return [candidates[i] for i in _best(np.array(scores), count)]

    def group_ratios(self, count: int) -> list[tuple[str, str]]:
        """Return the most telling `count` (number, category) columns."""
        candidates = [(a, b) for a in self._telling_numbers[:_TELLING] for b in self._telling_categories[:_TELLING]]
        if not candidates:
            return []
        _, matrix = GroupRatios.fit(self.columns.take(self._rows, self._telling_numbers[:_TELLING]), candidates)
        return [candidates[i] for i in _best(gains(matrix, self._left), count)]


def _best(scores: np.ndarray, count: int) -> Sequence[Any]:
    """Return the places of the highest scores above zero."""
    order = np.argsort(-scores, kind="stable")[:count]
    return [int(place) for place in order if scores[place] > 0]
