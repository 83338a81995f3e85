"""What forests of independent trees share: grown by scikit-learn, kept as plain arrays, run by ONNX Runtime."""

from __future__ import annotations

import logging
import sys
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Choice, Integer
from luban.learners import link, tree_nodes
from luban.learners.payloads import Arrays, write_arrays
from luban.learners.tabular import monotonic
from luban.learners.tabular.encoded import EncodedModel, ExplainableModel, encode, read_model, split_parameters
from luban.learners.tabular.suitability import rounds_fit, unreadable
from luban.learners.threads import threads
from luban.learners.trees import AT_MOST, Trees, checked, round_down
from luban.modalities.tabular.options import PLAIN_TREES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.budget import Effort
    from luban.core.protocols import Examples, Graph
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task

DEFAULTS: Mapping[str, Any] = {"trees": 200, "min_samples_leaf": None, "max_features": None}
_STEP = 10
_MOST_LEAVES = 500_000
_FILE = "forest.npz"
_SHAP_SECONDS = 3.0  # what importing shap takes, about: it brings plotting and compiling libraries along


@dataclass(frozen=True, kw_only=True)
class ForestKernel:
    """The mean of trees whose leaves hold class frequencies (of the positive class alone for two) or means.

    Parameters
    ----------
    trees : Trees
        Leaves are already divided by the number of trees.
    cover : numpy.ndarray
        Shape (inner nodes + leaves,), float64: weight of the training rows that came through, inner nodes first.
    """

    task: Task
    trees: Trees
    features: int
    cover: np.ndarray

    @cached_property
    def _session(self) -> Any:
        return tree_nodes.session(self.trees, threads())

    def _mean(self, features: np.ndarray) -> np.ndarray:
        mean = self._session.run(None, {"features": features})[0].astype(np.float64)
        return np.column_stack([1.0 - mean, mean]) if self.task.kind == "binary" else mean

    def margins(self, features: np.ndarray) -> np.ndarray:
        """Return the logarithms of the frequencies (log-odds for two classes), or the means."""
        mean = self._mean(features)
        return link.margins(self.task, mean) if self.task.classifies else mean

    @property
    def warm_up(self) -> float:
        """Seconds until shap is imported, which takes longer than to explain some rows."""
        return 0.0 if "shap" in sys.modules else _SHAP_SECONDS

    def contributions(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return TreeSHAP values, shapes (n, features, width), (width,).

        For classes the trees add up frequencies. Their Shapley values are carried over to margins by the rescale rule
        (Chen, Lundberg and Lee 2022, "Explaining a series of models by propagating Shapley values"): each row's
        values are scaled so that they sum to the difference of the margins.
        """
        explainer = _shap().TreeExplainer({"trees": self._shap_trees()})
        outputs = self.trees.outputs
        values = np.asarray(explainer.shap_values(features.astype(np.float64), check_additivity=False))
        values = values.reshape(len(features), self.features, outputs)
        base = np.atleast_1d(np.asarray(explainer.expected_value, dtype=np.float64)).reshape(outputs)
        if not self.task.classifies:
            return values, base
        full = np.array([[1.0 - base[0], base[0]]]) if self.task.kind == "binary" else base[None]
        start = link.margins(self.task, full)[0]
        total = values.sum(axis=1)
        distance = self.margins(features) - start
        still = np.abs(total) < 1e-12
        scale = np.where(still, 0.0, distance / np.where(still, 1.0, total))
        return values * scale[:, None, :], start

    def _shap_trees(self) -> list[dict[str, np.ndarray]]:
        all_trees, inner_count = self.trees, len(self.trees.feature)
        value = all_trees.value.reshape(len(all_trees.value), -1)
        found = []
        node = leaf = 0
        for inner, leaves in zip(all_trees.inner.tolist(), all_trees.leaves.tolist(), strict=True):
            nodes, ends = slice(node, node + inner), slice(leaf, leaf + leaves)

            def local(child: np.ndarray, *, node: int = node, leaf: int = leaf, inner: int = inner) -> np.ndarray:
                return np.concatenate([np.where(child >= 0, child - node, ~child - leaf + inner), []]).astype(np.int32)

            nothing = np.full(leaves, -1, dtype=np.int32)
            left = np.concatenate([local(all_trees.left[nodes]), nothing])
            found.append(
                {
                    "children_left": left,
                    "children_right": np.concatenate([local(all_trees.right[nodes]), nothing]),
                    "children_default": left,
                    "features": np.concatenate([all_trees.feature[nodes], nothing]).astype(np.int32),
                    "thresholds": np.concatenate([all_trees.threshold[nodes], np.zeros(leaves)]).astype(np.float64),
                    "values": np.concatenate([np.zeros((inner, value.shape[1])), value[ends]]),
                    "node_sample_weight": np.concatenate(
                        [self.cover[nodes], self.cover[inner_count + leaf : inner_count + leaf + leaves]]
                    ),
                }
            )
            node, leaf = node + inner, leaf + leaves
        return found

    def save(self) -> Mapping[str, bytes]:
        """Return the arrays."""
        one = self.trees
        content = write_arrays(
            feature=one.feature.astype(np.int64),
            threshold=one.threshold,
            left=one.left,
            right=one.right,
            inner=one.inner,
            leaves=one.leaves,
            value=one.value.astype(np.float32).reshape(len(one.value), -1),
            cover=self.cover.astype(np.float32),
        )
        return {_FILE: content}

    def to_graph(self, graph: Graph, features: str) -> str:
        """Add the trees, and for classes the logarithms."""
        one = self.trees
        below = [self.cover[np.where(child >= 0, child, len(one.feature) + ~child)] for child in (one.left, one.right)]
        mean = tree_nodes.to_graph(replace(one, mostly_left=below[0] > below[1]), graph, features)
        if not self.task.classifies:
            return mean
        if self.task.kind == "binary":
            rest = graph.node("Sub", graph.constant(np.ones(1, dtype=np.float32)), mean)
            mean = graph.node("Concat", rest, mean, axis=1)
        return link.margins_to_graph(self.task, graph, mean)


class ForestLearner(ABC):
    """Many deep trees, each grown on its own chance; subclasses name the kind."""

    name: ClassVar[str]
    order: ClassVar[float]

    @abstractmethod
    def estimator(self, *, classifies: bool, **settings: Any) -> Any:
        """Return the scikit-learn estimator that grows the trees."""

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether it can predict this, in the time."""
        unheld = unreadable(schema) or monotonic.refused(task, "it averages trees that know no direction")
        if unheld is not None:
            return unheld
        if task.kind == "quantile":
            return Unsuitable("it predicts means, not quantiles")
        if len(task.classes) > 100:
            return Unsuitable(f"its leaves would hold {len(task.classes)} numbers each; it takes up to 100 classes")
        return rounds_fit(rows * len(schema.inputs), seconds, cells_per_second=3e6)

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return the usual forest, late: beside boosting it adds diversity more than accuracy."""
        return [Suggestion(order=self.order)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return the leaf size and the share of features tried at a split."""
        return {"min_samples_leaf": Integer(1, 20, log=True), "max_features": Choice((0.2, 0.4, 0.6, 0.8, 1.0))}

    def fit(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        validation: Examples | None,
        *,
        parameters: Mapping[str, Any],
        effort: Effort,
        report: Callable[[int, float], bool] | None = None,  # noqa: ARG002 - more trees never make it worse
    ) -> EncodedModel:
        """Grow trees, a few at a time, until there are enough or the time is up."""
        own, options = split_parameters(parameters, DEFAULTS, PLAIN_TREES)
        encoding, matrix, _ = encode(task, schema, training, validation, options, effort.seed)
        wanted = int(own["trees"])
        # Full-grown trees of many rows would fill the disk: a leaf has about 1.5 times its least number of rows.
        least = own["min_samples_leaf"] or max(1, round(len(matrix) * wanted / 1.5 / _MOST_LEAVES))
        estimator = self.estimator(
            classifies=task.classifies,
            min_samples_leaf=int(least),
            max_features=own["max_features"] or ("sqrt" if task.classifies else 1.0),
            n_jobs=effort.threads,
            random_state=effort.seed,
            warm_start=True,
            n_estimators=0,
        )
        slowest = 0.0
        while estimator.n_estimators < wanted:
            before = effort.remaining
            estimator.set_params(n_estimators=min(wanted, estimator.n_estimators + _STEP))
            estimator.fit(matrix, training.target, sample_weight=training.weight)
            slowest = max(slowest, before - effort.remaining if np.isfinite(before) else 0.0)
            if effort.remaining <= 1.5 * slowest:
                break
        kernel = _kernel(task, estimator, matrix.shape[1])
        learned = {"trees": estimator.n_estimators}
        return _kind()(learner=self.name, task=task, encoding=encoding, kernel=kernel, learned=learned)

    def load(self, payloads: Mapping[str, bytes]) -> EncodedModel:
        """Return the model that was saved."""
        model: EncodedModel = read_model(self.name, payloads, lambda task, size: _read(task, size, payloads), _kind())
        return model


def _shap() -> Any:
    """Import shap without what it and matplotlib, which it brings along, say to people who draw with them."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import shap
    finally:
        logger.setLevel(before)
    return shap


def _kind() -> type[EncodedModel]:
    return EncodedModel if find_spec("shap") is None else ExplainableModel


def _kernel(task: Task, estimator: Any, features: int) -> ForestKernel:
    grown = [one.tree_ for one in estimator.estimators_]
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("feature", "threshold", "left", "right", "value")}
    cover_inner, cover_leaf, inner, leaves = [], [], [], []
    first_inner = first_leaf = 0
    for tree in grown:
        split = tree.children_left >= 0
        number = np.where(split, np.cumsum(split) - 1 + first_inner, ~(np.cumsum(~split) - 1 + first_leaf))
        parts["feature"].append(tree.feature[split])
        parts["threshold"].append(round_down(tree.threshold[split]))
        parts["left"].append(number[tree.children_left[split]])
        parts["right"].append(number[tree.children_right[split]])
        parts["value"].append(_leaf_values(task, estimator, tree.value[~split, 0, :]) / len(grown))
        cover_inner.append(tree.weighted_n_node_samples[split])
        cover_leaf.append(tree.weighted_n_node_samples[~split])
        inner.append(int(split.sum()))
        leaves.append(int((~split).sum()))
        first_inner += inner[-1]
        first_leaf += leaves[-1]
    arrays = {name: np.concatenate(one) for name, one in parts.items()}
    cover = np.concatenate([*cover_inner, *cover_leaf])
    made = _trees(task, arrays, np.array(inner), np.array(leaves))
    return ForestKernel(task=task, trees=made, features=features, cover=cover.astype(np.float32).astype(np.float64))


def _leaf_values(task: Task, estimator: Any, values: np.ndarray) -> np.ndarray:
    """Return what a leaf adds, shape (leaves, width); a class that training lacked has frequency 0."""
    if not task.classifies:
        return values
    full = np.zeros((len(values), len(task.classes)))
    full[:, estimator.classes_.astype(np.int64)] = values / values.sum(axis=1, keepdims=True)
    return full[:, 1:] if task.kind == "binary" else full


def _trees(task: Task, arrays: Mapping[str, np.ndarray], inner: np.ndarray, leaves: np.ndarray) -> Trees:
    value = arrays["value"].astype(np.float32).astype(np.float64)
    count, outputs = len(arrays["feature"]), link.width(task)
    return Trees(
        feature=arrays["feature"].astype(np.int64),
        threshold=arrays["threshold"],
        test=np.full(count, AT_MOST, dtype=np.uint8),
        missing_left=np.zeros(count, dtype=bool),
        left=arrays["left"].astype(np.int64),
        right=arrays["right"].astype(np.int64),
        inner=inner,
        leaves=leaves,
        output=np.zeros(len(inner), dtype=np.int64),
        value=value[:, 0] if outputs == 1 else value,
        base=np.zeros(outputs),
    )


def _read(task: Task, features: int, payloads: Mapping[str, bytes]) -> ForestKernel:
    read = Arrays(payloads, _FILE)
    arrays = {name: read.take(name, "int64", (None,)) for name in ("feature", "left", "right")}
    arrays["threshold"] = read.take("threshold", "float32", (None,))
    arrays["value"] = read.take("value", "float32", (None, link.width(task)))
    made = _trees(task, arrays, read.take("inner", "int64", (None,)), read.take("leaves", "int64", (None,)))
    sound = checked(made, features, _FILE)
    cover = read.take("cover", "float32", (len(sound.feature) + len(sound.value),))
    return ForestKernel(task=task, trees=sound, features=features, cover=cover.astype(np.float64))
