"""A model that is nothing but an ONNX graph: what is left of another one after it was compressed."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError, Tampered
from luban.core.serial import from_json, to_json
from luban.learners.graph import metadata
from luban.learners.graph.columns import tensor_name
from luban.learners.graph.feeding import Feeding
from luban.learners.graph.outputs import value_output, values_of
from luban.learners.graph.session import open_session
from luban.learners.payloads import damaged, payload, read_json, write_json
from luban.learners.threads import threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from luban.core.protocols import Graph
    from luban.core.schema import Column
    from luban.core.task import Task

ABOUT = "graph.json"
GRAPH = "model.onnx"


class GraphModel:
    """A model that runs one ONNX graph, from columns to predictions (`luban.core.protocols.Model`, Exportable).

    Parameters
    ----------
    task : Task
    columns : sequence of Column
        The input columns.
    graph : bytes
        Its outputs are those of an exported model; preparations are in its metadata.
    learned : mapping, optional
        How it was made.
    """

    learner = "graph"

    def __init__(
        self, *, task: Task, columns: Sequence[Column], graph: bytes, learned: Mapping[str, Any] | None = None
    ) -> None:
        self.task = task
        self.columns = tuple(columns)
        self.graph = graph
        self.learned: Mapping[str, Any] = dict(learned or {})
        self._lock = threading.Lock()
        self._opened: tuple[Any, Feeding] | None = None

    def predict(self, table: pa.Table) -> np.ndarray:
        """Return the graph's predictions of canonical rows."""
        session, feeding = self._open()
        found = feeding.run(session, [value_output(self.task)], table)[0]
        return values_of(self.task, found)

    @property
    def prepared(self) -> Sequence[metadata.Prepared]:
        """The preparations that run before the graph."""
        return self._open()[1].prepared

    def variants(self, row: pa.Table, given: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the predictions of variants of one row, in which some inputs of the graph are others.

        Parameters
        ----------
        row : pyarrow.Table
            Canonical, of one row.
        given : mapping of str to numpy.ndarray
            For inputs of the graph one entry a variant; all other inputs are those of the row.
        """
        session, feeding = self._open()
        count = len(next(iter(given.values())))
        feeds = {name: np.repeat(values, count, axis=0) for name, values in feeding.table(row).items()}
        return values_of(self.task, session.run([value_output(self.task)], {**feeds, **given})[0])

    def save(self) -> Mapping[str, bytes]:
        """Return the graph, and what its inputs mean."""
        about = _About(task=self.task, columns=self.columns, learned=self.learned)
        return {ABOUT: write_json(to_json(about)), GRAPH: self.graph}

    def to_graph(self, graph: Graph) -> str:
        """Add the whole graph, and its preparations before it."""
        import onnx

        model = onnx.load_from_string(self.graph)
        text = metadata.properties(model).get(metadata.KEY)
        tensors: dict[str, str] = {}
        for one in metadata.read(text) if text else ():
            outer = graph.prepared(one.preparation)
            tensors |= {inner: outer[name] for name, inner in one.inputs.items()}
        valued = {one.name for one in model.graph.initializer}
        inputs = [one.name for one in model.graph.input if one.name not in valued]
        for column in self.columns:
            if tensor_name(column.name) in inputs and tensor_name(column.name) not in tensors:
                tensors[tensor_name(column.name)] = graph.column(column.name)
        names = [one.name for one in model.graph.output]
        values: str = graph.subgraph(self.graph, tensors)[names.index(value_output(self.task))]
        if self.task.classes or self.task.quantiles:
            return values
        column_shape = graph.constant(np.array([-1, 1], dtype=np.int64))
        shaped: str = graph.node("Reshape", values, column_shape)
        return shaped

    def _open(self) -> tuple[Any, Feeding]:
        with self._lock:
            if self._opened is None:
                try:
                    session = open_session(self.graph, threads=threads())
                except Exception as error:  # ONNX Runtime raises its C++ checks as unrelated types
                    raise damaged(GRAPH, str(error)) from error
                self._opened = session, Feeding(session, self.columns)
            return self._opened


class GraphForm:
    """Loads models that are ONNX graphs (group ``luban.forms``)."""

    def load(self, payloads: Mapping[str, bytes]) -> GraphModel:
        """Return the model that `GraphModel.save` wrote.

        Raises
        ------
        Tampered
            If a payload is missing or damaged.
        """
        try:
            about = from_json(_About, read_json(payloads, ABOUT))
        except InputError as error:
            raise damaged(ABOUT, str(error)) from error
        graph = payload(payloads, GRAPH)
        _check(graph, about.task)
        from luban.learners.graph.reading import graph_model  # which is built on this file

        return graph_model(task=about.task, columns=about.columns, graph=graph, learned=about.learned)


@dataclass(frozen=True, kw_only=True)
class _About:
    task: Task
    columns: tuple[Column, ...]
    learned: Mapping[str, Any]


def _check(graph: bytes, task: Task) -> None:
    """Raise `Tampered` unless the bytes are a whole graph that has the outputs of the task."""
    import onnx

    try:
        model = onnx.load_from_string(graph)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and the checker raise unrelated types
        raise damaged(GRAPH, str(error)) from error
    if value_output(task) not in {one.name for one in model.graph.output}:
        raise Tampered("the graph has no output of the model's task", seen=json.dumps(to_json(task.kind)))
