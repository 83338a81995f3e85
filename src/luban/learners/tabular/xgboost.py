"""XGBoost: gradient boosting of depth-wise trees over histograms (Chen and Guestrin 2016)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Integer, Real
from luban.learners import link, tree_nodes, trees
from luban.learners.payloads import damaged, payload, read_json
from luban.learners.tabular import monotonic, xgboost_json
from luban.learners.tabular.continuing import ContinuingModel, loss_on
from luban.learners.tabular.encoded import EncodedModel, ExplainableModel, encode, read_model, split_parameters
from luban.learners.tabular.suitability import rounds_fit, unreadable
from luban.learners.threads import threads
from luban.learners.watch import Watch, patience
from luban.modalities.tabular.options import EncodingOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import xgboost

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
    "max_depth": 6,
    "min_child_weight": 5e-6,
    "subsample": 0.65,
    "colsample_bytree": 1.0,
    "colsample_bylevel": 0.9,
    "reg_lambda": 0.0,
    "reg_alpha": 0.0,
    "max_bin": 256,
}
"""pytabkit's tuned defaults for classification."""

REGRESSION: Mapping[str, Any] = {
    "learning_rate": 0.05,
    "max_depth": 9,
    "min_child_weight": 2.0,
    "subsample": 0.7,
    "colsample_bylevel": 1.0,
}
_BOOSTER = "booster.json"


