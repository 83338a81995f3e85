"""The evaluation report on real data: what it holds, what it finds, and how sure it is."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from luban.core.errors import InputError
from luban.core.report import Report
from luban.core.schema import Column, Schema
from luban.core.serial import from_json, to_json
from luban.core.task import Task
from luban.evaluation.bootstrap import bootstrap
from luban.evaluation.compare import compare
from luban.evaluation.conformal import fit_shifts
from luban.evaluation.evaluate import evaluate
from luban.evaluation.learning_curve import learning_curve
from luban.evaluation.metrics import metric

BINARY = Task(kind="binary", target="y", inputs=("x",), metric="roc_auc", classes=("no", "yes"))


def classified(load, kind: str):
    """Out-of-fold probabilities of a linear model on one of scikit-learn's data sets."""
    bunch = load()
    task = Task(
        kind=kind,
        target="kind",
        inputs=tuple(map(str, bunch.feature_names)),
        metric="roc_auc" if kind == "binary" else "log_loss",
        classes=tuple(map(str, bunch.target_names)),
    )
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return task, bunch.target, cross_val_predict(model, bunch.data, bunch.target, cv=3, method="predict_proba"), bunch


def described(bunch) -> tuple[pa.Table, Schema]:
    """The inputs of one of scikit-learn's data sets as table and schema."""
    names = list(map(str, bunch.feature_names))
    table = pa.table({name: bunch.data[:, i] for i, name in enumerate(names)})
    return table, Schema(columns=tuple(Column(name=name, kind="number", storage="double") for name in names))


def check_whole(report: Report, metrics: set[str]) -> None:
    """All metrics with an interval around each, and a report that survives JSON."""
    assert set(report.figures["metrics"]) >= metrics
    for name, value in report.figures["metrics"].items():
        low, high = report.figures["intervals"][name]
        assert low <= value <= high
    again = from_json(Report, json.loads(json.dumps(to_json(report))))
    assert [one.what for one in again.findings] == [one.what for one in report.findings]


def titles(report: Report) -> set[str]:
    """The titles of all evidence."""
    return {evidence.title for finding in report.findings for evidence in finding.evidence}


def test_binary_report() -> None:
    """Everything the field asks of a binary evaluation is there, on real data, and the model beats the constant."""
    task, target, prediction, bunch = classified(load_breast_cancer, "binary")
    table, schema = described(bunch)
    report = evaluate(task, target, prediction, table=table, schema=schema, subject="cancer/1")
    check_whole(report, {"roc_auc", "log_loss", "accuracy", "f1", "precision", "recall", "average_precision"})
    assert titles(report) >= {
        "Scores",
        "ROC curve",
        "Precision and recall",
        "Confusion matrix",
        "Each class",
        "Reliability",
        "Predicted probabilities",
        "Decision threshold",
    }
    assert report.findings[0].verdict == "pass"
    assert report.figures["baseline"] == {"roc_auc": 0.5}
    assert report.subject == "cancer/1"


def test_multiclass_report() -> None:
    """Three classes: curves of each, a three by three matrix that adds up to the rows."""
    task, target, prediction, _ = classified(load_wine, "multiclass")
    report = evaluate(task, target, prediction)
    check_whole(report, {"log_loss", "roc_auc", "f1_macro", "balanced_accuracy"})
    matrix = next(e for f in report.findings for e in f.evidence if e.title == "Confusion matrix")
    assert sum(sum(row[1:]) for row in matrix.rows) == len(target)
    assert matrix.columns[1:] == task.classes


def test_regression_report() -> None:
    """Residuals are shown, centred, and by tenth of the prediction."""
    bunch = load_diabetes()
    task = Task(kind="regression", target="progress", inputs=tuple(bunch.feature_names), metric="rmse")
    prediction = cross_val_predict(LinearRegression(), bunch.data, bunch.target, cv=5)
    report = evaluate(task, bunch.target, prediction)
    check_whole(report, {"rmse", "mae", "r2", "mape", "median_absolute_error"})
    tenths = next(e for f in report.findings for e in f.evidence if e.title == "By tenth of the prediction")
    assert len(tenths.rows) == 10
    assert sum(row[1] for row in tenths.rows) == len(prediction)
    biased = evaluate(task, bunch.target, prediction - 30)
    assert any(f.verdict == "warn" and "below the truth by" in f.what for f in biased.findings)


def test_quantile_report_finds_undercoverage() -> None:
    """Honest quantiles pass; too narrow ones are found; conformal shifts put them right on new rows."""
    generator = np.random.default_rng(0)
    target = generator.normal(size=4000)
    task = Task(kind="quantile", target="y", inputs=("x",), metric="pinball", quantiles=(0.1, 0.5, 0.9))
    honest = np.tile([-1.2816, 0.0, 1.2816], (4000, 1))
    assert all(f.verdict == "pass" for f in evaluate(task, target, honest).findings if "quantile" in f.what)
    narrow = honest * 0.5
    report = evaluate(task, target, narrow)
    assert any("2 of 3 quantiles" in f.what for f in report.findings)
    shifted = narrow[2000:] + fit_shifts(narrow[:2000], target[:2000], task.quantiles)
    covered = (target[2000:, None] <= shifted).mean(axis=0)
    assert np.abs(covered - task.quantiles).max() < 0.03


