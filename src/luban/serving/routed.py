"""One request to a name: each row goes to its arm, the answers come back in order, and all is observed.

To a wire it looks like the runtime of one model.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.errors import LubanError
from luban.serving.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from luban.core.schema import Column
    from luban.core.task import Task
    from luban.serving.arms import Arm, Arms
    from luban.serving.asker import Asker
    from luban.serving.models import Models
    from luban.serving.runtime import Missing


class Routed:
    """Answers the rows of one request, through the arms that were served when it came.

    Parameters
    ----------
    models : Models
        Is told what was asked and answered.
    arms : Arms
    asker : Asker
    """

    def __init__(self, models: Models, arms: Arms, asker: Asker) -> None:
        self._models = models
        self._arms = arms
        self._arm = arms.champion
        self._runtime = arms.champion.runtime
        self.asker = asker

    @property
    def name(self) -> str:
        """The name that was asked for."""
        return self._runtime.name

    @property
    def version(self) -> int:
        """The version that answered the row; of several rows the champion's."""
        return self._arm.runtime.version

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self._runtime.task

    @property
    def columns(self) -> Mapping[str, Column]:
        """The columns that rows have."""
        return self._runtime.columns

    @property
    def empty(self) -> Answer:
        """The answer for no rows."""
        return self._runtime.empty

    @property
    def quick(self) -> bool:
        """Whether one row takes less than a millisecond, whichever arm answers it."""
        return all(arm.runtime.quick for arm in self._arms.answering)

    def predict_row(self, row: Mapping[str, Any], *, missing: Missing = "error") -> dict[str, Any]:
        """Return the prediction of one row, as `Runtime.predict_row` does."""
        self._arm = arm = self._arms.arm(self._arms.key(row))
        with self._observed(arm, row) as note:
            found = note.answer = arm.runtime.predict_row(row, missing=missing)
        return found

    def answer(self, data: pa.Table | Sequence[Mapping[str, Any]], *, missing: Missing = "error") -> Answer:
        """Return the answer for rows, as `Runtime.answer` does, each row by its own arm."""
        parts = []
        for arm, places in self._arms.split(data):
            if len(places) == len(data):
                self._arm = arm
                with self._observed(arm, data) as note:
                    found = note.answer = arm.runtime.answer(data, missing=missing)
                return found
            rows = _taken(data, places)
            with self._observed(arm, rows, places) as note:
                part = note.answer = arm.runtime.answer(rows, missing=missing)
            parts.append((places, part))
        return merged(parts) if parts else self.empty

    @contextmanager
    def _observed(self, arm: Arm, rows: Any, places: list[int] | None = None) -> Iterator[_Note]:
        """Tell what was answered, or that the model failed; a request's own fault says nothing about the model."""
        note = _Note()
        fault: Exception | None = None
        began = time.perf_counter()
        try:
            yield note
        except Exception as error:
            fault = error
            raise
        finally:
            if fault is None or not isinstance(fault, LubanError) or fault.status >= 500:
                asker, ended = self.asker, time.perf_counter()
                self._models.observed(
                    arm,
                    asker.request_id,
                    rows,
                    note.answer,
                    ended - asker.started,
                    fault,
                    places=places,
                    subject=asker.subject,
                    consent=asker.consent,
                    computed=ended - began,
                )


class _Note:
    """Holds the answer of an arm, once there is one."""

    answer: Mapping[str, Any] | Answer | None = None


def _taken(data: pa.Table | Sequence[Mapping[str, Any]], places: list[int]) -> Any:
    return data.take(pa.array(places)) if isinstance(data, pa.Table) else [data[place] for place in places]


def merged(parts: Sequence[tuple[Sequence[int], Answer]]) -> Answer:
    """Return the answers of several arms as one, in the order of the request's rows.

    Parameters
    ----------
    parts : sequence of (places, answer)
        The places of an answer's rows in the request.
    """
    order = np.argsort(np.concatenate([np.asarray(places) for places, _ in parts]), kind="stable")
    outputs = {name: _joined([answer.outputs[name] for _, answer in parts])[order] for name in parts[0][1].outputs}
    decided = [answer.decided for _, answer in parts if answer.decided is not None]
    notes = dict.fromkeys(note for _, answer in parts for note in answer.notes)
    return Answer(outputs=outputs, decided=_joined(decided)[order] if decided else None, notes=tuple(notes))


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return arrays one below the other; rows of words of different lengths are filled up with none."""
    width = max((one.shape[1] for one in arrays if one.ndim == 2), default=0)
    filled = [one if one.ndim != 2 or one.shape[1] == width else _widened(one, width) for one in arrays]
    return np.concatenate(filled)


def _widened(array: np.ndarray, width: int) -> np.ndarray:
    nothing: Any = "" if array.dtype == object else -1 if array.dtype.kind == "i" else 0
    return np.pad(array, [(0, 0), (0, width - array.shape[1])], constant_values=nothing)
