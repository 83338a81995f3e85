"""Few-shot: for some rows a class, a backbone learns what is alike by pairs before a head is fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Choice, Real
from luban.learners.adapted import choice
from luban.learners.adapted.fine_tune import FineTuneLearner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.budget import Effort
    from luban.core.protocols import Alternative, Examples
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task

# Above so many rows a class plain fine-tuning does as well (Tunstall and others 2022, figure 3).
_MOST_A_CLASS = 64


class FewShotLearner(FineTuneLearner):
    """Contrastive pairs for the body, a linear head on its vectors."""

    name = "few_shot"
    kinds = ("binary", "multiclass")

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether there are few rows a class, and what fine-tuning asks for."""
        way = choice.wished(task).get("way", self.name)
        if way != self.name:
            return Unsuitable(f"the way {way} was asked for")
        each = rows / max(1, len(task.classes))
        if each > _MOST_A_CLASS:
            return Unsuitable(
                f"there are {each:,.0f} rows a class; above {_MOST_A_CLASS} plain fine-tuning does as well"
            )
        return super().suits(task, schema, rows, seconds)

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return the published default, before plain fine-tuning."""
        return [Suggestion(parameters={"way": "few_shot"}, order=15, once=True, share=0.5)]

    def alternatives(
        self,
        task: Task,  # noqa: ARG002
        schema: Schema,  # noqa: ARG002
        training: Examples,  # noqa: ARG002
        *,
        measured: Sequence[Alternative],  # noqa: ARG002
        effort: Effort,  # noqa: ARG002
    ) -> list[Alternative]:
        """Return nothing: it has one way."""
        return []

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return the rate and how many pairs are compared."""
        return {
            "way": Choice(("few_shot",)),
            "rate_factor": Real(0.3, 3.0, log=True),
            "pairs": Choice((10_000, 20_000, 40_000)),
        }