@dataclass(frozen=True, kw_only=True)
class XGBoostKernel:
    """A booster in XGBoost's own JSON format."""

    content: bytes
    features: int
    outputs: int

    @cached_property
    def booster(self) -> xgboost.Booster:
        """The booster that the content describes."""
        import xgboost

        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(self.content))
        except xgboost.core.XGBoostError as error:
            raise damaged(_BOOSTER, str(error)) from error
        booster.set_param({"nthread": threads()})
        return booster

    def margins(self, features: np.ndarray) -> np.ndarray:
        """Return the raw values, shape (n, outputs)."""
        raw = self.booster.inplace_predict(features, predict_type="margin", validate_features=False)
        return np.asarray(raw, dtype=np.float64).reshape(len(features), self.outputs)

    def contributions(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return TreeSHAP values and their base, shapes (n, features, outputs), (outputs,)."""
        import xgboost

        found = self.booster.predict(xgboost.DMatrix(features), pred_contribs=True, validate_features=False)
        found = np.asarray(found, dtype=np.float64).reshape(len(features), self.outputs, self.features + 1)
        return found[:, :, :-1].transpose(0, 2, 1), found[0, :, -1]

    def trees(self) -> trees.Trees:
        """Return the trees, checked."""
        return xgboost_json.read(read_json(self.save(), _BOOSTER), self.features, self.outputs)

    def save(self) -> Mapping[str, bytes]:
        """Return the booster as JSON."""
        return {_BOOSTER: self.content}

    def to_graph(self, graph: Graph, features: str) -> str:
        """Add the trees."""
        return tree_nodes.to_graph(self.trees(), graph, features)

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
    ) -> XGBoostKernel:
        """Return a kernel with more trees, see `luban.learners.tabular.continuing`.

        XGBoost's file does not say how its trees were made; those that are added have the tuned defaults.
        """
        import xgboost

        own = {**DEFAULTS, **({} if task.classifies else REGRESSION)}
        settings = _settings(task, own, effort, monotonic.directions(task, encoding))
        data = xgboost.DMatrix(
            monotonic.silenced(task, encoding, features),
            examples.target,
            weight=examples.weight,
            nthread=effort.threads,
        )
        seen = None if held is None else xgboost.DMatrix(held[0], nthread=effort.threads)
        booster = xgboost.Booster(settings, model_file=bytearray(self.content))
        for done in range(rounds + 1):
            if done:
                booster.update(data, booster.num_boosted_rounds())
            loss = 0.0
            if seen is not None and held is not None:
                margins = booster.predict(seen, output_margin=True, validate_features=False)
                loss = loss_on(task, np.asarray(margins, dtype=np.float64).reshape(len(held[0]), self.outputs), held[1])
            if not goes_on(done, loss):
                break
        return replace(self, content=bytes(booster.save_raw("json")))


class XGBoostLearner:
    """Boosted trees; categories one-hot where they are few and target encoded, missing values as they are."""

    name = "xgboost"

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether a few rounds fit into the time and its trees hold to the directions wanted."""
        return (
            unreadable(schema)
            or monotonic.trees_refuse(task)
            or rounds_fit(rows * len(schema.inputs) * link.width(task), seconds, cells_per_second=2e7)
        )

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return pytabkit's tuned defaults, late: they add little beside LightGBM and CatBoost."""
        return [Suggestion(parameters={} if task.classifies else dict(REGRESSION), order=80)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return the usual space."""
        return {
            "learning_rate": Real(0.01, 0.2, log=True),
            "max_depth": Integer(3, 10),
            "min_child_weight": Real(1e-5, 20.0, log=True),
            "subsample": Real(0.5, 1.0),
            "colsample_bytree": Real(0.5, 1.0),
            "colsample_bylevel": Real(0.5, 1.0),
            "reg_lambda": Real(1e-4, 5.0, log=True),
            "reg_alpha": Real(1e-4, 5.0, log=True),
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
        import xgboost

        own, options = split_parameters(parameters, DEFAULTS, OPTIONS)
        encoding, matrix, held_out = encode(task, schema, training, validation, options, effort.seed)
        watch = Watch(effort=effort, patience=patience(len(matrix), own["patience"]), report=report)
        settings = _settings(task, own, effort, monotonic.directions(task, encoding))
        matrix = monotonic.silenced(task, encoding, matrix)
        data = xgboost.QuantileDMatrix(
            matrix, training.target, weight=training.weight, max_bin=own["max_bin"], nthread=effort.threads
        )
        held = None
        if validation is not None:
            held = xgboost.QuantileDMatrix(
                held_out, validation.target, weight=validation.weight, ref=data, nthread=effort.threads
            )
        booster = xgboost.Booster(settings, [data] if held is None else [data, held])
        for done in range(int(own["rounds"])):
            booster.update(data, done)
            loss = None if held is None else float(booster.eval(held).rsplit(":", 1)[1])
            if not watch.goes_on(done + 1, loss):
                break
        content = bytes(booster[: watch.best].save_raw("json"))
        kernel = XGBoostKernel(content=content, features=matrix.shape[1], outputs=link.width(task))
        learned = {"rounds": watch.best}
        return ContinuingModel(learner=self.name, task=task, encoding=encoding, kernel=kernel, learned=learned)

    def load(self, payloads: Mapping[str, bytes]) -> EncodedModel:
        """Return the model that was saved."""

        def kernel(task: Task, features: int) -> XGBoostKernel:
            content = payload(payloads, _BOOSTER)
            made = XGBoostKernel(content=content, features=features, outputs=link.width(task))
            made.trees()  # before XGBoost itself follows a child that is not there
            return made

        model: EncodedModel = read_model(self.name, payloads, kernel, ContinuingModel)
        return model


def _settings(task: Task, own: Mapping[str, Any], effort: Effort, directions: list[int] | None) -> dict[str, Any]:
    settings = {name: value for name, value in own.items() if name not in ("rounds", "patience")}
    settings |= {"tree_method": "hist", "nthread": effort.threads, "seed": effort.seed, "verbosity": 0}
    if directions is not None:
        settings["monotone_constraints"] = tuple(directions)
    decisions = link.decisions_wanted(task)
    if task.kind == "binary":
        return settings | {"objective": "binary:logistic", "eval_metric": "error" if decisions else "logloss"}
    if task.kind == "multiclass":
        metric = "merror" if decisions else "mlogloss"
        return settings | {"objective": "multi:softprob", "num_class": len(task.classes), "eval_metric": metric}
    if task.kind == "quantile":
        return settings | {"objective": "reg:quantileerror", "quantile_alpha": list(task.quantiles)}
    if link.median_wanted(task):
        # The leaves of an absolute error are set anew, without looking at directions.
        objective = "reg:absoluteerror" if directions is None else "reg:squarederror"
        return settings | {"objective": objective, "eval_metric": "mae"}
    return settings | {"objective": "reg:squarederror"}
