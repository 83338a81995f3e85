"""A small neural network with tuned defaults: RealMLP-TD-S (Holzmüller, Grinsztajn and Steinwart 2024).

PyTorch trains it; predictions need NumPy alone, so that a model serves where PyTorch is not installed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import MissingExtra
from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Integer, Real
from luban.learners import link
from luban.learners.new_rows import FEWEST, HELD, mixed_with, part
from luban.learners.payloads import Arrays, write_arrays
from luban.learners.tabular import monotonic
from luban.learners.tabular.encoded import EncodedModel, encode, read_model, split_parameters
from luban.learners.tabular.suitability import unreadable
from luban.modalities.tabular.options import NETS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.budget import Effort
    from luban.core.protocols import Examples, Graph
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.learners.course import Curve

DEFAULTS: Mapping[str, Any] = {
    "epochs": 256,
    "stop": None,
    "patience": 60,
    "learning_rate": None,
    "width": 256,
    "layers": 3,
    "batch": 256,
    "weight_decay": 0.0,
}
"""`stop` ends training after so many of the `epochs` that the schedule is made for."""

_FILE = "network.npz"
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@dataclass(frozen=True, kw_only=True)
class NetworkKernel:
    """A multi-layer perceptron: SELU between the layers for classes, Mish otherwise.

    Parameters
    ----------
    weights, biases : tuple of numpy.ndarray
        Float32, shapes (inputs, outputs) and (outputs,) of each layer.
    centre, spread : float
        What turns outputs into the target's units; 0 and 1 for classes.
    """

    task: Task
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    centre: float
    spread: float

    def margins(self, features: np.ndarray) -> np.ndarray:
        """Return the network's outputs, shape (n, width)."""
        chunk = 65_536
        parts = [self._forward(features[start : start + chunk]) for start in range(0, len(features), chunk)]
        outputs = np.concatenate([np.zeros((0, len(self.biases[-1]))), *parts])
        return outputs * self.spread + self.centre

    def _forward(self, values: np.ndarray) -> np.ndarray:
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = values @ weights + bias
            values = _selu(values) if self.task.classifies else _mish(values)
        return np.asarray(values @ self.weights[-1] + self.biases[-1], dtype=np.float64)

    def save(self) -> Mapping[str, bytes]:
        """Return the weights."""
        arrays = {f"weights{place}": one for place, one in enumerate(self.weights)}
        arrays |= {f"biases{place}": one for place, one in enumerate(self.biases)}
        return {_FILE: write_arrays(scale=np.array([self.centre, self.spread]), **arrays)}

    def to_graph(self, graph: Graph, features: str) -> str:
        """Add the layers."""
        tensor = features
        last = len(self.weights) - 1
        for place, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            tensor = graph.node("Gemm", tensor, graph.constant(weights), graph.constant(bias))
            if place < last:
                tensor = graph.node("Selu" if self.task.classifies else "Mish", tensor)
        if self.task.classifies:
            return tensor
        spread, centre = (graph.constant(np.array(one, dtype=np.float32)) for one in (self.spread, self.centre))
        scaled: str = graph.node("Add", graph.node("Mul", tensor, spread), centre)
        return scaled


def _selu(values: np.ndarray) -> np.ndarray:
    negative = _SELU_ALPHA * np.expm1(np.minimum(values, 0.0))
    return np.asarray(np.float32(_SELU_SCALE) * np.where(values > 0, values, negative), dtype=np.float32)


