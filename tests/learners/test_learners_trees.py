"""Trees of every library, read into arrays, route and add up as the library itself does."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from luban.core.errors import Tampered
from luban.core.schema import Column
from luban.export.onnx.graph import OnnxGraph
from luban.learners import tree_nodes
from luban.learners.graph.session import open_session
from luban.learners.tabular import lightgbm_text, xgboost_json
from luban.learners.tree_nodes import session, to_graph
from luban.learners.trees import AT_MOST, BELOW, Trees, checked, round_down


def walk(trees: Trees, features: np.ndarray) -> np.ndarray:
    """The plainest reading of `Trees`, node by node."""
    total = np.tile(trees.base, (len(features), 1))
    first_inner, first_leaf = np.cumsum(trees.inner) - trees.inner, np.cumsum(trees.leaves) - trees.leaves
    for row, values in enumerate(features):
        for tree in range(len(trees.inner)):
            place = first_inner[tree] if trees.inner[tree] else ~first_leaf[tree]
            while place >= 0:
                value, threshold = values[trees.feature[place]], trees.threshold[place]
                test = {AT_MOST: value <= threshold, BELOW: value < threshold}
                left = trees.missing_left[place] if math.isnan(value) else test[int(trees.test[place])]
                place = trees.left[place] if left else trees.right[place]
            if trees.value.ndim == 2:
                total[row] += trees.value[~place]
            else:
                total[row, trees.output[tree]] += trees.value[~place]
    return total


def rows(count: int = 400, *, holes: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Features with coarse values (so that many lie exactly on thresholds), codes in the last column."""
    random = np.random.default_rng(5)
    features = random.normal(size=(count, 5)).round(1).astype(np.float32)
    features[:, 1] = features[:, 1] > 0
    if holes:
        features[random.random(features.shape) < 0.1] = np.nan
    features[:, 4] = random.integers(0, 40, count)
    target = np.nan_to_num(features[:, 0]) + np.isin(features[:, 4], [3, 7, 11, 33]) + random.normal(size=count) * 0.3
    return features, target


def assert_same(trees: Trees, features: np.ndarray, margins: np.ndarray) -> None:
    expected = margins.reshape(len(features), trees.outputs)
    np.testing.assert_allclose(walk(trees, features), expected, atol=1e-5)
    np.testing.assert_allclose(session(trees, 1).run(None, {"features": features})[0], expected, atol=1e-5)
    np.testing.assert_allclose(through_graph(trees, features), expected, atol=1e-5)


def through_graph(trees: Trees, features: np.ndarray) -> np.ndarray:
    """The sums as a whole graph has them: its layout is another, its answers are the same."""
    columns = [Column(name=f"f{place}", kind="number") for place in range(features.shape[1])]
    graph = OnnxGraph(columns)
    matrix = graph.node("Concat", *(graph.column(one.name) for one in columns), axis=1)
    graph.output("sum", to_graph(trees, graph, matrix), ["rows", trees.outputs])
    content = graph.to_bytes(name="trees", metadata={}, producer_version="test")
    feeds = {one.name: features[:, [place]] for place, one in enumerate(columns)}
    return np.asarray(open_session(content).run(None, feeds)[0])


