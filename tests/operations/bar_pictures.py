"""Pictures of lying and of standing bars, and a model of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from luban.core.budget import Effort
from luban.core.protocols import Examples
from luban.core.recipe import Recipe, Step
from luban.core.schema import Schema
from luban.core.task import Task
from luban.data import versions
from luban.learners import artifact
from luban.learners.composite import Composite
from luban.learners.fitted import fitted as as_fitted
from luban.search.learners import learner_named

if TYPE_CHECKING:
    from pathlib import Path

    from luban.store import Workspace

NET = {"width": 8, "depth": 1, "epochs": 8.0, "batch": 16, "augment": 0.1}


def pictures(folder: Path, count: int, seed: int, *, turned: bool = False) -> Path:
    """Write pictures of lying and of standing bars into folders of these names, or of each other's."""
    random = np.random.default_rng(seed)
    for place in range(count):
        lies = place % 2 == 0
        pixels = random.integers(0, 60, (28, 28))
        start = int(random.integers(4, 20))
        pixels[(slice(start, start + 4), slice(2, 26)) if lies else (slice(2, 26), slice(start, start + 4))] = 220
        into = folder / ("lies" if lies != turned else "stands")
        into.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(into / f"{place:03}.png")
    return folder


def champion(workspace: Workspace, folder: Path, learner: str, parameters: dict[str, Any]) -> None:
    """Register a model of a folder of pictures as `bars`, with what a fit leaves beside it."""
    dataset = versions.import_data(workspace, str(folder), name="bars")
    table = versions.table(workspace, dataset)
    task = Task(kind="binary", target="label", inputs=("image",), metric="accuracy", classes=("lies", "stands"))
    schema = Schema(columns=(dataset.schema.column("image"),))
    target = np.array([task.classes.index(one) for one in table["label"].to_pylist()])
    examples = Examples(table=table.select(["image"]), target=target)
    model = learner_named(learner).fit(task, schema, examples, None, parameters=parameters, effort=Effort(seed=1))
    whole = as_fitted(Composite(members=(model,), weights=(1.0,), task=task), schema)
    step = Step(component=learner, name="one", parameters={**parameters, "learnt_from": "3 folds"})
    join = Step(component="ensemble", name="ensemble", inputs=("one",), parameters={"weights": [1.0]})
    workspace.models.register(
        name="bars",
        artifact=artifact.write(workspace.blobs, whole),
        signature=whole.signature,
        task=task,
        dataset=dataset.reference,
        recipe=Recipe(steps=(step, join)),
    )
    workspace.models.set_alias("bars", "champion", 1)