def _mish(values: np.ndarray) -> np.ndarray:
    return np.asarray(values * np.tanh(np.logaddexp(np.float32(0.0), values)), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class NetworkModel(EncodedModel):
    """A network behind an encoding: Recounting, and a `luban.core.protocols.Updatable` where PyTorch is installed.

    Parameters
    ----------
    curves : mapping
        How it learnt, see `luban.core.protocols.Recounting`; none once it was loaded.
    """

    kernel: NetworkKernel
    curves: Mapping[str, Curve] = field(default_factory=dict)

    def update(self, examples: Examples, *, replay: Examples | None = None, effort: Effort) -> NetworkModel:
        """Return a model that was trained a little further, on `examples` and those of `replay` mixed.

        The last fifth of the rows tells after how many epochs to stop, then it is trained so long on all. Where none is
        better than none, the model is returned as it is.

        Raises
        ------
        MissingExtra
            If PyTorch is not installed.
        """
        rows = len(examples.target)
        if rows < FEWEST or effort.expired:
            return self
        if find_spec("torch") is None:
            raise MissingExtra("a network needs PyTorch to go on learning", remedy="Run: pip install 'luban[torch]'")
        from luban.learners.tabular.network_training import Trained, go_on

        cut = rows - max(1, int(HELD * rows))
        earlier, latest = part(examples, 0, cut), part(examples, cut, rows)
        kernel = self.kernel
        start = Trained(
            weights=kernel.weights,
            biases=kernel.biases,
            centre=kernel.centre,
            spread=kernel.spread,
            epochs=0,
            stop=0,
        )
        now = time.monotonic()
        half = replace(effort, deadline=now + 0.45 * (effort.deadline - now))
        held = self.encoding.transform(latest.table), latest
        mixed = mixed_with(earlier, replay)
        features = self.encoding.transform(mixed.table)
        found = go_on(self.task, start, features, mixed, held, DEFAULTS, half)
        if not found.stop or effort.expired:
            return self
        mixed = mixed_with(examples, replay)
        features = self.encoding.transform(mixed.table)
        own = {**DEFAULTS, "stop": found.stop}
        found = go_on(self.task, start, features, mixed, None, own, effort)
        learnt = replace(kernel, weights=found.weights, biases=found.biases)
        return replace(self, kernel=learnt, curves=found.curves)


class NeuralNetworkLearner:
    """A perceptron of three layers over robustly scaled numbers and one-hot categories."""

    name = "neural_network"

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether PyTorch is there and ten epochs fit into the time."""
        if find_spec("torch") is None:
            return Unsuitable("it needs PyTorch; run: pip install 'luban[torch]'")
        unheld = unreadable(schema) or monotonic.refused(task, "its layers know no direction")
        if unheld is not None:
            return unheld
        needed = 10 * rows / 40_000
        if needed > seconds:
            return Unsuitable(f"10 epochs would take about {needed:.0f} s and there are {seconds:.0f} s")
        return Suitable()

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return the tuned defaults."""
        return [Suggestion(order=60)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return the rate, the width, the depth and the weight decay."""
        return {
            "learning_rate": Real(0.01, 0.2, log=True),
            "width": Integer(64, 512, log=True),
            "layers": Integer(2, 4),
            "weight_decay": Real(1e-4, 0.1, log=True),
        }

    def fit(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        validation: Examples | None,
        *,
        parameters: Mapping[str, Any],
        effort: Effort,
        report: Callable[[int, float], bool] | None = None,
    ) -> NetworkModel:
        """Train until the validation loss rests, the epochs are done or the time is up."""
        from luban.learners.tabular.network_training import train

        own, options = split_parameters(parameters, DEFAULTS, NETS)
        encoding, matrix, held_out = encode(task, schema, training, validation, options, effort.seed)
        held = None if validation is None or held_out is None else (held_out, validation)
        trained = train(task, matrix, training, held, own, effort, report)
        kernel = NetworkKernel(
            task=task,
            weights=trained.weights,
            biases=trained.biases,
            centre=trained.centre,
            spread=trained.spread,
        )
        learned = {"epochs": trained.epochs, "stop": trained.stop}
        return NetworkModel(
            learner=self.name, task=task, encoding=encoding, kernel=kernel, learned=learned, curves=trained.curves
        )

    def load(self, payloads: Mapping[str, bytes]) -> EncodedModel:
        """Return the model that was saved; PyTorch is not needed."""

        def kernel(task: Task, features: int) -> NetworkKernel:
            arrays = Arrays(payloads, _FILE)
            weights: list[np.ndarray] = []
            while f"weights{len(weights)}" in arrays:
                inputs = weights[-1].shape[1] if weights else features
                weights.append(arrays.take(f"weights{len(weights)}", "float32", (inputs, None)))
            shapes = [one.shape[1] for one in weights[:-1]] + [link.width(task)]
            biases = [arrays.take(f"biases{place}", "float32", (shape,)) for place, shape in enumerate(shapes)]
            arrays.take(f"weights{max(len(weights) - 1, 0)}", "float32", (None, link.width(task)))
            centre, spread = arrays.take("scale", "float64", (2,)).tolist()
            return NetworkKernel(task=task, weights=tuple(weights), biases=tuple(biases), centre=centre, spread=spread)

        model: EncodedModel = read_model(self.name, payloads, kernel, NetworkModel)
        return model
