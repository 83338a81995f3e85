"""A fitted model answers a table without rows with a result without rows."""

import numpy as np
import pytest

from luban.core import plugins
from luban.core.budget import Effort
from luban.learners.composite import Composite
from luban.learners.fitted import fitted
from luban.testing.learner import SCHEMA, examples_of, task_of


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "quantile"])
def test_a_calibrated_ensemble_predicts_nothing_for_no_rows(kind: str) -> None:
    """The result has the usual columns and types."""
    task, examples = task_of(kind), examples_of(task_of(kind), 120, 0)
    members = tuple(
        plugins.create("learners", name).fit(task, SCHEMA, examples, None, parameters=small, effort=Effort(threads=1))
        for name, small in (("lightgbm", {"rounds": 3}), ("linear", {}))
    )
    classes = {"temperature": 1.3} if task.classifies else {}
    made = fitted(Composite(members=members, weights=(1.0, 2.0), task=task, **classes), SCHEMA)
    nothing, something = made.predict(examples.table.slice(0, 0)).to_table(), made.predict(examples.table).to_table()
    assert nothing.num_rows == 0
    assert nothing.schema == something.schema
    values, base = made.model.contributions(examples.table.slice(0, 0))
    assert values.shape[0] == 0
    np.testing.assert_allclose(base, made.model.contributions(examples.table)[1])
