"""Linear models: logistic, ridge and quantile regression, the strength of the penalty chosen on validation.

Ridge is solved in closed form for all strengths from one eigendecomposition; the others by L-BFGS from the strongest
penalty to the weakest, each starting where the last one ended. Going on learning, it is the change of the
coefficients that is penalised (Kienzle and Chellapilla 2006, "Personalized handwriting recognition via biased
regularization").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Real
from luban.core.task import PLAIN
from luban.learners import link
from luban.learners.new_rows import FEWEST, HELD, part
from luban.learners.payloads import Arrays, write_arrays
from luban.learners.tabular import monotonic
from luban.learners.tabular.encoded import EncodedModel, ExplainableModel, encode, read_model, split_parameters
from luban.learners.tabular.linear_losses import Loss, loss_of
from luban.learners.tabular.suitability import rounds_fit, unreadable
from luban.modalities.tabular.options import LINEAR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from luban.core.budget import Effort
    from luban.core.protocols import Examples, Graph
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task

STRENGTHS: tuple[float, ...] = (1e4, 1e3, 1e2, 1e1, 1e0, 1e-1, 1e-2)
ITERATIONS = 100
DEFAULTS: Mapping[str, Any] = {"strength": None, "iterations": ITERATIONS}
"""`strength` is the weight of half the squared coefficients against the sum of the rows' losses; None chooses it."""
_WITHOUT_VALIDATION = 1.0
_WORTH_THREADS = 500_000


@dataclass(frozen=True, kw_only=True)
class LinearKernel:
    """Margins that are affine in the features.

    Parameters
    ----------
    weights : numpy.ndarray
        Shape (features, width), float64.
    intercept : numpy.ndarray
        Shape (width,), float64.
    mean : numpy.ndarray
        Shape (features,), float64: of the training rows, which explanations measure from.
    """

    weights: np.ndarray
    intercept: np.ndarray
    mean: np.ndarray

    def margins(self, features: np.ndarray) -> np.ndarray:
        """Return the margins, shape (n, width)."""
        margins: np.ndarray = features.astype(np.float64) @ self.weights + self.intercept
        return margins

    def contributions(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the exact Shapley values for independent features, and the margin of the mean row."""
        values = (features.astype(np.float64) - self.mean)[:, :, None] * self.weights[None]
        return values, self.mean @ self.weights + self.intercept

    def save(self) -> Mapping[str, bytes]:
        """Return the coefficients."""
        return {"linear.npz": write_arrays(weights=self.weights, intercept=self.intercept, mean=self.mean)}

    def to_graph(self, graph: Graph, features: str) -> str:
        """Add one matrix product."""
        weights, intercept = (graph.constant(array.astype(np.float32)) for array in (self.weights, self.intercept))
        tensor: str = graph.node("Gemm", features, weights, intercept)
        return tensor


@dataclass(frozen=True, kw_only=True)
class LinearModel(ExplainableModel):
    """A linear kernel behind an encoding: a `luban.core.protocols.Updatable`."""

    kernel: LinearKernel

    def update(
        self,
        examples: Examples,
        *,
        replay: Examples | None = None,  # noqa: ARG002 - the penalty keeps what it knows
        effort: Effort,
    ) -> LinearModel:
        """Return a model whose coefficients have moved towards what `examples` say, see the head of this file.

        Where no move is better than none, the model is returned as it is. The encoding, and the mean that explanations
        measure from, stay.
        """
        if len(examples.target) < FEWEST or effort.expired:
            return self
        features = self.encoding.transform(examples.table)
        kernel = moved(
            self.kernel, self.task, features, examples, path, STRENGTHS, iterations=ITERATIONS, effort=effort
        )
        return self if kernel is self.kernel else replace(self, kernel=kernel)


class Path(Protocol):
    """What solves for one strength after another, see `path`."""

    def __call__(
        self,
        matrix: Any,
        loss: Loss,
        strengths: tuple[float, ...],
        *,
        iterations: int,
        effort: Effort,
        start: LinearKernel | None = None,
    ) -> Iterator[tuple[float, LinearKernel]]:
        """Yield each strength and its solution."""


def moved(
    kernel: LinearKernel,
    task: Task,
    features: Any,
    examples: Examples,
    solved: Path,
    strengths: tuple[float, ...],
    *,
    iterations: int,
    effort: Effort,
) -> LinearKernel:
    """Return a kernel whose coefficients have moved towards what `examples` say, or itself where none is better.

    The last fifth of the rows tells how far, then they move by all rows.

    Parameters
    ----------
    features : numpy.ndarray or scipy.sparse.csr_matrix
        Of the examples, shape (n, features).
    """
    rows = len(examples.target)
    cut = rows - max(1, int(HELD * rows))  # the last tell how far to move
    earlier, latest = part(examples, 0, cut), part(examples, cut, rows)
    loss = loss_of(task, earlier.target, earlier.weight)
    stays = loss.value(kernel.margins(features[cut:]), latest.target, latest.weight)
    told = _Lowest()
    with limited(features, effort):
        tried = solved(features[:cut], loss, strengths, iterations=iterations, effort=effort, start=kernel)
        strength, _ = best_of(tried, loss, latest, features[cut:], told, effort)
        if told.lowest >= stays or effort.expired:
            return kernel
        loss = loss_of(task, examples.target, examples.weight)
        _, found = next(solved(features, loss, (strength,), iterations=iterations, effort=effort, start=kernel))
    return found


class _Lowest:
    """The lowest loss that was reported."""

    def __init__(self) -> None:
        self.lowest = np.inf

    def __call__(self, _step: int, loss: float) -> bool:
        self.lowest = min(self.lowest, loss)
        return True


class LinearLearner:
    """A penalised linear model over scaled numbers and one-hot categories: quick, and hard to beat on small data."""

    name = "linear"
    kinds = (*PLAIN, "multilabel")

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether it can be solved in the time."""
        return (
            unreadable(schema)
            or monotonic.refused(task, "its coefficients are free")
            or rounds_fit(rows * len(schema.inputs) * link.width(task), seconds, cells_per_second=1e8)
        )

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return the one that chooses its own strength."""
        return [Suggestion(order=10)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return the strength."""
        return {"strength": Real(1e-3, 1e4, log=True)}

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
    ) -> LinearModel:
        """Solve for the strength given, or for each until the validation loss rises."""
        own, options = split_parameters(parameters, DEFAULTS, LINEAR)
        encoding, matrix, held_out = encode(task, schema, training, validation, options, effort.seed)
        strengths = STRENGTHS
        if own["strength"] is not None or validation is None:
            strengths = (float(own["strength"] or _WITHOUT_VALIDATION),)
        loss = loss_of(task, training.target, training.weight)
        with limited(matrix, effort):
            solved = path(matrix, loss, strengths, iterations=int(own["iterations"]), effort=effort)
            strength, kernel = best_of(solved, loss, validation, held_out, report, effort)
        learned = {"strength": strength}
        return LinearModel(learner=self.name, task=task, encoding=encoding, kernel=kernel, learned=learned)

    def load(self, payloads: Mapping[str, bytes]) -> EncodedModel:
        """Return the model that was saved."""

        def kernel(task: Task, features: int) -> LinearKernel:
            arrays, outputs = Arrays(payloads, "linear.npz"), link.width(task)
            return LinearKernel(
                weights=arrays.take("weights", "float64", (features, outputs)),
                intercept=arrays.take("intercept", "float64", (outputs,)),
                mean=arrays.take("mean", "float64", (features,)),
            )

        model: EncodedModel = read_model(self.name, payloads, kernel, LinearModel)
        return model


