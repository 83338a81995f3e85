"""Frozen features: one row of numbers made by backbones of the columns that they read."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.budget import Effort
from luban.core.errors import OutOfTime
from luban.learners.adapted.choice import frozen_backbone, readable
from luban.learners.payloads import Arrays, damaged, placed, read_json, under, write_arrays, write_json
from luban.learners.threads import threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Examples, Graph
    from luban.core.schema import Schema
    from luban.foundation.backbone import Backbone

_ABOUT, _ARRAYS = "frozen.json", "frozen.npz"
# Rows are read in random order, so many at a time, so that what is ready at the deadline is a fair sample.
_FIRST, _BLOCK = 48, 512
# So many rows are looked for in the cache: to look is to read a file, where the values are files.
_LOOKED = 20_000
# A pair of texts is told by both and by how they relate; a row of photographs by each.
_PAIRED = "text"


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one backbone makes of one column, or of two as a pair.

    Parameters
    ----------
    columns : tuple of str
    backbone : Backbone
    blank : numpy.ndarray
        Shape (d,): the vector of a missing value.
    """

    columns: tuple[str, ...]
    backbone: Backbone
    blank: np.ndarray

    @property
    def width(self) -> int:
        """How many features it makes of a row."""
        return self.backbone.dimension * (4 if len(self.columns) == 2 else 1)


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """From a table to features.

    Vectors have the length √d, so that their entries are of order 1.

    Parameters
    ----------
    parts : tuple of Part
    cache : str, optional
        Folder in which vectors are kept while a model is fitted and judged.
    rough : bool
        Whether they are computed in bfloat16 where the processor has it; what was loaded answers in float32.
    """

    parts: tuple[Part, ...]
    cache: str | None = None
    rough: bool = False

    @property
    def width(self) -> int:
        """How many features a row has."""
        return sum(part.width for part in self.parts)

    @property
    def spans(self) -> list[tuple[Part, slice]]:
        """Which features each part makes."""
        found, start = [], 0
        for part in self.parts:
            found.append((part, slice(start, start + part.width)))
            start += part.width
        return found

    def transform(self, table: pa.Table, effort: Effort | None = None, *, quick: bool = False) -> np.ndarray:
        """Return the features, float32 of shape (n, width).

        Parameters
        ----------
        quick : bool
            Compute in bfloat16 where the processor has it: for rows to learn from.

        Raises
        ------
        OutOfTime
            If the deadline came first; what was ready by then is in the cache.
        """
        effort = effort or Effort(threads=threads(), cache=self.cache)
        if not table.num_rows:
            return np.zeros((0, self.width), dtype=np.float32)
        quick = quick or self.rough
        return np.concatenate([_features(part, table, effort, quick=quick) for part in self.parts], axis=1)

    def kept(self, table: pa.Table, effort: Effort, *, quick: bool) -> np.ndarray:
        """Return for each row whether the cache has all of its features, bool of shape (n,)."""
        from luban.foundation.features import kept

        if effort.cache is None:
            return np.zeros(table.num_rows, dtype=bool)
        found = np.ones(table.num_rows, dtype=bool)
        for part in self.parts:
            for name in part.columns:
                found &= kept(part.backbone, table, name, cache=effort.cache, quick=quick or self.rough)
        return found

    def contributed(self, values: np.ndarray, inputs: Sequence[str]) -> np.ndarray:
        """Fold what each feature adds, shape (n, width, outputs), into what each input column adds."""
        folded = np.zeros((len(values), len(inputs), values.shape[2]))
        for part, span in self.spans:
            total = values[:, span]
            if len(part.columns) == 1:
                folded[:, inputs.index(part.columns[0])] += total.sum(axis=1)
                continue
            first, second, both = np.split(total, [total.shape[1] // 4, total.shape[1] // 2], axis=1)
            for name, own in zip(part.columns, (first, second), strict=True):
                folded[:, inputs.index(name)] += own.sum(axis=1) + 0.5 * both.sum(axis=1)
        return folded

    def save(self) -> Mapping[str, bytes]:
        """Return the payloads; a backbone that reads several columns is kept once."""
        bodies: dict[str, tuple[int, Backbone]] = {}
        for part in self.parts:
            bodies.setdefault(part.backbone.digest, (len(bodies), part.backbone))
        about = {
            "parts": [
                {"columns": list(part.columns), "backbone": bodies[part.backbone.digest][0]} for part in self.parts
            ]
        }
        blanks = {f"blank{place}": part.blank for place, part in enumerate(self.parts)}
        payloads = {_ABOUT: write_json(about), _ARRAYS: write_arrays(**blanks)}
        for place, backbone in bodies.values():
            payloads |= placed(f"backbone{place}", backbone.save())
        return payloads

    def to_graph(self, graph: Graph) -> str:
        """Add preparations, bodies and what follows them; the result has shape (n, width)."""
        from luban.learners.adapted.graph import body_to_graph

        blocks = []
        for part in self.parts:
            vectors = [
                _scaled(graph, body_to_graph(graph, part.backbone, (name,)), part.backbone.dimension)
                for name in part.columns
            ]
            if len(vectors) == 2:
                distance = graph.node("Abs", graph.node("Sub", *vectors))
                vectors += [distance, graph.node("Mul", vectors[0], vectors[1])]
            blocks += vectors
        joined: str = blocks[0] if len(blocks) == 1 else graph.node("Concat", *blocks, axis=1)
        return joined


def make(schema: Schema, table: pa.Table, *, backbone: str | None, effort: Effort) -> Frozen:
    """Return the frozen features that suit these columns.

    Parameters
    ----------
    backbone : str, optional
        Name of the one to use for the kind that it reads; defaults serve the other kinds.
    """
    columns = readable(schema)
    parts = []
    for kind in dict.fromkeys(column.kind for column in columns):
        names = [column.name for column in columns if column.kind == kind]
        found = frozen_backbone(backbone, kind, table, names)
        blank = _blank(found)
        groups = [tuple(names)] if kind == _PAIRED and len(names) == 2 else [(name,) for name in names]
        parts += [Part(columns=group, backbone=found, blank=blank) for group in groups]
    return Frozen(parts=tuple(parts), cache=effort.cache, rough=effort.rough)


def load(payloads: Mapping[str, bytes], inputs: Sequence[str]) -> Frozen:
    """Return what `Frozen.save` wrote.

    Raises
    ------
    Tampered
        If a payload is missing or damaged.
    """
    from luban.foundation import backbone

    about, arrays = read_json(payloads, _ABOUT), Arrays(payloads, _ARRAYS)
    bodies: dict[int, Backbone] = {}
    parts = []
    try:
        for place, one in enumerate(about["parts"]):
            number = int(one["backbone"])
            if number not in bodies:
                bodies[number] = backbone.load(under(payloads, f"backbone{number}"))
            names = tuple(str(name) for name in one["columns"])
            if not 1 <= len(names) <= 2 or not set(names) <= set(inputs):
                raise damaged(_ABOUT, f"columns {names}")
            blank = arrays.take(f"blank{place}", "float32", (bodies[number].dimension,))
            parts.append(Part(columns=names, backbone=bodies[number], blank=blank))
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(_ABOUT, repr(error)) from error
    return Frozen(parts=tuple(parts))


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The features of the rows that were read in time, in the order of `rows`."""

    rows: np.ndarray
    matrix: np.ndarray
    seconds: float


def within(frozen: Frozen, table: pa.Table, effort: Effort, *, seconds: float, quick: bool = False) -> Ready:
    """Return the features of as many rows, chosen at random, as can be read in so many seconds; one block at least.

    Parameters
    ----------
    quick : bool
        As in `Frozen.transform`: for rows to learn from. Of these the cache's, which take no time, are read first.
    """
    begun = time.monotonic()
    order = np.random.default_rng(effort.seed).permutation(table.num_rows)
    blocks: list[np.ndarray] = []
    size, done = _FIRST, 0
    if quick and math.isfinite(effort.deadline):
        order, done = _kept_first(frozen, table, order, effort)
        blocks = [frozen.transform(table.take(order[:done]), effort, quick=True)] if done else []
        size = _FIRST if time.monotonic() < begun + seconds or not done else 0
    while done < len(order) and size > 0:
        start = time.monotonic()
        blocks.append(frozen.transform(table.take(order[done : done + size]), effort, quick=quick))
        done += len(blocks[-1])
        each = max(time.monotonic() - start, 1e-6) / len(blocks[-1])
        # As many as fit; a few that would only just fit are not worth a batch.
        fitting = int(min((begun + seconds - time.monotonic()) / each, table.num_rows))  # there may be no deadline
        size = min(_BLOCK, fitting) if fitting >= _FIRST // 4 or len(order) - done <= fitting else 0
    rows = order[:done]
    back = np.argsort(rows, kind="stable")
    matrix = np.concatenate(blocks)[back] if blocks else np.zeros((0, frozen.width), dtype=np.float32)
    return Ready(rows=rows[back], matrix=matrix, seconds=time.monotonic() - begun)


def _kept_first(frozen: Frozen, table: pa.Table, order: np.ndarray, effort: Effort) -> tuple[np.ndarray, int]:
    """Return the rows in an order that begins with those that the cache has, and how many these are."""
    looked = order[:_LOOKED]
    known = frozen.kept(table.take(looked), effort, quick=True)
    return np.concatenate([looked[known], looked[~known], order[_LOOKED:]]), int(known.sum())


def check_whole(ready: Ready, examples: Examples) -> None:
    """Raise `OutOfTime` unless all rows that judge were read: each must be answered."""
    whole = len(examples.target)
    if len(ready.rows) < whole:
        raise OutOfTime(
            f"only {len(ready.rows):,} of {whole:,} rows that judge were read in {ready.seconds:.0f} s",
            remedy="Give more time; what was read is kept.",
        )


def describe(frozen: Frozen) -> dict[str, Any]:
    """Return which backbone reads which columns, as JSON for people."""
    return {", ".join(part.columns): part.backbone.card.name for part in frozen.parts}


def joined(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Return the features of one column's vectors, or of the two of a pair."""
    from luban.foundation.features import pair_features

    scaled = [_of_length(one) for one in vectors]
    return scaled[0] if len(scaled) == 1 else pair_features(*scaled)


def _features(part: Part, table: pa.Table, effort: Effort, *, quick: bool) -> np.ndarray:
    from luban.foundation.features import features

    vectors = []
    for name in part.columns:
        found = features(part.backbone, table, name, effort=effort, quick=quick)
        values = np.where(found.present[:, None], found.values, part.blank[None])
        vectors.append(values)
    return joined(vectors)


def _of_length(vectors: np.ndarray) -> np.ndarray:
    from luban.foundation.features import unit

    return np.asarray(unit(vectors) * np.sqrt(vectors.shape[1]), dtype=np.float32)


def _scaled(graph: Graph, vectors: str, width: int) -> str:
    length = graph.node("LpNormalization", vectors, axis=-1, p=2)
    scaled: str = graph.node("Mul", length, graph.constant(np.array(np.sqrt(width), dtype=np.float32)))
    return scaled


def _blank(backbone: Backbone) -> np.ndarray:
    """Return the vector that a missing value has, which is what any value that cannot be read gets as well."""
    from luban.foundation.features import encode

    rows = pa.table({"value": pa.array([None], pa.string())})
    return np.asarray(encode(backbone, backbone.preparation(("value",)), rows)[0], dtype=np.float32)
