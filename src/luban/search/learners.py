"""Learners by their names, and which of them suit a task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from luban.core import plugins
from luban.core.errors import MissingExtra
from luban.core.protocols import Learner, Specialised, Unsuitable
from luban.core.task import PLAIN
from luban.execution.call import resolve
from luban.search.candidate import Candidate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What a learner can be searched over, and how dear its fits are, as `Suggestion` says it."""

    space: Space
    once: bool = False
    share: float | None = None


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the learners offer for a task.

    Parameters
    ----------
    portfolio : tuple of Candidate
        What is worth trying without search, in order.
    spaces : mapping of str to Searched
        What each suitable learner can be searched over; empty ones are left out.
    unsuitable : mapping of str to str
        Why a learner does not take part.
    """

    portfolio: tuple[Candidate, ...]
    spaces: Mapping[str, Searched]
    unsuitable: Mapping[str, str]


def learner_named(name: str) -> Learner:
    """Return the learner of this name in the group ``luban.learners``, or at ``"package.module:Class"``."""
    if ":" not in name:
        found: Learner = plugins.create("learners", name)
        return found
    part = resolve(name)
    made: Learner = part() if isinstance(part, type) else part
    return made


def survey(
    task: Task, schema: Schema, rows: int, seconds: float, learners: Sequence[str] | None, exclude: Sequence[str] = ()
) -> Survey:
    """Ask all learners, or those named, whether they suit the task and what they suggest.

    Raises
    ------
    NotFound
        If a name that is asked for is no learner's.
    MissingExtra
        If a learner that is asked for by name needs packages that are not installed.
    """
    offers: list[tuple[float, str, int, Candidate]] = []
    spaces: dict[str, Searched] = {}
    unsuitable: dict[str, str] = {}
    for name in learners or plugins.names("learners"):
        if name in exclude:
            unsuitable[name] = "left out on request"
            continue
        try:
            learner = learner_named(name)
        except MissingExtra as error:
            if learners:
                raise
            unsuitable[name] = str(error)
            continue
        if task.kind not in (learner.kinds if isinstance(learner, Specialised) else PLAIN):
            unsuitable[name] = f"it is not made for the task {task.kind}"
            continue
        answer = learner.suits(task, schema, rows, seconds)
        if isinstance(answer, Unsuitable):
            unsuitable[name] = answer.reason
            continue
        for place, suggestion in enumerate(learner.suggestions(task)):
            candidate = Candidate(
                learner=name,
                parameters=dict(suggestion.parameters),
                once=suggestion.once,
                share=suggestion.share,
            )
            offers.append((suggestion.order, name, place, candidate))
        space = learner.space(task, schema)
        if space:
            first = min(learner.suggestions(task), key=lambda suggestion: suggestion.order)
            spaces[name] = Searched(space=space, once=first.once, share=first.share)
    offers.sort(key=lambda offer: offer[:3])
    return Survey(portfolio=tuple(offer[3] for offer in offers), spaces=spaces, unsuitable=unsuitable)


def warmed(found: Survey, first: Sequence[Candidate]) -> Survey:
    """Return what learners offer with these candidates before all others; those of unsuitable learners are left out."""
    suitable = {candidate.learner for candidate in found.portfolio}
    mine = {candidate.key: candidate for candidate in first if candidate.learner in suitable}
    others = (candidate for candidate in found.portfolio if candidate.key not in mine)
    return replace(found, portfolio=(*mine.values(), *others))