@pytest.mark.parametrize("holes", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
def test_lightgbm(holes: bool, classes: int) -> None:
    """Sets of categories, both ways of missing values, one tree a class a round."""
    import lightgbm

    features, target = rows(holes=holes)
    codes = np.digitize(target, [0.0, 1.0][: classes - 1])
    objective = {"objective": "multiclass", "num_class": 3} if classes == 3 else {"objective": "binary"}
    settings = {**objective, "verbosity": -1, "min_data_in_leaf": 3, "min_data_per_group": 3, "cat_smooth": 1.0}
    booster = lightgbm.train(settings, lightgbm.Dataset(features, codes, categorical_feature=[4]), 12)
    trees = lightgbm_text.read([booster.model_to_string()], 5, 1 if classes == 2 else 3)
    assert len(trees.feature) > (trees.leaves - 1).sum()  # sets of categories take several nodes
    assert trees.mostly_left is not None
    assert trees.mostly_left.any()
    fresh, _ = rows(holes=True)
    fresh[:3, 4] = 99  # a code that training never saw
    assert_same(trees, fresh, booster.predict(fresh, raw_score=True))


def test_lightgbm_that_finds_no_split() -> None:
    """A tree of one leaf is a tree."""
    import lightgbm

    features = np.zeros((50, 2), dtype=np.float32)
    settings = {"objective": "regression", "verbosity": -1}
    booster = lightgbm.train(settings, lightgbm.Dataset(features, np.arange(50.0)), 2)
    trees = lightgbm_text.read([booster.model_to_string()], 2, 1)
    assert_same(trees, features, booster.predict(features, raw_score=True))


@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob", "reg:squarederror"])
def test_xgboost(objective: str) -> None:
    """Below, not at most; default directions; what the sum starts from."""
    import xgboost

    features, target = rows()
    goal = {"binary:logistic": target > 0, "multi:softprob": np.digitize(target, [0.0, 1.0])}.get(objective, target)
    settings = {"objective": objective, "verbosity": 0} | ({"num_class": 3} if "multi" in objective else {})
    booster = xgboost.train(settings, xgboost.DMatrix(features, goal), 12)
    trees = xgboost_json.read(json.loads(booster.save_raw("json")), 5, 3 if "multi" in objective else 1)
    assert (trees.test == BELOW).all()
    assert_same(trees, features, booster.predict(xgboost.DMatrix(features), output_margin=True))


def test_many_trees_a_class_become_an_ensemble_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Split or not, the sums are the same."""
    import lightgbm

    monkeypatch.setattr(tree_nodes, "_MANY_TREES", 12)
    features, target = rows()
    given = {"objective": "multiclass", "num_class": 3, "verbosity": -1, "min_data_in_leaf": 3}
    data = lightgbm.Dataset(features, np.digitize(target, [0.0, 1.0]), categorical_feature=[4])
    booster = lightgbm.train(given, data, 12)
    trees = lightgbm_text.read([booster.model_to_string()], 5, 3)
    assert len(tree_nodes._by_output(trees)) == 3
    assert_same(trees, features, booster.predict(features, raw_score=True))


_EDGES = [0.0, -0.0, 1e-45, -1e-45, 1e-38, 0.1, -0.1, 1.0, 3.4028235e38, -3.4028235e38, np.inf, -np.inf]


@settings(max_examples=300, deadline=None)
@given(
    thresholds=arrays(np.float32, 3, elements=st.sampled_from(_EDGES)),
    features=arrays(np.int64, 3, elements=st.integers(0, 1)),
    test=st.sampled_from([AT_MOST, BELOW]),
    missing_left=arrays(np.bool_, 3),
    mostly_left=arrays(np.bool_, 3),
    values=arrays(np.float32, (8, 2), elements=st.sampled_from([*_EDGES, np.nan])),
)
def test_another_layout_routes_alike(
    thresholds: np.ndarray,
    features: np.ndarray,
    test: int,
    missing_left: np.ndarray,
    mostly_left: np.ndarray,
    values: np.ndarray,
) -> None:
    """Tests turned round and NaN filled: beside zero, beside the largest number, on infinities."""
    trees = Trees(
        feature=features,
        threshold=thresholds,
        test=np.full(3, test, dtype=np.uint8),
        missing_left=missing_left,
        left=np.array([1, ~0, ~2]),
        right=np.array([2, ~1, ~3]),
        inner=np.array([3]),
        leaves=np.array([4]),
        output=np.zeros(1, dtype=np.int64),
        value=np.arange(4.0),
        base=np.zeros(1),
        mostly_left=mostly_left,
    )
    np.testing.assert_array_equal(through_graph(trees, values), walk(trees, values))


def test_sets_of_categories_become_runs() -> None:
    """Up to which codes a code is inside or outside, in order."""
    assert lightgbm_text._ends([0, 1, 2, 5, 7, 8]) == [(2, True), (4, False), (5, True), (6, False), (8, True)]
    assert lightgbm_text._ends([3]) == [(2, False), (3, True)]


@settings(max_examples=200, deadline=None)
@given(
    threshold=st.floats(allow_nan=False, allow_infinity=False, width=64),
    near=st.integers(-2, 2),
    other=st.floats(allow_nan=False, allow_infinity=False, width=32),
)
def test_a_threshold_rounded_down_routes_alike(threshold: float, near: int, other: float) -> None:
    """For float32 x: x <= threshold if and only if x <= round_down(threshold), right beside it above all."""
    low = round_down(np.array([threshold]))[0]
    neighbour = np.float32(np.clip(threshold, -3e38, 3e38))
    for _ in range(abs(near)):
        neighbour = np.nextafter(neighbour, np.float32(np.sign(near) * np.inf))
    for value in (neighbour, np.float32(other), low):
        assert (float(value) <= threshold) == bool(value <= low)


@pytest.mark.parametrize("damage", [{"left": 0}, {"left": 999}, {"right": -999}, {"feature": 7}, {"feature": -1}])
def test_trees_that_point_astray_are_refused(damage: dict[str, int]) -> None:
    """A child before its parent (a walk for ever), outside its tree, or a feature that is not there."""
    import lightgbm

    features, target = rows()
    booster = lightgbm.train({"verbosity": -1}, lightgbm.Dataset(features, target), 2)
    trees = lightgbm_text.read([booster.model_to_string()], 5, 1)
    ((name, value),) = damage.items()
    getattr(trees, name)[1] = value
    with pytest.raises(Tampered):
        checked(trees, 5, "the test")
