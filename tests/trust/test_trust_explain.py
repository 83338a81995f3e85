"""Explanations tell the truth about models whose truth is known, and about real ones within their time."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.errors import InputError, Unsupported
from luban.core.model import Signature
from luban.core.protocols import Examples
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.testing.check import check_check, check_report
from luban.trust.explain.dependence import dependence
from luban.trust.explain.explain import explain
from luban.trust.explain.shapley import contributions
from luban.trust.explain.subject import Clock

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS = (
    Column(name="a", kind="number"),
    Column(name="b", kind="number"),
    Column(name="town", kind="category"),
    Column(name="when", kind="date"),
    Column(name="noise", kind="number"),
)
REGRESSION = Task(kind="regression", target="y", inputs=tuple(c.name for c in COLUMNS), metric="rmse")


@dataclass
class Formula:
    """A model with a formula: y = 3a - 2b + 5 (town is B) + interaction * a * b; the date and the noise do nothing."""

    interaction: float = 0.0
    learner: str = "formula"
    learned: Mapping[str, Any] = field(default_factory=dict)
    pause: float = 0.0
    paused: float = 0.0

    def predict(self, table: pa.Table) -> np.ndarray:
        """Evaluate it, and count the seconds that this was to take at least."""
        time.sleep(self.pause * table.num_rows)
        self.paused += self.pause * table.num_rows
        a, b = (np.nan_to_num(table[name].to_numpy()) for name in ("a", "b"))
        town = np.array([one == "B" for one in table["town"].to_pylist()])
        return 3 * a - 2 * b + 5.0 * town + self.interaction * a * b

    def save(self) -> Mapping[str, bytes]:
        """It has nothing to save."""
        return {}


class Shy(Formula):
    """Has the ability to explain itself and declines."""

    def contributions(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Decline."""
        raise Unsupported(
            "a part of the ensemble tells no contributions", seen="a shy part", remedy="Ask another model."
        )


@dataclass
class Fitted:
    """The few parts of a fitted model that an explanation needs."""

    task: Task
    signature: Signature
    model: Any


def formula_rows(rows: int = 600, seed: int = 0) -> pa.Table:
    """Inputs of the formula, with a missing value here and there."""
    generator = np.random.default_rng(seed)
    a = generator.normal(size=rows)
    a[::50] = np.nan
    return pa.table(
        {
            "a": a,
            "b": generator.normal(size=rows),
            "town": generator.choice(["A", "B", "C"], rows),
            "when": pa.array(generator.integers(0, 10**15, rows), pa.timestamp("us")),
            "noise": generator.normal(size=rows),
        }
    )


def formula_fitted(model: Formula) -> Fitted:
    """The formula as a fitted model."""
    outputs = (Column(name="y", kind="number"),)
    return Fitted(task=REGRESSION, signature=Signature(inputs=COLUMNS, outputs=outputs), model=model)


def learnt(load: Any, kind: str, learner: str = "lightgbm") -> tuple[Fitted, pa.Table, np.ndarray]:
    """A real learner on one of scikit-learn's data sets, with its rows and target."""
    bunch = load()
    names = tuple(str(name).replace(" ", "_") for name in bunch.feature_names)
    table = pa.table({name: bunch.data[:, i].astype(float) for i, name in enumerate(names)})
    columns = tuple(Column(name=name, kind="number", storage="double") for name in names)
    classes = tuple(map(str, bunch.target_names)) if kind != "regression" else ()
    metric = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}[kind]
    task = Task(kind=kind, target="target", inputs=names, metric=metric, classes=classes)
    target = bunch.target.astype(np.int64 if classes else float)
    model = plugins.create("learners", learner).fit(
        task,
        Schema(columns=columns),
        Examples(table=table, target=target),
        None,
        parameters={"rounds": 100} if learner == "lightgbm" else {},
        effort=Effort(seed=0),
    )
    signature = Signature(inputs=columns, outputs=(Column(name="prediction", kind="number"),))
    return Fitted(task=task, signature=signature, model=model), table, target


