"""Fitting an encoding: which column goes through which encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.core.errors import InputError
from luban.modalities.tabular.chain import Chain, beside
from luban.modalities.tabular.codes import Codes
from luban.modalities.tabular.columns import Columns
from luban.modalities.tabular.components import Components
from luban.modalities.tabular.dates import Dates
from luban.modalities.tabular.encoding import TABULAR, Encoding
from luban.modalities.tabular.engineering import Engineering
from luban.modalities.tabular.frequency import Frequency
from luban.modalities.tabular.gain import SAMPLE
from luban.modalities.tabular.group_ratios import GroupRatios
from luban.modalities.tabular.missing_count import MissingCount
from luban.modalities.tabular.numbers import Numbers
from luban.modalities.tabular.one_hot import OneHot
from luban.modalities.tabular.quantiles import Quantiles
from luban.modalities.tabular.scaling import Imputed, Scaled
from luban.modalities.tabular.selection import Selected
from luban.modalities.tabular.target_encoding import Goals, TargetEncoding
from luban.modalities.tabular.text import Text
from luban.modalities.tabular.text_lengths import TextLengths
from luban.modalities.tabular.useless import useless
from luban.modalities.tabular.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from luban.core.schema import Schema
    from luban.core.task import Task
    from luban.modalities.tabular.options import EncodingOptions
    from luban.modalities.tabular.step import Block, Map

_SCALES: dict[str, Callable[[np.ndarray], Map]] = {
    "standard": Scaled.standard,
    "robust": Scaled.robust,
    "quantile": Quantiles.fit,
}


def fit_encoding(
    table: pa.Table, schema: Schema, task: Task, target: np.ndarray, options: EncodingOptions, seed: int
) -> tuple[Encoding, np.ndarray]:
    """Learn an encoding from training rows.

    Parameters
    ----------
    table : pyarrow.Table
        Canonical; n rows.
    schema : Schema
        Its input columns are encoded, in order.
    target : numpy.ndarray
        Class codes or numbers, shape (n,).
    seed : int
        Of the folds of target encoding and of the samples that choices are made on.

    Returns
    -------
    encoding : Encoding
    matrix : numpy.ndarray
        Of the training rows, shape (n, features), float32, C order. It is what ``encoding.transform(table)`` gives but
        for target encodings, which are out of fold.

    Raises
    ------
    InputError
        If there is no row, or no input column of a kind that is tabular; those of other kinds are passed over.
    """
    if not schema.inputs or not table.num_rows:
        raise InputError(
            "there is nothing to encode",
            seen=f"{len(schema.inputs)} input columns, {table.num_rows} rows",
            remedy="Give at least one row and one column besides the target.",
        )
    return _Fit(table, schema, task, target, options, seed).run()


class _Fit:
    """What the steps of one fit share."""

    def __init__(
        self, table: pa.Table, schema: Schema, task: Task, target: np.ndarray, options: EncodingOptions, seed: int
    ) -> None:
        self.inputs = tuple(column.name for column in schema.inputs)
        self.kinds = tuple(column.kind for column in schema.inputs)
        if not set(self.kinds) & set(TABULAR):
            raise InputError(
                "no input column is tabular",
                seen=", ".join(f"{name}: {kind}" for name, kind in zip(self.inputs, self.kinds, strict=True)),
                remedy="Choose another learner, or add columns.",
            )
        self.options = options
        self.random = np.random.default_rng(seed)
        self.folds = self.random.permutation(table.num_rows) % options.folds
        self.goals = Goals.of(task, target, options.target_classes)
        self.vocabularies: dict[str, Vocabulary] = {}
        self.columns = Columns(table, self.vocabularies)
        for name in self._of("category"):
            values = self.columns.values(name)
            self.vocabularies[name], codes = Vocabulary.fit(values, options.min_count, options.max_levels)
            self.columns.remember_codes(name, codes)
        left_out: frozenset[str] = frozenset()
        if options.drop_useless:
            left_out = useless(self.columns, self._of("number", "boolean"), self._of("category"), self._of("date"))
        self.numbers, self.categories, self.dates, self.texts = (
            tuple(name for name in self._of(*kinds) if name not in left_out)
            for kinds in (("number", "boolean"), ("category",), ("date",), ("text",))
        )
        plain = tuple(name for name in self._of("number") if name not in left_out)
        self.engineering = Engineering(self.columns, plain, self.categories, self.goals.figures, self.random)

    def _of(self, *kinds: str) -> tuple[str, ...]:
        return tuple(name for name, kind in zip(self.inputs, self.kinds, strict=True) if kind in kinds)

    def run(self) -> tuple[Encoding, np.ndarray]:
        """Return the encoding and the matrix of the training rows."""
        parts = [part for part in (*self._number_like(), *self._text(), *self._by_category()) if part[1].shape[1]]
        if not parts:
            parts = [self._something()]
        blocks = tuple(block for block, _ in parts)
        matrix = beside([matrix for _, matrix in parts])
        maps: tuple[Map, ...] = ()
        if 0 < self.options.top < matrix.shape[1]:
            chosen = self._selection(matrix, Chain(blocks, ()))
            maps, matrix = (chosen,), chosen.transform(matrix)
        encoding = Encoding(self.inputs, self.kinds, self._used_vocabularies(), Chain(blocks, maps))
        return encoding, np.ascontiguousarray(matrix)

    def _something(self) -> tuple[Block, np.ndarray]:
        """Return a feature for a table that has none, so that a learner finds its constant answer."""
        names = self._of("number", "boolean"), self._of("category"), self._of("date")
        if not any(names):
            raise InputError("no input column can be encoded", seen=f"only text: {', '.join(self.inputs)}")
        self.categories = names[1]
        return MissingCount.fit(self.columns, *names)

    def _used_vocabularies(self) -> dict[str, Vocabulary]:
        return {name: self.vocabularies[name] for name in self.categories}

    def _number_like(self) -> list[tuple[Block, np.ndarray]]:
        """Fit numbers, dates, lengths of text and what is engineered from numbers, and bring them to scale."""
        options, columns = self.options, self.columns
        parts: list[tuple[Block, np.ndarray]] = []
        if self.numbers:
            parts.append(Numbers.fit(columns, self.numbers))
        if options.missing_count and (self.numbers or self.categories or self.dates):
            parts.append(MissingCount.fit(columns, self.numbers, self.categories, self.dates))
        if self.dates:
            parts.append(Dates.fit(columns, self.dates, cyclic=options.cyclic_dates))
        if options.pairs and (pairs := self.engineering.pairs(options.pairs)):
            parts.append((pairs, pairs.transform(columns)))
        if options.group_ratios and (ratios := self.engineering.group_ratios(options.group_ratios)):
            parts.append(GroupRatios.fit(columns, ratios))
        if options.text != "ignored" and self.texts:
            parts.append(TextLengths.fit(columns, self.texts, options.text))
        if not parts:
            return []
        blocks = tuple(block for block, _ in parts)
        maps, matrix = self._scale(beside([matrix for _, matrix in parts]))
        return [(Chain(blocks, maps), matrix)]

    def _text(self) -> list[tuple[Block, np.ndarray]]:
        """Fit the components of text columns, which share one scale where others are scaled one by one."""
        parts: list[tuple[Block, np.ndarray]] = []
        for name in self.texts if self.options.text != "ignored" else ():
            block, matrix = Text.fit(
                self.columns,
                name,
                unit=self.options.text,
                limit=self.options.text_terms,
                components=self.options.text_components,
                random=self.random,
            )
            if self.options.numbers in _SCALES:
                scaled = Scaled.together(matrix)
                parts.append((Chain((block,), (scaled,)), scaled.transform(matrix)))
            else:
                parts.append((block, matrix))
        return parts

    def _scale(self, matrix: np.ndarray) -> tuple[tuple[Map, ...], np.ndarray]:
        """Fit what number-like features go through, and return it with what comes out."""
        options = self.options
        if options.numbers == "raw":
            return (), matrix
        imputed = Imputed.fit(matrix, indicators=options.indicators)
        maps: list[Map] = [imputed]
        matrix = imputed.transform(matrix)
        if options.numbers in _SCALES:
            maps.append(_SCALES[options.numbers](matrix))
            matrix = maps[-1].transform(matrix)
        if 0 < options.components < matrix.shape[1]:
            maps.append(Components.fit(matrix, options.components))
            matrix = maps[-1].transform(matrix)
        return tuple(maps), matrix

    def _by_category(self) -> list[tuple[Block, np.ndarray]]:
        """Fit the category columns, each as its cardinality asks for, and their crosses."""
        options, columns = self.options, self.columns
        chosen: dict[str, list[str]] = {"codes": [], "one_hot": [], "target": [], "frequency": []}
        for name in self.categories:
            many = len(self.vocabularies[name].levels) > options.cardinality_limit
            for way in options.high_cardinality if many else options.categories:
                chosen[way].append(name)
        keys: list[tuple[str, ...]] = [(name,) for name in chosen["target"]]
        if options.crosses and len(self.categories) > 1:
            keys += self.engineering.crosses(options.crosses)
        parts: list[tuple[Block, np.ndarray]] = []
        if chosen["codes"]:
            parts.append(Codes.fit(columns, tuple(chosen["codes"])))
        if chosen["one_hot"]:
            parts.append(OneHot.fit(columns, tuple(chosen["one_hot"]), options.one_hot_levels))
        if keys:
            parts.append(TargetEncoding.fit(columns, keys, self.goals, smoothing=options.smoothing, folds=self.folds))
        if chosen["frequency"]:
            parts.append(Frequency.fit(columns, tuple(chosen["frequency"])))
        return parts

    def _selection(self, matrix: np.ndarray, made: Chain) -> Selected:
        rows: np.ndarray | slice = slice(None)
        if len(matrix) > SAMPLE:
            rows = np.sort(self.random.choice(len(matrix), SAMPLE, replace=False))
        return Selected.by_rank_correlation(matrix[rows], made.features, self.goals.figures[rows], self.options.top)
