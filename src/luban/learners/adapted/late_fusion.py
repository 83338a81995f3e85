"""Late fusion: columns of a table, texts, pictures and sounds, each projected by itself and joined by a small network.

What a backbone makes of a value is frozen and cached, so that only the small network learns. While it learns whole
modalities are dropped at random (ModDrop, Neverova et al. 2016), so that it answers where one is missing in a row.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError, OutOfTime
from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.serial import from_json, to_json
from luban.core.space import Choice, Real
from luban.core.task import Task
from luban.learners import link
from luban.learners.adapted import attributing, choice, forecasting, frozen
from luban.learners.adapted.fusion import Fusion, Inputs
from luban.learners.adapted.linear_probe import chosen, options
from luban.learners.payloads import damaged, placed, read_json, under, write_json
from luban.learners.tabular.suitability import unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.protocols import Examples, Forecast, Graph
    from luban.core.report import Evidence, Finding
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.learners.course import Curve
    from luban.modalities.tabular.encoding import Encoding

DEFAULTS: Mapping[str, Any] = {
    "backbone": None,
    "learning_rate": 5e-4,
    "width": 128,
    "dropout": 0.4,
    "modality_dropout": 0.2,
    "weight_decay": 0.1,
    "epochs": 20,
    "stop": None,
    "batch": 128,
}
"""`stop` ends training after so many of the `epochs` that the schedule is made for."""
_JUDGING, _READING = 0.6, 0.7
_LOADING, _A_VALUE = 3.0, 0.002


@dataclass(frozen=True, kw_only=True)
class FusionModel:
    """A small network over an encoded table and frozen features: Exportable, Attributing and Recounting.

    Parameters
    ----------
    features : Frozen
    encoding : Encoding, optional
        Of the table's columns, where there are any.
    curves : mapping
        How it learnt, see `luban.core.protocols.Recounting`; none once it was loaded.
    """

    learner: str
    task: Task
    features: frozen.Frozen
    encoding: Encoding | None
    fusion: Fusion
    learned: Mapping[str, Any]
    kept_seconds: float = 0.0
    rows_read: int | None = None
    curves: Mapping[str, Curve] = field(default_factory=dict)

    def inputs(self, table: pa.Table) -> Inputs:
        """Return what each modality makes of the rows, and where it is present."""
        return inputs_of(self.features, self.encoding, table, self.features.transform(table))

    def predict(self, table: pa.Table) -> np.ndarray:
        """Return float64 predictions, see `luban.core.protocols.Model.predict`."""
        return link.predictions(self.task, self.fusion.margins(self.inputs(table)))

    def modality_contributions(self, table: pa.Table) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """Return (names, values, base): exact Shapley values of the modalities, each absent or present.

        values has shape (n, modalities, width), base shape (width,): a row's values and the base sum to its margins.
        """
        values, base = self.fusion.shapley(self.inputs(table))
        return self.fusion.names, values, base

    def attributions(self, table: pa.Table, outputs: np.ndarray, *, effort: Effort) -> Sequence[Sequence[Evidence]]:
        """Return for each row the share of each modality, and which parts of their values the answer rests on."""
        import torch

        from luban.learners.adapted.fusion_torch import margins

        def explained(row: pa.Table, output: int, own: Effort) -> Sequence[Evidence]:
            unit, towards = attributing.words_of(self.task, output)
            inputs = self.inputs(row)

            def score(matrix: torch.Tensor) -> torch.Tensor:
                blocks = [torch.from_numpy(inputs.blocks[0])] if self.encoding is not None else []
                blocks += [matrix[:, span] for _, span in self.features.spans]
                return attributing.score_of(self.task, margins(self.fusion, blocks, inputs.present[0]), output)

            def worth(values: np.ndarray) -> np.ndarray:
                found = attributing.score_of(self.task, torch.from_numpy(values), output)
                return np.asarray(found.numpy())

            names, pushes = self.fusion.names, self.fusion.shapley_of(inputs, worth)[0]
            shares = attributing.shares_of(names, pushes, unit, towards)
            found = attributing.frozen_evidence(self.features, row, score, words=(unit, towards), effort=own)
            return [shares, *found]

        return attributing.by_row(table, outputs, effort, explained)

    def save(self) -> Mapping[str, bytes]:
        """Return the backbones, the encoding and the weights."""
        about = {"learner": self.learner, "task": to_json(self.task), "learned": to_json(self.learned)}
        about["table"] = self.encoding is not None
        payloads = {"model.json": write_json(about), **placed("features", self.features.save()), **self.fusion.save()}
        return payloads if self.encoding is None else {**payloads, **placed("table", self.encoding.save())}

    def to_graph(self, graph: Graph) -> str:
        """Add bodies, encoding, network and link to the graph; return the predictions, shape (n, outputs)."""
        vectors = self.features.to_graph(graph)
        table = None if self.encoding is None else self.encoding.to_graph(graph)
        blocks = [] if table is None else [table]
        for _, span in self.features.spans:
            edges = [graph.constant(np.array([edge], dtype=np.int64)) for edge in (span.start, span.stop)]
            axes = graph.constant(np.array([1], dtype=np.int64))
            blocks.append(graph.node("Slice", vectors, *edges, axes))
        return link.predictions_to_graph(self.task, graph, self.fusion.to_graph(graph, blocks))


class LateFusionLearner:
    """What several modalities say together, and each alone where others are missing."""

    name = "late_fusion"
    kinds = ("binary", "multiclass", "regression", "quantile", "multilabel")

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether there are two modalities at least, and some hundred rows can be read in the time."""
        if "monotonic" in task.constraints:
            return Unsuitable("a network knows no direction, and predictions must be monotonic")
        absent = choice.missing(schema)
        if absent is not None:
            return absent
        media = choice.readable(schema)
        if unreadable(table_schema(schema)) is not None and len(media) < 2:
            return Unsuitable("there is only one modality")
        needed = _LOADING + _A_VALUE * min(rows, 500) * len(media)
        if needed > seconds:
            return Unsuitable(f"reading some rows would take about {needed:.0f} s and there are {seconds:.0f} s")
        return Suitable() if rows >= 20 else Unsuitable(f"{rows} rows are too few to train a network on")

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return the usual network, once the linear probe has read the rows."""
        return [Suggestion(order=12, share=0.4)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return rate, width and what is dropped."""
        return {
            "learning_rate": Real(1e-4, 3e-3, log=True),
            "width": Choice((64, 128, 256)),
            "dropout": Real(0.0, 0.6),
            "modality_dropout": Real(0.05, 0.5),
            "weight_decay": Real(1e-3, 0.2, log=True),
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
    ) -> FusionModel:
        """Read as many rows as there is time for, and train until the validation loss rests or the time is up."""
        from luban.learners.adapted.fusion_training import train
        from luban.modalities.tabular import fit_encoding
        from luban.modalities.tabular.options import NETS

        own = options(parameters, DEFAULTS)
        made = frozen.make(schema, training.table, backbone=choice.wanted(task, own), effort=effort)
        judging = None
        seconds = 0.0
        if validation is not None:
            judging = frozen.within(made, validation.table, effort, seconds=_JUDGING * effort.remaining)
            frozen.check_whole(judging, validation)
            seconds += judging.seconds
        ready = frozen.within(made, training.table, effort, seconds=_READING * effort.remaining, quick=True)
        seconds += ready.seconds
        some = len(ready.rows) < len(training.target)
        training = chosen(training, ready.rows)
        if effort.expired:
            raise OutOfTime("the time was up before the rows were read", remedy="Give more; what was read is kept.")
        encoding = None
        columns = table_schema(schema)
        if unreadable(columns) is None:
            encoding, _ = fit_encoding(training.table, columns, task, training.target, NETS, effort.seed)
        inputs = inputs_of(made, encoding, training.table, ready.matrix)
        held = None
        if validation is not None and judging is not None:
            held = inputs_of(made, encoding, validation.table, judging.matrix), validation
        trained = train(task, inputs, training, held, own, effort, report)
        return FusionModel(
            learner=self.name,
            task=task,
            features=made,
            encoding=encoding,
            fusion=trained.fusion,
            learned={"epochs": trained.epochs, "stop": trained.stop},
            kept_seconds=seconds,
            rows_read=len(ready.rows) if some else None,
            curves=trained.curves,
        )

    def forecast(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Forecast:
        """Return what reading all rows would take, by reading a few."""
        own = options(parameters, DEFAULTS)
        return forecasting.forecast(schema, training, backbone=choice.wanted(task, own), effort=effort)

    def preflight(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Sequence[Finding]:
        """Return what is wrong with the labels, and what the backbones would lose of the values."""
        own = options(parameters, DEFAULTS)
        return forecasting.losses(task, schema, training, backbone=choice.wanted(task, own), effort=effort)

    def load(self, payloads: Mapping[str, bytes]) -> FusionModel:
        """Return the model that was saved."""
        from luban.modalities.tabular.encoding import Encoding

        about = read_json(payloads, "model.json")
        try:
            task, learned, table = from_json(Task, about["task"]), dict(about["learned"]), bool(about["table"])
        except (KeyError, TypeError, ValueError, InputError) as error:
            raise damaged("model.json", repr(error)) from error
        made = frozen.load(under(payloads, "features"), task.inputs)
        encoding = Encoding.load(under(payloads, "table")) if table else None
        blocks: list[tuple[str, int, np.ndarray | None]] = []
        if encoding is not None:
            blocks.append(("table", len(encoding.names), None))
        blocks += [(", ".join(part.columns), part.width, blank_of(part)) for part in made.parts]
        fusion = Fusion.load(payloads, blocks, link.width(task))
        return FusionModel(
            learner=self.name, task=task, features=made, encoding=encoding, fusion=fusion, learned=learned
        )


def table_schema(schema: Schema) -> Schema:
    """Return the columns that no backbone reads."""
    read = {column.name for column in choice.readable(schema)}
    return replace(schema, columns=tuple(column for column in schema.columns if column.name not in read))


def blank_of(part: frozen.Part) -> np.ndarray:
    """Return what a part makes of a row in which its values are missing, shape (width,)."""
    return np.asarray(frozen.joined([part.blank[None]] * len(part.columns))[0])


def inputs_of(made: frozen.Frozen, encoding: Encoding | None, table: pa.Table, vectors: np.ndarray) -> Inputs:
    """Return the blocks of all modalities with their names and what they are where nothing is there."""
    names: list[str] = []
    blocks: list[np.ndarray] = []
    blanks: list[np.ndarray | None] = []
    if encoding is not None:
        names.append("table")
        blocks.append(encoding.transform(table))
        blanks.append(None)
    for part, span in made.spans:
        names.append(", ".join(part.columns))
        blocks.append(vectors[:, span])
        blanks.append(blank_of(part))
    return Inputs(names=tuple(names), blocks=tuple(blocks), blanks=tuple(blanks))
