"""Zero-shot: texts go to the class whose name lies nearest to them; no row is learnt from."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.learners.adapted import choice, forecasting, frozen
from luban.learners.adapted.linear_probe import LinearProbeLearner, ProbeModel, options
from luban.learners.tabular.linear import LinearKernel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.report import Finding
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task

DEFAULTS: Mapping[str, Any] = {"backbone": None, "template": None}
_MOST_A_CLASS = 16


class ZeroShotLearner(LinearProbeLearner):
    """The cosines of a text and the classes' names, as a linear model over the vector of the text."""

    name = "zero_shot"
    defaults = DEFAULTS
    kinds = ("binary", "multiclass")

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether one column holds texts, the classes have names, and so few rows that learning may do worse."""
        column = choice.single(schema)
        if isinstance(column, Unsuitable):
            return column
        if len(column) != 1 or choice.kind_of(schema, column[0]) != "text":
            return Unsuitable("it compares one text with the names of the classes")
        named = [isinstance(one, str) and any(letter.isalpha() for letter in one) for one in task.classes]
        if not all(named):
            return Unsuitable("the classes have no names in words")
        each = rows / max(1, len(task.classes))
        if each > _MOST_A_CLASS:
            return Unsuitable(f"there are {each:,.0f} rows a class to learn from")
        return super().suits(task, schema, rows, seconds)

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return the only way to do it."""
        return [Suggestion(order=6, share=0.4)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return nothing to search."""
        return {}

    def preflight(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Sequence[Finding]:
        """Return what the backbone would lose of the texts; no label is learnt from."""
        own = options(parameters, DEFAULTS)
        made = frozen.make(schema, training.table, backbone=choice.wanted(task, own), effort=effort)
        return forecasting.lost(made, schema, training.table)

    def fit(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        validation: Examples | None,  # noqa: ARG002
        *,
        parameters: Mapping[str, Any],
        effort: Effort,
        report: Callable[[int, float], bool] | None = None,  # noqa: ARG002
    ) -> ProbeModel:
        """Read the names of the classes."""
        from luban.foundation import zero_shot

        own = options(parameters, DEFAULTS)
        begun = time.monotonic()
        made = frozen.make(schema, training.table, backbone=choice.wanted(task, own), effort=effort)
        names = [str(one) for one in task.classes]
        found = zero_shot.labels(made.parts[0].backbone, names, template=own["template"], effort=effort)
        # Features have the length of the root of their width, labels that of 1.
        weights = found.vectors.astype(np.float64).T / (np.sqrt(made.width) * found.temperature)
        if task.kind == "binary":
            weights = weights[:, [1]] - weights[:, [0]]
        kernel = LinearKernel(
            weights=weights, intercept=np.zeros(weights.shape[1]), mean=np.zeros(made.width, dtype=np.float64)
        )
        return ProbeModel(
            learner=self.name,
            task=task,
            features=made,
            kernel=kernel,
            learned={},
            kept_seconds=time.monotonic() - begun,
        )
