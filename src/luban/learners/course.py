"""How a small network learnt, an epoch at a time: the curves of a model that is `luban.core.protocols.Recounting`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from luban.core.curves import thinned

if TYPE_CHECKING:
    from collections.abc import Mapping

Curve = tuple[tuple[int, float], ...]
"""(epoch, value) pairs."""


class Course:
    """The figures of a training under way: losses, rate and rows a second.

    Each epoch is begun, takes steps and is ended; what is done between its steps and its end, such as an evaluation,
    counts for no speed.
    """

    def __init__(self) -> None:
        self._points: dict[str, list[tuple[int, float]]] = {}
        self.begin()

    def begin(self) -> None:
        """Begin an epoch."""
        self._losses, self._steps, self._rows = 0.0, 0, 0
        self._begun = time.perf_counter()
        self._seconds = 0.0

    def step(self, loss: float, rows: int) -> None:
        """Take the mean training loss of a step and the rows that it learnt from."""
        self._losses += loss
        self._steps += 1
        self._rows += rows
        self._seconds = time.perf_counter() - self._begun

    def end(self, epoch: int, *, rate: float, validation: float | None = None, judged: float | None = None) -> None:
        """End an epoch that has taken a step at least.

        Parameters
        ----------
        rate : float
            Learning rate at its end.
        validation : float, optional
            Loss on validation rows.
        judged : float, optional
            What early stopping goes by, where that is another figure.
        """
        figures = {
            "loss": validation if judged is None else judged,
            "training_loss": self._losses / max(1, self._steps),
            "validation_loss": validation,
            "learning_rate": rate,
            "rows_per_second": self._rows / max(self._seconds, 1e-9),
        }
        for name, value in figures.items():
            if value is not None:
                self._points.setdefault(name, []).append((epoch, value))

    def told(self) -> Mapping[str, Curve]:
        """Return the curves of what is known, of few enough points to be kept."""
        curves = {name: thinned(points) for name, points in self._points.items()}
        return {name: curve for name, curve in curves.items() if curve}
