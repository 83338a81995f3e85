"""Training that holds: interruptions, deadlines, numbers that are none, several processes."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from foundation_rows import backbone, problem
from foundation_training import learn

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from luban.core import budget
from luban.core.budget import Effort
from luban.core.errors import InputError
from luban.foundation import backbone as backbones
from luban.foundation.adapt import adapt
from luban.foundation.curves import shorten, told
from luban.foundation.training import checkpoint, clock, evaluate, loop, probe
from luban.foundation.training.order import by_length, shuffled
from luban.foundation.training.rows import Rows
from luban.foundation.training.schedule import factor
from luban.foundation.training.work import Point

HERE = Path(__file__).parent
PLAIN: dict[str, Any] = {"batch": 8, "precision": "float32", "learning_rate": 1e-3}


def run(
    folder: Path, output: Path, way: str, *, kill_after: int | None = None, pause: float = 0.0, processes: int = 1
) -> int:
    """Train in a process of its own; kill it after so many steps. Return its exit status."""
    process = subprocess.Popen(
        [
            sys.executable,
            str(HERE / "foundation_training.py"),
            str(folder),
            str(output),
            way,
            str(pause),
            str(processes),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for number, line in enumerate(process.stdout, 1):
        assert line == "step\n"
        if number == kill_after:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.read()
    return process.wait()


@pytest.mark.long
@pytest.mark.parametrize("way", ["full", "lora", "adalora"])
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path: Path, way: str) -> None:
    learn(None, str(tmp_path / "whole.bin"), way)
    assert run(tmp_path / "cut", tmp_path / "cut.bin", way, kill_after=9, pause=0.02) == -signal.SIGKILL
    assert not (tmp_path / "cut.bin").exists()
    assert checkpoint.read(str(tmp_path / "cut")) is not None
    assert run(tmp_path / "cut", tmp_path / "cut.bin", way) == 0
    assert (tmp_path / "cut.bin").read_bytes() == (tmp_path / "whole.bin").read_bytes()
    assert (tmp_path / "cut.bin.steps").read_text() == (tmp_path / "whole.bin.steps").read_text()


def test_a_checkpoint_of_other_work_is_not_taken_up(tmp_path: Path) -> None:
    task, training = problem("text", "binary", 40)
    for seed in (1, 2):
        effort = Effort(seed=seed, checkpoint=str(tmp_path))
        alone = Effort(seed=seed)
        shared, own = (
            adapt(
                backbone("text"),
                "full",
                task,
                task.inputs,
                training,
                None,
                parameters={**PLAIN, "epochs": 2.0},
                effort=one,
            )
            for one in (effort, alone)
        )
        assert np.array_equal(shared.margins(training.table), own.margins(training.table))


def test_a_damaged_checkpoint_is_as_good_as_none(tmp_path: Path) -> None:
    checkpoint.write(str(tmp_path), {"a": torch.ones(3)}, {"step": 4})
    found = checkpoint.read(str(tmp_path))
    assert found is not None
    assert found[1] == {"step": 4}
    file = tmp_path / "training.safetensors"
    file.write_bytes(file.read_bytes()[:-5])
    assert checkpoint.read(str(tmp_path)) is None


def test_the_deadline_is_kept_with_a_finished_schedule_and_the_best_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is that of the processor, which others on the machine do not take."""
    own = SimpleNamespace(monotonic=time.process_time, perf_counter=time.process_time)
    for module in (budget, clock, evaluate, loop, probe):
        monkeypatch.setattr(module, "time", own)
    monkeypatch.setattr(loop, "Clock", lambda deadline: clock.Clock(deadline, began=time.process_time()))
    task, training = problem("text", "multiclass", 400)
    _, held = problem("text", "multiclass", 60, seed=9)
    effort = Effort(deadline=time.process_time() + 4.0)
    result = adapt(
        backbone("text"), "full", task, task.inputs, training, held,
        parameters={**PLAIN, "epochs": 1000.0, "patience": 1000}, effort=effort,
    )  # fmt: skip
    assert effort.remaining > 0
    rates = [one.rate for one in result.history]
    assert rates[-1] < 0.2 * max(rates)
    judged = [one.criterion for one in result.history if one.criterion is not None]
    target = torch.from_numpy(held.target)
    loss = float(torch.nn.functional.cross_entropy(torch.from_numpy(result.margins(held.table)), target))
    assert loss == pytest.approx(min(judged), rel=1e-3)
    assert result.learned["epochs"] < 1000


