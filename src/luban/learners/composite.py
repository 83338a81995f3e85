"""The model that a fit ends with: a weighted ensemble, its calibration and its decision threshold."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core import plugins
from luban.core.errors import InputError, LubanError, Unsupported
from luban.core.protocols import Attributing, Explainable, Exportable, TaskBound, Updatable, WarmingUp
from luban.core.serial import from_json, to_json
from luban.learners import link
from luban.learners.decisions import decide
from luban.learners.payloads import damaged, placed, read_json, under, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.protocols import Examples, Graph, Model
    from luban.core.report import Evidence
    from luban.core.task import Task

ABOUT = "composite.json"


@dataclass(frozen=True, kw_only=True)
class Composite:
    """A weighted mean of models: a `luban.core.protocols.Model`, Exportable and Explainable where its members are.

    Parameters
    ----------
    members : tuple of Model
    weights : tuple of float
        Non-negative, one a member; they are used as shares of their sum.
    task : Task
    temperature : float
        The margins of the mean are divided by it (Guo et al. 2017); classes only.
    threshold : float, optional
        Least probability at which the positive class is predicted (None predicts the likelier class), a label is given
        (None: one half), or an answer is (None: always).
    shifts : tuple of float
        Added to each quantile after the mean (Romano et al. 2019, conformalised quantiles); empty for none.
    """

    members: tuple[Model, ...]
    weights: tuple[float, ...]
    task: Task
    temperature: float = 1.0
    threshold: float | None = None
    shifts: tuple[float, ...] = ()
    learner: str = "composite"

    def __post_init__(self) -> None:
        weights = np.array(self.weights, dtype=np.float64)
        if len(weights) != len(self.members) or not np.isfinite(weights).all() or (weights < 0).any():
            raise InputError("an ensemble needs one non-negative weight a member", seen=f"{self.weights}")
        if weights.sum() <= 0:
            raise InputError("an ensemble needs at least one member with a weight", seen=f"{self.weights}")
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise InputError("a temperature must be positive", seen=f"{self.temperature}")
        if self.shifts and (len(self.shifts) != len(self.task.quantiles) or not np.isfinite(self.shifts).all()):
            raise InputError("an ensemble needs one finite shift a quantile, or none", seen=f"{self.shifts}")
        if self.threshold is not None and not 0.0 <= self.threshold <= 1.0:
            raise InputError("a threshold must lie between 0 and 1", seen=f"{self.threshold}")

    @property
    def learned(self) -> Mapping[str, Any]:
        """What each member found out, by its place and learner."""
        return {f"{place}.{member.learner}": dict(member.learned) for place, member in enumerate(self.members)}

    @property
    def shares(self) -> np.ndarray:
        """The weights, scaled to sum to 1."""
        weights = np.array(self.weights, dtype=np.float64)
        shares: np.ndarray = weights / weights.sum()
        return shares

    def predict(self, table: pa.Table) -> np.ndarray:
        """Return the calibrated mean of the members' predictions."""
        used = np.flatnonzero(self.shares)
        found = [self.members[place].predict(table) for place in used]
        return self.finish(link.blend(self.task, self.shares[used], found))

    def finish(self, mean: np.ndarray) -> np.ndarray:
        """Return the predictions that a plain weighted mean of predictions becomes: calibrated, shifted, in order."""
        if self.task.classes and self.temperature != 1.0:
            return link.predictions(self.task, link.margins(self.task, mean) / self.temperature)
        if self.task.kind == "quantile":
            return np.sort(mean + np.array(self.shifts or 0.0), axis=1)
        return mean

    @property
    def continues(self) -> bool:
        """Whether members with at least half of the weight can go on learning."""
        able = (isinstance(member, Updatable) for member in self.members)
        return float(sum(share for share, goes_on in zip(self.shares, able, strict=True) if goes_on)) >= 0.5

    def update(self, examples: Examples, *, replay: Examples | None = None, effort: Effort) -> Composite:
        """Return a composite whose members, where they can, have also learnt from `examples`.

        Weights, calibration and threshold stay; each member may take its share of the time.
        """
        able = [place for place, member in enumerate(self.members) if isinstance(member, Updatable)]
        members = list(self.members)
        for number, place in enumerate(able):
            now = time.monotonic()
            mine = replace(effort, deadline=now + (effort.deadline - now) / (len(able) - number))
            member = members[place]
            assert isinstance(member, Updatable)
            members[place] = member.update(examples, replay=replay, effort=mine)
        return replace(self, members=tuple(members))

    def decide(self, predictions: np.ndarray) -> np.ndarray:
        """Return what is decided for predicted probabilities, see `luban.learners.decisions.decide`."""
        return decide(self.task, predictions, self.threshold)

    def save(self) -> Mapping[str, bytes]:
        """Return the payloads of the members, each in a folder of its own, and what joins them."""
        about = {
            "task": to_json(self.task),
            "learners": [member.learner for member in self.members],
            "weights": list(self.weights),
            "temperature": self.temperature,
            "threshold": self.threshold,
            "shifts": list(self.shifts),
        }
        payloads = {ABOUT: write_json(about)}
        for place, member in enumerate(self.members):
            payloads |= placed(_folder(place, member.learner), member.save())
        return payloads

    def to_graph(self, graph: Graph) -> str:
        """Add all members with a weight, their mean and the calibration."""
        parts: list[str] = []
        words = self.task.kind == "tokens" and np.count_nonzero(self.shares) > 1
        for share, member in zip(self.shares, self.members, strict=True):
            if not share:
                continue
            if not isinstance(member, Exportable):
                raise Unsupported(f"{member.learner} cannot be written as ONNX", seen="it has no ability to export")
            tensor = member.to_graph(graph)
            parts.append(
                tensor
                if share == 1.0 or words
                else graph.node("Mul", tensor, graph.constant(np.array(share, dtype=np.float32)))
            )
        if words:
            mean = link.blend_to_graph(graph, [float(share) for share in self.shares if share], parts)
        else:
            mean = parts[0] if len(parts) == 1 else graph.node("Sum", *parts)
        if self.task.classes and self.temperature != 1.0:
            margin = link.margins_to_graph(self.task, graph, mean)
            scaled = graph.node("Div", margin, graph.constant(np.array(self.temperature, dtype=np.float32)))
            return link.predictions_to_graph(self.task, graph, scaled)
        if self.task.kind == "quantile":
            shifts = np.array([self.shifts or (0.0,)], dtype=np.float32)
            return link.sorted_rows(graph, graph.node("Add", mean, graph.constant(shifts)), len(self.task.quantiles))
        return mean

    @property
    def explained(self) -> float:
        """Share of the weight whose members can explain themselves."""
        return float(sum(self.shares[place] for place in self._explainable))

    @property
    def warm_up(self) -> float:
        """Seconds that the first contributions take besides the rows, such as for the import of a library."""
        members = [self.members[place] for place in self._explainable]
        return max((one.warm_up for one in members if isinstance(one, WarmingUp)), default=0.0)

    @property
    def _explainable(self) -> list[int]:
        return [
            place
            for place, member in enumerate(self.members)
            if self.weights[place] and isinstance(member, Explainable)
        ]

    @property
    def attributed(self) -> tuple[str, float]:
        """Learner of the member that `attributions` asks, and its share of the weight; empty and 0 where none can."""
        found = self._attributing
        return ("", 0.0) if found is None else (self.members[found].learner, float(self.shares[found]))

    @property
    def _attributing(self) -> int | None:
        able = [place for place, one in enumerate(self.members) if self.weights[place] and isinstance(one, Attributing)]
        return max(able, key=lambda place: (self.shares[place], -place), default=None)

    def attributions(self, table: pa.Table, outputs: np.ndarray, *, effort: Effort) -> Sequence[Sequence[Evidence]]:
        """Return what the heaviest member that can tells of each row, see `attributed`.

        Members read a value in pieces of their own, so that what they tell cannot be added up.
        """
        place = self._attributing
        if place is None:
            return [()] * table.num_rows
        member = self.members[place]
        assert isinstance(member, Attributing)
        return member.attributions(table, outputs, effort=effort)

    def contributions(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return (values, base), shapes (n, columns, width) and (width,).

        Shapley values are linear, so those of the weighted mean of the members' *margins* (over the temperature) are
        the weighted means of the members' own; rows and base sum to exactly that margin. The prediction itself is the
        mean of *probabilities*, whose log-odds differ a little wherever the members disagree. Members that
        cannot explain themselves are left out (see `explained`), and the weights of the others are scaled up.

        Raises
        ------
        Unsupported
            If less than half of the weight explains itself.
        """
        places = self._explainable
        if self.explained < 0.5:
            silent = sorted({member.learner for place, member in enumerate(self.members) if place not in places})
            raise Unsupported(
                "most of the ensemble cannot explain itself exactly",
                seen=f"{', '.join(silent)} with {1 - self.explained:.0%} of the weight",
                remedy="Explain the predictions of the whole instead: luban explain (luban.explain in Python) samples.",
            )
        total = base = np.zeros(())
        for place in places:
            member = self.members[place]
            assert isinstance(member, Explainable)
            values, start = member.contributions(table)
            share = self.shares[place] / self.explained / (self.temperature if self.task.classes else 1.0)
            total, base = total + share * values, base + share * start
        return total, base + np.array(self.shifts or 0.0)


def _folder(place: int, learner: str) -> str:
    return f"{place}.{learner}"


@dataclass(frozen=True, kw_only=True)
class About:
    """What a composite that was written is, without its members."""

    task: Task
    learners: tuple[str, ...]
    weights: tuple[float, ...]
    temperature: float
    threshold: float | None
    shifts: tuple[float, ...]


def read_about(payloads: Mapping[str, bytes]) -> About:
    """Return what `Composite.save` wrote of the whole; `Tampered` where it is missing or damaged."""
    try:
        return from_json(About, read_json(payloads, ABOUT))
    except InputError as error:
        raise damaged(ABOUT, str(error)) from error


def load(payloads: Mapping[str, bytes]) -> Composite:
    """Return the composite that `Composite.save` wrote; its learner, or its form, loads each member.

    Raises
    ------
    Tampered
        If a payload is missing or damaged.
    NotFound, MissingExtra
        If a member's learner is not installed, or needs packages that are not.
    """
    about = read_about(payloads)
    members = []
    for place, learner in enumerate(about.learners):
        group = "forms" if learner in plugins.names("forms") else "learners"
        member = plugins.create(group, learner).load(under(payloads, _folder(place, learner)))
        if isinstance(member, TaskBound) and member.task != about.task:
            raise damaged(ABOUT, f"{learner} was made for another task")
        members.append(member)
    try:
        return Composite(
            members=tuple(members),
            weights=about.weights,
            task=about.task,
            temperature=about.temperature,
            threshold=about.threshold,
            shifts=about.shifts,
        )
    except LubanError as error:
        raise damaged(ABOUT, str(error)) from error
