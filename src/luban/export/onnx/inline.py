"""Another ONNX model's nodes, made fit to stand in a graph: one opset, names of their own, no functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx
import onnx.inliner
import onnx.version_converter
from onnx import AttributeProto, TensorProto

from luban.core.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, kw_only=True)
class Inlined:
    """What a model adds to a graph.

    Parameters
    ----------
    nodes : tuple of NodeProto
    initialisers : tuple of TensorProto
        Under the names by which the nodes read them.
    outputs : mapping of str to TypeProto
        The names of the model's outputs in the graph, in order, with their types: sizes that differ are left open.
    """

    nodes: tuple[onnx.NodeProto, ...]
    initialisers: tuple[onnx.TensorProto, ...]
    outputs: Mapping[str, onnx.TypeProto]


def read(content: bytes, opset: int) -> onnx.ModelProto:
    """Return a serialised model without functions of its own, at this opset of ``ai.onnx``.

    Raises
    ------
    Unsupported
        If it keeps its weights elsewhere, or has nodes that this opset cannot express.
    """
    model = onnx.load_from_string(content)
    if any(one.data_location == TensorProto.EXTERNAL for one in model.graph.initializer):
        raise Unsupported("the ONNX model keeps its weights in other files", remedy="Save it as one file.")
    if model.graph.sparse_initializer:
        raise Unsupported("the ONNX model has sparse weights, which not every runtime has")
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    del model.graph.value_info[:]
    version = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), opset)
    if version != opset and not _same_operators(model.graph, version, opset):
        try:
            model = onnx.version_converter.convert_version(model, opset)
        except Exception as error:  # onnx raises its C++ checks as several unrelated types
            raise Unsupported(
                f"the ONNX model cannot be brought from opset {version} to {opset}", seen=str(error)[:300]
            ) from error
    return model


def inlined(
    model: onnx.ModelProto, inputs: Mapping[str, str], prefix: str, shared: Callable[[onnx.TensorProto], str]
) -> Inlined:
    """Return the parts of a model under names of the graph.

    Parameters
    ----------
    model : onnx.ModelProto
        As `read` returns it.
    inputs : mapping of str to str
        For each input of the model the tensor of the graph that it reads.
    prefix : str
        Stands before every name that the model brings.
    shared : callable
        Returns for an initialiser the name that it has in the graph.
    """
    names = dict(inputs)
    initialisers = []
    for tensor in model.graph.initializer:
        names[tensor.name] = shared(tensor)
        kept = onnx.TensorProto()
        kept.CopyFrom(tensor)
        kept.name = names[tensor.name]
        kept.ClearField("doc_string")
        initialisers.append(kept)

    def renamed(name: str) -> str:
        return names.setdefault(name, prefix + name) if name else ""

    nodes = tuple(_renamed_node(node, renamed, prefix) for node in model.graph.node)
    return Inlined(
        nodes=nodes,
        initialisers=tuple(initialisers),
        outputs={renamed(one.name): _open_type(one) for one in model.graph.output},
    )


def needed_inputs(model: onnx.ModelProto) -> dict[str, onnx.TypeProto]:
    """Return the inputs that a model must be given (those that have no value of their own), with their types."""
    valued = {one.name for one in model.graph.initializer}
    return {one.name: one.type for one in model.graph.input if one.name not in valued}


def reads(node: onnx.NodeProto) -> set[str]:
    """Return the names that a node reads, in the bodies of its loops and branches too."""
    found = set(node.input)
    for attribute in node.attribute:
        for body in _bodies(attribute):
            for inner in body.node:
                found |= reads(inner)
            found |= {one.name for one in body.output}
    return found


def _bodies(attribute: onnx.AttributeProto) -> list[onnx.GraphProto]:
    if attribute.type == AttributeProto.GRAPH:
        return [attribute.g]
    return list(attribute.graphs) if attribute.type == AttributeProto.GRAPHS else []


def _same_operators(graph: onnx.GraphProto, version: int, other: int) -> bool:
    """Return whether all standard operators of a graph are the same ones in two opsets."""
    for node in graph.node:
        if node.domain in ("", "ai.onnx"):
            if not onnx.defs.has(node.op_type, min(version, other)):
                return False
            found = [onnx.defs.get_schema(node.op_type, one).since_version for one in (version, other)]
            if found[0] != found[1]:
                return False
        for attribute in node.attribute:
            if not all(_same_operators(body, version, other) for body in _bodies(attribute)):
                return False
    return True


def _renamed_node(node: onnx.NodeProto, renamed: Callable[[str], str], prefix: str) -> onnx.NodeProto:
    # Neither comments nor metadata are taken over: exporters write stack traces there, with the paths of a machine.
    made = onnx.NodeProto(op_type=node.op_type, domain=node.domain)
    made.input.extend(renamed(name) for name in node.input)
    made.output.extend(renamed(name) for name in node.output)
    made.name = prefix + node.name if node.name else f"{made.output[0]}:node"  # outputs are unique
    for attribute in node.attribute:
        kept = made.attribute.add()
        kept.CopyFrom(attribute)
        for body in _bodies(kept):
            _rename_body(body, renamed, prefix)
    return made


def _rename_body(body: onnx.GraphProto, renamed: Callable[[str], str], prefix: str) -> None:
    del body.value_info[:]
    for one in (*body.input, *body.output, *body.initializer):
        one.name = renamed(one.name)
    nodes = [_renamed_node(node, renamed, prefix) for node in body.node]
    del body.node[:]
    body.node.extend(nodes)


def _open_type(value: onnx.ValueInfoProto) -> onnx.TypeProto:
    if not value.type.HasField("tensor_type"):
        raise Unsupported("an output of the ONNX model is no tensor", seen=repr(value.name))
    kind = onnx.TypeProto()
    kind.CopyFrom(value.type)
    for size in kind.tensor_type.shape.dim:
        size.ClearField("dim_param")
    return kind