def test_importance_of_a_known_formula() -> None:
    """Ranking, size and interval match what shuffling a linear term must cost; idle columns cost exactly nothing."""
    table, model = formula_rows(), Formula()
    target = model.predict(table) + np.random.default_rng(1).normal(size=600)
    report = explain(formula_fitted(model), table, target, budget=250)
    found = report.figures["importance"]
    assert list(found)[:3] == ["a", "town", "b"]
    assert found["noise"] == [0.0, 0.0, 0.0]
    assert found["when"] == [0.0, 0.0, 0.0]
    for name in ("a", "b", "town"):
        value, low, high = found[name]
        assert 0 < low <= value <= high
    # Shuffling a adds 2 * 9 * var(a) to the mean squared error of 1.
    a = np.nan_to_num(table["a"].to_numpy())
    assert found["a"][0] == pytest.approx(np.sqrt(1 + 18 * a.var()) - 1, rel=0.1)
    assert found["a"][1] < np.sqrt(1 + 18 * a.var()) - 1 < found["a"][2]
    check_report(report)


def test_sampled_shapley_equals_the_definition() -> None:
    """Sampled values agree with Shapley's sum over all orders against the same background, interaction included."""
    model, table = Formula(interaction=1.5), formula_rows(80)
    found = contributions(
        model, REGRESSION, table, np.array([3, 7]), clock=Clock(deadline=time.monotonic() + 250), seed=0
    )
    assert not found.exact
    assert found.rows[:2].tolist() == [3, 7]
    a, b = (np.nan_to_num(table[name].to_numpy()) for name in ("a", "b"))
    town = np.array([one == "B" for one in table["town"].to_pylist()]).astype(float)
    base = (3 * a - 2 * b + 5 * town + 1.5 * a * b).mean()

    def value(row: int, known: frozenset[str]) -> float:
        x, y = (a[row] if "a" in known else a), (b[row] if "b" in known else b)
        z = town[row] if "town" in known else town
        return float(np.mean(3 * x - 2 * y + 5 * z + 1.5 * x * y))

    for place, row in enumerate((3, 7)):
        exact = dict.fromkeys(("a", "b", "town"), 0.0)
        for order in permutations(exact):
            for i, name in enumerate(order):
                exact[name] += (value(row, frozenset(order[: i + 1])) - value(row, frozenset(order[:i]))) / 6
        for i, name in enumerate(("a", "b", "town")):
            assert found.values[place, i, 0] == pytest.approx(exact[name], abs=1.6)
        assert np.all(found.values[place, 3:, 0] == 0)
        total = found.base[0] + found.values[place, :, 0].sum()
        assert total == pytest.approx(float(model.predict(table)[row]), abs=1e-9)
    assert found.base[0] == pytest.approx(base, abs=2.5)


def test_a_model_that_cannot_tell_is_explained_by_sampling_and_said_so() -> None:
    """The fallback gives its reason, and its sums still hold exactly."""
    report = explain(formula_fitted(Shy()), formula_rows(), budget=250)
    assert not report.figures["exact"]
    (told,) = [one.what for one in report.findings if "a part of the ensemble tells no contributions" in one.what]
    assert "(a shy part)" in told
    assert "Ask another" not in told
    assert report.figures["additivity"] < 1e-9
    assert next(iter(report.figures["contributions"])) == "a"


def test_reasons_of_a_row() -> None:
    """A row's reasons name its values, in order of their push, and add up to the prediction."""
    table, model = formula_rows(), Formula()
    row = int(np.argmax(model.predict(table)))
    report = explain(formula_fitted(model), table, rows=[row], budget=250)
    (told,) = report.figures["rows"]
    assert told["row"] == row
    assert told["base"] + sum(told["contributions"].values()) == pytest.approx(told["prediction"])
    sentence = next(one.what for one in report.findings if one.what.startswith(f"Row {row}:"))
    assert "pushes up by" in sentence
    assert "(units of y)" in sentence
    assert "town = B" in sentence
    missing = explain(formula_fitted(model), table, rows=[50], budget=250)
    bars = next(e for f in missing.findings for e in f.evidence if e.title == "Reasons for row 50")
    assert "a = missing" in [one[0] for one in bars.rows]


def test_partial_dependence_of_a_known_formula() -> None:
    """The curve of a is a line of slope 3, the bars of town differ by 5, and single rows are drawn where asked."""
    table = formula_rows()
    report = explain(formula_fitted(Formula()), table, budget=250, lines=True)
    curves = {e.title.rsplit(" ", 1)[-1]: e for f in report.findings for e in f.evidence if "Partial" in e.title}
    xs, ys = np.array([row[:2] for row in curves["a"].rows]).T
    assert np.polyfit(xs, ys, 1)[0] == pytest.approx(3, rel=1e-3)
    assert curves["a"].columns[2] == "row 1"
    bars = {row[0]: row[1] for row in curves["town"].rows}
    assert bars["B"] - bars["A"] == pytest.approx(5, rel=1e-3)
    assert curves["town"].drawing == "bar"


