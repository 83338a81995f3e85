"""Rows whose meaning turns: what stood for yes stands for no later on; and a champion that learnt before the turn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.budget import Effort
from luban.core.protocols import Examples
from luban.core.recipe import Recipe, Step
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.data import versions
from luban.learners import artifact
from luban.learners.composite import Composite
from luban.learners.fitted import fitted
from luban.search.learners import learner_named
from luban.store.predictions import COLUMNS

if TYPE_CHECKING:
    from luban.core.model import ModelVersion
    from luban.store import Workspace

SCHEMA = Schema(columns=(Column(name="x", kind="number"), Column(name="y", kind="number")))
TASK = Task(kind="binary", target="goal", inputs=("x", "y"), metric="accuracy", classes=("no", "yes"))

QUICK: dict[str, dict[str, Any]] = {"lightgbm": {"rounds": 20}, "neural_network": {"epochs": 40, "width": 32}}
"""Parameters that make a fit quick."""


def rows(count: int, *, turned: bool, seed: int, chance: bool = False) -> pa.Table:
    """Rows whose goal follows from x with a tenth of errors; turned round, or from chance alone."""
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(2, count))
    truth = (x > 0) != turned
    truth = random.random(count) < 0.5 if chance else truth ^ (random.random(count) < 0.1)
    return pa.table({"x": x, "y": y, "goal": np.where(truth, "yes", "no")})


def champion(workspace: Workspace, learner: str = "linear", name: str = "weather", count: int = 400) -> ModelVersion:
    """Register a model that learnt from rows before the turn."""
    table = rows(count, turned=False, seed=1)
    columns = (*SCHEMA.columns, Column(name="goal", kind="category"))
    dataset = versions.add_version(
        workspace, table.to_batches(), name=name, schema=Schema(columns=columns), source="tests"
    )
    target = np.array([TASK.classes.index(one) for one in table["goal"].to_pylist()])
    examples = Examples(table=table.select(["x", "y"]), target=target)
    parameters = QUICK.get(learner, {})
    model = learner_named(learner).fit(TASK, SCHEMA, examples, None, parameters=parameters, effort=Effort())
    whole = fitted(Composite(members=(model,), weights=(1.0,), task=TASK), SCHEMA)
    version = workspace.models.register(
        name=name,
        artifact=artifact.write(workspace.blobs, whole),
        signature=whole.signature,
        task=TASK,
        dataset=dataset.reference,
        recipe=Recipe(
            steps=(
                Step(component=learner, name="one", parameters={**parameters, "learnt_from": "3 folds"}),
                Step(component="ensemble", name="ensemble", inputs=("one",), parameters={"weights": [1.0]}),
            )
        ),
    )
    workspace.models.set_alias(name, "champion", version.version)
    return version


def logged(
    workspace: Workspace,
    table: pa.Table,
    *,
    deployment: str = "weather",
    model: str = "weather/1",
    start: int = 0,
    subject: str = "",
) -> None:
    """Put rows into the prediction log, a second apart, and give all of them their labels."""
    began = datetime.now(UTC) + timedelta(seconds=start)
    made = [
        {"request_id": f"{deployment}-{start + place}", "row": 0, "moment": began + timedelta(seconds=place)}
        | {"deployment": deployment, "model": model, "arm": "champion", "latency_ms": 1.0, "subject": subject}
        | {"input.x": row["x"], "input.y": row["y"], "output.prediction": "no"}
        | {"output.probability_no": 0.6, "output.probability_yes": 0.4}
        for place, row in enumerate(table.to_pylist())
    ]
    numbers = ("input.x", "input.y", "output.probability_no", "output.probability_yes")
    fields = [*COLUMNS, ("output.prediction", pa.string()), *((name, pa.float64()) for name in numbers)]
    log = pa.Table.from_pylist(made, schema=pa.schema(fields))
    workspace.predictions.append(log)
    workspace.labels.add(deployment, log["request_id"], None, table["goal"])
