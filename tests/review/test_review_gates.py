"""Gates: each passes what is good and blocks what is not, and says what it measured."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from luban.core import plugins
from luban.core.contest import Contest, Contestant
from luban.core.errors import InputError, NotFound
from luban.core.protocols import Examples
from luban.core.report import Finding, Report
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.review.gates.run import limits, refused, run
from luban.testing.check import check_report
from luban.testing.gate import check_gate

TASK = Task(kind="binary", target="goal", inputs=("x", "town"), metric="accuracy", classes=("no", "yes"))
SCHEMA = Schema(columns=(Column(name="x", kind="number"), Column(name="town", kind="category")))
ROWS = 400


def _contestant(reference: str, right: np.ndarray, target: np.ndarray, **other: Any) -> Contestant:
    """Answers with probability 0.8 for the true class where it is right, else for the other one."""
    chance = np.where(right, 0.8, 0.2)
    prediction = np.where(np.arange(2) == target[:, None], chance[:, None], 1 - chance[:, None])
    values: dict[str, Any] = {"answer": lambda _row: None, "size": 1_000_000, **other}
    return Contestant(reference=reference, prediction=prediction, **values)


def contest(
    share: float,
    *,
    wrong_in: str = "",
    champion: dict[str, Any] | None = None,
    challenger: dict[str, Any] | None = None,
) -> Contest:
    """A champion that is right in 70 % of the rows, and a challenger in so many; but for rows of one town in none."""
    random = np.random.default_rng(1)
    towns = np.where(random.random(ROWS) < 0.2, "small", "large")
    target = random.integers(0, 2, ROWS)
    level = random.random(ROWS)
    table = pa.table({"x": random.normal(size=ROWS), "town": towns})
    right = (level < share) & (towns != wrong_in)
    return Contest(
        task=TASK,
        schema=SCHEMA,
        fresh=Examples(table=table, target=target),
        champion=_contestant("m/1", level < 0.7, target, **(champion or {})),
        challenger=_contestant("m/2", right, target, **(challenger or {})),
    )


@pytest.mark.parametrize("name", plugins.names("gates"))
@pytest.mark.parametrize("share", [0.6, 0.8])
def test_every_gate_holds_to_the_protocol(name: str, share: float) -> None:
    """Built-in or not: it changes nothing, and says pass or block with figures that every face can show."""
    check_gate(plugins.create("gates", name), contest(share))


def test_quality_must_be_better_beyond_chance() -> None:
    """A clear gain passes, a loss does not, and a gain of one row in 400 is too unsure; a lower limit lets it pass."""
    gate = plugins.create("gates", "quality")
    assert check_gate(gate, contest(0.8)).verdict == "pass"
    assert check_gate(gate, contest(0.6)).verdict == "block"
    assert check_gate(gate, contest(0.6)).remedy == (
        "The champion is better on these rows and stays. Learn from more labelled rows."
    )
    assert check_gate(gate, replace(contest(0.6), budget="--rounds")).remedy.endswith("rows, or raise --rounds.")
    slight = contest(0.7 + 1.5 / ROWS)
    assert check_gate(gate, slight).verdict == "block"
    assert check_gate(gate, slight, 0.5).verdict == "pass"
    with pytest.raises(InputError, match="from 0 to 1"):
        gate.judge(slight, 1.5)


def test_each_is_judged_at_its_own_threshold() -> None:
    """A challenger that is right, but only at a threshold of 0.9, is not held to that of one half."""
    fair = contest(0.7)
    shifted = replace(fair.challenger, prediction=np.column_stack([0.1 * (1 - fair.fresh.target), np.zeros(ROWS)]))
    shifted.prediction[:, 1] = np.where(fair.fresh.target == 1, 0.95, 0.85)
    shifted.prediction[:, 0] = 1 - shifted.prediction[:, 1]
    gate = plugins.create("gates", "quality")
    assert check_gate(gate, replace(fair, challenger=shifted)).verdict == "block"
    assert check_gate(gate, replace(fair, challenger=replace(shifted, threshold=0.9))).verdict == "pass"


def test_a_gain_for_most_does_not_hide_a_slice_that_is_worse_off() -> None:
    """The challenger is better on the whole and wrong for every row of a small town: slices block it, by name."""
    traded = contest(0.95, wrong_in="small")
    assert check_gate(plugins.create("gates", "quality"), traded).verdict == "pass"
    finding = check_gate(plugins.create("gates", "slices"), traded)
    assert finding.verdict == "block"
    assert "town = small" in finding.what
    assert check_gate(plugins.create("gates", "slices"), contest(0.8)).verdict == "pass"


def test_slices_rarely_block_a_challenger_that_is_as_good() -> None:
    """Of 100 equals, whose errors are independent of the champion's, at most 5 % or so are blocked by chance."""
    gate, blocked = plugins.create("gates", "slices"), 0
    fair = contest(0.7)
    for seed in range(100):
        right = np.random.default_rng(seed).random(ROWS) < 0.7
        other = _contestant("m/2", right, fair.fresh.target)
        blocked += gate.judge(replace(fair, challenger=other), 0.0).verdict == "block"
    assert blocked <= 8


