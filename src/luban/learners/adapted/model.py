"""A network that was adapted to a task, as a model of the house."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, OutOfTime
from luban.core.serial import to_json
from luban.foundation.curves import told
from luban.learners import link
from luban.learners.adapted import attributing
from luban.learners.adapted.graph import network_to_graph
from luban.learners.new_rows import FEWEST, HELD, mixed_with, part
from luban.learners.payloads import damaged, placed, read_json, under, write_json
from luban.learners.threads import threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.protocols import Examples, Graph
    from luban.core.report import Evidence
    from luban.core.task import Task
    from luban.foundation.adapted import Adapted

_ABOUT, _FOLDER = "model.json", "network"


@dataclass(frozen=True, kw_only=True)
class AdaptedModel:
    """A `luban.core.protocols.Model` that is also Updatable, Exportable, Attributing and Recounting."""

    learner: str
    adapted: Adapted
    learned: Mapping[str, Any]

    @property
    def task(self) -> Task:
        """What it was made for."""
        return self.adapted.task

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of how it was trained."""
        return tuple(self.adapted.notes)

    @property
    def curves(self) -> Mapping[str, Sequence[tuple[int, float]]]:
        """Losses, rate and rows a second by step, see `luban.core.protocols.Recounting`."""
        return told(self.adapted.history)

    def predict(self, table: pa.Table) -> np.ndarray:
        """Return float64 predictions, see `luban.core.protocols.Model.predict`."""
        if not table.num_rows:
            return link.predictions(self.task, link.no_margins(self.task))
        return link.predictions(self.task, self.adapted.margins(table, threads=threads()))

    def update(self, examples: Examples, *, replay: Examples | None = None, effort: Effort) -> AdaptedModel:
        """Return a model that was trained further from its weights, on `examples` and those of `replay` mixed.

        The last fifth of the rows tells after how many passes to stop, then it is trained so long on all. Where none is
        better than none, or the time is up before that is known, the model is returned as it is.
        """
        from luban.foundation.further import further, judged

        rows = len(examples.target)
        if rows < FEWEST or effort.expired:
            return self
        cut = rows - max(1, int(HELD * rows))
        earlier, latest = part(examples, 0, cut), part(examples, cut, rows)
        now = time.monotonic()
        effort = replace(effort, checkpoint=None)
        half = replace(effort, deadline=now + 0.45 * (effort.deadline - now))
        try:
            stays = judged(self.adapted, latest, effort=half)
            tried = further(self.adapted, mixed_with(earlier, replay), latest, effort=half)
            if judged(tried, latest, effort=effort) >= stays or effort.expired:
                return self
            found = further(self.adapted, mixed_with(examples, replay), None, learned=tried.learned, effort=effort)
        except OutOfTime:
            return self
        return replace(self, adapted=found)

    def save(self) -> Mapping[str, bytes]:
        """Return the typed payloads, by file name."""
        about = {"learner": self.learner, "learned": to_json(self.learned)}
        return {_ABOUT: write_json(about), **placed(_FOLDER, self.adapted.save())}

    def attributions(self, table: pa.Table, outputs: np.ndarray, *, effort: Effort) -> Sequence[Sequence[Evidence]]:
        """Return which parts of each value the answer rests on, see `luban.core.protocols.Attributing`."""
        from luban.foundation.attribution.attribute import attribute
        from luban.foundation.attribution.reading import Reading

        def explained(row: pa.Table, output: int, own: Effort) -> Sequence[Evidence]:
            unit, towards = attributing.words_of(self.task, output)
            reading = Reading(
                body=self.adapted.network.body,
                preparation=self.adapted.preparation,
                score=lambda tensors: attributing.score_of(self.task, self.adapted.network(**tensors), output),
                unit=unit,
                towards=towards,
            )
            return attribute(reading, row, effort=own)

        return attributing.by_row(table, outputs, effort, explained)

    def to_graph(self, graph: Graph) -> str:
        """Add preparation, network and link to the graph; return the predictions."""
        margin = network_to_graph(graph, self.adapted.module, self.adapted.preparation)
        return link.predictions_to_graph(self.task, graph, margin)


def load(learner: str, payloads: Mapping[str, bytes]) -> AdaptedModel:
    """Return what `AdaptedModel.save` wrote.

    Raises
    ------
    Tampered
        If a payload is missing or damaged.
    """
    from luban.foundation import adapted

    about = read_json(payloads, _ABOUT)
    if about.get("learner") != learner or not isinstance(about.get("learned"), dict):
        raise damaged(_ABOUT, f"it is of {about.get('learner')!r}")
    try:
        found = adapted.load(under(payloads, _FOLDER))
    except InputError as error:
        raise damaged(_FOLDER, str(error)) from error
    return AdaptedModel(learner=learner, adapted=found, learned=about["learned"])
