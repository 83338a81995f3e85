"""Trees of CatBoost add up as CatBoost does, few rows and many, and what is damaged is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from luban.core.errors import Tampered
from luban.core.schema import Column
from luban.export.onnx.graph import OnnxGraph
from luban.learners import symmetric
from luban.learners.graph.session import open_session
from luban.learners.symmetric import SymmetricTrees, checked
from luban.learners.tabular import catboost_json

FEATURES = 5


def walk(trees: SymmetricTrees, features: np.ndarray) -> np.ndarray:
    """The plainest reading of the trees, row by row and tree by tree."""
    total = np.tile(trees.base, (len(features), 1))
    for row, values in enumerate(features):
        for tree in range(trees.feature.shape[1]):
            passed = values[trees.feature[:, tree]] > trees.threshold[:, tree]
            total[row] += trees.value[tree, (passed << np.arange(len(passed))).sum()]
    return total


def through_graph(trees: SymmetricTrees, features: np.ndarray) -> np.ndarray:
    """The sums as a whole graph has them."""
    columns = [Column(name=f"f{place}", kind="number") for place in range(features.shape[1])]
    graph = OnnxGraph(columns)
    matrix = graph.node("Concat", *(graph.column(one.name) for one in columns), axis=1)
    graph.output("sum", symmetric.to_graph(trees, graph, matrix), ["rows", trees.outputs])
    content = graph.to_bytes(name="trees", metadata={}, producer_version="test")
    feeds = {one.name: features[:, [place]] for place, one in enumerate(columns)}
    return np.asarray(open_session(content).run(None, feeds)[0])


def rows(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Coarse values, so that many lie exactly on thresholds, with holes."""
    random = np.random.default_rng(5)
    features = random.normal(size=(count, FEATURES)).round(1).astype(np.float32)
    features[random.random(features.shape) < 0.1] = np.nan
    return features, np.nan_to_num(features[:, 0]) * np.nan_to_num(features[:, 1]) + random.normal(size=count) * 0.3


def grown(loss: str, target: Any, folder: Path, **more: Any) -> tuple[Any, dict[str, Any]]:
    """A model of CatBoost, and what it writes of itself."""
    import catboost

    given = {"loss_function": loss, "iterations": 12, "depth": 4, "verbose": False, "allow_writing_files": False}
    model = catboost.CatBoost(given | more).fit(rows()[0], target)
    model.save_model(str(folder / "model.json"), format="json")
    return model, json.loads((folder / "model.json").read_bytes())


@pytest.mark.parametrize("loss", ["Logloss", "MultiClass", "RMSE", "MultiQuantile:alpha=0.1, 0.9"])
def test_catboost(loss: str, tmp_path: Path) -> None:
    """Vector leaves; missing values are the smallest; as many rows as one likes, none too."""
    features, target = rows()
    goal = {"Logloss": target > 0, "MultiClass": np.digitize(target, [-0.3, 0.3])}.get(loss, target)
    model, written = grown(loss, goal, tmp_path)
    outputs = {"MultiClass": 3, "Logloss": 1, "RMSE": 1}.get(loss, 2)
    trees = catboost_json.read(written, FEATURES, outputs)
    expected = model.predict(features, prediction_type="RawFormulaVal").reshape(len(features), outputs)
    np.testing.assert_allclose(walk(trees, features), expected, atol=1e-5)
    for some in (features, features[:1], features[:0]):
        found = through_graph(trees, some)
        assert found.shape == (len(some), outputs)
        np.testing.assert_allclose(found, expected[: len(some)], atol=1e-5)


@pytest.mark.parametrize("numbers", [1, 4 * 12 * 7, 4 * 12 * 400, 1 << 19])
@pytest.mark.parametrize("parts", [1, 3, 1024])
def test_rows_go_through_in_parts(numbers: int, parts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the parts, the last of which is smaller, every row has its own sum."""
    features, target = rows()
    trees = catboost_json.read(grown("RMSE", target, tmp_path)[1], FEATURES, 1)
    monkeypatch.setattr(symmetric, "_NUMBERS_AT_ONCE", numbers)
    monkeypatch.setattr(symmetric, "_MOST_PARTS", parts)
    np.testing.assert_allclose(through_graph(trees, features), walk(trees, features), atol=1e-5)


def test_trees_that_grew_less(tmp_path: Path) -> None:
    """Trees of fewer levels than others, and of none: they stop where no split gains anything."""
    features, target = rows()
    _, written = grown("RMSE", target, tmp_path)
    short, bare = written["oblivious_trees"][3], written["oblivious_trees"][5]
    short["splits"], short["leaf_values"] = short["splits"][:2], short["leaf_values"][:4]
    bare["splits"], bare["leaf_values"] = None, [0.25]
    trees = catboost_json.read(written, FEATURES, 1)
    np.testing.assert_allclose(through_graph(trees, features), walk(trees, features), atol=1e-5)
    lone = {**written, "oblivious_trees": [bare]}
    found = through_graph(catboost_json.read(lone, FEATURES, 1), features[:3])
    np.testing.assert_allclose(found, 0.25 * written["scale_and_bias"][0] + written["scale_and_bias"][1][0], atol=1e-6)


_EDGES = [0.0, -0.0, 1e-38, 0.1, -0.1, 3.4028235e38, -3.4028235e38, np.inf, -np.inf]


@settings(max_examples=100, deadline=None)
@given(
    threshold=arrays(np.float32, (2, 3), elements=st.sampled_from(_EDGES)),
    feature=arrays(np.int64, (2, 3), elements=st.integers(0, 1)),
    values=arrays(np.float32, (8, 2), elements=st.sampled_from([*_EDGES, np.nan])),
)
def test_edges_route_alike(threshold: np.ndarray, feature: np.ndarray, values: np.ndarray) -> None:
    """Beside zero, beside the largest number, on infinities, NaN."""
    leaves = np.arange(24.0).reshape(3, 4, 2) ** 2
    trees = SymmetricTrees(feature=feature, threshold=threshold, value=leaves, base=np.array([1.0, -1.0]))
    np.testing.assert_array_equal(through_graph(trees, values), walk(trees, values))


@pytest.mark.parametrize(
    "damage",
    [
        {"float_feature_index": 99},
        {"float_feature_index": -99},
        {"float_feature_index": "0"},
        {"border": float("nan")},
        {"border": None},
    ],
)
def test_a_split_that_points_astray_is_refused(damage: dict[str, Any], tmp_path: Path) -> None:
    """Features that are not there, and borders that are no number."""
    _, written = grown("RMSE", rows()[1], tmp_path)
    written["oblivious_trees"][2]["splits"][1] |= damage
    with pytest.raises(Tampered):
        catboost_json.read(written, FEATURES, 1)


def test_other_damage_is_refused(tmp_path: Path) -> None:
    """No trees, too few leaves, a leaf that is no number, features beyond those of the model."""
    _, written = grown("RMSE", rows()[1], tmp_path)
    with pytest.raises(Tampered):
        catboost_json.read({**written, "oblivious_trees": []}, FEATURES, 1)
    with pytest.raises(Tampered):
        catboost_json.read(written, 1, 1)
    trees = catboost_json.read(written, FEATURES, 1)
    trees.value[0, 0] = np.inf
    with pytest.raises(Tampered, match="do not hold together"):
        checked(trees, FEATURES, "the test")
    written["oblivious_trees"][0]["leaf_values"].pop()
    with pytest.raises(Tampered):
        catboost_json.read(written, FEATURES, 1)
