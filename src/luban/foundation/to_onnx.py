"""From a network of torch to an ONNX model, checked against it on real batches.

torch traces the network on tensors of two rows or more; sizes that the preparation leaves open stay open, as does the
number of rows. Source: https://docs.pytorch.org/docs/stable/onnx_export.html (``dynamo=True``).
"""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import nn

    from luban.core.preparation import Tensor
    from luban.foundation.way import Applied

OPSET = 20  # as in the graphs that Luban writes
LIMIT = 1e-4
OUTPUT = "output"


def to_onnx(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    batches: Sequence[Mapping[str, np.ndarray]],
    *,
    limit: float = LIMIT,
) -> bytes:
    """Return a network as a serialised ONNX model: inputs by the names of `tensors`, one output.

    Parameters
    ----------
    network : torch.nn.Module
        ``network(**tensors)`` returns one tensor with one entry a row. It is traced in evaluation mode.
    tensors : mapping of str to Tensor
        What its preparation makes.
    batches : sequence of mappings
        Real tensors, at least one batch; the ONNX model is compared on all of them.
    limit : float
        Largest difference that is taken, as a share of the largest output (at least of 1).

    Raises
    ------
    Unsupported
        If the network cannot be traced, or the ONNX model answers differently.
    """
    import torch

    from luban.foundation.training.device import where

    modes = [(one, one.training) for one in network.modules()]
    home = where(network).device
    # ONNX is written, and compared, on the processor.
    network.eval().cpu()
    try:
        with torch.no_grad(), _quiet():
            content = _exported(network, tensors, batches[0])
            expected = [_outputs(network, batch) for batch in batches]
    finally:
        network.to(home)
        for module, training in modes:
            module.training = training
    _check(content, batches, expected, limit)
    return content


def merge(applied: Applied, network: nn.Module, batches: Sequence[Mapping[str, np.ndarray]]) -> float:
    """Fold what a way added into the weights and return how much that changes the outputs on real batches.

    Raises
    ------
    Unsupported
        If it cannot be folded, or changes an output by more than 1e-4 of the largest (at least of 1).
    """
    import torch

    with torch.no_grad():
        before = [_outputs(network, batch) for batch in batches]
        applied.merge()
        after = [_outputs(network, batch) for batch in batches]
    difference = max(_difference(one, other) for one, other in zip(before, after, strict=True))
    if not difference <= LIMIT:
        raise Unsupported(
            "the weights with the adapter folded in answer differently than with it beside them",
            seen=f"a difference of {difference:.3g}, where {LIMIT:g} is allowed",
        )
    return difference


def _exported(network: nn.Module, tensors: Mapping[str, Tensor], batch: Mapping[str, np.ndarray]) -> bytes:
    import torch

    names = tuple(tensors)
    example = tuple(torch.from_numpy(np.ascontiguousarray(_two_rows(batch[name]))) for name in names)
    rows = torch.export.Dim.DYNAMIC
    shapes = tuple(
        {0: rows}
        | {place: torch.export.Dim.DYNAMIC for place, size in enumerate(tensors[name].shape, 1) if size is None}
        for name in names
    )
    try:
        program = torch.onnx.export(
            _by_position(network, names),
            example,
            dynamo=True,
            dynamic_shapes=(shapes,),
            input_names=list(names),
            output_names=[OUTPUT],
            opset_version=OPSET,
            verbose=False,
        )
    except Exception as error:  # torch raises whatever its tracing stumbles over
        raise Unsupported(
            f"{type(network).__name__} cannot be written as ONNX", seen=f"{type(error).__name__}: {error}"[:500]
        ) from error
    assert program is not None
    return _plain(program.model_proto)


def _by_position(network: nn.Module, names: Sequence[str]) -> nn.Module:
    from torch import nn

    class ByPosition(nn.Module):  # type: ignore[misc]
        """The network with its tensors in a fixed order."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *values: Any) -> Any:
            return self.network(**dict(zip(names, values, strict=True)))

    return ByPosition().eval()


def _two_rows(values: np.ndarray) -> np.ndarray:
    """Return at least two rows: of one row torch would take the number of rows as fixed."""
    return values if len(values) > 1 else np.concatenate([values, values])


def _plain(model: Any) -> bytes:
    """Return a model without what tells of the machine that wrote it, and without types that trip quantisation up."""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    model.doc_string = ""
    for one in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        one.doc_string = ""
        del one.metadata_props[:]
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _outputs(network: nn.Module, batch: Mapping[str, np.ndarray]) -> np.ndarray:
    import torch

    from luban.foundation.training.device import where

    tensors = where(network).put({name: torch.from_numpy(values) for name, values in batch.items()})
    found: np.ndarray = network(**tensors).float().cpu().numpy()
    return found


def _check(
    content: bytes, batches: Sequence[Mapping[str, np.ndarray]], expected: Sequence[np.ndarray], limit: float
) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_inputs()]
        found = [session.run([OUTPUT], {name: batch[name] for name in names})[0] for batch in batches]
    except Exception as error:  # ONNX Runtime raises its C++ checks as unrelated types
        raise Unsupported("the network's ONNX model does not run", seen=str(error)[:500]) from error
    difference = max(_difference(one, other) for one, other in zip(expected, found, strict=True))
    if not difference <= limit:
        raise Unsupported(
            "the network's ONNX model does not answer as the network does",
            seen=f"a difference of {difference:.3g}, where {limit:g} is allowed",
        )


def _difference(expected: np.ndarray, found: np.ndarray) -> float:
    """Return the largest difference as a share of the largest output (at least of 1); NaN in one alone is infinite."""
    if expected.shape != found.shape:
        return float("inf")
    difference = np.abs(expected - found)
    difference[np.isnan(expected) & np.isnan(found)] = 0.0
    difference[np.isnan(difference)] = np.inf
    scale = max(1.0, float(np.nanmax(np.abs(expected), initial=0.0)))
    return float(difference.max(initial=0.0)) / scale


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's remarks on packages that are not there, and on its own deprecated parts, from the screen."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