def test_a_useless_model_is_not_praised() -> None:
    """Predictions without any information get a warning, not a pass."""
    generator = np.random.default_rng(1)
    target = generator.integers(0, 2, 400)
    score = generator.random(400)
    report = evaluate(BINARY, target, np.stack([1 - score, score], axis=1))
    assert report.findings[0].verdict == "warn"


def test_threshold_moves_decisions_alone() -> None:
    """The threshold changes metrics of decisions and leaves those of probabilities."""
    task, target, prediction, _ = classified(load_breast_cancer, "binary")
    usual, strict = (evaluate(task, target, prediction, threshold=t, bootstrap=10).figures for t in (None, 0.95))
    assert strict["metrics"]["recall"] < usual["metrics"]["recall"]
    assert strict["metrics"]["roc_auc"] == usual["metrics"]["roc_auc"]
    assert strict["metrics"]["recall"] == pytest.approx((prediction[target == 1, 1] >= 0.95).mean())


def test_interval_holds_the_true_score() -> None:
    """Over 60 samples the 95 % interval of accuracy holds the true accuracy about as often as it says."""
    held = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        target = generator.integers(0, 2, 300)
        right = generator.random(300) < 0.8
        prediction = np.eye(2)[np.where(right, target, 1 - target)]
        interval = bootstrap([metric("accuracy")], BINARY, target, [prediction], count=300, seed=seed).interval(0)
        held += interval.low <= 0.8 <= interval.high
    assert 50 <= held <= 60


def test_interval_of_many_rows_matches_the_full_bootstrap() -> None:
    """The interval from a part of the rows is as wide as the one from all of them."""
    generator = np.random.default_rng(2)
    target = generator.normal(size=300_000)
    task = Task(kind="regression", target="y", inputs=("x",), metric="mae")
    prediction = target + generator.normal(size=300_000)
    interval = bootstrap([metric("mae")], task, target, [prediction], count=400).interval(0)
    error = np.abs(target - prediction).std() / np.sqrt(300_000)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.2)


def planted(rows: int, seed: int, harm: float) -> tuple[np.ndarray, np.ndarray, pa.Table, Schema]:
    """Good predictions that are noise where town = 'B' and age > 60, with share `harm` of the truth flipped there."""
    generator = np.random.default_rng(seed)
    age = generator.uniform(20, 80, rows)
    town = generator.choice(["A", "B", "C"], rows)
    noise = generator.normal(size=rows)
    target = generator.integers(0, 2, rows)
    score = np.where(target == 1, 0.9, 0.1)
    bad = (town == "B") & (age > 65) & (generator.random(rows) < harm)
    score = np.where(bad, 1 - score, score)
    table = pa.table({"age": age, "town": town, "noise": noise})
    kinds = (("age", "number"), ("town", "category"), ("noise", "number"))
    schema = Schema(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds))
    return target, np.stack([1 - score, score], axis=1), table, schema


def test_a_planted_slice_is_found_and_an_unplanted_one_is_not() -> None:
    """The crossed slice that is really bad comes first; where nothing is bad nothing is reported."""
    target, prediction, table, schema = planted(4000, 3, harm=0.6)
    report = evaluate(BINARY, target, prediction, table=table, schema=schema, bootstrap=20)
    first = report.figures["slices"][0]
    assert "town = B" in first["slice"]
    assert "age" in first["slice"]
    assert first["low"] <= first["score"] <= first["high"]
    times = [one["times"] for one in report.figures["slices"]]
    assert times == sorted(times, reverse=True)
    alarms = 0
    for seed in range(20):
        target, prediction, table, schema = planted(1500, 100 + seed, harm=0.0)
        generator = np.random.default_rng(seed)
        score = generator.uniform(0.05, 0.95, 1500)
        drawn = (generator.random(1500) < score).astype(int)
        calm = evaluate(BINARY, drawn, np.stack([1 - score, score], axis=1), table=table, schema=schema, bootstrap=2)
        alarms += bool(calm.figures["slices"])
    assert alarms <= 4


@pytest.mark.parametrize(("distance", "verdict"), [(0.03, "pass"), (0.15, "warn")])
def test_calibration_warns_only_of_gaps_that_matter(distance: float, verdict: str) -> None:
    """A gap of a few percent is let pass even where many rows prove it; a large one says what it means."""
    generator = np.random.default_rng(0)
    said = generator.uniform(0.2, 0.8, 20_000)
    target = (generator.random(20_000) < said - distance).astype(np.int64)
    report = evaluate(BINARY, target, np.stack([1 - said, said], axis=1), bootstrap=5)
    found = next(one for one in report.findings if one.what.startswith("Probabilities of yes"))
    assert found.verdict == verdict
    assert report.figures["calibration"]["expected_calibration_error"] > report.figures["calibration"]["by_chance"]
    assert ("where 50 % is said, the truth may well be 35 % or 65 %" in found.what) == (verdict == "warn")


