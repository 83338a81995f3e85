"""CatBoost: gradient boosting of oblivious trees (Prokhorenkova et al. 2018).

Categories reach it one-hot where they are few and target encoded, not through its own statistics: those
convert to no other format, and were no more accurate (docs/decisions/learners-catboost-categories.md).
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError
from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Integer, Real
from luban.learners import link, symmetric
from luban.learners.payloads import damaged, payload
from luban.learners.tabular import catboost_json, monotonic
from luban.learners.tabular.continuing import ContinuingModel
from luban.learners.tabular.encoded import EncodedModel, ExplainableModel, encode, read_model, split_parameters
from luban.learners.tabular.suitability import rounds_fit, unreadable
from luban.learners.threads import threads
from luban.learners.watch import Watch, patience
from luban.modalities.tabular.options import EncodingOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import catboost

    from luban.core.budget import Effort
    from luban.core.protocols import Examples, Graph
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.modalities.tabular.encoding import Encoding

OPTIONS = EncodingOptions(categories=("one_hot", "target"), one_hot_levels=15)

DEFAULTS: Mapping[str, Any] = {
    "rounds": 1000,
    "patience": 100,
    "learning_rate": 0.08,
    "depth": 7,
    "l2_leaf_reg": 1e-5,
    "subsample": 0.9,
    "random_strength": 0.8,
    "leaf_estimation_iterations": 1,
    "border_count": 254,
}
"""pytabkit's tuned defaults for classification."""

REGRESSION: Mapping[str, Any] = {"learning_rate": 0.09, "depth": 9, "leaf_estimation_iterations": 20}
_HEADER = 8  # bytes: "CBM1" and the size of what follows
_MISSING = np.float32(-3e38)  # smaller than everything that can be seen


