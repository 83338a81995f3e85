"""Text n-grams: logistic or ridge regression over weighted words and runs of letters, in any script.

Going on learning, the vocabulary stays and the coefficients move, as those of the linear learner do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from luban.core.errors import InputError
from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.serial import from_json, to_json
from luban.core.space import Choice, Real
from luban.core.task import PLAIN, Task
from luban.learners import link
from luban.learners.adapted import attributing
from luban.learners.adapted.linear_probe import options
from luban.learners.new_rows import FEWEST
from luban.learners.payloads import Arrays, damaged, placed, read_json, under, write_json
from luban.learners.tabular.linear import LinearKernel, best_of, moved
from luban.learners.tabular.linear_losses import loss_of
from luban.modalities.text.text_ngrams import TextNgrams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.preparation import Preparation
    from luban.core.protocols import Examples, Graph
    from luban.core.report import Evidence
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.learners.tabular.linear_losses import Loss

STRENGTHS: tuple[float, ...] = (1.0, 0.3, 0.1, 0.03)
CHANGES: tuple[float, ...] = (100.0, 30.0, 10.0, 3.0, *STRENGTHS)
"""Strengths of the penalty on a change, where it goes on learning: it may be small."""
DEFAULTS: Mapping[str, Any] = {"strength": None, "most": 30_000, "iterations": 25}
"""`strength` as of the learner linear; `most` is the size of the vocabulary of a column."""
_WITHOUT_VALIDATION = 0.3
# L-BFGS keeps some forty vectors as long as all coefficients are many.
_COEFFICIENTS = 600_000
_A_ROW = 0.0005


@dataclass(frozen=True, kw_only=True)
class NgramModel:
    """A linear kernel over the pieces of texts: a model that is Updatable, Exportable, Explainable and Attributing."""

    learner: str
    task: Task
    parts: tuple[TextNgrams, ...]
    kernel: LinearKernel
    learned: Mapping[str, Any]

    def predict(self, table: pa.Table) -> np.ndarray:
        """Return float64 predictions, see `luban.core.protocols.Model.predict`."""
        if not table.num_rows:
            return link.predictions(self.task, np.zeros((0, link.width(self.task))))
        return link.predictions(self.task, self.kernel.margins(matrix_of(self.parts, table)))

    def contributions(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return (values, base), shapes (n, columns, width) and (width,): what each column adds to the margins."""
        matrix = matrix_of(self.parts, table)
        values = np.zeros((table.num_rows, len(self.task.inputs), self.kernel.weights.shape[1]))
        for part, span in zip(self.parts, _spans(self.parts), strict=True):
            usual = self.kernel.mean[span] @ self.kernel.weights[span]
            values[:, self.task.inputs.index(part.columns[0])] = matrix[:, span] @ self.kernel.weights[span] - usual
        return values, self.kernel.mean @ self.kernel.weights + self.kernel.intercept

    def attributions(self, table: pa.Table, outputs: np.ndarray, *, effort: Effort) -> Sequence[Sequence[Evidence]]:
        """Return what is lost as each word of a text is left out."""

        def explained(row: pa.Table, output: int, own: Effort) -> Sequence[Evidence]:
            return attributing.word_evidence(
                self.task, row, [part.columns[0] for part in self.parts], output, self.predict, effort=own
            )

        return attributing.by_row(table, outputs, effort, explained)

    def update(
        self,
        examples: Examples,
        *,
        replay: Examples | None = None,  # noqa: ARG002 - the penalty keeps what it knows
        effort: Effort,
    ) -> NgramModel:
        """Return a model whose coefficients have moved towards what `examples` say, see `linear.moved`.

        Where no move is better than none, the model is returned as it is. Pieces that it does not know stay unknown.
        """
        if len(examples.target) < FEWEST or effort.expired:
            return self
        matrix = matrix_of(self.parts, examples.table)
        kernel = moved(
            self.kernel,
            self.task,
            matrix,
            examples,
            _path,
            CHANGES,
            iterations=int(DEFAULTS["iterations"]),
            effort=effort,
        )
        return self if kernel is self.kernel else replace(self, kernel=kernel)

    def save(self) -> Mapping[str, bytes]:
        """Return the vocabularies and the coefficients."""
        about = {"learner": self.learner, "task": to_json(self.task), "learned": to_json(self.learned)}
        payloads = {"model.json": write_json({**about, "parts": len(self.parts)}), **self.kernel.save()}
        for place, part in enumerate(self.parts):
            payloads |= placed(f"part{place}", part.save())
        return payloads

    def to_graph(self, graph: Graph) -> str:
        """Add a look-up of the pieces' coefficients and their weighted sum."""
        axis = graph.constant(np.array([2], dtype=np.int64))
        middle = graph.constant(np.array([1], dtype=np.int64))
        margin: str = graph.constant(self.kernel.intercept[None].astype(np.float32))
        for part, span in zip(self.parts, _spans(self.parts), strict=True):
            tensors = graph.prepared(cast("Preparation", part))
            nothing = np.zeros((1, self.kernel.weights.shape[1]))
            rows = np.concatenate([nothing, self.kernel.weights[span]]).astype(np.float32)
            found = graph.node("Gather", graph.constant(rows), tensors["pieces"], axis=0)
            weighted = graph.node("Mul", found, graph.node("Unsqueeze", tensors["weights"], axis))
            margin = graph.node("Add", margin, graph.node("ReduceSum", weighted, middle, keepdims=0))
        return link.predictions_to_graph(self.task, graph, margin)