def test_slices_take_every_kind_of_column() -> None:
    """Dates, booleans, missing values, text and constants neither fail nor hide a bad missing group."""
    rows = 800
    generator = np.random.default_rng(4)
    target = generator.integers(0, 2, rows)
    missing = generator.random(rows) < 0.2
    score = np.where(missing, 0.5, np.where(target == 1, 0.9, 0.1))
    table = pa.table(
        {
            "when": pa.array(np.arange(rows) * 3_600_000_000, pa.timestamp("us")),
            "flag": pa.array([bool(i % 2) for i in range(rows)]),
            "income": pa.array([None if gone else float(i) for i, gone in enumerate(missing)]),
            "note": pa.array([f"text {i}" for i in range(rows)]),
            "same": pa.array([1.0] * rows),
            "nothing": pa.array([None] * rows, pa.float64()),
        }
    )
    kinds = {"when": "date", "flag": "boolean", "income": "number", "note": "text", "same": "number"}
    schema = Schema(columns=tuple(Column(name=n, kind=kinds.get(n, "number")) for n in table.column_names))
    report = evaluate(BINARY, target, np.stack([1 - score, score], axis=1), table=table, schema=schema, bootstrap=5)
    assert report.figures["slices"][0]["slice"] == "income is missing"


def test_comparison_is_paired() -> None:
    """A small gain on the same rows is proven where unpaired intervals overlap; no gain is not."""
    task, target, prediction, _ = classified(load_breast_cancer, "binary")
    worse = 0.8 * prediction + 0.1
    report = compare(task, target, worse, prediction, names=("old", "new"), draws=300)
    gain = report.figures["log_loss"]
    assert gain["interval"][1] < 0
    assert gain["better"] == 1.0
    assert report.figures["roc_auc"]["difference"] == pytest.approx(0)
    same = compare(task, target, prediction, prediction, draws=100)
    assert same.verdict == "info"
    assert same.figures["roc_auc"]["better"] == 0.5


def test_learning_curve_foretells_a_power_law() -> None:
    """Scores on a known power law are continued along it; falling scores foretell nothing."""
    sizes = [100, 200, 400, 800, 1600]
    finding = learning_curve(metric("roc_auc"), sizes, [[0.95 - 2 * n**-0.7] * 2 for n in sizes])
    assert finding.evidence[0].rows[-1][1] == pytest.approx(0.95 - 2 * 3200**-0.7, abs=1e-4)
    losing = learning_curve(metric("rmse"), sizes, [[1.0 + n**-0.5] for n in sizes])
    assert losing.value is not None
    assert losing.value < 0
    strange = learning_curve(metric("roc_auc"), sizes, [[0.5 + n**-0.5] for n in sizes])
    assert strange.value is None
    with pytest.raises(InputError, match="ascending"):
        learning_curve(metric("roc_auc"), [100], [[0.5]])


def test_misfits_are_refused() -> None:
    """Shapes that disagree and metrics of another kind are named."""
    with pytest.raises(InputError, match="shape"):
        evaluate(BINARY, np.zeros(3, int), np.full((4, 2), 0.5))
    wrong = Task(kind="regression", target="y", inputs=("x",), metric="roc_auc")
    with pytest.raises(InputError, match="roc_auc does not fit"):
        evaluate(wrong, np.zeros(3), np.zeros(3))


def test_three_rows_and_one_class_still_report() -> None:
    """The smallest samples give a report, with undefined figures left undefined."""
    report = evaluate(BINARY, np.array([1, 1, 1]), np.array([[0.2, 0.8]] * 3), bootstrap=20)
    assert np.isnan(report.figures["metrics"]["roc_auc"])
    assert to_json(report)["figures"]["metrics"]["roc_auc"] is None
    assert report.figures["metrics"]["accuracy"] == 1.0


@pytest.mark.parametrize("name", ["adult"])
def test_real_rows(shared_data, name: str) -> None:
    """On tens of thousands of rows the constant model is seen through and its slices are found."""
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data(name) / "data.parquet")
    labels = np.array(table["class"].to_pylist())
    classes = tuple(sorted(set(labels)))
    target = (labels == classes[1]).astype(int)
    table = table.drop_columns(["class"])
    kinds = {
        n: "number" if pa.types.is_integer(t) else "category"
        for n, t in zip(table.column_names, table.schema.types, strict=True)
    }
    schema = Schema(columns=tuple(Column(name=n, kind=k) for n, k in kinds.items()))
    task = Task(kind="binary", target="class", inputs=tuple(kinds), metric="log_loss", classes=classes)
    share = np.full(len(target), target.mean())
    report = evaluate(task, target, np.stack([1 - share, share], axis=1), table=table, schema=schema, bootstrap=50)
    assert report.findings[0].verdict == "warn"
    assert any("Husband" in one["slice"] or "Married" in one["slice"] for one in report.figures["slices"])
