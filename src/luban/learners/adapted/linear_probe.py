"""Linear probe: a penalised linear model over the frozen features of a pre-trained backbone (Alain and Bengio 2016).

The backbone is read once for each value, so that it is the quickest way to use one; what it read is kept for all
later fits. Going on learning, the backbone stays and the coefficients move, as those of the linear learner do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError, OutOfTime
from luban.core.protocols import Examples, Suggestion, Suitable, Unsuitable
from luban.core.serial import from_json, to_json
from luban.core.space import Real
from luban.core.task import Task
from luban.learners import link
from luban.learners.adapted import attributing, choice, forecasting, frozen
from luban.learners.new_rows import FEWEST
from luban.learners.payloads import Arrays, damaged, placed, read_json, under, write_json
from luban.learners.tabular.linear import ITERATIONS, STRENGTHS, LinearKernel, best_of, moved, path
from luban.learners.tabular.linear_losses import loss_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.protocols import Forecast, Graph
    from luban.core.report import Evidence, Finding
    from luban.core.schema import Schema
    from luban.core.space import Space

DEFAULTS: Mapping[str, Any] = {"backbone": None, "strength": None, "iterations": 200}
"""`strength` is the weight of half the squared coefficients against the sum of the rows' losses; None chooses it."""
_WITHOUT_VALIDATION = 10.0
# Of the time: for reading the rows that judge, and for reading all of them; the rest is for learning.
_JUDGING, _READING = 0.6, 0.8
# Seconds that a value takes at least, and that loading a backbone takes.
_A_VALUE, _LOADING = 0.002, 3.0


