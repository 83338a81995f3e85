"""What linear models minimise, and how each loss is solved for a path of penalties."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from luban.learners import link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from luban.core.budget import Effort
    from luban.core.task import Task

Solution = tuple[float, np.ndarray, np.ndarray]
"""(strength, weights (features, width), intercept (width,))."""


class Loss(Protocol):
    """A loss over margins, bound to the training target."""

    def value(self, margins: np.ndarray, target: np.ndarray, weight: np.ndarray | None) -> float:
        """Return the mean loss of margins on any rows."""

    def solve(
        self,
        matrix: np.ndarray,
        strengths: tuple[float, ...],
        *,
        iterations: int,
        effort: Effort,
        offset: np.ndarray | None = None,
    ) -> Iterator[Solution]:
        """Yield the solution for each strength, given float32 features of zero mean over the training rows.

        Parameters
        ----------
        offset : numpy.ndarray, optional
            Shape (n, width): margins that the rows have already; the solution is what is added to them.
        """


def loss_of(task: Task, target: np.ndarray, weight: np.ndarray | None) -> Loss:
    """Return the loss that suits the task."""
    weights = np.ones(len(target)) if weight is None else weight
    if task.kind == "multilabel":
        return Labels(target=target, weight=weights)
    if task.classifies:
        return Logistic(codes=target, weight=weights, width=link.width(task))
    if task.kind == "quantile" or link.median_wanted(task):
        return Pinball(target=target, weight=weights, levels=np.array(task.quantiles or (0.5,)))
    return Squared(target=target, weight=weights)


@dataclass(frozen=True, kw_only=True)
class Squared:
    """Half the squared error; ridge regression (Hoerl and Kennard 1970)."""

    target: np.ndarray
    weight: np.ndarray

    def value(self, margins: np.ndarray, target: np.ndarray, weight: np.ndarray | None) -> float:
        """Return the root of the mean squared error."""
        return float(np.sqrt(np.average((margins[:, 0] - target) ** 2, weights=weight)))

    def solve(
        self,
        matrix: np.ndarray,
        strengths: tuple[float, ...],
        *,
        iterations: int,
        effort: Effort,
        offset: np.ndarray | None = None,
    ) -> Iterator[Solution]:
        """Yield solutions: exact, all from one eigendecomposition; of a sparse matrix, which is wide, by descent."""
        if offset is not None:
            left = replace(self, target=self.target - offset[:, 0])
            yield from left.solve(matrix, strengths, iterations=iterations, effort=effort)
            return
        if not isinstance(matrix, np.ndarray):
            yield from self._descend(matrix, strengths, iterations, effort)
            return
        total = self.weight.sum()
        middle = self.weight @ matrix / total
        centre = float(self.weight @ self.target / total)
        weighted = matrix * self.weight[:, None].astype(np.float32)
        gram = (matrix.T @ weighted).astype(np.float64) - total * np.outer(middle, middle)
        values, vectors = np.linalg.eigh(gram)
        moment = vectors.T @ (weighted.T.astype(np.float64) @ (self.target - centre))
        for strength in strengths:
            weights = vectors @ (moment / (np.maximum(values, 0.0) + strength))
            yield strength, weights[:, None], np.array([centre - middle @ weights])

    def _descend(
        self, matrix: np.ndarray, strengths: tuple[float, ...], iterations: int, effort: Effort
    ) -> Iterator[Solution]:
        """Yield solutions, found in units of the target's spread and turned back."""
        centre = float(np.average(self.target, weights=self.weight))
        spread = float(self.target.std()) or 1.0
        scaled = (self.target - centre) / spread

        def losses(margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            error = margins - scaled[:, None]
            return 0.5 * (error**2).sum(axis=1), error

        for strength, weights, intercept in _descend(
            matrix, losses, self.weight, np.zeros(1), strengths, iterations, effort
        ):
            yield strength, weights * spread, intercept * spread + centre


@dataclass(frozen=True, kw_only=True)
class Logistic:
    """Log loss: logistic regression for two classes, softmax regression for more."""

    codes: np.ndarray
    weight: np.ndarray
    width: int

    def value(self, margins: np.ndarray, target: np.ndarray, weight: np.ndarray | None) -> float:
        """Return the mean log loss."""
        losses, _ = self._losses(margins, target)
        return float(np.average(losses, weights=weight))

    def _losses(self, margins: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each row's loss and its derivative by the margins."""
        if self.width == 1:
            margin, positive = margins[:, 0], codes.astype(np.float64)
            return np.logaddexp(0.0, margin) - positive * margin, (link.sigmoid(margin) - positive)[:, None]
        rows = np.arange(len(codes))
        shifted = margins - margins.max(axis=1, keepdims=True)
        powers = np.exp(shifted)
        total = powers.sum(axis=1)
        slope = powers / total[:, None]
        slope[rows, codes] -= 1.0
        return np.log(total) - shifted[rows, codes], slope

    def solve(
        self,
        matrix: np.ndarray,
        strengths: tuple[float, ...],
        *,
        iterations: int,
        effort: Effort,
        offset: np.ndarray | None = None,
    ) -> Iterator[Solution]:
        """Yield solutions, starting from the class frequencies."""
        counts = np.bincount(self.codes, weights=self.weight, minlength=max(self.width, 2))
        frequencies = (counts / counts.sum())[None]
        if self.width == 1:
            safe = np.clip(frequencies, link.SMALLEST, 1.0)
            start = np.log(safe[:, 1] / safe[:, 0])
        else:
            start = np.log(np.clip(frequencies, link.SMALLEST, 1.0))[0]
        before = np.zeros(self.width) if offset is None else offset

        def losses(margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self._losses(before + margins, self.codes)

        if offset is not None:
            start = np.zeros(self.width)
        yield from _descend(matrix, losses, self.weight, start, strengths, iterations, effort)


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Binary log loss of each label: as many logistic regressions as labels, of one strength."""

    target: np.ndarray
    weight: np.ndarray

    def value(self, margins: np.ndarray, target: np.ndarray, weight: np.ndarray | None) -> float:
        """Return the mean log loss over rows and labels."""
        return float(np.average((np.logaddexp(0.0, margins) - target * margins).mean(axis=1), weights=weight))

    def solve(
        self,
        matrix: np.ndarray,
        strengths: tuple[float, ...],
        *,
        iterations: int,
        effort: Effort,
        offset: np.ndarray | None = None,
    ) -> Iterator[Solution]:
        """Yield solutions, starting from the frequencies of the labels."""
        before = np.zeros(self.target.shape[1]) if offset is None else offset

        def losses(margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            margins = before + margins
            each = np.logaddexp(0.0, margins) - self.target * margins
            return each.sum(axis=1), link.sigmoid(margins) - self.target

        shares = np.clip(np.average(self.target, axis=0, weights=self.weight), 1e-4, 1.0 - 1e-4)
        start = np.log(shares / (1.0 - shares)) if offset is None else np.zeros(len(shares))
        yield from _descend(matrix, losses, self.weight, start, strengths, iterations, effort)


@dataclass(frozen=True, kw_only=True)
class Pinball:
    """Pinball loss, smoothed while it is minimised (Zheng 2011, "Gradient descent for quantile regression")."""

    target: np.ndarray
    weight: np.ndarray
    levels: np.ndarray

    def value(self, margins: np.ndarray, target: np.ndarray, weight: np.ndarray | None) -> float:
        """Return the mean pinball loss over rows and levels."""
        error = target[:, None] - margins
        losses = np.maximum(self.levels * error, (self.levels - 1.0) * error).mean(axis=1)
        return float(np.average(losses, weights=weight))

    def solve(
        self,
        matrix: np.ndarray,
        strengths: tuple[float, ...],
        *,
        iterations: int,
        effort: Effort,
        offset: np.ndarray | None = None,
    ) -> Iterator[Solution]:
        """Yield solutions, found in units of the target's spread and turned back."""
        spread = float(self.target.std()) or 1.0
        centre = float(np.median(self.target)) if offset is None else 0.0
        before = np.zeros(len(self.levels)) if offset is None else offset
        scaled = (self.target[:, None] - centre - before) / spread
        width = 0.02  # of the smoothing, in the same units

        def losses(margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            error = scaled - margins
            smooth = self.levels * error + width * np.logaddexp(0.0, -error / width)
            return smooth.sum(axis=1), link.sigmoid(-error / width) - self.levels

        start = np.array([np.quantile(one, level) for one, level in zip(scaled.T, self.levels, strict=True)])
        for strength, weights, intercept in _descend(matrix, losses, self.weight, start, strengths, iterations, effort):
            yield strength, weights * spread, intercept * spread + centre


def _descend(
    matrix: np.ndarray,
    losses: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    weight: np.ndarray,
    start: np.ndarray,
    strengths: tuple[float, ...],
    iterations: int,
    effort: Effort,
) -> Iterator[Solution]:
    """Minimise by L-BFGS (Liu and Nocedal 1989) for each strength in turn, each from the last one's end."""
    from scipy.optimize import minimize

    features, width, total = matrix.shape[1], len(start), weight.sum()
    shape = (features + 1, width)
    point = np.vstack([np.zeros((features, width)), start]).ravel()

    def objective(flat: np.ndarray, strength: float) -> tuple[float, np.ndarray]:
        both = flat.reshape(shape)
        margins = (matrix @ both[:-1].astype(np.float32)).astype(np.float64) + both[-1]
        values, slopes = losses(margins)
        slopes = slopes * weight[:, None]
        slope = np.vstack([(matrix.T @ slopes.astype(np.float32)).astype(np.float64), slopes.sum(axis=0)])
        slope[:-1] += strength * both[:-1]
        value = weight @ values + 0.5 * strength * (both[:-1] ** 2).sum()
        return value / total, slope.ravel() / total

    def watch(intermediate_result: object) -> None:  # noqa: ARG001 - SciPy goes by the name
        if effort.expired:
            raise StopIteration

    for strength in strengths:
        found = minimize(
            objective,
            point,
            args=(strength,),
            jac=True,
            method="L-BFGS-B",
            callback=watch,
            options={"maxiter": iterations, "maxcor": 20, "gtol": 1e-5, "ftol": 1e-8},
        )
        point = found.x
        both = point.reshape(shape)
        yield strength, both[:-1].copy(), both[-1].copy()