def test_numbers_that_are_none_are_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from luban.foundation.heads.classes import Multiclass

    plain, calls = Multiclass.losses, [0]

    def broken(self: Multiclass, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        calls[0] += margins.requires_grad
        bad = math.nan if margins.requires_grad and calls[0] > 100 else 1.0
        return plain(self, margins, target) * bad

    monkeypatch.setattr(Multiclass, "losses", broken)
    task, training = problem("text", "multiclass", 64)
    _, held = problem("text", "multiclass", 20, seed=9)
    parameters = {**PLAIN, "epochs": 40.0, "patience": 1000, "probe_first": False}
    result = adapt(backbone("text"), "full", task, task.inputs, training, held, parameters=parameters, effort=Effort())
    assert any("no number" in one for one in result.notes)
    assert result.history[-1].step < 110
    assert np.isfinite(result.margins(held.table)).all()


def test_a_head_begins_with_a_direction_and_is_not_sure_of_it() -> None:
    """Before the body has learnt anything the head is better than chance, and has not taken the rows by heart."""
    task, training = problem("text", "binary", 64)
    parameters = {**PLAIN, "epochs": 0.1, "learning_rate": 1e-12}
    began = adapt(backbone("text"), "full", task, task.inputs, training, None, parameters=parameters, effort=Effort())
    margins = began.margins(training.table)[:, 0]
    centred = margins - margins.mean()
    assert np.corrcoef(centred, training.target)[0, 1] > 0.2
    assert np.abs(centred).max() < 1.0


def test_a_target_that_is_no_number_is_refused() -> None:
    task, training = problem("text", "regression", 32)
    training.target[3] = np.nan
    with pytest.raises(InputError, match="no number"):
        adapt(backbone("text"), "full", task, task.inputs, training, None, parameters=PLAIN, effort=Effort())


def test_a_training_that_diverges_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    stepped = torch.optim.AdamW.step

    def broken(self: torch.optim.AdamW, closure: Any = None) -> None:
        stepped(self, closure)
        with torch.no_grad():
            self.param_groups[0]["params"][0].mul_(math.inf)

    monkeypatch.setattr(torch.optim.AdamW, "step", broken)
    task, training = problem("text", "regression", 32)
    with pytest.raises(InputError, match="diverged"):
        adapt(backbone("text"), "full", task, task.inputs, training, None, parameters=PLAIN, effort=Effort())


def test_parts_of_a_step_add_up_to_the_step() -> None:
    """Gradient accumulation, and values computed twice, give what a whole batch gives."""
    task, training = problem("text", "multiclass", 32)
    body = still(backbone("text"))
    found = []
    for extra in ({}, {"accumulate": 4}, {"checkpointing": True}):
        parameters = {**PLAIN, "epochs": 2.0, "dropout": 0.0, "probe_first": False, **extra}
        result = adapt(
            backbones.load(body), "full", task, task.inputs, training, None, parameters=parameters, effort=Effort()
        )
        found.append(result.margins(training.table))
    assert np.abs(found[1] - found[0]).max() < 1e-4
    assert np.abs(found[2] - found[0]).max() < 1e-4


@pytest.mark.long
def test_two_processes_give_what_one_gives() -> None:
    """Over gloo, by accelerate: batches are shared, and the loss is that of the whole batch."""
    pytest.importorskip("accelerate")
    task, training = problem("text", "multiclass", 33)
    _, held = problem("text", "multiclass", 15, seed=9)
    body = still(backbone("text"))
    found = []
    for processes in (1, 2):
        parameters = {
            **PLAIN,
            "epochs": 2.0,
            "dropout": 0.0,
            "probe_first": False,
            "processes": processes,
            "patience": 99,
        }
        result = adapt(
            backbones.load(body), "full", task, task.inputs, training, held, parameters=parameters, effort=Effort()
        )
        found.append((result.margins(held.table), [one.criterion for one in result.history if one.criterion]))
    assert np.abs(found[0][0] - found[1][0]).max() < 1e-4
    assert found[0][1] == pytest.approx(found[1][1], abs=1e-4)


@pytest.mark.long
def test_two_killed_processes_go_on_to_the_same_bits(tmp_path: Path) -> None:
    """With dropout: each process draws what it would have drawn, whatever was killed before."""
    pytest.importorskip("accelerate")
    learn(None, str(tmp_path / "whole.bin"), "full", 2)
    assert run(tmp_path / "cut", tmp_path / "cut.bin", "full", processes=2, kill_after=9) == -signal.SIGKILL
    assert not (tmp_path / "cut.bin").exists()
    learn(str(tmp_path / "cut"), str(tmp_path / "cut.bin"), "full", 2)
    assert (tmp_path / "cut.bin").read_bytes() == (tmp_path / "whole.bin").read_bytes()


def still(body: backbones.Backbone) -> dict[str, bytes]:
    """Return the payloads of a backbone without dropout."""
    import json

    payloads = dict(body.save())
    about = json.loads(payloads["backbone.json"])
    about["configuration"]["transformers"] |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return payloads | {"backbone.json": json.dumps(about).encode()}


def test_report_ends_training_where_it_says_no() -> None:
    task, training = problem("text", "binary", 40)
    seen: list[int] = []

    def report(step: int, loss: float) -> bool:
        assert math.isfinite(loss)
        seen.append(step)
        return len(seen) < 3

    parameters = {**PLAIN, "epochs": 50.0, "patience": 100}
    adapt(
        backbone("text"),
        "full",
        task,
        task.inputs,
        training,
        training,
        parameters=parameters,
        effort=Effort(),
        report=report,
    )
    assert len(seen) == 3


def test_a_refit_is_told_where_to_stop() -> None:
    task, training = problem("text", "binary", 48)
    _, held = problem("text", "binary", 24, seed=4)
    result = adapt(
        backbone("text"),
        "full",
        task,
        task.inputs,
        training,
        held,
        parameters={**PLAIN, "epochs": 6.0},
        effort=Effort(),
    )
    again = adapt(
        backbone("text"),
        "full",
        task,
        task.inputs,
        training,
        None,
        parameters={**PLAIN, **result.learned},
        effort=Effort(),
    )
    assert again.history[-1].epoch == pytest.approx(result.learned["stop"], abs=0.2) or result.learned["stop"] < 0.5


def test_bucketing_leaves_little_padding_and_no_row_out() -> None:
    draw = np.random.default_rng(0)
    lengths = draw.integers(4, 128, 1000)
    batches = shuffled(lengths, 16, seed=1, epoch=2)
    assert sorted(np.concatenate(batches).tolist()) == list(range(1000))
    padded = sum(int(lengths[one].max()) * len(one) for one in batches)
    assert padded < 1.1 * lengths.sum()
    assert all((one == other).all() for one, other in zip(batches, shuffled(lengths, 16, seed=1, epoch=2), strict=True))
    assert [one.tolist() for one in batches] != [one.tolist() for one in shuffled(lengths, 16, seed=1, epoch=3)]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=80), st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_batches_hold_each_row_once(lengths: list[int], batch: int) -> None:
    for batches in (shuffled(np.array(lengths), batch, seed=0, epoch=0), list(by_length(np.array(lengths), batch))):
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
        assert len(batches) == math.ceil(len(lengths) / batch)


