"""Graphs over texts, pictures and sounds: they show what they rest on, by leaving out words and covering parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.preparation import Depicting
from luban.data.media.endings import KINDS
from luban.learners.adapted.attributing import by_row, parts_of, strength, word_evidence, words_of
from luban.learners.graph.model import GraphModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.report import Evidence
    from luban.core.schema import Column
    from luban.core.task import Task
    from luban.learners.graph.metadata import Prepared


class ReadingGraph(GraphModel):
    """A graph that has a column of texts, pictures or sounds: it is Attributing as well."""

    def attributions(self, table: pa.Table, outputs: np.ndarray, *, effort: Effort) -> Sequence[Sequence[Evidence]]:
        """Return what each answer loses without each word of its texts, and each part of its pictures and sounds.

        A graph gives no gradients, so that it is asked with variants of the row.
        """
        return by_row(table, outputs, effort, self._explained)

    def _explained(self, row: pa.Table, output: int, effort: Effort) -> list[Evidence]:
        texts = [column.name for column in self.columns if column.kind == "text"]
        drawn = [one for one in self.prepared if _drawn(one, row)]
        shares = parts_of(effort, len(texts) + len(drawn))
        found: list[Evidence] = []
        for name, own in zip(texts, shares, strict=False):
            found += word_evidence(self.task, row, [name], output, self.predict, effort=own)
        for one, own in zip(drawn, shares, strict=False):
            if not own.expired:
                found.append(self._picture(one, row, output, own))
        return found

    def _picture(self, one: Prepared, row: pa.Table, output: int, effort: Effort) -> Evidence:
        from luban.foundation.attribution.occlusion import occlusion, pictured

        preparation: Any = one.preparation
        tensors = preparation(row)

        def score(variants: Mapping[str, np.ndarray]) -> np.ndarray:
            given = {one.inputs[name]: values for name, values in variants.items()}
            return strength(self.task, self.variants(row, given), output)

        weights = occlusion(score, preparation, tensors, deadline=effort.deadline)
        _, towards = words_of(self.task, output)
        return pictured(preparation, preparation.columns[0], tensors, weights, towards=towards)


def graph_model(
    *, task: Task, columns: Sequence[Column], graph: bytes, learned: Mapping[str, Any] | None = None
) -> GraphModel:
    """Return the model of a graph, one that shows what it rests on where its columns have values with parts."""
    parted = any(column.kind == "text" or column.kind in KINDS for column in columns)
    return (ReadingGraph if parted else GraphModel)(task=task, columns=columns, graph=graph, learned=learned)


def _drawn(one: Prepared, row: pa.Table) -> bool:
    """Return whether a preparation makes a picture of the row: not where the value is missing."""
    columns = one.preparation.columns
    return isinstance(one.preparation, Depicting) and all(row.column(name)[0].as_py() for name in columns)
