"""Image network: a small residual net of convolutions that learns pictures from nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError, LubanError
from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Choice, Integer, Real
from luban.learners.adapted import model
from luban.learners.adapted.adapting import AUGMENT
from luban.learners.network import scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.report import Finding
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.learners.adapted.model import AdaptedModel

DEFAULTS: Mapping[str, Any] = {
    "width": 24,
    "depth": 3,
    "epochs": 25.0,
    "learning_rate": 3e-3,
    "batch": 64,
    AUGMENT: 0.2,
}
# Pictures are looked at to choose the size and the channels; larger ones are shrunk to the larger size.
_LOOKED_AT = 40
_LOOKING_SECONDS = 2.0
_SIZES = (28, 32, 48, 64, 96)
_GREY, _COLOUR = 1, 3


class ImageNetworkLearner:
    """A small net of convolutions with augmentation, for pictures of any content."""

    name = "image_network"
    kinds = scratch.TASKS

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether there is one column of pictures, with enough rows and time."""
        return scratch.suits(task, schema, rows, seconds, kind="image", needs="PIL")

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return the usual net."""
        return [Suggestion(order=15, once=True, share=0.5)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return rate, width, depth, batch and augmentation."""
        return {
            "learning_rate": Real(5e-4, 1e-2, log=True),
            "width": Integer(16, 48, log=True),
            "depth": Integer(2, 4),
            "batch": Choice((32, 64, 128)),
            AUGMENT: Real(0.0, 0.8),
        }

    def fit(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        validation: Examples | None,
        *,
        parameters: Mapping[str, Any],
        effort: Effort,
        report: Callable[[int, float], bool] | None = None,
    ) -> AdaptedModel:
        """Train until the validation loss rests, the epochs are done or the time is up."""
        column, body, own = self._begun(schema, training, parameters, effort)
        return scratch.fit(
            self.name, body, task, column, training, validation, parameters=own, effort=effort, report=report
        )

    def preflight(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Sequence[Finding]:
        """Return what would spoil the training: pictures that do not decode, too little memory."""
        column, body, own = self._begun(schema, training, parameters, effort, seconds=_LOOKING_SECONDS)
        return scratch.preflight(body, task, column, training, parameters=own, effort=effort)

    def _begun(
        self,
        schema: Schema,
        training: Examples,
        parameters: Mapping[str, Any],
        effort: Effort,
        *,
        seconds: float = math.inf,
    ) -> tuple[str, Backbone, dict[str, Any]]:
        """Return the column, the net as it begins, and the parameters of its training.

        Parameters
        ----------
        seconds : float
            In which pictures are looked at.
        """
        column = scratch.column_of(schema, "image")
        if isinstance(column, Unsuitable):
            raise InputError(column.reason)
        own = {**DEFAULTS, **parameters}
        size, channels = looked_at(training.table, column, seconds=seconds)
        mean, deviation = (0.5,) * channels, (0.25,) * channels
        body = scratch.body(
            self.name,
            "image",
            width=int(own.pop("width")),
            depth=int(own.pop("depth")),
            channels=channels,
            preparation="image_pixels",
            settings={
                "size": [size, size],
                "fit": "squash",
                "channels": channels,
                "mean": mean,
                "deviation": deviation,
            },
            seed=effort.seed,
        )
        own.setdefault("flip", channels == _COLOUR)  # grey ones are often letters and digits, which have a left side
        return column, body, own

    def load(self, payloads: Mapping[str, bytes]) -> AdaptedModel:
        """Return the model that was saved."""
        return model.load(self.name, payloads)


def looked_at(table: pa.Table, column: str, *, seconds: float = math.inf) -> tuple[int, int]:
    """Return the side that suits most pictures of a column, and 1 channel where all are grey, else 3.

    What cannot be read tells neither: it is an error once it is to be learnt from.

    Parameters
    ----------
    seconds : float
        In which some are looked at, one at least.
    """
    from luban.data.media.mapping import begun_in_time

    values = table.column(column).drop_null()
    chosen = np.linspace(0, len(values) - 1, min(_LOOKED_AT, len(values))).astype(np.int64)
    references = values.take(chosen).to_pylist()
    told = [one for one in begun_in_time(_told, references, seconds=seconds) if one is not None] if references else []
    usual = float(np.median([side for side, _ in told])) if told else _SIZES[0]
    size = next((one for one in _SIZES if one >= usual), _SIZES[-2])
    return size, _COLOUR if any(coloured for _, coloured in told) else _GREY


def _told(reference: str) -> tuple[int, bool] | None:
    """Return the shorter side of a picture, or of one like it that is still too large, and whether it has colours."""
    from luban.data.media import content
    from luban.modalities.image.decode import opened

    try:
        image = opened(content(reference), least=(_SIZES[-1], _SIZES[-1]))
    except LubanError:
        return None
    pixels = np.asarray(image.convert("RGB").resize((16, 16)), dtype=np.int16)
    return min(image.size), bool(np.ptp(pixels, axis=2).max() > 8)
