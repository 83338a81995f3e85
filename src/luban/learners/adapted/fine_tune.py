"""Fine-tuning: a pre-trained backbone goes on learning on the rows of the task, in one of several ways."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from luban.core import plugins
from luban.core.protocols import Alternative, Forecast, Suggestion, Suitable, Unsuitable
from luban.core.space import Choice, Real
from luban.learners.adapted import choice, model
from luban.learners.adapted.adapting import AUGMENT, sorted_out, train

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

# Starting PyTorch and loading a backbone takes as long; what is left would not train anything.
_LEAST_SECONDS = 15.0
_SHARE = 0.9
# A network that has seen fewer rows, where there are more, is hardly worth its time.
_WORTH_ROWS = 4000
_PUBLISHED_WIDTH = 768


class FineTuneLearner:
    """All weights of a backbone, or a few beside them, trained with a new head."""

    name = "fine_tune"
    kinds: tuple[str, ...] = ("binary", "multiclass", "regression", "quantile", "multilabel", "tokens")

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether one column, or a pair of texts, can be read by a backbone, and there is time to train it."""
        if "monotonic" in task.constraints:
            return Unsuitable("a network knows no direction, and predictions must be monotonic")
        absent = choice.missing(schema)
        if absent is not None:
            return absent
        columns = choice.single(schema)
        if isinstance(columns, Unsuitable):
            return columns
        if seconds < _LEAST_SECONDS:
            return Unsuitable(f"it needs {_LEAST_SECONDS:.0f} s at least and there are {seconds:.0f} s")
        return Suitable() if rows >= 8 else Unsuitable(f"{rows} rows are too few to train a network on")

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return the way that was asked for, else all weights first, then the few of LoRA, which take less memory."""
        asked = choice.wished(task).get("way")
        if asked is not None:
            return [Suggestion(parameters={"way": asked}, order=20, once=True, share=_SHARE)]
        return [
            Suggestion(parameters={"way": "full"}, order=20, once=True, share=_SHARE),
            Suggestion(parameters={"way": "lora"}, order=95, once=True, share=_SHARE),
        ]

    def space(self, task: Task, schema: Schema) -> Space:
        """Return the ways and backbones for the columns, the ways' own parameters and the strength of augmentation."""
        columns = choice.single(schema)
        kinds = [] if isinstance(columns, Unsuitable) else [choice.kind_of(schema, name) for name in columns]
        cards = [card for card in choice.cards().values() if card.kind in kinds and not card.needs]
        taken = {way for card in cards for way in card.ways}
        ways = tuple(name for name in plugins.names("ways") if name in taken)
        if not ways:
            return {}
        spaces = [plugins.create("ways", name).space(task) for name in ways] if find_spec("torch") else []
        own: dict[str, Any] = {name: one for space in spaces for name, one in space.items() if name != "learning_rate"}
        whole = {
            **own,
            "way": Choice(ways),
            **choice.offered(task, kinds),
            "batch": Choice((16, 32, 64)),
            "rate_factor": Real(0.3, 3.0, log=True),
            AUGMENT: Choice((0.0, 0.3, 0.6)),
        }
        return {name: one for name, one in whole.items() if name not in choice.wished(task)}

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
        call = call_of(task, parameters, schema, training.table)
        adapted = train(
            call.backbone,
            call.way,
            task,
            call.columns,
            training,
            validation,
            parameters=call.parameters,
            effort=effort,
            report=report,
        )
        learned = {"way": call.way, "backbone": call.backbone.card.name, **adapted.learned}
        return model.AdaptedModel(learner=self.name, adapted=adapted, learned=learned)

    def forecast(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Forecast | Unsuitable:
        """Return what a pass over the rows, or over as many as are worth it, would take, by a few steps of it."""
        from luban.foundation.forecast import forecast

        call = call_of(task, parameters, schema, training.table)
        given, augmentation = sorted_out(call.backbone, call.way, call.columns, call.parameters)
        found: Forecast | Unsuitable = forecast(
            call.backbone,
            call.way,
            task,
            call.columns,
            training,
            parameters=given,
            effort=effort,
            augmentation=augmentation,
        )
        if isinstance(found, Unsuitable):
            return found
        seconds = found.seconds * min(1.0, _WORTH_ROWS / training.table.num_rows)
        return replace(found, seconds=seconds, least=None if found.least is None else min(found.least, seconds))

    def alternatives(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        *,
        measured: Sequence[Alternative],
        effort: Effort,
    ) -> list[Alternative]:
        """Return what the ways that a search may try would take, by those that were measured."""
        from luban.foundation.beside import Step, beside, step
        from luban.foundation.setup import choose

        if "way" in choice.wished(task):
            return []
        known = {str(one.parameters["way"]): one.forecast for one in measured if one.forecast is not None}
        steps: dict[str, Step] = {}
        found = []
        others = [name for name in plugins.names("ways") if name not in known]
        for way in [*known, *others]:
            body = choice.frozen_backbone_of(task, schema, training.table)
            answer = plugins.create("ways", way).supports(body, task)
            if isinstance(answer, Unsuitable):
                found.append(Alternative(parameters={"way": way}, reason=answer.reason))
                continue
            given: Mapping[str, Any] = {}
            if known and not effort.expired:
                call = call_of(task, {"way": way}, schema, training.table)
                given, _ = sorted_out(call.backbone, way, call.columns, call.parameters)
                steps[way] = step(call.backbone, way, task, call.columns, training, parameters=given, effort=effort)
            if way in known or not known:
                continue
            by = like(way, list(known))
            options = choose(body, way, task, given)[1]
            found.append(
                Alternative(
                    parameters={"way": way},
                    forecast=beside(way, known[by], by, steps=steps, rows=training.table.num_rows, options=options),
                )
            )
        return found

    def preflight(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Sequence[Finding]:
        """Return what would spoil the training, or is worth knowing of it."""
        from luban.foundation.preflight import preflight

        call = call_of(task, parameters, schema, training.table)
        given, _ = sorted_out(call.backbone, call.way, call.columns, call.parameters)
        found: Sequence[Finding] = preflight(
            call.backbone, call.way, task, call.columns, training, None, parameters=given, effort=effort
        )
        return found

    def load(self, payloads: Mapping[str, bytes]) -> AdaptedModel:
        """Return the model that was saved."""
        return model.load(self.name, payloads)


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a training is called with."""

    backbone: Backbone
    way: str
    columns: tuple[str, ...]
    parameters: Mapping[str, Any]


def call_of(task: Task, parameters: Mapping[str, Any], schema: Schema, table: pa.Table) -> Call:
    """Return the backbone, freshly loaded, the way, the columns and the rest of the parameters."""
    own = {**parameters, **choice.wished(task)}
    way = str(own.pop("way", None) or "full")
    factor = float(own.pop("rate_factor", None) or 1.0)
    columns = choice.columns_of(schema)
    kind = choice.kind_of(schema, columns[0])
    backbone = choice.backbone_named(choice.wanted(task, own), kind, table, columns)
    own.pop("backbone", None)
    rate = float(own.pop("learning_rate", None) or usual_rate(way, backbone.dimension))
    return Call(backbone=backbone, way=way, columns=columns, parameters={**own, "learning_rate": rate * factor})


def like(way: str, others: Sequence[str]) -> str:
    """Return the one of some ways that trains as much of a body: all its weights, or a few beside them."""
    rewrites = plugins.create("ways", way).rewrites
    return next((one for one in others if plugins.create("ways", one).rewrites == rewrites), others[0])


def usual_rate(way: str, width: int) -> float:
    """Return the rate of a way for a body of this width.

    Published rates of training all weights are those of bodies 768 wide; where Adam updates them the best rate falls
    with the width (Yang and others 2022, arXiv:2203.03466).
    """
    made = plugins.create("ways", way)
    return float(made.rate) * (max(1.0, _PUBLISHED_WIDTH / width) if made.rewrites else 1.0)
