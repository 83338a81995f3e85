"""Where networks compute: nothing of a step stays behind on the processor, and what CUDA is asked for.

No GPU is needed: a device that holds no numbers (``meta``) tells by its tensors what was not brought there.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from foundation_rows import backbone, problem
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.errors import InputError
from luban.core.protocols import Suitable
from luban.foundation.adapt import adapt
from luban.foundation.setup import choose, find, set_up
from luban.foundation.training import checkpoint, device, processes, state
from luban.foundation.training.loss import Loss, mixing

if TYPE_CHECKING:
    from pathlib import Path

META = torch.device("meta")
CASES = [
    *(("text", "multiclass", way) for way in plugins.names("ways")),
    *(("text", task, "full") for task in ("binary", "multilabel", "regression", "quantile", "tokens", "pairs")),
    *((kind, "multilabel", way) for kind in ("image", "convolutions", "audio") for way in ("full", "lora", "prefix")),
]


class Together(TorchDispatchMode):
    """Refuses what CUDA refuses: tensors of two devices in one operation, but for copies and single numbers."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        devices = {one.device.type for one in given if one.dim()}
        assert len(devices) < 2 or "copy_" in str(function), f"{function} takes tensors of {devices}"
        if function is torch.ops.aten._local_scalar_dense.default and given[0].device == META:
            return False  # transformers asks whether a mask hides nothing
        return function(*args, **(kwargs or {}))


@pytest.mark.long
@pytest.mark.parametrize(("kind", "name", "way"), CASES)
def test_all_that_a_step_needs_is_where_the_network_is(kind: str, name: str, way: str) -> None:
    """Body, what the way adds, head, loss, weights of classes and mixed rows: forwards, backwards and at rest."""
    task, training = problem(kind, name, 8)
    body = backbone(kind)
    if not isinstance(find(way).supports(body, task), Suitable):
        return
    chosen, options, settings, reading = choose(body, way, task, {"balanced": name == "multiclass"})
    setup = set_up(
        body, chosen, task, task.inputs, training, None,
        options=options, settings=settings, reading=reading, effort=Effort(),
    )  # fmt: skip
    work = setup.work
    tensors = {key: one.to(META) for key, one in work.examples.rows.batch(np.arange(4)).items()}
    target = work.examples.target[:4].to(META)
    network = work.network.to(META)
    with Together():
        for alpha in (0.0, 0.5):
            state.learning_mode(network)
            mix = mixing(alpha, 4, np.random.default_rng(0), META)
            loss = Loss(network, work.objective, "float32")(tensors, target, torch.ones(4, device=META), mix)
            assert loss.device == META
            loss.backward()
        network.eval()
        with torch.no_grad():
            margins = network(**tensors)
            assert {margins.device, work.objective.errors(margins, target).device} == {META}
    assert {one.device for one in network.state_dict().values()} == {META}


def test_cuda_computes_float32_in_full_and_repeatably(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions of CUDA round to ten bits unless they are told not to; what is repeated needs a workspace."""
    assert device.processor() == torch.device("cuda" if torch.cuda.is_available() else "cpu")
    before = torch.backends.cudnn.allow_tf32
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    try:
        assert device.processor().type == "cuda"
        assert not torch.backends.cudnn.allow_tf32
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.backends.cudnn.allow_tf32 = before


@pytest.mark.long
@pytest.mark.parametrize(("kind", "wanted"), [("cuda", True), ("cuda", False), ("cpu", True)])
def test_what_is_counted_in_steps_is_computed_the_same_each_time(kind: str, wanted: bool) -> None:
    """Processors repeat themselves; CUDA does where it is told to, for no longer than it is wanted."""
    with device.repeatable(torch.device(kind), wanted=wanted):
        assert torch.are_deterministic_algorithms_enabled() == (kind == "cuda" and wanted)
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_network_that_was_loaded_answers_where_training_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of it, made once; what is there already is taken as it is."""
    network = torch.nn.Linear(2, 1)
    assert device.at_work(network)[0] is network or torch.cuda.is_available()
    monkeypatch.setattr(device, "processor", lambda: META)
    copy, place = device.at_work(network)
    assert (place.device, copy.weight.device, network.weight.device.type) == (META, META, "cpu")
    assert device.at_work(network)[0] is copy
    assert device.at_work(copy)[0] is copy


def test_what_helps_is_said_where_a_gpu_has_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's own words are a page of figures; the first of them stays."""
    task, training = problem("text", "binary", 12)
    words = (
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB of which none is free."
    )

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError(words)

    monkeypatch.setattr(import_module("luban.foundation.adapt"), "set_up", full)
    with pytest.raises(
        InputError, match=r"memory of the GPU does not suffice; seen: CUDA out of memory\. Use a smaller"
    ):
        adapt(backbone("text"), "full", task, task.inputs, training, None, parameters={}, effort=Effort())


def test_a_checkpoint_of_another_device_is_gone_on_from(tmp_path: Path) -> None:
    """What CUDA's generator was like is nothing to a processor, and the other way round."""
    states = {**checkpoint.random_state(torch.device("cpu")), "random.cuda": torch.zeros(16, dtype=torch.uint8)}
    drawn = torch.rand(3)
    checkpoint.write(str(tmp_path), states, {"step": 1})
    found = checkpoint.read(str(tmp_path))
    assert found is not None
    checkpoint.restore_random_state(torch.device("cpu"), found[0])
    assert torch.equal(torch.rand(3), drawn)


@pytest.mark.long
def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """More processes than GPUs are refused before one is begun; what only reads begins none by itself."""
    task, training = problem("text", "binary", 12)
    asked: list[int | None] = []
    plain = processes.shared
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(processes, "shared", lambda job, count: asked.append(count) or plain(job, count))
    given = training, None
    with pytest.raises(InputError, match=r"a GPU of its own.*processes=3, 2 GPUs"):
        adapt(backbone("text"), "lora", task, task.inputs, *given, parameters={"processes": 3}, effort=Effort())
    adapt(backbone("text"), "linear_probe", task, task.inputs, *given, parameters={}, effort=Effort())
    assert asked == [3, 1]
