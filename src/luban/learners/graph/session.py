"""ONNX Runtime sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime


def open_session(graph: bytes, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return a session on the processor that runs `graph`.

    Parameters
    ----------
    threads : int
        Threads that work on one call. One row is fastest on one thread; waiting threads never spin, because
        they share the processor with the server.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; warnings about shapes help nobody who serves
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
