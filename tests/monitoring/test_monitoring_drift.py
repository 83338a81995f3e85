"""Drift: what is measured agrees with SciPy, small shifts are found, and nothing is found where nothing has changed."""

from __future__ import annotations

import monitored_rows as known
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from luban.core.schema import Column
from luban.core.serial import from_json, to_json
from luban.monitoring import levels, numbers, texts, vectors
from luban.monitoring.baseline import Baseline, column_baselines
from luban.monitoring.discovery import adjusted
from luban.monitoring.drift import compare


@pytest.fixture(scope="module")
def base() -> tuple:
    return column_baselines(known.COLUMNS, known.rows(5000, seed=1))


def test_no_more_than_one_null_window_in_twenty_raises_an_alarm(base: tuple) -> None:
    """200 windows of the distribution that was learnt; each of 20 columns, four kinds of change, one alarm is one."""
    alarms = sum(any(one.flags for one in compare(base, known.rows(1000, seed=seed))) for seed in range(100, 300))
    assert alarms <= 10


def test_a_quarter_of_a_standard_deviation_is_found_at_a_thousand_rows(base: tuple) -> None:
    found = ["drift" in compare(base, known.rows(1000, seed=seed, shift=0.25))[0].flags for seed in range(300, 400)]
    assert np.mean(found) >= 0.95


def test_what_is_significant_and_tiny_is_no_alarm() -> None:
    """With a million rows a shift by a hundredth of a standard deviation is beyond chance, and of no consequence."""
    generator = np.random.default_rng(0)
    column = Column(name="x", kind="number")
    before = column_baselines([column], pa.table({"x": generator.normal(size=500_000)}))
    (one,) = compare(before, pa.table({"x": generator.normal(size=500_000) + 0.02}))
    assert one.chance("drift") < 1e-6
    assert one.flags == ()


@settings(max_examples=40, deadline=None)
@given(
    old=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=300),
    new=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300),
)
def test_figures_agree_with_scipy(old: list[float], new: list[float]) -> None:
    """While all values are kept, the KS distance, Mann and Whitney's share and Wasserstein's distance are exact."""
    base = numbers.numbers(np.array(old))
    assert base is not None
    (drift, outside), counts = numbers.moved(base, np.array(new))
    wanted = stats.ks_2samp(old, new).statistic
    # Only between the largest old value and beyond it new values are not told apart.
    assert drift.figures["ks"] <= wanted + 1e-12
    if max(new) <= max(old) and min(new) >= min(old) and set(new) <= set(old):
        assert drift.figures["ks"] == pytest.approx(wanted)
        above = stats.mannwhitneyu(new, old).statistic / (len(old) * len(new))
        assert drift.figures["above"] == pytest.approx(above)
    assert sum(counts) == len(new)
    assert outside.figures["below"] == sum(one < min(old) for one in new)
    assert outside.figures["above"] == sum(one > max(old) for one in new)
    assert 0 <= drift.chance <= 1


def test_quantised_figures_are_near_exact_ones() -> None:
    generator = np.random.default_rng(3)
    old, new = generator.gamma(2, 2, 50_000), generator.gamma(2.3, 2, 20_000)
    base = numbers.numbers(old)
    assert base is not None
    (drift, _), _ = numbers.moved(base, new)
    assert drift.figures["ks"] == pytest.approx(stats.ks_2samp(old, new).statistic, abs=0.003)
    assert drift.figures["wasserstein"] == pytest.approx(stats.wasserstein_distance(old, new) / old.std(), rel=0.02)
    assert drift.figures["above"] == pytest.approx(stats.mannwhitneyu(new, old).statistic / 1e9, abs=1e-3)


def test_chi_square_agrees_with_scipy() -> None:
    before, after = {"a": 500, "b": 300, "c": 200}, {"a": 40, "b": 35, "c": 45}
    found = levels.levels(before)
    assert found is not None
    drift, unseen = levels.moved(found, after)
    table = np.array([list(before.values()), list(after.values())])
    wanted = stats.chi2_contingency(table, correction=False)
    assert drift.figures["chi_square"] == pytest.approx(wanted.statistic)
    assert drift.chance == pytest.approx(wanted.pvalue)
    assert unseen.chance == 1.0


def test_unseen_categories_are_found_and_rare_ones_are_expected() -> None:
    """Where single levels are common, one more new level is nothing; where there were none, it is."""
    closed = levels.levels({"a": 500, "b": 500})
    open_ = levels.levels({"a": 500, **{f"id {i}": 1 for i in range(500)}})
    assert closed is not None
    assert open_ is not None
    new = {"a": 450, "b": 30, "new": 20}
    assert levels.moved(closed, new)[1].chance < 1e-6
    assert levels.moved(open_, {"a": 250, **{f"new {i}": 1 for i in range(250)}})[1].chance > 0.05


def test_false_discoveries_are_adjusted_as_scipy_does() -> None:
    chances = np.random.default_rng(0).random(50) ** 3
    assert adjusted(chances) == pytest.approx(stats.false_discovery_control(chances))


def test_texts_of_other_subjects_are_told_from_more_of_the_same() -> None:
    """Maximum mean discrepancy: a quarter of the texts about another subject is found, shuffled ones are not."""
    generator = np.random.default_rng(0)
    words = {
        "bank": ["account", "card", "transfer", "payment", "balance", "interest", "fee", "loan", "branch", "pin"],
        "travel": ["flight", "hotel", "luggage", "passport", "airport", "seat", "booking", "delay", "gate", "visa"],
    }

    def some(count: int, other: float) -> list[str]:
        subjects = generator.random(count) < other
        return [" ".join(generator.choice(words["travel" if one else "bank"], 8)) for one in subjects]

    def chance(other: float, seed: int) -> float:
        base = vectors.vectors(texts.embedded(some(600, 0.0)))
        assert base is not None
        return vectors.moved(base, texts.embedded(some(300, other)), seed)[0].chance

    assert chance(0.25, 0) < 1e-3
    nulls = [chance(0.0, seed) for seed in range(12)]
    assert sum(one < 0.05 for one in nulls) <= 3
    assert 0.2 < np.median(nulls) < 0.8


def test_a_column_that_vanished_and_one_that_emptied_are_told(base: tuple) -> None:
    window = known.rows(500, seed=9).drop_columns(["n3"])
    window = window.set_column(0, "n0", pa.nulls(500, pa.float64()))
    found = {one.name: one for one in compare(base, window)}
    assert found["n3"].vanished
    assert found["n0"].vanished
    assert not found["n1"].vanished


def test_more_missing_values_are_found(base: tuple) -> None:
    window = known.rows(1000, seed=9)
    gone = np.random.default_rng(0).random(1000) < 0.05
    held = pa.array(window["n1"].to_numpy(), mask=gone)
    found = {one.name: one for one in compare(base, window.set_column(1, "n1", held))}
    assert found["n1"].flags == ("missing",)
    assert not any(one.flags for name, one in found.items() if name != "n1")


def test_a_baseline_comes_back_from_json_as_it_was(base: tuple) -> None:
    whole = Baseline(subject="rows/1", rows=5000, inputs=base)
    assert from_json(Baseline, to_json(whole)) == whole


@pytest.mark.parametrize("value", [0.0, 1e300])
def test_a_constant_column_neither_fails_nor_alarms(value: float) -> None:
    column = Column(name="x", kind="number")
    same = pa.table({"x": np.full(100, value)})
    (one,) = compare(column_baselines([column], same), same)
    assert one.flags == ()
    assert one.of("drift").effect == 0
