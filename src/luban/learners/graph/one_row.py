"""One row at a time through a session, by buffers that stay.

To hand a column over takes about a microsecond, of fifty columns as long as a small model computes. So numbers are
written into a buffer that the session reads from. Text cannot be: a graph that takes any is handed all columns.
Source: https://onnxruntime.ai/docs/api/python/api_summary.html#data-on-device (IOBinding).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.learners.graph.feeding import Feeding, Group


class OneRow:
    """What asks a session for one row; safe to call from several threads at once.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    feeding : Feeding
        What the session is fed.
    output : str
        The output that is wanted.
    """

    def __init__(self, session: Any, feeding: Feeding, output: str) -> None:
        self._session = session
        self._feeding = feeding
        self._output = output
        self._numbers = not feeding.prepared and all(one.kind is not np.object_ for one in feeding.groups)
        self._idle: list[_Buffers] = []

    def __call__(self, values: Mapping[str, Any]) -> np.ndarray:
        """Return the output for one row, conformed by `luban.data.row`."""
        if not self._numbers:
            return np.asarray(self._session.run([self._output], self._feeding.row(values))[0])
        try:
            buffers = self._idle.pop()  # one step, so no other thread has it
        except IndexError:
            buffers = _Buffers(self._session, self._feeding.groups, self._output)
        found = buffers.ask(values)
        self._idle.append(buffers)  # those of a call that fails are not used again
        return found


class _Buffers:
    """A session's input for one thread at a time."""

    def __init__(self, session: Any, groups: tuple[Group, ...], output: str) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._binding.bind_output(output)
        self._blocks = [(group, self._bound(group)) for group in groups]

    def ask(self, values: Mapping[str, Any]) -> np.ndarray:
        with np.errstate(over="ignore"):  # beyond float32 a number is an infinity, as it is for the encoders
            for group, block in self._blocks:
                block[:] = [values[name] for name in group.columns]
        self._session.run_with_iobinding(self._binding)
        return np.asarray(self._binding.copy_outputs_to_cpu()[0])

    def _bound(self, group: Group) -> np.ndarray:
        """Return the memory that a group's tensors are read from, a number each."""
        block: np.ndarray = np.zeros(len(group.columns), dtype=group.kind)
        for place, tensor in enumerate(group.tensors):
            address = block.ctypes.data + place * block.itemsize
            self._binding.bind_input(tensor, "cpu", 0, group.kind, (1, 1), address)
        return block
