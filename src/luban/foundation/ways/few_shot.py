"""Few-shot: contrastive pairs for the body, then a linear head (Tunstall and others 2022, arXiv:2209.11055)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Real
from luban.foundation.few_shot import contrast, passes
from luban.foundation.training.probe import probe
from luban.foundation.ways.full import Full, FullOptions

if TYPE_CHECKING:
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.training.work import Work
    from luban.foundation.way import Applied, Tensors

_KINDS = ("binary", "multiclass")


@dataclass(frozen=True, kw_only=True)
class FewShotOptions:
    """How much is compared.

    Parameters
    ----------
    pairs : int
        Most pairs of rows that are compared.
    group : int
        Rows compared at once: up to four of each of several classes.
    decay : float
        Each stage of the body learns at this share of the rate of the stage after it.
    penalty : float, optional
        Of the head's squared weights, for vectors of unit spread; chosen in cross-validation by default.
    """

    pairs: int = 40_000
    group: int = 32
    decay: float = 0.9
    penalty: float | None = None


class FewShot:
    """Rows of one class are drawn together, those of others apart; then a head is fitted. For some rows a class."""

    name = "few_shot"
    options = FewShotOptions
    rate = 1e-4
    rewrites = True
    reads_only = False

    def supports(self, backbone: Backbone, task: Task) -> Suitable | Unsuitable:
        """Return whether rows have classes that do not overlap."""
        if task.kind not in _KINDS:
            return Unsuitable(f"pairs of one class are asked for, and the task is {task.kind}")
        if next(backbone.body.parameters(), None) is None:
            return Unsuitable("the backbone has no weights")
        return Suitable()

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return the published default."""
        del task
        return [Suggestion(order=30, once=True)]

    def space(self, task: Task) -> Space:
        """Return the rate."""
        del task
        return {"learning_rate": Real(1e-5, 3e-4, log=True)}

    def apply(self, backbone: Backbone, options: Any, tensors: Tensors) -> Applied:
        """Unfreeze the weights, as for full fine-tuning."""
        if options.pairs < 1 or options.group < 2:
            raise InputError("pairs must be at least 1 and group at least 2", seen=f"{options.pairs}, {options.group}")
        return Full().apply(backbone, FullOptions(decay=options.decay), tensors)

    def passes(self, options: Any, rows: int) -> int:
        """Return how often the rows are passed over, so that about as many pairs are compared as was asked for."""
        return passes(rows, options.pairs, options.group)

    def learn(self, work: Work) -> None:
        """Compare, then fit the head."""
        contrast(work, pairs=work.options.pairs, batch=work.options.group)
        probe(work, penalty=work.options.penalty)