@dataclass(frozen=True, kw_only=True)
class CatBoostKernel:
    """A model in CatBoost's own binary format."""

    content: bytes
    features: int
    outputs: int

    @cached_property
    def model(self) -> catboost.CatBoost:
        """The model that the content describes; a server that has its graph never needs it, nor the library."""
        import catboost

        model = catboost.CatBoost()
        try:
            model.load_model(blob=self.content)
        except catboost.CatBoostError as error:
            raise damaged("model.cbm", str(error)) from error
        names = model.feature_names_
        if names is None or len(names) != self.features:
            raise damaged("model.cbm", f"its features are not {self.features}")
        return model

    def margins(self, features: np.ndarray) -> np.ndarray:
        """Return the raw values, shape (n, outputs)."""
        raw = self.model.predict(_filled(features), prediction_type="RawFormulaVal", thread_count=threads())
        return np.asarray(raw).reshape(len(features), self.outputs)

    def contributions(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return TreeSHAP values and their base, shapes (n, features, outputs), (outputs,)."""
        import catboost

        found = self.model.get_feature_importance(
            catboost.Pool(_filled(features)), type="ShapValues", thread_count=threads()
        )
        found = np.asarray(found).reshape(len(features), self.outputs, self.features + 1)
        return found[:, :, :-1].transpose(0, 2, 1), found[0, :, -1]

    def trees(self) -> symmetric.SymmetricTrees:
        """Return the trees, checked."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.json"
            self.model.save_model(str(path), format="json")
            return catboost_json.read(json.loads(path.read_bytes()), self.features, self.outputs)

    def save(self) -> Mapping[str, bytes]:
        """Return the model in CatBoost's binary format."""
        return {"model.cbm": self.content}

    def to_graph(self, graph: Graph, features: str) -> str:
        """Add the trees."""
        return symmetric.to_graph(self.trees(), graph, features)

    def boosted(
        self,
        task: Task,
        encoding: Encoding,
        features: np.ndarray,
        examples: Examples,
        held: tuple[np.ndarray, Examples] | None,
        *,
        rounds: int,
        goes_on: Callable[[int, float], bool],
        effort: Effort,
    ) -> CatBoostKernel:
        """Return a kernel with more trees, see `luban.learners.tabular.continuing`, made as the others were."""
        import catboost
        from catboost.utils import eval_metric

        before = self.model
        known = json.loads(dict(before.get_metadata()).get("params", "{}")).get("flat_params", {})
        own = {name: known[name] for name in DEFAULTS if name in known}
        settings = _settings(task, {**DEFAULTS, **own, "rounds": rounds}, effort)
        signs = monotonic.directions(task, encoding)
        if signs is not None:
            settings["monotone_constraints"] = signs
            features = monotonic.silenced(task, encoding, features)
        model = catboost.CatBoost(settings)
        data = catboost.Pool(_filled(features), examples.target, weight=examples.weight)
        seen = None if held is None else catboost.Pool(_filled(held[0]), held[1].target, weight=held[1].weight)
        if held is not None:
            # `CatBoost.eval_metrics` would write files into the folder that the user is in.
            raw = np.asarray(before.predict(seen, prediction_type="RawFormulaVal", thread_count=effort.threads))
            told = eval_metric(held[1].target, raw, settings["loss_function"], weight=held[1].weight)
            goes_on(0, told[0])
        try:
            model.fit(data, eval_set=seen, init_model=before, callbacks=[_Asked(goes_on)])
        except catboost.CatBoostError as error:
            raise InputError("CatBoost cannot go on learning from these rows", seen=str(error)[:300]) from error
        return replace(self, content=_content(model))


class CatBoostLearner:
    """Boosted oblivious trees, which resist overfitting; missing values count as smaller than everything."""

    name = "catboost"

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether a few rounds fit into the time and its trees hold to the directions wanted."""
        return (
            unreadable(schema)
            or monotonic.trees_refuse(task)
            or rounds_fit(rows * len(schema.inputs) * link.width(task), seconds, cells_per_second=1e7)
        )

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return pytabkit's tuned defaults, then CatBoost's own rate and depth, first of AutoGluon's portfolio."""
        tuned = {} if task.classifies else dict(REGRESSION)
        own = {"learning_rate": 0.05, "depth": 6, "l2_leaf_reg": 3.0, "random_strength": 1.0}
        return [Suggestion(parameters=tuned, order=30), Suggestion(parameters=own, order=65)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return the space that pytabkit and TabArena search."""
        return {
            "learning_rate": Real(0.02, 0.2, log=True),
            "depth": Integer(4, 8),
            "l2_leaf_reg": Real(1e-5, 5.0, log=True),
            "random_strength": Real(0.1, 2.0, log=True),
            "subsample": Real(0.7, 1.0),
            "leaf_estimation_iterations": Integer(1, 10, log=True),
        }

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
    ) -> ExplainableModel:
        """Boost until the validation loss rests, the rounds are done or the time is up."""
        import catboost

        own, options = split_parameters(parameters, DEFAULTS, OPTIONS)
        encoding, matrix, held_out = encode(task, schema, training, validation, options, effort.seed)
        watch = Watch(effort=effort, patience=patience(len(matrix), own["patience"]), report=report)
        settings = _settings(task, own, effort)
        directions = monotonic.directions(task, encoding)
        if directions is not None:
            settings["monotone_constraints"] = directions
            matrix = monotonic.silenced(task, encoding, matrix)
        model = catboost.CatBoost(settings)
        data = catboost.Pool(_filled(matrix), training.target, weight=training.weight)
        held = None
        if validation is not None and held_out is not None:
            held = catboost.Pool(_filled(held_out), validation.target, weight=validation.weight)
        try:
            model.fit(data, eval_set=held, callbacks=[_Rounds(watch)])
        except catboost.CatBoostError as error:
            raise InputError("CatBoost cannot learn from these rows", seen=str(error)[:300]) from error
        model.shrink(watch.best)
        kernel = CatBoostKernel(content=_content(model), features=matrix.shape[1], outputs=link.width(task))
        learned = {"rounds": watch.best}
        return ContinuingModel(learner=self.name, task=task, encoding=encoding, kernel=kernel, learned=learned)

    def load(self, payloads: Mapping[str, bytes]) -> EncodedModel:
        """Return the model that was saved."""

        def kernel(task: Task, features: int) -> CatBoostKernel:
            content = payload(payloads, "model.cbm")
            # CatBoost believes the size that its header names, and reads on behind a content that is shorter.
            if len(content) < _HEADER + int.from_bytes(content[4:_HEADER], "little"):
                raise damaged("model.cbm", f"it ends after {len(content)} bytes")
            return CatBoostKernel(content=content, features=features, outputs=link.width(task))

        model: EncodedModel = read_model(self.name, payloads, kernel, ContinuingModel)
        return model


class _Asked:
    """The callback through which CatBoost, going on from a model, asks after each round whether to go on."""

    def __init__(self, goes_on: Callable[[int, float], bool]) -> None:
        self._goes_on = goes_on
        self._done = 0

    def after_iteration(self, info: Any) -> bool:
        """Return whether another round should follow."""
        self._done += 1
        validation = info.metrics.get("validation")
        return self._goes_on(self._done, 0.0 if validation is None else next(iter(validation.values()))[-1])


class _Rounds:
    """The callback through which CatBoost asks after each round whether to go on."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def after_iteration(self, info: Any) -> bool:
        """Return whether another round should follow."""
        validation = info.metrics.get("validation")
        loss = None if validation is None else next(iter(validation.values()))[-1]
        return self._watch.goes_on(info.iteration, loss)


def _settings(task: Task, own: Mapping[str, Any], effort: Effort) -> dict[str, Any]:
    settings = {name: value for name, value in own.items() if name not in ("rounds", "patience")}
    settings |= {
        "iterations": int(own["rounds"]),
        "boosting_type": "Plain",
        "bootstrap_type": "Bernoulli",
        "use_best_model": False,
        "thread_count": effort.threads,
        "random_seed": effort.seed,
        "allow_writing_files": False,
        "logging_level": "Silent",
    }
    if task.kind == "binary":
        return settings | {"loss_function": "Logloss"}
    if task.kind == "multiclass":
        return settings | {"loss_function": "MultiClass", "classes_count": len(task.classes)}
    if task.kind == "quantile":
        levels = ", ".join(f"{level:g}" for level in task.quantiles)
        return settings | {"loss_function": f"MultiQuantile:alpha={levels}"}
    return settings | {"loss_function": "MAE" if link.median_wanted(task) else "RMSE"}


def _filled(features: np.ndarray) -> np.ndarray:
    """Return the features with missing values as the smallest: CatBoost refuses them where training had none."""
    missing = np.isnan(features)
    return np.where(missing, _MISSING, features) if missing.any() else features


def _content(model: catboost.CatBoost) -> bytes:
    """Return the model as bytes, without the moment of its making, so that equal fits give equal bytes."""
    notes = model.get_metadata()
    for name in list(notes.keys()):
        if name in ("train_finish_time", "model_guid", "output_options"):
            del notes[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        model.save_model(str(path), format="cbm")
        return path.read_bytes()
