"""The course of a training, to be drawn and to be recorded as metrics of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.report import Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.foundation.training.work import Point


def drawn(history: Sequence[Point]) -> tuple[Evidence, ...]:
    """Return the losses, the rate and the speed over the steps, as lines; nothing for a training of one point."""
    if len(history) < 2:
        return ()
    losses = tuple((one.step, one.training, one.validation) for one in history)
    return (
        Evidence(
            title="Loss while it learnt", columns=("step", "training", "validation"), rows=losses, drawing="line",
            x="step", y="loss",
        ),
        Evidence(
            title="Learning rate", columns=("step", "rate"), rows=tuple((one.step, one.rate) for one in history),
            drawing="line", x="step", y="rate",
        ),
        Evidence(
            title="Speed", columns=("step", "rows a second"), rows=tuple((one.step, one.speed) for one in history),
            drawing="line", x="step", y="rows a second",
        ),
    )  # fmt: skip


def metrics(point: Point) -> dict[str, float]:
    """Return the figures of one point by the names of metrics; those that it does not have are left out."""
    named = {
        "training_loss": point.training,
        "validation_loss": point.validation,
        "learning_rate": point.rate,
        "rows_per_second": point.speed,
    }
    return {name: value for name, value in named.items() if value is not None}
