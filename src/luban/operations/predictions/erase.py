"""Predictions erase: all that the prediction log holds about a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation
from luban.operations.predictions.learnt import Learnt

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class PredictionsErased:
    """How many predictions about a person are gone, with their labels, and what had learnt from them.

    Attributes
    ----------
    learnt : tuple of Learnt
        Versions of data sets that hold such rows still, and the versions of models that were made of them.
    remedy : tuple of str
        The commands that make models without these rows, and delete those with them, and then the data sets.
    unknown : str
        Why it could not be looked up what had learnt from them; erased they are nevertheless.
    """

    predictions: int
    learnt: tuple[Learnt, ...] = ()
    remedy: tuple[str, ...] = ()
    unknown: str = ""


@operation(permission="predictions:write", name="predictions erase", existing=True)
def predictions_erase(workspace: Workspace, subject: str) -> PredictionsErased:
    """Erase every logged prediction about a person, with its labels, from all deployments; the audit log keeps that.

    Versions of data sets stay as they were. Those that hold rows of the person are named, with the models that learnt
    from them and the commands that learn anew and delete both.

    Parameters
    ----------
    subject
        The person, as requests named them in `x-luban-subject` or the parameter `subject`.
    """
    from luban.core.errors import InputError, LubanError
    from luban.operations.predictions.learnt import learnt_from

    if not subject:
        raise InputError("the subject to erase must be named")
    learnt: tuple[Learnt, ...] = ()
    unknown = ""
    try:
        learnt = learnt_from(workspace, subject)
    except LubanError as error:  # a damaged data set is no reason to keep what must go
        unknown = str(error)
    gone = workspace.predictions.erase(subject)
    return PredictionsErased(predictions=gone, learnt=learnt, remedy=_remedy(workspace, learnt), unknown=unknown)


def _remedy(workspace: Workspace, learnt: tuple[Learnt, ...]) -> tuple[str, ...]:
    """Return commands: what an update made is learnt anew from what is left of the log, then the old versions go.

    Where the next update would begin with rows of the person the model is fitted anew, on other data.
    """
    models = tuple(dict.fromkeys(model for one in learnt for model in one.models))
    made = [one for one in learnt if one.dataset.partition("/")[0].endswith(".update")]
    updated = {model.partition("/")[0] for one in made for model in one.models}
    updated -= _relearning(workspace, models, {one.dataset for one in learnt})
    names = dict.fromkeys(model.partition("/")[0] for model in models)
    anew = [
        f"luban update {name} --way retrain" if name in updated else f"luban fit DATA_WITHOUT_THEM --name {name}"
        for name in names
    ]
    deleted = [f"luban models delete {model}" for model in models]
    return (*anew, *deleted, *(f"luban data delete {one.dataset}" for one in learnt))


def _relearning(workspace: Workspace, models: tuple[str, ...], held: set[str]) -> set[str]:
    """Return the names of which the next update may begin with one of these data sets."""
    from luban.operations.updating.subject import TAG

    versions = [workspace.models.get(model) for model in models]
    return {one.name for one in versions if ((one.tags.get(TAG) or {}).get("base") or one.dataset) in held}
