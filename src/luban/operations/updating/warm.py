"""What a search begins with: the candidates that the champion is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from luban.core.model import ModelVersion
    from luban.learners.fitted import Fitted
    from luban.search.candidate import Candidate

_JOIN = "ensemble"
_NOT_A_PARAMETER = "learnt_from"


def candidates(version: ModelVersion, fitted: Fitted) -> tuple[Candidate, ...]:
    """Return the champion's own candidates, the heaviest first.

    What a fit found out by itself (such as the number of rounds) is found out anew: the rows are others now.
    """
    from luban.core import plugins
    from luban.search.candidate import Candidate
    from luban.search.learners import learner_named

    if version.recipe is None:
        return ()
    weights = {step.name: 0.0 for step in version.recipe.steps}
    for step in version.recipe.steps:
        if step.component == _JOIN:
            weights.update(zip(step.inputs, step.parameters["weights"], strict=True))
    learned = _learned(fitted)
    steps = [step for step in version.recipe.steps if step.component in plugins.names("learners")]
    found = []
    for step in sorted(steps, key=lambda one: -weights[one.name]):
        own: dict[str, Any] = {name: value for name, value in step.parameters.items() if name != _NOT_A_PARAMETER}
        if step.parameters.get(_NOT_A_PARAMETER) == "all rows":
            own = {name: value for name, value in own.items() if name not in learned.get(step.component, ())}
        first = min(learner_named(step.component).suggestions(version.task), key=lambda one: one.order)
        found.append(Candidate(learner=step.component, parameters=own, once=first.once, share=first.share))
    return tuple({one.key: one for one in found}.values())


def _learned(fitted: Fitted) -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for member in fitted.model.members:
        names.setdefault(member.learner, set()).update(member.learned)
    return names
