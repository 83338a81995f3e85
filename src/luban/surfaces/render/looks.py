"""The results that have a look of their own in the terminal; all others are shown by their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.model import Deployment
from luban.operations.demo import Demonstrated
from luban.operations.evaluate import Evaluated
from luban.operations.models.list_ import ModelLine, ModelList
from luban.operations.models.threshold import ThresholdMoved
from luban.operations.monitor import Monitored
from luban.operations.runs.list_ import MOMENTS, RunList
from luban.operations.zoo.list_ import BackboneLine, BackboneList
from luban.surfaces.render import fits, registry, terminal, updating
from luban.surfaces.render.result import render, table, words

if TYPE_CHECKING:
    from rich.console import Console

    from luban.core.run import Run

REGISTERED = (fits, registry, updating)
"""Modules with more looks."""


def show(result: Any, console: Console) -> None:
    """Write a result to the console, in its own look where it has one."""
    render(result, console)


@render.register(Deployment)
def _deployed(result: Deployment, console: Console) -> None:
    """Show what answers under the name, and how to let it answer and watch it."""
    render.dispatch(object)(result, console)
    terminal.following([f"luban serve {result.name}", f"luban monitor {result.name} --watch 60s"], console)


@render.register(Demonstrated)
def _demonstrated(result: Demonstrated, console: Console) -> None:
    """Show each step as it would be typed, and what came of it."""
    from rich.text import Text

    for step in result.steps:
        console.print(Text(f"\n$ {step.command}", style="bold"), soft_wrap=True)
        console.print(Text(f"  {step.outcome}"))
    console.print(Text(f"\nAll of it is in the folder {result.folder}; delete it and all is gone."))
    terminal.following(result.next, console)


@render.register(Evaluated)
def _evaluated(result: Evaluated, console: Console) -> None:
    """Show the report, which holds the metrics."""
    terminal.render(result.report, console)


@render.register(Monitored)
def _monitored(result: Monitored, console: Console) -> None:
    """Show the report, and what the alert rules said."""
    terminal.render(result.report, console)
    if result.notices:
        terminal.lines("Alerts", result.notices, console)


@render.register(ThresholdMoved)
def _threshold_moved(result: ThresholdMoved, console: Console) -> None:
    """Show the threshold, what it costs and gains beside the old one, and that nothing answers by it yet."""
    from rich.text import Text

    chosen = f", chosen by {result.chosen_by}" if result.chosen_by else ""
    told = f"  decides from a probability of {words(result.threshold)} on{chosen}"
    console.print(Text.assemble("\n", (result.model, "bold"), told))
    before, after = f"{result.source} from {words(result.before)}", f"{result.model} from {words(result.threshold)}"
    lines = [
        {"metric": name, before: result.scores_before.get(name), after: value} for name, value in result.scores.items()
    ]
    if lines:
        table("", lines, console)
        terminal.lines("Notes", [f"Measured on {result.rows:,} rows, {result.measured_on}.", *result.notes], console)
    terminal.following([f"luban models promote {result.model}", f"luban evaluate {result.model} FILE"], console)


@render.register(ModelList)
def _models(result: ModelList, console: Console) -> None:
    signed = any(one.signed for one in result.models)
    table("", [_version(one, signed=signed) for one in result.models], console)


@render.register(BackboneList)
def _backbones(result: BackboneList, console: Console) -> None:
    """Show the figures as a table, and under it what is too long for a column: tasks, and where each comes from."""
    table("", [_backbone(one) for one in result.backbones], console)
    served: dict[str, list[str]] = {}
    for one in result.backbones:
        served.setdefault(", ".join(one.tasks), []).append(one.backbone)
    terminal.lines("What they serve", [f"{', '.join(names)}: {tasks}" for tasks, names in served.items()], console)
    told = [f"{one.backbone}: {one.source}" + (f"; {one.needs}" if one.needs else "") for one in result.backbones]
    terminal.lines("Where they come from", told, console)


def _backbone(line: BackboneLine) -> dict[str, Any]:
    return {
        "backbone": line.backbone,
        "reads": line.modality,
        "M weights": line.millions,
        "MB": line.megabytes,
        "licence": line.licence,
        "installed": line.installed,
    }


def _version(one: ModelLine, *, signed: bool) -> dict[str, Any]:
    """Return a line; its score with its metric, for those of two metrics do not compare."""
    made = words(one.created)
    return {
        "model": one.model,
        "task": one.task,
        "target": one.target,
        "score": None if one.score is None else f"{one.metric} {words(one.score)}",
        "aliases": one.aliases,
        **({"created": made[:10], "signed": one.signed} if signed else {"created": made}),
    }


@render.register(RunList)
def _runs(result: RunList, console: Console) -> None:
    table("", [_run(one, result.order_by) for one in result.runs], console)


def _run(run: Run, order_by: str | None) -> dict[str, Any]:
    """Return a line; where runs are sorted by a metric, with that."""
    asked = run.request
    metric = "score" if order_by in (None, *MOMENTS) else str(order_by)
    return {
        "run": run.id,
        "verb": run.operation,
        "of": run.name
        or asked.get("learner")
        or " -> ".join(str(asked[one]) for one in ("source", "target") if asked.get(one))
        or asked.get("model"),
        metric: run.scores.get(metric),
        "state": run.state,
        "started": run.started,
        "seconds": None if run.ended is None else round((run.ended - run.started).total_seconds(), 1),
    }
