"""What one training is given, and what it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from luban.core.budget import Effort
    from luban.core.task import Task
    from luban.foundation.heads.objective import Objective
    from luban.foundation.network import Network
    from luban.foundation.training.device import Place
    from luban.foundation.training.options import Training
    from luban.foundation.training.rows import Rows
    from luban.foundation.way import Applied, Report


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Rows and what they bear.

    Parameters
    ----------
    rows : Rows
    target : torch.Tensor
        One entry a row, as `Objective.encode` gives it.
    weight : torch.Tensor, optional
        float32, shape (n,).
    """

    rows: Rows
    target: torch.Tensor
    weight: torch.Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point of the curves, see `luban.foundation.curves`.

    Parameters
    ----------
    step : int
    epoch : float
    training : float, optional
        Mean loss of the steps since the point before.
    validation : float, optional
        Loss on validation rows.
    criterion : float, optional
        What early stopping goes by, lower is better.
    rate : float
        The largest rate of any group.
    speed : float
        Rows a second since the point before, evaluation left out.
    """

    step: int
    epoch: float
    training: float | None = None
    validation: float | None = None
    criterion: float | None = None
    rate: float = 0.0
    speed: float = 0.0


@dataclass(kw_only=True)
class Work:
    """One training.

    Parameters
    ----------
    network : Network
        On return it holds the best state found.
    applied : Applied
        What of its body is trained.
    deadline : float
        Value of `time.monotonic` at which training must be over, evaluation included.
    history : list of Point
        Filled as it goes.
    learned : dict
        What a refit on more rows must be told, as parameters.
    notes : list of str
        What people should know of how it went.
    """

    task: Task
    network: Network
    applied: Applied
    objective: Objective
    options: Any
    training: Training
    rate: float
    examples: Labelled
    validation: Labelled | None
    effort: Effort
    deadline: float
    place: Place
    report: Report | None = None
    history: list[Point] = field(default_factory=list)
    learned: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