class TextNgramsLearner:
    """Penalised regression over the words and runs of letters of texts."""

    name = "text_ngrams"
    kinds = (*PLAIN, "multilabel")

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether a column holds texts, and there is time to count their pieces."""
        if "monotonic" in task.constraints:
            return Unsuitable("its coefficients are free, and predictions must be monotonic")
        texts = [column.name for column in schema.inputs if column.kind == "text"]
        if not texts:
            return Unsuitable("no input is a text")
        if task.outputs > _COEFFICIENTS // 500:
            return Unsuitable(f"{task.outputs:,} classes are more than the {_COEFFICIENTS // 500:,} it is good for")
        needed = _A_ROW * rows * len(texts)
        if needed > seconds:
            return Unsuitable(f"counting would take about {needed:.0f} s and there are {seconds:.0f} s")
        return Suitable()

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return the one that chooses its own strength, first of all but the baseline."""
        return [Suggestion(order=4)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return the strength and the size of the vocabulary."""
        return {"strength": Real(0.01, 10.0, log=True), "most": Choice((5_000, 30_000, 60_000))}

    def fit(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        validation: Examples | None,
        *,
        parameters: Mapping[str, Any],
        effort: Effort,
        report: Callable[[int, float], bool] | None = None,
    ) -> NgramModel:
        """Choose the pieces, and solve for the strength given, or for each until it gets worse."""
        own = options(parameters, DEFAULTS)
        names = [column.name for column in schema.inputs if column.kind == "text"]
        most = min(int(own["most"]), _COEFFICIENTS // (link.width(task) * len(names)))
        parts = tuple(TextNgrams.learnt(name, training.table.column(name).to_pylist(), most=most) for name in names)
        matrix = matrix_of(parts, training.table)
        held = None if validation is None else matrix_of(parts, validation.table)
        strengths = STRENGTHS
        if own["strength"] is not None or validation is None:
            strengths = (float(own["strength"] or _WITHOUT_VALIDATION),)
        loss = loss_of(task, training.target, training.weight)
        solved = _path(matrix, loss, strengths, iterations=int(own["iterations"]), effort=effort)
        strength, kernel = best_of(solved, loss, validation, held, report, effort)
        return NgramModel(learner=self.name, task=task, parts=parts, kernel=kernel, learned={"strength": strength})

    def load(self, payloads: Mapping[str, bytes]) -> NgramModel:
        """Return the model that was saved."""
        about = read_json(payloads, "model.json")
        try:
            task, learned, count = from_json(Task, about["task"]), dict(about["learned"]), int(about["parts"])
        except (KeyError, TypeError, ValueError, InputError) as error:
            raise damaged("model.json", repr(error)) from error
        parts = tuple(TextNgrams.load(under(payloads, f"part{place}")) for place in range(count))
        if not parts or not {part.columns[0] for part in parts} <= set(task.inputs):
            raise damaged("model.json", "columns that the task does not have")
        arrays, width = Arrays(payloads, "linear.npz"), link.width(task)
        size = sum(len(part.vocabulary) for part in parts)
        kernel = LinearKernel(
            weights=arrays.take("weights", "float64", (size, width)),
            intercept=arrays.take("intercept", "float64", (width,)),
            mean=arrays.take("mean", "float64", (size,)),
        )
        return NgramModel(learner=self.name, task=task, parts=parts, kernel=kernel, learned=learned)


def matrix_of(parts: Sequence[TextNgrams], table: pa.Table) -> Any:
    """Return the weights of all pieces, a sparse float32 matrix of shape (n, pieces)."""
    from scipy import sparse

    blocks = []
    for part in parts:
        found = [part.known(text or "") for text in table.column(part.columns[0]).to_pylist()]
        starts = np.cumsum([0, *(len(numbers) for numbers, _ in found)])
        places = np.concatenate([np.zeros(0, dtype=np.int64), *(numbers - 1 for numbers, _ in found)])
        values = np.concatenate([np.zeros(0, dtype=np.float32), *(values for _, values in found)])
        blocks.append(sparse.csr_matrix((values, places, starts), shape=(len(found), len(part.vocabulary))))
    return sparse.hstack(blocks, format="csr")


def _path(
    matrix: Any,
    loss: Loss,
    strengths: tuple[float, ...],
    *,
    iterations: int,
    effort: Effort,
    start: LinearKernel | None = None,
) -> Iterator[tuple[float, LinearKernel]]:
    """Yield each strength and its solution, as `linear.path` does; the features are sparse and stay as they are."""
    offset = None if start is None else start.margins(matrix)
    found = loss.solve(matrix, strengths, iterations=iterations, effort=effort, offset=offset)
    if start is None:
        mean = np.asarray(matrix.mean(axis=0)).ravel().astype(np.float64)
        for strength, weights, intercept in found:
            yield strength, LinearKernel(weights=weights, intercept=intercept, mean=mean)
        return
    for strength, weights, intercept in found:
        yield strength, replace(start, weights=start.weights + weights, intercept=start.intercept + intercept)


def _spans(parts: Sequence[TextNgrams]) -> list[slice]:
    edges = np.cumsum([0, *(len(part.vocabulary) for part in parts)]).tolist()
    return [slice(start, stop) for start, stop in pairwise(edges)]
