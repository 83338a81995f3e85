"""How a network is trained, whatever the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from luban.core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is trained.

    Parameters
    ----------
    learning_rate : float, optional
        The largest rate; the way's own by default.
    epochs : float, optional
        Passes over the rows that the schedule is made for; by default as many as make about 500 steps, from 3 to 20.
        A deadline that comes earlier ends the schedule earlier: its last steps are small all the same.
    stop : float, optional
        End after so many of the `epochs`, as early stopping found it.
    batch : int
        Rows a step.
    accumulate : int
        A step's rows are computed in so many parts, which takes less memory.
    checkpointing : bool
        Compute the inner values of the body twice rather than keep them: a third slower, much less memory.
    warm_up : float
        Share of the schedule in which the rate rises.
    weight_decay : float
        Of AdamW; biases and norms are left alone.
    clip : float
        Largest norm of the gradient.
    dropout : float
        Before the head.
    label_smoothing : float
        Share of each label that is spread over all classes.
    balanced : bool
        Whether each class counts the same, however rare.
    mixup : float
        Alpha of the beta distribution that mixes rows in pairs (Zhang and others 2018); 0 for none.
    patience : int
        Evaluations without a better criterion before training stops.
    probe_first : bool
        Whether the head begins as a linear probe (Kumar and others 2022) rather than from nothing.
    precision : {"auto", "float32", "bfloat16"}
        Of the arithmetic inside the body; auto takes bfloat16 where the processor has it and it was measured faster.
    processes : int, optional
        How many processes share each step; by default one a GPU, and one where there is none.
    """

    learning_rate: float | None = None
    epochs: float | None = None
    stop: float | None = None
    batch: int = 32
    accumulate: int = 1
    checkpointing: bool = False
    warm_up: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    dropout: float = 0.1
    label_smoothing: float = 0.0
    balanced: bool = False
    mixup: float = 0.0
    patience: int = 4
    probe_first: bool = True
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    processes: int | None = None

    def __post_init__(self) -> None:
        checks = (
            ("learning_rate", self.learning_rate is None or 0 < self.learning_rate < 10, "above 0 and below 10"),
            ("epochs", self.epochs is None or self.epochs > 0, "above 0"),
            ("stop", self.stop is None or self.stop > 0, "above 0"),
            ("batch", self.batch >= 1, "at least 1"),
            ("accumulate", 1 <= self.accumulate <= self.batch, "from 1 to batch"),
            ("warm_up", 0 <= self.warm_up < 1, "from 0 to below 1"),
            ("weight_decay", self.weight_decay >= 0, "at least 0"),
            ("clip", self.clip > 0, "above 0"),
            ("dropout", 0 <= self.dropout < 1, "from 0 to below 1"),
            ("label_smoothing", 0 <= self.label_smoothing < 1, "from 0 to below 1"),
            ("mixup", self.mixup >= 0, "at least 0"),
            ("patience", self.patience >= 1, "at least 1"),
            ("processes", self.processes is None or self.processes >= 1, "at least 1"),
        )
        for name, fine, wanted in checks:
            if not fine:
                raise InputError(f"{name} must be {wanted}", seen=str(getattr(self, name)))

    def passes(self, rows: int) -> float:
        """Return how many epochs the schedule is made for."""
        if self.epochs is not None:
            return self.epochs
        return min(20.0, max(3.0, round(500.0 * self.batch / max(rows, 1), 1)))
