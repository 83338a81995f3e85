"""The choices that make an encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from luban.core.errors import InputError

Numbers = Literal["raw", "imputed", "standard", "quantile", "robust"]
Categories = Literal["codes", "one_hot", "target", "frequency"]
Text = Literal["words", "characters", "ignored"]


@dataclass(frozen=True, kw_only=True)
class EncodingOptions:
    """How the columns of a table become a float32 matrix. The default suits trees with native categories.

    Parameters
    ----------
    numbers : {"raw", "imputed", "standard", "quantile", "robust"}
        ``raw`` keeps NaN; the others put the median in its place, and then nothing more, zero mean and unit
        variance, normal scores of the quantiles, or median and quartiles with a smooth clip at +-3. The same
        treatment goes to booleans, parts of dates, text components and engineered numbers.
    indicators : bool
        Whether a number column that had missing values in training gets a 0/1 column that says where
        (only where missing values are replaced).
    missing_count : bool
        Whether the count of missing values in the row is a feature.
    categories : tuple of {"codes", "one_hot", "target", "frequency"}
        What a category column becomes. ``codes`` are integers, listed in `Encoding.categorical`.
    high_cardinality : tuple of the same
        What a category column of more than `cardinality_limit` levels becomes.
    cardinality_limit : int
        Levels that appear at least `min_count` times are counted.
    min_count : int
        Rarer levels share one code with levels that were never seen.
    max_levels : int
        No more levels than this are kept in a column, the most frequent ones.
    one_hot_levels : int
        A level beyond this many has no column of its own in ``one_hot``; missing has one if it was seen.
    folds, smoothing, target_classes : int, float, int
        Of target encoding: out-of-fold parts; how many rows the prior weighs; for more than two classes, up to
        how many of them (the most frequent, all but the first) get a column.
    cyclic_dates : bool
        Whether month, weekday, hour and day of the year are added as sine and cosine.
    text : {"words", "characters", "ignored"}
        Which n-grams a text column is read by: 1-2 words (a Chinese character is a word), or 2-4 characters.
    text_terms, text_components : int
        How many n-grams are kept, and how many numbers their weights are reduced to.
    pairs : int
        How many ratios, differences and products of two numbers are added, the most telling ones.
    crosses : int
        How many pairs of categories are target encoded, the most telling ones.
    group_ratios : int
        How many ratios of a number to its mean within a category are added, the most telling ones.
    drop_useless : bool
        Whether constant and duplicate input columns are left out.
    top : int
        If there are more features, those with the highest rank correlation with the target are kept; 0 keeps all.
    components : int
        If the number-like features are more, they are reduced to so many principal components; 0 keeps them.
    """

    numbers: Numbers = "raw"
    indicators: bool = True
    missing_count: bool = False
    categories: tuple[Categories, ...] = ("codes",)
    high_cardinality: tuple[Categories, ...] = ("target", "frequency")
    cardinality_limit: int = 256
    min_count: int = 2
    max_levels: int = 200_000
    one_hot_levels: int = 64
    folds: int = 5
    smoothing: float = 10.0
    target_classes: int = 10
    cyclic_dates: bool = False
    text: Text = "words"
    text_terms: int = 4000
    text_components: int = 24
    pairs: int = 0
    crosses: int = 0
    group_ratios: int = 0
    drop_useless: bool = True
    top: int = 2000
    components: int = 0

    def __post_init__(self) -> None:
        ways = get_args(Categories)
        self._require(self.numbers in get_args(Numbers), f"numbers is one of {get_args(Numbers)}", self.numbers)
        self._require(self.text in get_args(Text), f"text is one of {get_args(Text)}", self.text)
        for chosen in (self.categories, self.high_cardinality):
            self._require(not isinstance(chosen, str), f"categories are a list of {ways}", chosen)
            self._require(set(chosen) <= set(ways), f"categories are among {ways}", chosen)
        self._require(self.folds >= 2, "folds must be at least 2", self.folds)
        self._require(self.smoothing > 0, "smoothing must be positive", self.smoothing)
        self._require(0 <= self.text_terms <= 7000, "text_terms must be between 0 and 7000", self.text_terms)
        self._require(
            not self.components or self.numbers != "raw", "components need numbers without gaps", self.numbers
        )

    @staticmethod
    def _require(holds: bool, wish: str, seen: object) -> None:
        if not holds:
            raise InputError(f"an option of the encoding cannot be used: {wish}", seen=repr(seen))


TREES = EncodingOptions()
"""For boosters that split on category codes."""

PLAIN_TREES = EncodingOptions(
    numbers="imputed", categories=("one_hot",), cardinality_limit=24, one_hot_levels=24, missing_count=True
)
"""For trees that take neither NaN nor codes."""

LINEAR = EncodingOptions(
    numbers="quantile", categories=("one_hot",), cardinality_limit=64, cyclic_dates=True, text_components=64
)
"""For linear models."""

NETS = EncodingOptions(
    numbers="robust", categories=("one_hot",), cardinality_limit=32, one_hot_levels=32, cyclic_dates=True
)
"""For neural nets and nearest neighbours."""
