"""Fitting an encoding: which column goes through which encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.core.errors import InputError
from luban.modalities.tabular.chain import Chain, beside
from luban.modalities.tabular.codes import Codes
from luban.modalities.tabular.columns import Columns
from luban.modalities.tabular.dates import Dates
from luban.modalities.tabular.encoding import Encoding
from luban.modalities.tabular.frequency import Frequency
from luban.modalities.tabular.numbers import Numbers
from luban.modalities.tabular.one_hot import OneHot
from luban.modalities.tabular.scaling import Imputed, Scaled
from luban.modalities.tabular.target_encoding import Goals, TargetEncoding
from luban.modalities.tabular.vocabulary import Vocabulary

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.core.schema import Schema
    from luban.core.task import Task
    from luban.modalities.tabular.options import EncodingOptions
    from luban.modalities.tabular.step import Block, Map


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
        If there is no input column, or one of a kind that is not tabular.
    """
    return _Fit(table, schema, task, target, options, seed).run()


class _Fit:
    def __init__(
        self, table: pa.Table, schema: Schema, task: Task, target: np.ndarray, options: EncodingOptions, seed: int
    ) -> None:
        self.inputs = tuple(column.name for column in schema.inputs)
        self.kinds = {column.name: column.kind for column in schema.inputs}
        if not self.inputs:
            raise InputError("there is no input column", remedy="Give the task at least one column besides its target.")
        for column in schema.inputs:
            if column.kind in ("image", "audio", "nested"):
                raise InputError("a column is not tabular", seen=f"{column.name}: {column.kind}")
        self.table, self.task, self.target, self.options = table, task, target, options
        self.vocabularies: dict[str, Vocabulary] = {}
        self.columns = Columns(table, self.vocabularies)
        self.random = np.random.default_rng(seed)
        self.folds = self.random.permutation(table.num_rows) % max(2, options.folds)
        self.goals = Goals.of(task, target, options.target_classes)

    def of_kind(self, *kinds: str) -> tuple[str, ...]:
        return tuple(name for name in self.inputs if self.kinds[name] in kinds)

    def run(self) -> tuple[Encoding, np.ndarray]:
        for name in self.of_kind("category"):
            values = self.columns.values(name)
            self.vocabularies[name], codes = Vocabulary.fit(values, self.options.min_count, self.options.max_levels)
            self.columns.remember_codes(name, codes)
        parts = [part for part in (self.scaled(), *self.categories()) if part is not None]
        root = Chain(tuple(block for block, _ in parts), ())
        kinds = tuple(self.kinds[name] for name in self.inputs)
        encoding = Encoding(self.inputs, kinds, self.vocabularies, root)
        return encoding, np.ascontiguousarray(beside([matrix for _, matrix in parts]))

    def scaled(self) -> tuple[Block, np.ndarray] | None:
        """Fit all that is like a number, and bring it to scale."""
        parts: list[tuple[Block, np.ndarray]] = []
        if names := self.of_kind("number", "boolean"):
            parts.append(Numbers.fit(self.columns, names))
        if names := self.of_kind("date"):
            parts.append(Dates.fit(self.columns, names, cyclic=self.options.cyclic_dates))
        if not parts:
            return None
        matrix = beside([matrix for _, matrix in parts])
        maps: list[Map] = []
        if self.options.numbers != "raw":
            maps.append(Imputed.fit(matrix, indicators=self.options.indicators))
            plain = maps[0].transform(matrix)
            if self.options.numbers == "standard":
                maps.append(Scaled.standard(plain))
            elif self.options.numbers == "robust":
                maps.append(Scaled.robust(plain))
            matrix = plain if len(maps) == 1 else maps[1].transform(plain)
        return Chain(tuple(block for block, _ in parts), tuple(maps)), matrix

    def categories(self) -> list[tuple[Block, np.ndarray]]:
        """Fit the category columns: each as its cardinality asks for."""
        chosen: dict[str, list[str]] = {}
        for name in self.of_kind("category"):
            many = len(self.vocabularies[name].levels) > self.options.cardinality_limit
            for way in self.options.high_cardinality if many else self.options.categories:
                chosen.setdefault(way, []).append(name)
        parts: list[tuple[Block, np.ndarray]] = []
        if "codes" in chosen:
            parts.append(Codes.fit(self.columns, tuple(chosen["codes"])))
        if "one_hot" in chosen:
            parts.append(OneHot.fit(self.columns, tuple(chosen["one_hot"]), self.options.one_hot_levels))
        if "target" in chosen:
            keys = [(name,) for name in chosen["target"]]
            parts.append(
                TargetEncoding.fit(self.columns, keys, self.goals, smoothing=self.options.smoothing, folds=self.folds)
            )
        if "frequency" in chosen:
            parts.append(Frequency.fit(self.columns, tuple(chosen["frequency"])))
        return parts
