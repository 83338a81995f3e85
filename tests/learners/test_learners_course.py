"""How small networks learnt: what their models tell of it."""

from __future__ import annotations

import numpy as np
import pytest

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.curves import LONGEST
from luban.learners.course import Course
from luban.testing.learner import SCHEMA, examples_of, task_of
from luban.testing.recounting import check_recounts

pytest.importorskip("torch")


def test_an_epoch_is_the_mean_of_its_steps_and_long_courses_are_thinned() -> None:
    """Figures that are not known make no curve; those that stay are few enough to be kept."""
    course = Course()
    for epoch in range(1, 501):
        course.begin()
        course.step(1.0 / epoch, 30)
        course.step(3.0 / epoch, 10)
        course.end(epoch, rate=0.5, validation=0.25, judged=0.125 if epoch > 1 else None)
    told = course.told()
    assert set(told) == {"loss", "training_loss", "validation_loss", "learning_rate", "rows_per_second"}
    assert told["training_loss"][0] == (1, 2.0)
    assert told["training_loss"][-1] == (500, 2.0 / 500)
    assert [told["loss"][0], told["loss"][-1]] == [(1, 0.25), (500, 0.125)]
    assert all(len(curve) == LONGEST for curve in told.values())
    course = Course()
    course.step(1.0, 10)
    course.end(1, rate=0.5)
    assert set(course.told()) == {"training_loss", "learning_rate", "rows_per_second"}


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_the_network_of_tables_tells_its_losses_rate_and_speed(kind: str) -> None:
    """An epoch a point; the training loss falls, the validation loss is what was reported; a refit has none of it."""
    task, reported = task_of(kind), []

    def report(step: int, loss: float) -> bool:
        reported.append((step, loss))
        return True

    learner = plugins.create("learners", "neural_network")
    training, held = examples_of(task, 240, 1), examples_of(task, 60, 2)
    own = {"epochs": 6, "width": 16, "layers": 2, "batch": 32}
    effort = Effort(seed=0)
    model = learner.fit(task, SCHEMA, training, held, parameters=own, effort=effort, report=report)
    check_recounts(model)
    curves = model.curves
    assert list(curves["validation_loss"]) == reported == list(curves["loss"])
    assert [step for step, _ in curves["training_loss"]] == list(range(1, 7))
    assert curves["training_loss"][-1][1] < curves["training_loss"][0][1]
    assert all(value > 0 for _, value in curves["rows_per_second"])
    refit = learner.fit(task, SCHEMA, training, None, parameters=own, effort=effort)
    assert set(refit.curves) == {"training_loss", "learning_rate", "rows_per_second"}
    again = learner.load(model.save())
    assert again.curves == {}, "a model that was loaded tells nothing of its fit"
    assert np.array_equal(again.predict(held.table), model.predict(held.table))