@pytest.mark.parametrize(("load", "kind"), [(load_breast_cancer, "binary"), (load_diabetes, "regression")])
def test_real_trees_add_up(load: Any, kind: str) -> None:
    """Shapley values of real boosted trees come from the trees and add up to the predictions."""
    fitted, table, target = learnt(load, kind)
    report = explain(fitted, table, target, budget=10)
    assert report.figures["exact"]
    assert report.figures["additivity"] < 1e-3
    assert any(one.verdict == "pass" and "add up" in one.what for one in report.findings)
    if kind == "regression":
        assert {"bmi", "s5"} <= set(list(report.figures["contributions"])[:3])
    assert len(report.figures["rows"]) == 3


def test_an_ensemble_says_how_far_its_contributions_go() -> None:
    """The gap between mean margins and mean probabilities is measured, small, and stated with the parts that speak."""
    from luban.learners.composite import Composite

    trees, table, target = learnt(load_breast_cancer, "binary")
    lines, _, _ = learnt(load_breast_cancer, "binary", "linear")
    mute = Formula(learner="mute")
    mute.predict = lambda rows: np.full((rows.num_rows, 2), 0.5)  # type: ignore[method-assign]
    whole = Composite(members=(trees.model, lines.model), weights=(0.6, 0.4), task=trees.task, temperature=1.3)
    part = Composite(members=(trees.model, mute), weights=(0.8, 0.2), task=trees.task)
    for model, words in ((whole, "by the model's own parts"), (part, "by the parts that carry 80% of the weight")):
        report = explain(Fitted(trees.task, trees.signature, model), table, target, budget=4)
        assert any(words in one.what for one in report.findings)
        additive = next(one for one in report.findings if "add up" in one.what)
        assert isinstance(additive.value, float)
        assert 1e-6 < additive.value < report.figures["additivity"] < 1
        check_report(report)


def test_the_check_conforms() -> None:
    """The explanation as an installed check keeps the protocol."""
    fitted, table, target = learnt(load_breast_cancer, "binary")
    check = plugins.create("checks", "explanation")
    report = check_check(check, fitted, Examples(table=table, target=target), budget=2.0, subject="cancer/1")
    assert report.subject == "cancer/1"


def test_a_column_that_gives_the_target_away_is_pointed_out() -> None:
    """One column with nearly all importance brings a warning that names it and asks where it comes from."""

    class Leak(Formula):
        def predict(self, table: pa.Table) -> np.ndarray:
            return table["b"].to_numpy()

    table = formula_rows()
    report = explain(formula_fitted(Leak()), table, table["b"].to_numpy(), budget=250)
    first = report.findings[0]
    assert first.verdict == "warn"
    assert "b carries 100%" in first.what
    assert "target" in first.remedy


@pytest.mark.parametrize("kind", ["multiclass", "quantile"])
def test_several_outputs(kind: str) -> None:
    """Several classes and several quantiles are explained, by the decided class and the middle quantile."""

    class Several(Formula):
        def predict(self, table: pa.Table) -> np.ndarray:
            y = Formula.predict(self, table)
            if kind == "quantile":
                return y[:, None] + np.array([-1.0, 0.0, 1.0])
            logits = np.stack([y, -y, np.zeros_like(y)], axis=1)
            raised = np.exp(logits - logits.max(axis=1, keepdims=True))
            return raised / raised.sum(axis=1, keepdims=True)

    several = {"classes": ("x", "y", "z")} if kind == "multiclass" else {"quantiles": (0.1, 0.5, 0.9)}
    metric = "log_loss" if kind == "multiclass" else "pinball"
    task = Task(kind=kind, target="y", inputs=REGRESSION.inputs, metric=metric, **several)
    fitted = Fitted(task=task, signature=formula_fitted(Formula()).signature, model=Several())
    table = formula_rows(300)
    generator = np.random.default_rng(0)
    target = generator.integers(0, 3, 300) if kind == "multiclass" else generator.normal(size=300)
    report = explain(fitted, table, target, budget=250, rows=[0])
    check_report(report)
    assert report.figures["rows"][0]["output"] in ("x", "y", "z", "quantile 0.5")
    assert report.figures["additivity"] < 1e-2


