"""Tiny learners for the tests of this folder; workers import them by name."""

from __future__ import annotations

import ctypes
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.protocols import Alternative, Examples, Forecast, Suggestion, Suitable, Unsuitable
from luban.core.report import Finding
from luban.core.space import Real

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.core.budget import Effort
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task


@dataclass(frozen=True, kw_only=True)
class RidgeModel:
    learner: str
    outputs: int
    classifies: bool
    coefficients: np.ndarray
    learned: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, table: pa.Table) -> np.ndarray:
        scores = matrix(table) @ self.coefficients
        if not self.classifies:
            return scores[:, 0] if self.outputs == 1 else np.sort(scores, axis=1)
        raised = np.exp(np.clip(4 * scores, -30, 30))
        return raised / raised.sum(axis=1, keepdims=True)

    def save(self) -> Mapping[str, bytes]:
        content = {"outputs": self.outputs, "classifies": self.classifies, "coefficients": self.coefficients.tolist()}
        return {"ridge.json": json.dumps({**content, "learned": dict(self.learned)}).encode()}


def matrix(table: pa.Table) -> np.ndarray:
    columns = [np.nan_to_num(column.to_numpy().astype(np.float64)) for column in table.columns]
    plain = np.column_stack([*columns, np.ones(table.num_rows)])
    return plain / np.maximum(1.0, np.abs(plain).max(axis=0))


class Ridge:
    """Least squares towards one-hot classes or numbers: milliseconds."""

    name = "search_learners:Ridge"
    order = 10.0
    strengths: Sequence[float] = (0.01, 10.0)

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        return Suitable()

    def suggestions(self, task: Task) -> Sequence[Suggestion]:
        return [
            Suggestion(parameters={"strength": one}, order=self.order + place)
            for place, one in enumerate(self.strengths)
        ]

    def space(self, task: Task, schema: Schema) -> Space:
        return {"strength": Real(1e-4, 1e3, log=True)}

    def fit(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        validation: Examples | None,
        *,
        parameters: Mapping[str, Any],
        effort: Effort,
        report: Callable[[int, float], bool] | None = None,
    ) -> RidgeModel:
        self.before(training, validation, effort)
        features = matrix(training.table)
        wanted = np.eye(len(task.classes))[training.target] if task.classifies else training.target[:, None]
        if task.quantiles:
            wanted = np.repeat(wanted, len(task.quantiles), axis=1) + np.quantile(training.target, task.quantiles)
        penalty = parameters.get("strength", 1.0) * np.eye(features.shape[1])
        coefficients = np.linalg.solve(features.T @ features + penalty, features.T @ wanted)
        return RidgeModel(
            learner=self.name,
            outputs=task.outputs,
            classifies=task.classifies,
            coefficients=coefficients,
            learned={"rounds": len(features)},
        )

    def before(self, training: Examples, validation: Examples | None, effort: Effort) -> None:
        """Do nothing; others hang, fail or crash here."""

    def load(self, payloads: Mapping[str, bytes]) -> RidgeModel:
        content = json.loads(payloads["ridge.json"])
        return RidgeModel(
            learner=self.name,
            outputs=content["outputs"],
            classifies=content["classifies"],
            coefficients=np.array(content["coefficients"]),
            learned=content["learned"],
        )


class Hang(Ridge):
    """Listens to no deadline."""

    name = "search_learners:Hang"
    order = 0.0
    strengths = (1.0,)

    def before(self, training: Examples, validation: Examples | None, effort: Effort) -> None:
        ctypes.PyDLL(None).sleep(600)


class Slow(Ridge):
    """Takes most of half a second, and keeps to its deadline."""

    name = "search_learners:Slow"
    order = 20.0
    strengths = (0.1, 1.0, 3.0)

    def before(self, training: Examples, validation: Examples | None, effort: Effort) -> None:
        time.sleep(min(0.4, effort.remaining))


class Brief(Ridge):
    """Where it is told so it does not end once five folds of a study are finished."""

    name = "search_learners:Brief"

    def before(self, training: Examples, validation: Examples | None, effort: Effort) -> None:
        folder = os.environ.get("HOLD_AFTER_FIVE")
        while folder and len(list(Path(folder).glob("folds/*/*/result.json"))) >= 5:
            time.sleep(0.1)


class Crash(Ridge):
    """Dies as a broken native library does."""

    name = "search_learners:Crash"
    order = 1.0

    def before(self, training: Examples, validation: Examples | None, effort: Effort) -> None:
        os._exit(11)


class Broken(Ridge):
    """Raises an error."""

    name = "search_learners:Broken"
    order = 2.0

    def before(self, training: Examples, validation: Examples | None, effort: Effort) -> None:
        raise ValueError("the wheel came off")


class LateBroken(Broken):
    """Is well until it learns from all rows."""

    name = "search_learners:LateBroken"

    def before(self, training: Examples, validation: Examples | None, effort: Effort) -> None:
        if validation is None:
            raise ValueError("no validation rows")


class Elsewhere(Ridge):
    """Suits nothing."""

    name = "search_learners:Elsewhere"

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        return Unsuitable("it is for pictures only")


class Weighted(Ridge):
    """Refuses to learn without weights."""

    name = "search_learners:Weighted"

    def before(self, training: Examples, validation: Examples | None, effort: Effort) -> None:
        if training.weight is None or len(training.weight) != training.table.num_rows or training.weight.min() != 3.0:
            raise ValueError("the weights are not those that were given")


