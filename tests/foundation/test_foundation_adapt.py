"""Every way that a backbone advertises learns every task that it advertises, and comes back from disk the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import torch
from foundation_rows import backbone, problem, texts

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.errors import InputError, Unsupported
from luban.core.protocols import Unsuitable
from luban.foundation import adapted as stored
from luban.foundation.adapt import adapt
from luban.foundation.backbones import (
    ATTENTION_WAYS,
    CONVOLUTION_WAYS,
    PICTURE_WAYS,
    SOUND_WAYS,
    TASKS,
    TEXT_TASKS,
    tiny,
)
from luban.foundation.setup import find
from luban.foundation.ways.bitfit import Bitfit
from luban.testing.way import check_way

QUICK: dict[str, Any] = {"epochs": 1.0, "batch": 8, "precision": "float32", "learning_rate": 1e-3}
WAYS = plugins.names("ways")
ON_TEXT = (*(one for one in TEXT_TASKS if one != "matching"), "quantile", "pairs")


def roundtrip(kind: str, task_name: str, way: str) -> None:
    """Fit, save, load and predict; the same answers on rows never seen."""
    task, training = problem(kind, task_name, 24)
    _, held = problem(kind, task_name, 7, seed=5)
    body = backbone(kind)
    result = adapt(body, way, task, task.inputs, training, held, parameters=_known(way), effort=Effort(seed=1))
    margins = result.margins(held.table)
    width = 1 if task.kind == "binary" else task.outputs
    assert margins.dtype == np.float64
    assert margins.shape[0] == 7
    assert margins.shape[-1] == width
    assert (np.isfinite(margins) | (task.kind == "tokens")).all()
    payloads = result.save()
    assert all(name.endswith((".json", ".safetensors")) for name in payloads)
    back = stored.load(payloads)
    difference = np.abs(back.margins(held.table) - margins)
    assert np.isnan(difference).sum() == np.isnan(margins).sum()
    assert np.nanmax(difference) <= 1e-6 * max(1.0, np.nanmax(np.abs(margins)))
    assert back.learned == result.learned
    assert [one.step for one in back.history] == [one.step for one in result.history]


def _known(way: str) -> dict[str, Any]:
    names = set(find(way).options.__dataclass_fields__)
    return {**QUICK, **({"pairs": 200, "group": 8} if "pairs" in names else {})}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_holds_to_its_protocol(way: str) -> None:
    """It says what it does, and what it made comes back from disk the same: the check that ships for plug-ins."""
    task, training = problem("text", "binary", 24)
    made = check_way(way, lambda: backbone("text"), task, training, parameters=_known(way))
    assert made is not None, "it was refused, and every way suits a text"
    assert made.way == way


def test_a_way_that_says_what_it_does_not_do_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check fails where a way says that it only reads, and trains biases."""
    monkeypatch.setattr(Bitfit, "reads_only", True)
    task, training = problem("text", "binary", 24)
    with pytest.raises(AssertionError, match="whether it only reads"):
        check_way("bitfit", lambda: backbone("text"), task, training)


@pytest.mark.parametrize("task", ON_TEXT)
def test_each_task_comes_back_the_same(task: str) -> None:
    roundtrip("text", task, "full")
    roundtrip("text", task, "linear_probe")


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_pictures_and_sounds_come_back_the_same(kind: str) -> None:
    roundtrip(kind, "multiclass", "lora")
    roundtrip(kind, "multilabel", "prefix")


CARDS = {
    "text": (TEXT_TASKS, ATTENTION_WAYS),
    "image": (TASKS, PICTURE_WAYS),
    "convolutions": (TASKS, CONVOLUTION_WAYS),
    "audio": (TASKS, SOUND_WAYS),
}
ADVERTISED = [
    (kind, task, way) for kind, card in CARDS.items() for way, tasks in card[1].items() for task in tasks if way in WAYS
]
# What no card tells, and works: numbers with quantiles, pairs of texts.
BEYOND = [("text", task, way) for task in ("quantile", "pairs") for way in WAYS if way != "few_shot" or task == "pairs"]
REFUSED = [(kind, one, way) for kind in CARDS for one in TASKS for way in WAYS if (kind, one, way) not in ADVERTISED]


@pytest.mark.long
@pytest.mark.parametrize(("kind", "task", "way"), [*ADVERTISED, *BEYOND])
def test_all_that_is_advertised_comes_back_the_same(kind: str, task: str, way: str) -> None:
    """The zoo tells the tasks of each way; a pair that is told and then refused fails here."""
    roundtrip(kind, task, way)


@pytest.mark.long
@pytest.mark.parametrize("kind", CARDS)
def test_what_is_not_advertised_is_refused_with_its_reason(kind: str) -> None:
    """The cards of the networks tried here are those of their kind; each pair beside them is refused in words."""
    assert (backbone(kind).card.tasks, backbone(kind).card.ways) == CARDS[kind]
    refused = [(task, way) for one, task, way in REFUSED if one == kind]
    assert refused, "few-shot learns classes alone, of whatever kind the rows are"
    for name, way in refused:
        task, training = problem(kind, name, 4)
        answer = find(way).supports(body := backbone(kind), task)
        assert isinstance(answer, Unsuitable), (name, way)
        with pytest.raises(Unsupported) as caught:
            adapt(body, way, task, task.inputs, training, None, parameters={}, effort=Effort())
        assert answer.reason in str(caught.value)


