"""Columns that tell the target by themselves: often they were written after the fact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.data.numbers import flat
from luban.data.target import missing_target, target_numbers

if TYPE_CHECKING:
    from luban.core.schema import Schema
    from luban.data.describe import Description

SURE = 0.95
"""Share of the target's uncertainty that one column alone must remove to be suspected."""
_LEVELS = 256


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A column and the share (0 to 1) of the target that it tells on rows held out."""

    column: str
    share: float


def leaks(sample: pa.Table, schema: Schema, target: str, descriptions: dict[str, Description]) -> list[Leak]:
    """Return the columns that alone predict the target almost perfectly, strongest first.

    Each column is cut into at most 256 levels; the most frequent class (or the mean) of each level is learnt on
    every other row and judged on the rest, so that a column of unique values predicts nothing. The share
    is 1 - errors / errors of always guessing the most frequent class, or the coefficient of determination.
    """
    here = np.flatnonzero(~missing_target(sample[target]))
    if len(here) < 50 or pa.types.is_nested(sample[target].type):  # lists of labels are no levels that a column tells
        return []
    kept = sample.take(pa.array(here))
    classes = _classes(kept, target)
    numbers = None if classes is not None else target_numbers(target, flat(kept[target]))
    learn = np.zeros(len(here), dtype=bool)
    learn[np.random.default_rng(0).permutation(len(here))[::2]] = True
    found = []
    for column in schema.columns:
        if column.name == target or column.kind in {"text", "nested", "image", "audio"}:
            continue
        values = descriptions[column.name].values
        levels = _levels(kept[column.name], None if values is None else values[here], learn)
        if classes is not None:
            share = _share_of_classes(levels, classes, learn)
        else:
            share = _share_of_numbers(levels, numbers if numbers is not None else np.zeros(0), learn)
        if share >= SURE:
            found.append(Leak(column=column.name, share=round(float(share), 4)))
    return sorted(found, key=lambda leak: -leak.share)


def _classes(table: pa.Table, target: str) -> np.ndarray | None:
    coded = flat(table[target]).dictionary_encode()
    number = pa.types.is_integer(table[target].type) or pa.types.is_floating(table[target].type)
    if len(coded.dictionary) > (20 if number else 1000):
        return None if number else np.asarray(coded.indices)
    return np.asarray(coded.indices)


def _levels(values: pa.ChunkedArray, numbers: np.ndarray | None, learn: np.ndarray) -> np.ndarray:
    """Return a code for each value: frequent ones and quantile bins; 0 stands for missing."""
    if numbers is not None:
        present = numbers[learn & ~np.isnan(numbers)]
        if not len(present):
            return np.zeros(len(numbers), dtype=np.int64)
        uniques = np.unique(present)
        edges = uniques if len(uniques) <= _LEVELS else np.unique(np.quantile(present, np.linspace(0, 1, _LEVELS)))
        return np.where(np.isnan(numbers), 0, 1 + np.searchsorted(edges, numbers, side="right"))
    coded = flat(values).dictionary_encode()
    return np.asarray(coded.indices.fill_null(-1)).astype(np.int64) + 1


def _share_of_classes(levels: np.ndarray, classes: np.ndarray, learn: np.ndarray) -> float:
    width = int(classes.max()) + 1
    if (levels.max() + 1) * width > 5_000_000:
        return 0.0
    counts = np.bincount(levels[learn] * width + classes[learn], minlength=(levels.max() + 1) * width)
    table = counts.reshape(-1, width)
    common = int(table.sum(axis=0).argmax())
    guess = np.where(table.sum(axis=1) > 0, table.argmax(axis=1), common)
    judged = classes[~learn]
    errors = (guess[levels[~learn]] != judged).sum()
    blind = (judged != common).sum()
    return float(1 - errors / blind) if blind else 0.0


def _share_of_numbers(levels: np.ndarray, numbers: np.ndarray, learn: np.ndarray) -> float:
    count = np.bincount(levels[learn], minlength=levels.max() + 1)
    total = np.bincount(levels[learn], weights=numbers[learn], minlength=levels.max() + 1)
    overall = numbers[learn].mean()
    guess = np.where(count > 0, total / np.maximum(count, 1), overall)
    judged = numbers[~learn]
    blind = ((judged - overall) ** 2).sum()
    return float(1 - ((judged - guess[levels[~learn]]) ** 2).sum() / blind) if blind > 0 else 0.0
