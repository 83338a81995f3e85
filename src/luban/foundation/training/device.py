"""Where a network runs: the one place that chooses a processor, an arithmetic and the processes that share the work."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

Module = TypeVar("Module", bound=torch.nn.Module)


@dataclass(frozen=True)
class Place:
    """Where this process trains.

    Attributes
    ----------
    device : torch.device
    rank, processes : int
        This process and how many share each step.
    accelerator
        Accelerate's own object where several do.
    """

    device: torch.device
    rank: int = 0
    processes: int = 1
    accelerator: Any = None

    @property
    def first(self) -> bool:
        """Whether this process reports and writes."""
        return self.rank == 0

    def wrap(self, network: torch.nn.Module) -> torch.nn.Module:
        """Return the network on the device, with gradients averaged over the processes."""
        if self.accelerator is None:
            return network.to(self.device)
        prepared: torch.nn.Module = self.accelerator.prepare(network)
        return prepared

    def put(self, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return tensors on the device."""
        if self.device.type == "cpu":
            return tensors
        return {name: one.to(self.device, non_blocking=True) for name, one in tensors.items()}

    def any(self, *, flag: bool) -> bool:
        """Return whether the flag is set in any process."""
        return self.largest(float(flag)) > 0

    def largest(self, value: float) -> float:
        """Return the largest of the values of all processes."""
        if self.processes == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(shared, op=torch.distributed.ReduceOp.MAX)
        return float(shared)

    def mean(self, value: float) -> float:
        """Return the mean of the values of all processes."""
        return value if self.processes == 1 else float(np.mean(self.gathered(value)))

    def gathered(self, value: Any) -> list[Any]:
        """Return the values of all processes, by rank."""
        if self.processes == 1:
            return [value]
        values: list[Any] = [None] * self.processes
        torch.distributed.all_gather_object(values, value)
        return values


def here() -> Place:
    """Return where this process trains: CUDA where there is one, with its fellows where it was launched with some."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import Accelerator, InitProcessGroupKwargs

        patience = InitProcessGroupKwargs(timeout=timedelta(minutes=10))
        accelerator = Accelerator(cpu=processor().type == "cpu", kwargs_handlers=[patience])
        return Place(accelerator.device, accelerator.process_index, accelerator.num_processes, accelerator)
    return Place(processor())


def processor() -> torch.device:
    """Return what networks compute on in this process: CUDA where there is one. Nothing else decides it.

    What is computed there in float32 is computed in float32, convolutions too, so that a model answers as its graph
    does on a processor; where speed is wanted, bfloat16 is asked for.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32 = False
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it products differ in their last bits
    return torch.device("cuda")


@contextmanager
def repeatable(device: torch.device, *, wanted: bool) -> Iterator[None]:
    """Let a device compute the same bits each time, as processors do, where that is wanted: it costs speed on CUDA.

    Of an operation that CUDA has in no such form PyTorch warns.
    """
    if device.type == "cpu" or not wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@contextmanager
def room_told() -> Iterator[None]:
    """Say what helps where the memory of a GPU does not suffice.

    Raises
    ------
    InputError
        In place of PyTorch's own error, which is a page of figures.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise InputError(
            "the memory of the GPU does not suffice",
            seen=str(error).partition(". ")[0],
            remedy="Use a smaller batch, accumulate=4, checkpointing=true, a smaller max_length, or a way that trains "
            "fewer weights, such as lora or linear_probe; or end what else computes there.",
        ) from error


def where(network: torch.nn.Module) -> Place:
    """Return where a network is, so that tensors can be put there; one without weights is on the processor."""
    first = next(network.parameters(), None)
    return Place(torch.device("cpu") if first is None else first.device)


_copies: WeakKeyDictionary[torch.nn.Module, torch.nn.Module] = WeakKeyDictionary()
_copying = threading.Lock()


def on(network: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """Return a network that never changes as it is on a device: itself on the processor, else a copy that is kept.

    The network itself stays on the processor, where it is saved, explained and written as ONNX.
    """
    if device.type == "cpu":
        return network
    with _copying:
        if network not in _copies:
            _copies[network] = deepcopy(network).to(device)
        return _copies[network]


def at_work(network: Module) -> tuple[Module, Place]:
    """Return a network that never changes, as it computes, and where: where it is, or a copy of it on `processor`."""
    place = where(network)
    if place.device.type == "cpu":
        place = Place(processor())
        network = cast("Module", on(network, place.device))
    return network, place


def wait(device: torch.device) -> None:
    """Wait until the device has done what it was given, as a clock that is looked at next must see it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def arithmetic(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Return the context in which a body computes: ``float32`` or ``bfloat16``."""
    if precision == "bfloat16":
        context: AbstractContextManager[Any] = torch.autocast(device.type, dtype=torch.bfloat16)
        return context
    return nullcontext()


def may_be_faster(device: torch.device) -> bool:
    """Return whether the processor multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return any(_has(name) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))


def _has(question: str) -> bool:
    ask: Callable[[], bool] | None = getattr(torch.cpu, question, None)
    return ask is not None and bool(ask())


def measured(device: torch.device, work: Callable[[], object]) -> str:
    """Return the precision that was faster in trials of `work`; bfloat16 must be a tenth faster to be taken.

    Parameters
    ----------
    work : callable
        One forward and backward pass; its gradients are not used.
    """
    if not may_be_faster(device):
        return "float32"
    seconds = {}
    for precision in ("float32", "bfloat16"):
        with arithmetic(device, precision):
            work()
            taken = []
            for _ in range(2):
                started = time.perf_counter()
                work()
                wait(device)
                taken.append(time.perf_counter() - started)
        seconds[precision] = min(taken)
    return "bfloat16" if seconds["bfloat16"] < 0.9 * seconds["float32"] else "float32"


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let PyTorch run so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, count))
    try:
        yield
    finally:
        torch.set_num_threads(before)