def limited(matrix: np.ndarray, effort: Effort) -> AbstractContextManager[Any]:
    """Return a context with as many threads as pay: those that wait for each other cost more than small products do."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    found: AbstractContextManager[Any] = threadpool_limits(limits=effort.threads if matrix.size > _WORTH_THREADS else 1)
    return found


def path(
    matrix: np.ndarray,
    loss: Loss,
    strengths: tuple[float, ...],
    *,
    iterations: int,
    effort: Effort,
    start: LinearKernel | None = None,
) -> Iterator[tuple[float, LinearKernel]]:
    """Yield each strength and its solution, coefficients in units of centred and scaled features turned back.

    Parameters
    ----------
    start : LinearKernel, optional
        Then the strength is that of the penalty on the change of its coefficients.
    """
    mean = matrix.mean(axis=0, dtype=np.float64)
    scale = matrix.std(axis=0, dtype=np.float64)
    # A rare one-hot level is not blown up: its coefficient stays as costly as that of a common one.
    scale = np.maximum(scale, 0.1)
    scaled = ((matrix - mean) / scale).astype(np.float32)
    offset = None if start is None else start.margins(matrix)
    for strength, weights, intercept in loss.solve(
        scaled, strengths, iterations=iterations, effort=effort, offset=offset
    ):
        plain = weights / scale[:, None]
        shift = intercept - mean @ plain
        if start is None:
            yield strength, LinearKernel(weights=plain, intercept=shift, mean=mean)
        else:
            yield strength, replace(start, weights=start.weights + plain, intercept=start.intercept + shift)


def best_of(
    solved: Iterator[tuple[float, LinearKernel]],
    loss: Loss,
    validation: Examples | None,
    held_out: np.ndarray | None,
    report: Callable[[int, float], bool] | None,
    effort: Effort,
) -> tuple[float, LinearKernel]:
    """Return the solution with the lowest validation loss, or the first one without validation."""
    best, lowest = next(solved), np.inf
    if validation is None or held_out is None:
        return best
    worse, candidate = 0, best
    for step in count(1):
        value = loss.value(candidate[1].margins(held_out), validation.target, validation.weight)
        worse = 0 if value < lowest else worse + 1
        if value < lowest:
            best, lowest = candidate, value
        if (report is not None and not report(step, value)) or worse == 2 or effort.expired:
            break
        following = next(solved, None)
        if following is None:
            break
        candidate = following
    return best
