"""An ONNX graph under construction, checked node by node.

Every node is checked against the operator's schema, and its output types are inferred, when it is
added: a part that makes an invalid node fails in its own call, not when a session is opened.
Equal constants and equal nodes are kept once, so that members which prepare a column in the same way
share the work.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference

from luban.core.errors import NotFound, Unsupported
from luban.export.onnx import contributed, inline
from luban.export.onnx.attributes import fill_attribute
from luban.learners.graph import metadata as travelling
from luban.learners.graph.columns import OUTPUTS, is_tensor, tensor_name, tensor_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.preparation import Preparation
    from luban.core.schema import Column

OPSET = 20  # every ONNX Runtime since 1.17 reads it
IR_VERSION = 9  # the format that came with opset 20
ML_DOMAIN = "ai.onnx.ml"
ML_OPSETS = (3, 4, 5)
ROWS = "rows"
_KNOWN_VALUES = 1024  # constants up to this size are shown to shape inference
_LONG_LIST = 4096  # of longer lists (the nodes of trees) type inference sees the beginning only


class OnnxGraph:
    """The `luban.core.protocols.Graph` that the exporter hands to models.

    Parameters
    ----------
    columns : sequence of Column
        The input columns, in order. All of them become inputs of the graph, used or not, but those that are
        no tensor of one value a row, and those that are read through preparations alone.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._types: dict[str, onnx.TypeProto] = {}
        self._columns: dict[str, str] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[Any, ...], str] = {}
        self._values: dict[str, onnx.TensorProto] = {}
        self._known: dict[bytes, tuple[str, ...]] = {}
        self._ml_opsets: set[int] = set(ML_OPSETS)
        self._counts: dict[str, int] = {}
        self._prepared: dict[bytes, travelling.Prepared] = {}
        self._models: dict[tuple[Any, ...], tuple[str, ...]] = {}
        self._weights: dict[bytes, str] = {}
        self._others: dict[str, Column] = {}
        for column in columns:
            if is_tensor(column):
                self._declare(column)
            else:
                self._others[column.name] = column

    def _declare(self, column: Column) -> None:
        name = tensor_name(column.name)
        element = helper.np_dtype_to_tensor_dtype(np.dtype(tensor_type(column)))
        value = helper.make_tensor_value_info(name, element, [ROWS, 1], doc_string=column.kind)
        self._columns[column.name] = name
        self._inputs.append(value)
        self._types[name] = value.type

    def column(self, name: str) -> str:
        """Return the tensor of an input column, shape (n, 1): float32, string, or int64 microseconds."""
        if name in self._others:
            tensor_type(self._others[name])  # which says why it is none
        if name not in self._columns:
            raise NotFound.named("input column", name, self._columns)
        return self._columns[name]

    def prepared(self, preparation: Preparation) -> Mapping[str, str]:
        """Return the tensors that a preparation makes outside of the graph, by their names there.

        They become inputs of the graph, and the preparation travels in the same file. Equal preparations are kept once.
        """
        key = _preparation_key(preparation)
        if key not in self._prepared:
            inputs = {}
            for name, tensor in preparation.tensors.items():
                inputs[name] = self._free(name)
                element = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
                sizes = [
                    size if size is not None else f"{inputs[name]}_{place}" for place, size in enumerate(tensor.shape)
                ]
                value = helper.make_tensor_value_info(inputs[name], element, [ROWS, *sizes])
                self._inputs.append(value)
                self._types[inputs[name]] = value.type
            self._prepared[key] = travelling.Prepared(preparation=preparation, inputs=inputs)
        return self._prepared[key].inputs

    def subgraph(self, model: bytes, inputs: Mapping[str, str]) -> tuple[str, ...]:
        """Add all nodes of a serialised ONNX model and return the names of its outputs.

        Weights that are equal bit for bit are kept once, and so is the same model with the same inputs.

        Parameters
        ----------
        inputs : mapping of str to str
            For each input of the model the tensor of this graph that it reads.

        Raises
        ------
        Unsupported
            If the inputs do not fit, or a part of it cannot be expressed in this graph's opset.
        """
        key = (hashlib.sha256(model).digest(), tuple(sorted(inputs.items())))
        if key not in self._models:
            other = inline.read(model, OPSET)
            self._check_model(other, inputs)
            made = inline.inlined(other, inputs, self._fresh("model") + ".", self._weight)
            self._nodes.extend(made.nodes)
            for tensor in made.initialisers:
                self._values[tensor.name] = tensor
                self._types[tensor.name] = helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))
            self._types.update(made.outputs)
            self._models[key] = tuple(made.outputs)
        return self._models[key]

    def _check_model(self, model: onnx.ModelProto, inputs: Mapping[str, str]) -> None:
        """Raise `Unsupported` unless a model's inputs are given and of its types, and its domains are known."""
        needed = inline.needed_inputs(model)
        if set(needed) != set(inputs):
            raise Unsupported("the ONNX model wants other inputs", seen=f"{sorted(inputs)}, not {sorted(needed)}")
        for name, tensor in inputs.items():
            if tensor not in self._types:
                raise Unsupported("an input of the ONNX model is no tensor of this graph", seen=repr(tensor))
            if self.element(tensor) != needed[name].tensor_type.elem_type:
                raise Unsupported(
                    f"the input {name!r} of the ONNX model is of another type",
                    seen=f"{_describe(self._types[tensor])}, not {_describe(needed[name])}",
                )
        for node in model.graph.node:
            if node.domain == ML_DOMAIN:
                self._schema(node.op_type, ML_DOMAIN, {one.name: one for one in node.attribute})
            elif node.domain not in ("", "ai.onnx", contributed.DOMAIN):
                raise Unsupported(
                    f"the operator {node.op_type} is of the domain {node.domain!r}, which not every runtime has"
                )

    def _weight(self, tensor: onnx.TensorProto) -> str:
        content = onnx.TensorProto()
        content.CopyFrom(tensor)
        content.ClearField("name")
        content.ClearField("doc_string")
        key = hashlib.sha256(content.SerializeToString(deterministic=True)).digest()
        if key not in self._weights:
            self._weights[key] = self._fresh("weight")
            self._types[self._weights[key]] = onnx.TypeProto()  # the name is taken
        return self._weights[key]

    def constant(self, values: np.ndarray) -> str:
        """Return the name of a constant tensor; equal ones (bit for bit) are kept once."""
        array = np.asarray(values)
        if array.dtype.kind in "US":
            array = array.astype(np.object_)
        content = tuple(array.ravel().tolist()) if array.dtype == np.object_ else array.tobytes()
        key = (array.dtype.str, array.shape, content)
        if key not in self._constants:
            name = self._fresh("constant")
            tensor = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
            self._constants[key] = name
            self._values[name] = tensor
            self._types[name] = helper.make_tensor_type_proto(tensor.data_type, list(array.shape))
        return self._constants[key]

    def node(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Add a node and return the name of its output, or a tuple of names where `outputs` > 1.

        Parameters
        ----------
        operator : str
        *inputs : str
            Names of tensors of this graph; ``""`` leaves an optional input out.
        **attributes
            By the operator's names; sequences and arrays are taken as the schema's type. None leaves one out.

        Raises
        ------
        Unsupported
            If no opset that the graph can have offers the operator, or if the inputs or attributes do not fit it.
        """
        given = {name: value for name, value in attributes.items() if value is not None}
        schema = self._schema(operator, domain, given)
        self._check_inputs(operator, inputs, schema)
        made = onnx.NodeProto(op_type=operator, domain=domain, input=inputs)
        for name in sorted(given):
            if schema is None:
                made.attribute.append(helper.make_attribute(name, given[name]))
            else:
                fill_attribute(made.attribute.add(), operator, name, given[name], schema.attributes[name])
        key = _content(made) + bytes([outputs])
        if key not in self._known:
            made.name = self._fresh(operator)
            names = tuple(self._fresh(f"{operator}_out") for _ in range(outputs))
            made.output.extend(names)
            self._types.update(self._infer(schema, made))
            self._nodes.append(made)
            self._known[key] = names
        names = self._known[key]
        return names if outputs > 1 else names[0]

    def shape(self, tensor: str) -> tuple[int | None, ...] | None:
        """Return the shape of a tensor as far as it is known: None for an unknown size, or for an unknown rank."""
        kind = self._types[tensor].tensor_type
        if not kind.HasField("shape"):
            return None
        return tuple(one.dim_value if one.HasField("dim_value") else None for one in kind.shape.dim)

    def element(self, tensor: str) -> int:
        """Return the element type of a tensor, as in ``onnx.TensorProto``."""
        return int(self._types[tensor].tensor_type.elem_type)

    def output(self, name: str, tensor: str, shape: Sequence[int | str]) -> None:
        """Make a tensor an output of the graph under this name."""
        made = onnx.NodeProto(op_type="Identity", name=f"output_{name}", input=[tensor], output=[name])
        self._nodes.append(made)
        self._outputs.append(helper.make_tensor_value_info(name, self.element(tensor), list(shape)))

    def to_bytes(self, *, name: str, metadata: Mapping[str, str], producer_version: str) -> bytes:
        """Return the graph as a serialised ``ModelProto``, checked whole."""
        # Put together in place: an ensemble has tens of megabytes, and onnx's helpers copy them at every step.
        model = onnx.ModelProto(ir_version=IR_VERSION, producer_name="luban", producer_version=producer_version)
        model.graph.name = name
        nodes, used = self._needed()
        model.graph.node.extend(nodes)
        idle = {
            self._columns[column]
            for one in self._prepared.values()
            for column in one.preparation.columns
            if column in self._columns and self._columns[column] not in used
        }
        model.graph.input.extend(one for one in self._inputs if one.name not in idle)
        model.graph.output.extend(self._outputs)
        model.graph.initializer.extend(tensor for key, tensor in self._values.items() if key in used)
        domains = {node.domain for node in nodes}
        model.opset_import.append(helper.make_opsetid("", OPSET))
        if ML_DOMAIN in domains:
            model.opset_import.append(helper.make_opsetid(ML_DOMAIN, min(self._ml_opsets)))
        if contributed.DOMAIN in domains:
            model.opset_import.append(helper.make_opsetid(contributed.DOMAIN, 1))
        properties = dict(metadata)
        if self._prepared:
            properties[travelling.KEY] = travelling.written(tuple(self._prepared.values()))
        helper.set_model_props(model, properties)
        serialised: bytes = model.SerializeToString(deterministic=True)
        onnx.checker.check_model(serialised)
        return serialised

    def _needed(self) -> tuple[list[onnx.NodeProto], set[str]]:
        """Return the nodes that an output rests on, in order, and the names that they read."""
        used: set[str] = {one.name for one in self._outputs}
        kept = []
        for node in reversed(self._nodes):
            if used.intersection(node.output):
                used |= inline.reads(node)
                kept.append(node)
        return kept[::-1], used

    def _free(self, name: str) -> str:
        """Return a name for an input that no column and no other tensor has."""
        found, number = name, 1
        while found in self._types or found in OUTPUTS:
            number += 1
            found = f"{name}_{number}"
        return found

    def _fresh(self, stem: str) -> str:
        # Names of columns are anything at all; generated names keep clear of them.
        while True:
            number = self._counts.get(stem, 0)
            self._counts[stem] = number + 1
            name = f"{stem}_{number}"
            if name not in self._types and name not in OUTPUTS:
                return name

    def _schema(self, operator: str, domain: str, attributes: Mapping[str, Any]) -> Any:
        """Return the operator's schema; None for one of ONNX Runtime's own, for which `onnx` has none."""
        if domain == "":
            found = _offered(operator, domain, OPSET, attributes)
            if found is not None:
                return found
            raise Unsupported(
                f"the operator {operator} is not in ai.onnx {OPSET} with the attributes {sorted(attributes)}"
            )
        if domain == contributed.DOMAIN:
            contributed.check_operator(operator, list(attributes))
            return None
        if domain != ML_DOMAIN:
            raise Unsupported(f"the operator {operator} is of the domain {domain!r}, which not every runtime has")
        offers = {version: _offered(operator, domain, version, attributes) for version in ML_OPSETS}
        possible = {version for version, found in offers.items() if found is not None}
        if not possible & self._ml_opsets:
            raise Unsupported(
                f"the operator {operator} of {ML_DOMAIN} needs another opset than the rest of the graph",
                seen=f"it is in {sorted(possible)}, the graph can have {sorted(self._ml_opsets)}",
            )
        self._ml_opsets &= possible
        return offers[min(self._ml_opsets)]

    def _check_inputs(self, operator: str, inputs: Sequence[str], schema: Any) -> None:
        unknown = [name for name in inputs if name and name not in self._types]
        if unknown:
            raise Unsupported(f"an input of {operator} is no tensor of this graph", seen=repr(unknown[0]))
        if schema is not None and not schema.min_input <= len(inputs) <= schema.max_input:
            raise Unsupported(
                f"{operator} takes {schema.min_input} to {schema.max_input} inputs", seen=f"{len(inputs)} inputs"
            )

    def _infer(self, schema: Any, node: onnx.NodeProto) -> dict[str, onnx.TypeProto]:
        present = [name for name in node.input if name]
        if schema is None:
            return {node.output[0]: contributed.result_type(node.op_type, [self._types[name] for name in present])}
        data = {
            name: self._values[name]
            for name in present
            if name in self._values and int(np.prod(self._values[name].dims)) <= _KNOWN_VALUES
        }
        imports = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML_DOMAIN, min(self._ml_opsets))]
        try:
            types = shape_inference.infer_node_outputs(
                schema,
                _abridged(node),
                {name: self._types[name] for name in present},
                data,
                opset_imports=imports,
                ir_version=IR_VERSION,
            )
        except Exception as error:  # onnx raises its C++ checks as several unrelated types
            raise Unsupported(
                f"{node.op_type} does not fit its inputs",
                seen=f"{[_describe(self._types[name]) for name in present]}: {error}",
            ) from error
        return {name: types.get(name, onnx.TypeProto()) for name in node.output}


def _offered(operator: str, domain: str, version: int, attributes: Mapping[str, Any]) -> Any:
    """Return the operator's schema in this opset if it is current there and has these attributes, else None."""
    if not onnx.defs.has(operator, version, domain):
        return None
    schema = onnx.defs.get_schema(operator, version, domain)
    return None if schema.deprecated or set(attributes) - set(schema.attributes) else schema


def _preparation_key(preparation: Preparation) -> bytes:
    """Return a key that equal preparations share: name, columns and payloads."""
    digest = hashlib.sha256(repr((preparation.name, tuple(preparation.columns))).encode())
    for name, content in sorted(preparation.save().items()):
        digest.update(repr((name, hashlib.sha256(content).digest())).encode())
    return digest.digest()


def _is_long(node: onnx.NodeProto) -> bool:
    return any(max(len(one.ints), len(one.floats), len(one.strings)) > _LONG_LIST for one in node.attribute)


def _content(node: onnx.NodeProto) -> bytes:
    """Return a key that equal nodes share; an ensemble, which nobody has twice, gets one of its own."""
    if _is_long(node):
        return uuid.uuid4().bytes
    return hashlib.sha256(node.SerializeToString(deterministic=True)).digest()


def _abridged(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return the node with long lists cut: an ensemble's thousands of nodes say nothing about its type."""
    if not _is_long(node):
        return node
    short = onnx.NodeProto(op_type=node.op_type, domain=node.domain, name=node.name)
    short.input.extend(node.input)
    short.output.extend(node.output)
    for one in node.attribute:
        cut = short.attribute.add()
        if max(len(one.ints), len(one.floats), len(one.strings)) <= _LONG_LIST:
            cut.CopyFrom(one)
            continue
        cut.name, cut.type = one.name, one.type
        cut.ints.extend(one.ints[:_LONG_LIST])
        cut.floats.extend(one.floats[:_LONG_LIST])
        cut.strings.extend(one.strings[:_LONG_LIST])
    return short


def _describe(kind: onnx.TypeProto) -> str:
    tensor = kind.tensor_type
    sizes = [str(one.dim_value) if one.HasField("dim_value") else one.dim_param or "?" for one in tensor.shape.dim]
    return f"{onnx.TensorProto.DataType.Name(tensor.elem_type).lower()}({', '.join(sizes)})"