class Weak(Ridge):
    """Learns from some of the rows that chance chooses: its seed matters."""

    name = "search_learners:Weak"
    order = 5.0
    strengths = (0.1,)

    def fit(self, task: Task, schema: Schema, training: Examples, *rest: Any, **options: Any) -> RidgeModel:
        chosen = np.random.default_rng(options["effort"].seed).random(len(training.target)) < 0.3
        some = Examples(table=training.table.filter(pa.array(chosen)), target=training.target[chosen])
        return super().fit(task, schema, some, *rest, **options)


class Rounds(Ridge):
    """Tells the loss of each round: a strength above 1 takes a second and a half and never gets anywhere."""

    name = "search_learners:Rounds"
    strengths = (0.1, 0.2, 0.3, 0.4)

    def fit(self, *given: Any, **options: Any) -> RidgeModel:
        report, strength = options.get("report"), options["parameters"]["strength"]
        for step in range(1, 76):
            time.sleep(0.02 if strength > 1 else 0.0)
            loss = 10.0 if strength > 1 else 1 / step + 0.01 * strength
            if report is not None and not report(step, loss):
                break
        return super().fit(*given, **options)


class Dear(Ridge):
    """Fitted once: it keeps a checkpoint and a cache, tells what it takes, and looks before it begins."""

    name = "search_learners:Dear"
    order = 5.0
    strengths: Sequence[float] = (0.02,)

    def suggestions(self, task: Task) -> Sequence[Suggestion]:
        told = {"strength": 0.02, "forecast": 0.5, "blocks": False}
        return [
            Suggestion(parameters=told, order=5, once=True, share=0.6),
            Suggestion(parameters={**told, "forecast": 1e9}, order=6, once=True, share=0.6),
        ]

    def space(self, task: Task, schema: Schema) -> Space:
        return {}

    def fit(
        self, task: Task, schema: Schema, training: Examples, validation: Examples | None, **rest: Any
    ) -> RidgeModel:
        effort, report = rest["effort"], rest["report"]
        assert Path(effort.checkpoint).is_dir()
        (Path(effort.checkpoint) / "state.json").write_text("{}")
        assert effort.cache
        with (Path(effort.cache) / "fits.txt").open("a") as file:
            file.write(f"{training.table.num_rows} {effort.threads}\n")
        for step in range(3):
            report(step, 1.0 / (1 + step))
        parameters = {"strength": rest["parameters"]["strength"]}
        return super().fit(task, schema, training, validation, **{**rest, "parameters": parameters})

    def forecast(self, task: Task, schema: Schema, training: Examples, *, parameters: Any, effort: Effort) -> Forecast:
        return Forecast(seconds=parameters["forecast"], memory=1000, note="told")

    def preflight(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Any, effort: Effort
    ) -> Sequence[Finding]:
        return [Finding(what="a text is cut", verdict="warn", remedy="Make it shorter.")]


@dataclass(frozen=True, kw_only=True)
class RecountedModel(RidgeModel):
    curves: Mapping[str, Sequence[tuple[int, float]]]


class Recounted(Ridge):
    """Reports its last loss alone, as a fit does that went on from a checkpoint; its model knows all of them."""

    name = "search_learners:Recounted"

    def fit(
        self, task: Task, schema: Schema, training: Examples, validation: Examples | None, **rest: Any
    ) -> RecountedModel:
        rest["report"](3, 0.25)
        made = super().fit(task, schema, training, validation, **rest)
        training_loss = [(step, 1.0 / step) for step in range(1, 3000)]
        curves = {"loss": [(1, 0.75), (2, 0.5), (3, 0.25)], "training_loss": [*training_loss, (3000, float("nan"))]}
        return RecountedModel(**vars(made), curves=curves)


class Several(Dear):
    """It can tell of another way what it would take, by the one that was measured."""

    name = "search_learners:Several"

    def suggestions(self, task: Task) -> Sequence[Suggestion]:
        told = {"strength": 0.02, "forecast": 0.5, "blocks": False}
        return [Suggestion(parameters=told, order=5, once=True, share=0.6)]

    def alternatives(
        self, task: Task, schema: Schema, training: Examples, *, measured: Sequence[Alternative], effort: Effort
    ) -> Sequence[Alternative]:
        (known,) = [one.forecast for one in measured if one.forecast is not None]
        tried = "tried" if effort.remaining > 1.0 else "shared"
        twice = Forecast(seconds=2 * known.seconds, memory=known.memory, note=tried)
        return [
            Alternative(parameters={"way": "other"}, forecast=twice),
            Alternative(parameters={"way": "none"}, reason="the body has no such layer"),
        ]


class Blocked(Dear):
    """Its preflight forbids the fit."""

    name = "search_learners:Blocked"

    def preflight(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Any, effort: Effort
    ) -> Sequence[Finding]:
        return [Finding(what="no row bears a label", verdict="block", remedy="Give labels.")]


class Checked(Ridge):
    """Fitted once; it looks for what would spoil it, and tells nothing of what it takes."""

    name = "search_learners:Checked"
    order = 5.0

    def suggestions(self, task: Task) -> Sequence[Suggestion]:
        return [Suggestion(parameters={"strength": 0.02}, order=5, once=True, share=0.5)]

    def preflight(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Any, effort: Effort
    ) -> Sequence[Finding]:
        return []
