"""Audio network: a small residual net of convolutions over logarithmic mel spectrograms, with SpecAugment.

The augmentation is that of Park et al. (2019), SpecAugment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Choice, Integer, Real
from luban.learners.adapted import model
from luban.learners.adapted.adapting import AUGMENT
from luban.learners.network import scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.report import Finding
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.learners.adapted.model import AdaptedModel

DEFAULTS: Mapping[str, Any] = {
    "width": 16,
    "depth": 3,
    "mels": 40,
    "seconds": 5.0,
    "epochs": 40.0,
    "learning_rate": 3e-3,
    "batch": 32,
    AUGMENT: 0.4,
}


class AudioNetworkLearner:
    """A small net of convolutions over spectrograms, for sounds of some seconds."""

    name = "audio_network"
    kinds = scratch.TASKS

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether there is one column of sounds, with enough rows and time."""
        return scratch.suits(task, schema, rows, seconds, kind="audio", needs="soundfile")

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return the usual net."""
        return [Suggestion(order=15, once=True, share=0.5)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return rate, width, depth, bands, batch and augmentation."""
        return {
            "learning_rate": Real(5e-4, 1e-2, log=True),
            "width": Integer(12, 32, log=True),
            "depth": Integer(2, 4),
            "mels": Choice((32, 40, 64)),
            "batch": Choice((16, 32, 64)),
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
        column, body, own = self._begun(schema, parameters, effort)
        return scratch.fit(
            self.name, body, task, column, training, validation, parameters=own, effort=effort, report=report
        )

    def preflight(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Sequence[Finding]:
        """Return what would spoil the training: sounds that do not decode, mixed rates, too little memory."""
        column, body, own = self._begun(schema, parameters, effort)
        return scratch.preflight(body, task, column, training, parameters=own, effort=effort)

    def _begun(
        self, schema: Schema, parameters: Mapping[str, Any], effort: Effort
    ) -> tuple[str, Backbone, dict[str, Any]]:
        """Return the column, the net as it begins, and the parameters of its training."""
        column = scratch.column_of(schema, "audio")
        if isinstance(column, Unsuitable):
            raise InputError(column.reason)
        own = {**DEFAULTS, **parameters}
        body = scratch.body(
            self.name,
            "audio",
            width=int(own.pop("width")),
            depth=int(own.pop("depth")),
            channels=1,
            preparation="audio_mel",
            settings={"mels": int(own.pop("mels")), "seconds": float(own.pop("seconds"))},
            seed=effort.seed,
        )
        return column, body, own

    def load(self, payloads: Mapping[str, bytes]) -> AdaptedModel:
        """Return the model that was saved."""
        return model.load(self.name, payloads)
