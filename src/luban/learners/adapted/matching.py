"""Matching: a question goes to the answer whose own text, or whose known questions, lie nearest to it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.errors import InputError
from luban.core.protocols import Forecast, Suggestion, Suitable, Unsuitable
from luban.core.serial import from_json, to_json
from luban.core.task import Task
from luban.learners.adapted import attributing, choice, forecasting, frozen
from luban.learners.adapted.linear_probe import options
from luban.learners.payloads import Arrays, damaged, placed, read_json, under, write_arrays, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.core.budget import Effort
    from luban.core.protocols import Examples, Graph
    from luban.core.report import Evidence, Finding, Verdict
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.foundation.matching import Index

DEFAULTS: Mapping[str, Any] = {"backbone": None, "temperature": None}
_WITHOUT_VALIDATION = 0.05
# Seconds that loading a backbone takes at least, and that reading some values may take to tell of all.
_LOADING, _PROBED = 3.0, 2.0
_WARMING = 4
_FILE = "index.npz"


@dataclass(frozen=True, kw_only=True)
class MatchingModel:
    """Answers ranked by cosine: a model that is Exportable and Attributing.

    Parameters
    ----------
    index : Index
        Vectors of the answers' texts and of known questions.
    temperature : float
        Cosines are divided by it before the softmax.
    """

    learner: str
    task: Task
    features: frozen.Frozen
    index: Index
    temperature: float
    learned: Mapping[str, Any]

    def predict(self, table: pa.Table) -> np.ndarray:
        """Return the softmax of the similarities, float64 of shape (n, K)."""
        from luban.foundation.matching import probabilities, similarities

        if not table.num_rows:
            return np.zeros((0, len(self.task.classes)))
        return probabilities(similarities(self.features.transform(table), self.index), self.temperature)

    def attributions(self, table: pa.Table, outputs: np.ndarray, *, effort: Effort) -> Sequence[Sequence[Evidence]]:
        """Return which words bring the question near to an answer: to the nearest of its entries."""
        import torch
        from torch.nn import functional

        def explained(row: pa.Table, output: int, own: Effort) -> Sequence[Evidence]:
            entries = torch.from_numpy(self.index.vectors[self.index.codes == output])

            def score(matrix: torch.Tensor) -> torch.Tensor:
                return (functional.normalize(matrix, dim=1) @ entries.T).amax(dim=1)

            words = "of the cosine", attributing.named(self.task.classes[output])
            return attributing.frozen_evidence(self.features, row, score, words=words, effort=own)

        return attributing.by_row(table, outputs, effort, explained)

    def save(self) -> Mapping[str, bytes]:
        """Return the backbone and the entries."""
        about = {
            "learner": self.learner,
            "task": to_json(self.task),
            "learned": to_json(self.learned),
            "temperature": self.temperature,
        }
        return {
            "model.json": write_json(about),
            _FILE: write_arrays(vectors=self.index.vectors, codes=self.index.codes),
            **placed("features", self.features.save()),
        }

    def to_graph(self, graph: Graph) -> str:
        """Add the body, one product with all entries, and the best entry of each answer."""
        vectors = graph.node("LpNormalization", self.features.to_graph(graph), axis=-1, p=2)
        cosines = graph.node("MatMul", vectors, graph.constant(np.ascontiguousarray(self.index.vectors.T)))
        rows = graph.node("Shape", cosines, start=0, end=1)
        count = graph.constant(np.array([len(self.task.classes)], dtype=np.int64))
        low = graph.constant(np.array(-2.0, dtype=np.float32))
        empty = graph.node("Expand", low, graph.node("Concat", rows, count, axis=0))
        codes = graph.node("Expand", graph.constant(self.index.codes[None]), graph.node("Shape", cosines))
        best = graph.node("ScatterElements", empty, codes, cosines, axis=1, reduction="max")
        sharp = graph.node("Div", best, graph.constant(np.array(self.temperature, dtype=np.float32)))
        found: str = graph.node("Softmax", sharp, axis=1)
        return found


class MatchingLearner:
    """The nearest answer by the vectors of a frozen backbone."""

    name = "matching"
    kinds = ("matching",)

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:  # noqa: ARG002
        """Return whether one column holds the questions, and there is time to begin; `forecast` measures the rest."""
        if task.kind != "matching":
            return Unsuitable("it ranks answers, and the task is another one")
        absent = choice.missing(schema)
        if absent is not None:
            return absent
        column = choice.single(schema)
        if isinstance(column, Unsuitable):
            return column
        if len(column) != 1:
            return Unsuitable("it reads the question from one column, and there are two")
        if seconds < _LOADING:
            return Unsuitable(f"loading a backbone takes about {_LOADING:.0f} s and there are {seconds:.0f} s")
        return Suitable()

    def forecast(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Forecast:
        """Return what reading all questions and answers would take, by reading some of each; what was read is kept.

        Texts differ in length from one set of rows to another by a hundred times, and answers from questions.
        """
        from luban.foundation.training import device
        from luban.foundation.training.memory import Peak, resident, room_beside_the_machine

        own = options(parameters, DEFAULTS)
        begun = time.monotonic()
        place = device.here().device
        with Peak(place) as peak:
            made = frozen.make(schema, training.table, backbone=choice.wanted(task, own), effort=effort)
            made.transform(training.table.slice(0, _WARMING), effort)  # the first call makes buffers
            loading = time.monotonic() - begun
            tables = training.table, _answers(made, task)
            # As in `forecasting`: where no clock counts, none says what is kept, so all is read.
            allowed = min(_PROBED, 0.3 * effort.remaining) if math.isfinite(effort.deadline) else math.inf
            read = [frozen.within(made, one, effort, seconds=allowed) for one in tables]
        pace = [one.seconds / max(1, len(one.rows)) for one in read]
        seconds = sum(each * table.num_rows for each, table in zip(pace, tables, strict=True))
        vectors = 2 * 4 * made.width * sum(table.num_rows for table in tables)
        room = room_beside_the_machine(place)
        return Forecast(
            seconds=loading + seconds,
            memory=peak.bytes + (vectors if room is None else 0),
            room=room,
            host=0 if room is None else resident() + vectors,  # what was read comes back from the device
            note=f"a question takes {1e3 * pace[0]:.1f} ms and an answer {1e3 * pace[1]:.1f} ms, read on "
            f"{len(read[0].rows):,} and {len(read[1].rows):,}",
        )

    def preflight(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Sequence[Finding]:
        """Return what the backbone would lose of questions, and of the answers that they are compared with."""
        own = options(parameters, DEFAULTS)
        named = choice.wanted(task, own)
        # Questions are compared with known questions too, so that what is lost of answers forbids nothing.
        made = frozen.make(schema, training.table, backbone=named, effort=effort)
        answers = forecasting.lost(made, schema, _answers(made, task))
        return [
            *forecasting.losses(task, schema, training, backbone=named, effort=effort),
            *(replace(one, what=f"Of the answers: {one.what}", verdict=_told(one)) for one in answers),
        ]

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return the default backbone."""
        return [Suggestion(order=5, share=0.7)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return nothing to search: what can be chosen, held-out questions choose."""
        return {}

    def fit(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        validation: Examples | None,
        *,
        parameters: Mapping[str, Any],
        effort: Effort,
        report: Callable[[int, float], bool] | None = None,  # noqa: ARG002
    ) -> MatchingModel:
        """Read questions and answers, and let held-out questions choose the temperature."""
        from luban.foundation.matching import fit_temperature, index, similarities

        own = options(parameters, DEFAULTS)
        made = frozen.make(schema, training.table, backbone=choice.wanted(task, own), effort=effort)
        vectors = np.concatenate([made.transform(_answers(made, task), effort), made.transform(training.table, effort)])
        codes = np.concatenate([np.arange(len(task.classes)), training.target.astype(np.int64)])
        entries = index(vectors, codes, len(task.classes))
        temperature = float(own["temperature"] or _WITHOUT_VALIDATION)
        if validation is not None and own["temperature"] is None:
            cosines = similarities(made.transform(validation.table, effort), entries)
            temperature = fit_temperature(cosines, validation.target.astype(np.int64))
        return MatchingModel(
            learner=self.name,
            task=task,
            features=made,
            index=entries,
            temperature=temperature,
            learned={"temperature": temperature},
        )

    def load(self, payloads: Mapping[str, bytes]) -> MatchingModel:
        """Return the model that was saved."""
        from luban.foundation.matching import Index

        about = read_json(payloads, "model.json")
        try:
            task, learned = from_json(Task, about["task"]), dict(about["learned"])
            temperature = float(about["temperature"])
        except (KeyError, TypeError, ValueError, InputError) as error:
            raise damaged("model.json", repr(error)) from error
        made = frozen.load(under(payloads, "features"), task.inputs)
        arrays, count = Arrays(payloads, _FILE), len(task.classes)
        vectors = arrays.take("vectors", "float32", (None, made.width))
        codes = arrays.indices("codes", (len(vectors),), least=0, below=count)
        if not temperature > 0 or len(np.unique(codes)) != count or (np.diff(codes) < 0).any():
            raise damaged(_FILE, "entries that do not fit the answers")
        return MatchingModel(
            learner=self.name,
            task=task,
            features=made,
            index=Index(vectors=vectors, codes=codes, count=count),
            temperature=temperature,
            learned=learned,
        )


def _told(found: Finding) -> Verdict:
    return "warn" if found.verdict == "block" else found.verdict


def _answers(made: frozen.Frozen, task: Task) -> pa.Table:
    """Return the texts of the answers as rows of the column that holds the questions."""
    return pa.table({made.parts[0].columns[0]: pa.array([str(one) for one in task.classes], pa.string())})