@dataclass(frozen=True, kw_only=True)
class ProbeModel:
    """A linear kernel over frozen features: a model that is Updatable, Exportable, Explainable and Attributing.

    Parameters
    ----------
    kept_seconds : float
        What reading the backbone's vectors took, which the cache keeps.
    rows_read : int, optional
        Rows that were learnt from where there was no time to read all.
    """

    learner: str
    task: Task
    features: frozen.Frozen
    kernel: LinearKernel
    learned: Mapping[str, Any]
    kept_seconds: float = 0.0
    rows_read: int | None = None

    def predict(self, table: pa.Table) -> np.ndarray:
        """Return float64 predictions, see `luban.core.protocols.Model.predict`."""
        matrix = self.features.transform(table)
        margins = self.kernel.margins(matrix) if len(matrix) else np.zeros((0, link.width(self.task)))
        return link.predictions(self.task, margins)

    def update(
        self,
        examples: Examples,
        *,
        replay: Examples | None = None,  # noqa: ARG002 - the penalty keeps what it knows
        effort: Effort,
    ) -> ProbeModel:
        """Return a model whose coefficients have moved towards what `examples` say, see `linear.moved`.

        Of more rows than can be read in the time a sample, drawn by chance, is learnt from. Where no move is better
        than none, or the time is up before enough were read, the model is returned as it is.
        """
        if effort.expired:
            return self
        features = replace(self.features, cache=effort.cache or self.features.cache)
        try:
            ready = frozen.within(features, examples.table, effort, seconds=_READING * effort.remaining, quick=True)
        except OutOfTime:
            return self
        examples = chosen(examples, ready.rows)
        if len(examples.target) < FEWEST or effort.expired:
            return self
        kernel = moved(
            self.kernel, self.task, ready.matrix, examples, path, STRENGTHS, iterations=ITERATIONS, effort=effort
        )
        return self if kernel is self.kernel else replace(self, features=features, kernel=kernel)

    def save(self) -> Mapping[str, bytes]:
        """Return the backbones, the coefficients and what they are for."""
        about = {"learner": self.learner, "task": to_json(self.task), "learned": to_json(self.learned)}
        return {
            "model.json": write_json(about),
            **placed("features", self.features.save()),
            **self.kernel.save(),
        }

    def to_graph(self, graph: Graph) -> str:
        """Add bodies, kernel and link to the graph; return the predictions, shape (n, outputs)."""
        margin = self.kernel.to_graph(graph, self.features.to_graph(graph))
        return link.predictions_to_graph(self.task, graph, margin)

    def contributions(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return (values, base), shapes (n, columns, width) and (width,): what each column adds to the margins."""
        matrix = self.features.transform(table)
        values, base = self.kernel.contributions(matrix)
        return self.features.contributed(values, self.task.inputs), base

    def attributions(self, table: pa.Table, outputs: np.ndarray, *, effort: Effort) -> Sequence[Sequence[Evidence]]:
        """Return which parts of each value the answer rests on, through the frozen backbones."""
        import torch

        kernel = self.kernel
        weights, mean = (torch.from_numpy(one.astype(np.float32)) for one in (kernel.weights, kernel.mean))
        intercept = torch.from_numpy(kernel.intercept.astype(np.float32))

        def explained(row: pa.Table, output: int, own: Effort) -> Sequence[Evidence]:
            def score(matrix: torch.Tensor) -> torch.Tensor:
                return attributing.score_of(self.task, (matrix - mean) @ weights + intercept, output)

            words = attributing.words_of(self.task, output)
            return attributing.frozen_evidence(self.features, row, score, words=words, effort=own)

        return attributing.by_row(table, outputs, effort, explained)


class LinearProbeLearner:
    """Logistic or ridge regression over what a frozen backbone makes of texts, pictures and sounds."""

    name = "linear_probe"
    defaults: Mapping[str, Any] = DEFAULTS
    kinds: tuple[str, ...] = ("binary", "multiclass", "regression", "quantile", "multilabel")

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether a backbone reads one of the columns, and some hundred rows can be read in the time."""
        if "monotonic" in task.constraints:
            return Unsuitable("its coefficients are free, and predictions must be monotonic")
        absent = choice.missing(schema)
        if absent is not None:
            return absent
        needed = _LOADING + _A_VALUE * min(rows, 500) * len(choice.readable(schema))
        if needed > seconds:
            return Unsuitable(f"reading some rows would take about {needed:.0f} s and there are {seconds:.0f} s")
        return Suitable()

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return the default backbone, first of all but the baseline."""
        return [Suggestion(order=5, share=0.4)]

    def space(self, task: Task, schema: Schema) -> Space:
        """Return the strength, and the backbones that can be had for the columns."""
        kinds = [column.kind for column in choice.readable(schema)]
        return {"strength": Real(1e-1, 1e4, log=True), **choice.offered(task, kinds)}

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
    ) -> ProbeModel:
        """Read as many rows as there is time for, and solve for the strength given, or for each until it gets worse."""
        own = options(parameters, DEFAULTS)
        made = frozen.make(schema, training.table, backbone=choice.wanted(task, own), effort=effort)
        held, judged = None, 0.0
        if validation is not None:
            ready = frozen.within(made, validation.table, effort, seconds=_JUDGING * effort.remaining)
            frozen.check_whole(ready, validation)
            held, judged = ready.matrix, ready.seconds
        ready = frozen.within(made, training.table, effort, seconds=_READING * effort.remaining, quick=True)
        some = len(ready.rows) < len(training.target)
        training = chosen(training, ready.rows)
        if effort.expired:
            raise OutOfTime(
                "the time was up before the rows were read", remedy="Give more time; what was read is kept."
            )
        strengths = STRENGTHS
        if own["strength"] is not None or validation is None:
            strengths = (float(own["strength"] or _WITHOUT_VALIDATION),)
        loss = loss_of(task, training.target, training.weight)
        solved = path(ready.matrix, loss, strengths, iterations=int(own["iterations"]), effort=effort)
        strength, kernel = best_of(solved, loss, validation, held, report, effort)
        return ProbeModel(
            learner=self.name,
            task=task,
            features=made,
            kernel=kernel,
            learned={"strength": strength},
            kept_seconds=judged + ready.seconds,
            rows_read=len(ready.rows) if some else None,
        )

    def forecast(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Forecast:
        """Return what reading all rows would take, by reading a few."""
        own = options(parameters, self.defaults)
        return forecasting.forecast(schema, training, backbone=choice.wanted(task, own), effort=effort)

    def preflight(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Sequence[Finding]:
        """Return what is wrong with the labels, and what the backbones would lose of the values."""
        own = options(parameters, DEFAULTS)
        return forecasting.losses(task, schema, training, backbone=choice.wanted(task, own), effort=effort)

    def load(self, payloads: Mapping[str, bytes]) -> ProbeModel:
        """Return the model that was saved."""
        about = read_json(payloads, "model.json")
        try:
            task, learned = from_json(Task, about["task"]), dict(about["learned"])
        except (KeyError, TypeError, ValueError, InputError) as error:
            raise damaged("model.json", repr(error)) from error
        made = frozen.load(under(payloads, "features"), task.inputs)
        arrays, width = Arrays(payloads, "linear.npz"), link.width(task)
        kernel = LinearKernel(
            weights=arrays.take("weights", "float64", (made.width, width)),
            intercept=arrays.take("intercept", "float64", (width,)),
            mean=arrays.take("mean", "float64", (made.width,)),
        )
        return ProbeModel(learner=self.name, task=task, features=made, kernel=kernel, learned=learned)


def options(parameters: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters over their defaults, or raise `InputError` for a name that is none."""
    for name, value in parameters.items():
        if name not in defaults:
            raise InputError(
                f"there is no parameter {name!r}", seen=repr(value), remedy=f"Known are: {', '.join(defaults)}."
            )
    return {**defaults, **parameters}


def chosen(examples: Examples, rows: np.ndarray) -> Examples:
    """Return some rows of examples."""
    if len(rows) == len(examples.target):
        return examples
    return Examples(
        table=examples.table.take(rows),
        target=examples.target[rows],
        weight=None if examples.weight is None else examples.weight[rows],
    )
