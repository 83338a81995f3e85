"""One request to a name: each row goes to its arm, the answers come back in order, and all is observed.

To a wire it looks like the runtime of one model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.errors import LubanError, OutOfTime
from luban.serving.answers import Answer
from luban.serving.limits import ModelHangs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.schema import Column
    from luban.core.task import Task
    from luban.serving.arms import Arm, Arms
    from luban.serving.asker import Asker
    from luban.serving.models import Models
    from luban.serving.runtime import Missing, Runtime

_FEW = 64  # rows up to which they are told apart on the event loop


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
    def model(self) -> str:
        """The reference of what answered, as the registry has it; of several rows the champion's."""
        return self._arm.model or f"{self.name}/{self.version}"

    @property
    def deployment(self) -> str | None:
        """The deployment that answered; None where a model is served as it is."""
        return None if self._arm.deployment is None else self._arm.deployment.name

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
    def runtime(self) -> Runtime:
        """The champion's runtime, whose columns requests have."""
        return self._runtime

    async def answer(self, data: Any, rows: int, missing: Missing) -> Any:
        """Return the answer, each row by its own arm.

        Parameters
        ----------
        data : mapping (one row), sequence of mappings, or pyarrow.Table
        rows : int
            How many it has.
        missing : {"error", "fill"}

        Returns
        -------
        dict or Answer
            Of a mapping what `Runtime.predict_row` returns, of rows an `Answer`.
        """
        if isinstance(data, Mapping):
            self._arm = arm = self._arms.arm(self._arms.key(data))
            return await self._answer(arm, data, 1, missing)
        if not rows:
            return self.empty
        large = self._arms.several and rows > _FEW
        split = await self._models.run(self._arms.split, data) if large else self._arms.split(data)
        if len(split) == 1:
            self._arm = split[0][0]
            return await self._answer(self._arm, data, rows, missing)
        parts: list[Any] = await asyncio.gather(
            *(self._answer(arm, _taken(data, places), len(places), missing, places) for arm, places in split),
            return_exceptions=True,
        )
        for part in parts:  # all arms are waited for, so that what each did is observed
            if isinstance(part, BaseException):
                raise part
        return merged([(places, part) for (_, places), part in zip(split, parts, strict=True)])

    async def explain(self, data: Any, missing: Missing) -> tuple[np.ndarray, np.ndarray]:
        """Return what `Runtime.explain` returns, of the champion."""
        runtime = self._runtime
        found: tuple[np.ndarray, np.ndarray] = await self._models.lane(runtime).call(
            lambda: runtime.explain(data, missing=missing), self._deadline
        )
        return found

    def _in_time(self, now: float) -> None:
        if now > self.asker.deadline:
            raise OutOfTime("the answer was not ready in time", seen="reading the request")

    @property
    def _deadline(self) -> float:
        return min(self.asker.deadline, self.asker.started + self._models.limits.seconds)

    async def _answer(self, arm: Arm, data: Any, rows: int, missing: Missing, places: list[int] | None = None) -> Any:
        """Return the answer of one arm, and tell what it answered, or that its model failed.

        What is wrong with a request, and what a client does not wait for, says nothing about the model.
        """
        found, fault, computed, began = None, None, None, time.perf_counter()
        try:
            self._in_time(began)
            if arm.runtime.quick and isinstance(data, Mapping):
                found = arm.runtime.predict_row(data, missing=missing)
                computed = time.perf_counter() - began
            else:
                found, computed = await self._models.lane(arm.runtime).answer(data, rows, missing, self._deadline)
        except Exception as error:
            if not _models_fault(error):
                raise
            fault = error
            raise
        finally:
            if found is not None or fault is not None:
                asker, ended = self.asker, time.perf_counter()
                self._models.observed(
                    arm,
                    asker.request_id,
                    data,
                    found,
                    ended - asker.started,
                    fault,
                    places=places,
                    subject=asker.subject,
                    consent=asker.consent,
                    computed=ended - began if computed is None else computed,
                )
        return found


def _models_fault(error: Exception) -> bool:
    if not isinstance(error, LubanError) or isinstance(error, ModelHangs):
        return True
    return error.status >= 500 and not isinstance(error, OutOfTime)


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