@pytest.mark.long
def test_the_budget_holds_for_a_slow_model() -> None:
    """A model that needs 1 ms a row is explained in about the time given, on fewer rows, and the report says so."""
    table = formula_rows(5000)
    slow = Formula(pause=0.001)
    report = explain(formula_fitted(slow), table, Formula().predict(table), budget=4)
    assert slow.paused < 4 * 1.5  # what was asked of the model; how long the machine took for it does not matter
    assert "of 5,000 rows" in report.findings[0].what
    hurried = explain(formula_fitted(Formula(pause=0.003)), table, Formula().predict(table), budget=1)
    whats = [one.what for one in hurried.findings]
    assert any(what.startswith("Left out, as they would not have fitted into 1 s") for what in whats)
    assert any("so a hint only" in what for what in whats)


def test_exact_values_that_would_be_late_are_estimated() -> None:
    """A library that takes long to import is not begun where the budget is shorter; the report says so."""

    @dataclass
    class Late(Formula):
        warm_up: float = 3.0
        asked: int = 0

        def contributions(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
            self.asked += 1
            a = np.nan_to_num(table["a"].to_numpy())
            values = np.zeros((table.num_rows, len(COLUMNS), 1))
            values[:, 0, 0] = 3 * a
            return values, np.zeros(1)

    table = formula_rows(300)
    late = Late()
    hurried = explain(formula_fitted(late), table, Formula().predict(table), budget=1)
    assert not late.asked
    assert not hurried.figures["exact"]
    assert any("exact values would take about 3 s" in one.what for one in hurried.findings)
    assert explain(formula_fitted(late), table, Formula().predict(table), budget=600).figures["exact"]
    spent = explain(formula_fitted(late), table, budget=6, began=time.monotonic() - 5)
    assert not spent.figures["exact"], "what was spent before the call counts"


def test_a_binary_row_tells_its_decision_and_the_unit_of_each_push() -> None:
    """The class that is decided comes first, by the model's own threshold; pushes name their class and unit."""
    from luban.learners.composite import Composite

    trees, table, target = learnt(load_breast_cancer, "binary")
    probable = trees.model.predict(table)[:, 1]
    row = int(np.where(probable > 0.5, probable, 2).argmin())
    strict = Composite(members=(trees.model,), weights=(1.0,), task=trees.task, threshold=1.0)
    report = explain(Fitted(trees.task, trees.signature, strict), table, target, rows=[row], budget=3)
    sentence = next(one.what for one in report.findings if one.what.startswith(f"Row {row}:"))
    assert sentence.startswith(f"Row {row}: predicted malignant (benign: ")
    assert "pushes towards" in sentence
    assert sentence.count("log-odds)") == 3
    assert "-" not in sentence.replace("log-odds", "")
    table = next(e for f in report.findings for e in f.evidence if e.title == "Direction of the contributions")
    assert table.columns == ("column", "mean push (log-odds of benign)", "direction", "rank correlation")


def test_partial_dependence_tries_the_common_values_of_all_rows() -> None:
    """The commonest categories of the whole column are tried, though the few averaged rows lack them."""
    generator = np.random.default_rng(0)
    towns = np.array([f"t{i:02}" for i in range(30)])
    table = formula_rows(2000).set_column(2, "town", pa.array(np.append(["B"] * 1000, generator.choice(towns, 1000))))
    few = table.slice(1990)
    curve = dependence(Formula(), REGRESSION, few, COLUMNS[2], values=table["town"])
    assert curve is not None
    assert curve.rows[0][0] == "B"
    assert "10 most frequent values; 21 not shown" in curve.title
    assert "average of 10 rows" in curve.y


def test_few_rows_and_wrong_rows() -> None:
    """Three rows are enough; a row that does not exist is named with the range; no rows are an error."""
    table = formula_rows(3)
    check_report(explain(formula_fitted(Formula()), table, Formula().predict(table), budget=250))
    with pytest.raises(InputError, match="no row 3"):
        explain(formula_fitted(Formula()), table, rows=[0, 3], budget=250)
    with pytest.raises(InputError, match="no row to explain"):
        explain(formula_fitted(Formula()), table.slice(0, 0), budget=250)
    assert math.isfinite(explain(formula_fitted(Formula()), table, budget=250).figures["additivity"])
