"""ONNX Runtime sessions."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

_WORTH = range(1 << 18, 1 << 26)  # bytes of a graph for which to make it compact pays


def open_session(graph: bytes, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return a session on the processor that runs `graph`.

    Parameters
    ----------
    threads : int
        Threads that work on one call. One row is fastest on one thread; waiting threads never spin, because
        they share the processor with the server.
    """
    import onnxruntime

    return onnxruntime.InferenceSession(graph, _options(threads), providers=["CPUExecutionProvider"])


def open_compact_session(graph: bytes, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return a session that stays, and takes less memory than `open_session`'s; it answers the same.

    A session of a graph in ONNX's format keeps the nodes as they were read beside what it computes from: of trees
    four times the size of the graph. One that is opened from ONNX Runtime's own format keeps none of it. The graph is
    written in that format to a private folder, as it is after it was made fit for this processor, and read from there.
    """
    if len(graph) in _WORTH:
        # There may be no room for the file, or no form there for a node; a plain one needs neither.
        with suppress(Exception):
            return _compact(graph, threads)
    return open_session(graph, threads=threads)


def _compact(graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    import onnxruntime

    with tempfile.TemporaryDirectory(prefix="luban-session-") as folder:
        path = str(Path(folder) / "graph.ort")
        options = _options(threads)
        options.optimized_model_filepath = path
        options.add_session_config_entry("session.save_model_format", "ORT")
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return onnxruntime.InferenceSession(path, _options(threads), providers=["CPUExecutionProvider"])


def _options(threads: int) -> onnxruntime.SessionOptions:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; warnings about shapes help nobody who serves
    return options
