"""Predictions erase: all that the prediction log holds about a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class PredictionsErased:
    """How many predictions about a person are gone, with their labels."""

    predictions: int


@operation(permission="predictions:write", name="predictions erase")
def predictions_erase(workspace: Workspace, subject: str) -> PredictionsErased:
    """Erase every logged prediction about a person, with its labels, from all deployments; the audit log keeps that.

    Parameters
    ----------
    subject
        The person, as requests named them in `x-luban-subject` or the parameter `subject`.
    """
    return PredictionsErased(predictions=workspace.predictions.erase(subject))