def test_latency_compares_the_two_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times as long is blocked, and allowed where it is said; below a millisecond nothing is slow."""
    moment = [0.0]
    monkeypatch.setattr("luban.review.gates.latency.time", SimpleNamespace(perf_counter=lambda: moment[0]))

    def taking(seconds: float) -> dict[str, Any]:
        def answer(_row: Any) -> None:
            moment[0] += seconds

        return {"answer": answer}

    gate = plugins.create("gates", "latency")

    def verdict(before: float, after: float, *limit: float) -> str:
        found: str = check_gate(gate, contest(0.8, champion=taking(before), challenger=taking(after)), *limit).verdict
        return found

    assert verdict(0.01, 0.03) == "block"
    assert verdict(0.01, 0.03, 4) == "pass"
    assert verdict(0.01, 0.019) == "pass"
    assert verdict(0.0001, 0.0009) == "pass"


def test_size_is_bounded_where_it_matters() -> None:
    """Ten times a large model is too large; ten times a small one is small."""
    gate = plugins.create("gates", "size")
    assert check_gate(gate, contest(0.8, challenger={"size": 10_000_000})).verdict == "block"
    assert check_gate(gate, contest(0.8, challenger={"size": 10_000_000}), "12").verdict == "pass"
    assert check_gate(gate, contest(0.8, champion={"size": 1000}, challenger={"size": 10_000})).verdict == "pass"


def test_checks_must_be_there_and_pass() -> None:
    """A report that blocks blocks; named ones must be there and not even warn."""

    def report(verdict: Any) -> Report:
        return Report(check="fairness", subject="m/2", verdict=verdict, findings=(Finding(what="x", verdict=verdict),))

    gate = plugins.create("gates", "checks")
    for verdict, limit, wanted in (
        ("block", "", "block"),
        ("warn", "", "pass"),
        ("warn", "fairness", "block"),
        ("pass", "fairness", "pass"),
        ("pass", "fairness+evaluation", "block"),
    ):
        found = contest(0.8, challenger={"reports": {"fairness": report(verdict)}})
        assert check_gate(gate, found, limit).verdict == wanted, (verdict, limit)


def test_all_gates_make_one_report_and_limits_are_read() -> None:
    """The worst verdict counts; a gate that is off is not asked; an unknown one, or none at all, is an error."""
    report = run(contest(0.6), limits(["latency=off", "size=7"]))
    check_report(report)
    assert report.verdict == "block"
    assert "quality" in refused(report)
    assert "latency" not in report.figures["gates"]
    assert report.figures["gates"]["size"]["threshold"] == 7
    assert run(contest(0.8), {}).verdict == "pass"
    with pytest.raises(NotFound, match="quality"):
        limits(["qualty=0.9"])
    with pytest.raises(InputError, match="limit"):
        limits(["quality"])
    with pytest.raises(InputError, match="off"):
        run(contest(0.8), dict.fromkeys(plugins.names("gates")))