def test_what_trains_no_network_is_a_learner_of_the_tasks_that_the_zoo_tells() -> None:
    """The ways of the cards that are no way of training are learners, whose answers come back from disk elsewhere."""
    others = {way for _, ways in CARDS.values() for way in ways} - set(WAYS)
    assert others == {"zero_shot", "matching"}
    for one in others:
        assert set(plugins.create("learners", one).kinds) == set(ATTENTION_WAYS[one])


@pytest.mark.parametrize("way", [one for one in WAYS if one not in {"linear_probe", "few_shot"}])
def test_what_is_folded_answers_as_what_was_trained(way: str) -> None:
    task, training = problem("text", "multiclass", 32)
    result = adapt(
        backbone("text"), way, task, task.inputs, training, None, parameters={**QUICK, "epochs": 4.0}, effort=Effort()
    )
    unfolded = stored.load(result.save(), fold=False)
    apart = np.abs(unfolded.margins(training.table) - result.margins(training.table)).max()
    assert apart <= 1e-5 * max(1.0, np.abs(result.margins(training.table)).max())
    names = set(result.network.state_dict())
    if result.folding.startswith("folded"):
        plain = {f"body.{name}" for name in backbone("text").body.state_dict()}
        assert {name for name in names if name.startswith("body.")} == plain
    else:
        assert "no" in result.folding or "bend" in result.folding


@pytest.mark.parametrize("way", ["lora", "dora", "adalora", "ia3", "adapter", "prefix", "prompt", "bitfit"])
def test_a_way_changes_only_what_it_says_and_keeps_the_backbone_as_it_was(way: str) -> None:
    task, training = problem("text", "binary", 32)
    body = backbone("text")
    before = dict(body.save())
    parameters = {**QUICK, "epochs": 3.0}
    result = adapt(body, way, task, task.inputs, training, None, parameters=parameters, effort=Effort())
    payloads = result.save()
    assert all(payloads[f"backbone/{name}"] == content for name, content in before.items())
    added = sum(one.numel() for name, one in result.changed.items() if name.startswith("body."))
    assert 0 < added < 0.6 * body.card.parameters


def test_full_learns_more_slowly_near_the_input() -> None:
    body = backbone("text")
    way = find("full")
    groups = way.apply(body, way.options(decay=0.5), {}).groups
    scales = [group.scale for group in groups]
    assert scales == sorted(scales)
    assert scales[-1] == 1.0
    assert scales[0] <= 0.5 ** (len(body.stages) - 1)
    names = [name for group in groups for name in group.parameters]
    assert "network.embeddings.word_embeddings.weight" not in names


def test_adalora_takes_ranks_away() -> None:
    task, training = problem("text", "binary", 64)
    parameters = {**QUICK, "epochs": 12.0, "rank": 2, "first_rank": 6}
    result = adapt(
        backbone("text"), "adalora", task, task.inputs, training, None, parameters=parameters, effort=Effort()
    )
    ranks = [int((one != 0).sum()) for name, one in result.changed.items() if "lora_E" in name]
    assert sum(ranks) == 2 * len(ranks)
    assert len(set(ranks)) > 1  # layers that matter keep more than others


def test_prompt_leaves_room_for_itself() -> None:
    task, training = problem("text", "binary", 16)
    body = tiny.text(texts(50), length=32)
    long = {"input": pa.array(["good film " * 60] * 16)}
    examples = type(training)(table=pa.table(long), target=training.target)
    result = adapt(
        body, "prompt", task, task.inputs, examples, None, parameters={**QUICK, "tokens": 8}, effort=Effort()
    )
    assert result.preparation.max_length + 8 <= 32
    assert np.isfinite(result.margins(examples.table)).all()


def test_an_unknown_parameter_is_named() -> None:
    task, training = problem("text", "binary", 8)
    with pytest.raises(InputError, match="rnak"):
        adapt(backbone("text"), "lora", task, task.inputs, training, None, parameters={"rnak": 4}, effort=Effort())


@pytest.mark.parametrize("name", ["changed.safetensors", "adapted.json", "backbone/weights.safetensors"])
def test_damage_is_found_when_it_is_loaded(name: str) -> None:
    task, training = problem("text", "binary", 16)
    result = adapt(backbone("text"), "lora", task, task.inputs, training, None, parameters=QUICK, effort=Effort())
    payloads = dict(result.save())
    payloads[name] = payloads[name][: len(payloads[name]) // 2]
    with pytest.raises(InputError):
        stored.load(payloads)


def test_adapting_leaves_the_random_numbers_of_loading_alone() -> None:
    task, training = problem("text", "binary", 16)
    payloads = adapt(
        backbone("text"), "lora", task, task.inputs, training, None, parameters=QUICK, effort=Effort()
    ).save()
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    stored.load(payloads)
    assert torch.equal(torch.rand(3), expected)