@given(st.floats(0, 1), st.floats(0, 0.5))
def test_the_rate_rises_then_falls_to_nothing(progress: float, warm_up: float) -> None:
    assert 0.0 <= factor(progress, warm_up) <= 1.0
    assert factor(1.0, warm_up) == pytest.approx(0.0, abs=1e-12)
    assert factor(warm_up, warm_up) == pytest.approx(1.0)


def test_rows_kept_without_padding_are_those_that_the_preparation_makes() -> None:
    task, training = problem("text", "tokens", 40)
    preparation = backbone("text").preparation(("input",), words=True)
    rows = Rows(preparation, training.table)
    chosen = np.array([5, 1, 30, 8])
    expected = preparation(training.table.take(chosen))
    found = rows.batch(chosen)
    assert set(found) == set(expected)
    assert all(np.array_equal(found[name].numpy(), expected[name]) for name in expected)
    assert rows.lengths[5] == int(preparation(training.table.slice(5, 1))["attention_mask"].sum())
    assert task.kind == "tokens"


def test_the_curves_tell_the_course() -> None:
    task, training = problem("text", "multiclass", 48)
    _, held = problem("text", "multiclass", 20, seed=9)
    parameters = {**PLAIN, "epochs": 4.0, "patience": 50}
    history = adapt(
        backbone("text"), "full", task, task.inputs, training, held, parameters=parameters, effort=Effort()
    ).history
    assert [one.step for one in history] == sorted(one.step for one in history)
    assert sum(one.validation is not None for one in history) >= 4
    assert history[-1].rate < max(one.rate for one in history)
    curves = told(history)
    assert set(curves) == {"loss", "training_loss", "validation_loss", "learning_rate", "rows_per_second"}
    assert curves["loss"] == tuple((one.step, one.criterion) for one in history if one.criterion is not None)
    assert len(curves["training_loss"]) >= 20
    assert all(value > 0 for name in ("learning_rate", "rows_per_second") for _, value in curves[name])


def test_a_history_stays_short_however_long_the_training() -> None:
    """Of a hundred thousand points few stay; the first and the last, and the last evaluation, are among them."""
    history: list[Point] = []
    longest = 0
    for step in range(0, 100_000, 10):
        judged = 1.0 / (1 + step) if step % 5000 == 0 else None
        history.append(Point(step=step, epoch=0.0, training=1.0, validation=judged, criterion=judged, rate=1e-3))
        shorten(history)
        longest = max(longest, len(history))
    assert longest <= 800
    steps = [one.step for one in history]
    assert steps == sorted(set(steps))
    assert [one.step for one in history if one.criterion is not None] == list(range(0, 100_000, 5000))
    assert steps[0] == 0
    assert steps[-1] == 99_990
    assert max(b - a for a, b in pairwise(steps)) <= 2000, "no fiftieth of it is left out"
    assert max(map(len, told(history).values())) <= 200
