"""The int8 forms of a graph, the quickest first."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
from onnx import helper

from luban.core.errors import Unsupported
from luban.export.compress.dynamic import ALMOST, WORTH, plain, products, quantised_products
from luban.export.compress.layers import sensitivity, smoothed
from luban.export.compress.weights import quantised_rows, stored_small, weighty
from luban.learners.graph.metadata import properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np

    from luban.export.compress.dynamic import Product

    Batches = Sequence[Mapping[str, np.ndarray]]

SHARES = (0.125, 0.25, 0.5)
"""Shares of the layers, the most sensitive ones, that are computed as float32 where all in int8 lose too much."""
MATRICES = ("MatMul", "Gemm")


@dataclass(frozen=True, kw_only=True)
class Form:
    """One int8 form of a graph.

    Parameters
    ----------
    name : str
    words : str
        What it keeps and computes in which type.
    make : callable
        Returns the graph, or raises `Unsupported`.
    """

    name: str
    words: str
    make: Callable[[], bytes]


def forms(graph: bytes, batches: Batches, *, static: bool = False) -> Iterator[Form]:
    """Yield the int8 forms of a graph, the quickest first and the most faithful last.

    Parameters
    ----------
    graph : bytes
    batches : sequence of mappings
        Real inputs: what static quantisation is calibrated on, and what sensitive layers are found on.
    static : bool
        Whether scales of activations are fixed on `batches` rather than found anew at each prediction. It is always
        tried first where most weights are kernels of convolutions: ONNX Runtime has no quick dynamic form of those.

    Raises
    ------
    Unsupported
        If the graph has no weights worth it.
    """
    model = onnx.load_from_string(graph)
    sizes = weighty(model)
    if not sizes:
        raise Unsupported(
            "the model has no weights that int8 would make smaller",
            seen="no matrix, embedding or convolution of 4,096 numbers or more",
            remedy="Trees and small linear models gain nothing from int8.",
        )
    kernels = weighty(model, ["Conv"])
    simple = {node.name for node in model.graph.node if plain(node)}
    matrices = [name for name in weighty(model, MATRICES) if name in simple]
    if static or 2 * sum(kernels.values()) > sum(sizes.values()):
        yield Form(
            name="static",
            words="weights and activations in int8, scales of activations fixed on real rows",
            make=lambda: _static(model, batches, [*kernels, *matrices]),
        )
    if matrices:
        smooth = smoothed(model, matrices, batches)
        ready = products(smooth, matrices, batches)
        yield Form(
            name="dynamic",
            words="weights in int8; inputs of matrix products, smoothed, to int8 at each prediction",
            make=partial(_dynamic, smooth, ready, WORTH),
        )
        if any(WORTH <= one.left < ALMOST for one in ready.values()):
            yield Form(
                name="dynamic, by row",
                words="as dynamic, but most inputs have a scale for each of their rows",
                make=partial(_dynamic, smooth, ready, ALMOST),
            )
        errors = sensitivity(smooth, matrices, batches) if len(matrices) > 1 else {}
        worst = sorted(errors, key=lambda name: -errors[name])
        for share in SHARES if worst else ():
            left = worst[: max(1, round(share * len(worst)))]
            kept = {name: one for name, one in ready.items() if name not in left}
            yield Form(
                name=f"dynamic, {len(left)} of {len(matrices)} layers in float32",
                words="as dynamic, but the most sensitive layers are computed as float32, from weights in int8",
                make=partial(_dynamic, smooth, kept, ALMOST),
            )
    yield Form(
        name="weights",
        words="weights in int8, computed as float32: smaller, no quicker",
        make=lambda: _finish(model, _embeddings(_small(model))),
    )


def _embeddings(model: onnx.ModelProto) -> onnx.ModelProto:
    return quantised_rows(model, weighty(model, ["Gather"]))


def _small(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose remaining matrices and kernels of float32 are kept as int8."""
    return stored_small(model, weighty(model, ["Conv", *MATRICES]))


def _dynamic(model: onnx.ModelProto, ready: Mapping[str, Product], worth: float) -> bytes:
    return _finish(model, _small(_embeddings(quantised_products(model, ready, worth=worth))))


def _static(model: onnx.ModelProto, batches: Batches, nodes: Sequence[str]) -> bytes:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Rows(CalibrationDataReader):  # type: ignore[misc]
        """Real inputs, one batch after another."""

        def __init__(self) -> None:
            self._left = iter(batches)

        def get_next(self) -> Any:
            batch = next(self._left, None)
            return None if batch is None else dict(batch)

    simple = smoothed(_folded(_embeddings(model)), weighty(model, ["MatMul"]), batches)
    chosen = [name for name in weighty(simple, ["Conv", *MATRICES]) if name in set(nodes)]

    def quantise(path: Path) -> None:
        quantize_static(
            simple,
            path,
            Rows(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", *MATRICES],
            nodes_to_quantize=chosen,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )

    return _finish(model, _small(_written(quantise)))


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with normalisation after convolutions folded into them, by ONNX Runtime."""
    import onnxruntime

    def fold(path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    return _written(fold)


def _written(work: Callable[[Path], None]) -> onnx.ModelProto:
    """Return the model that a function of ONNX Runtime writes to a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        logger = logging.getLogger()  # its tools write remarks for their own users to the root
        before = logger.level
        logger.setLevel(logging.ERROR)
        try:
            work(path)
        except Exception as error:  # its tools raise whatever they stumble over
            raise Unsupported("ONNX Runtime cannot make this form of the graph", seen=str(error)[:300]) from error
        finally:
            logger.setLevel(before)
        return onnx.load(str(path))


def _finish(source: onnx.ModelProto, model: onnx.ModelProto) -> bytes:
    """Return a form as bytes, with the metadata of its source."""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    helper.set_model_props(model, properties(source))
    model.producer_name, model.producer_version = source.producer_name, source.producer_version
    domains = {node.domain for node in model.graph.node}
    for one in [one for one in model.opset_import if one.domain not in {"", *domains}]:
        model.opset_import.remove(one)
    content: bytes = model.SerializeToString(deterministic=True)
    return content
