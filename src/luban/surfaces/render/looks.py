"""The results that have a look of their own in the terminal; all others are shown by their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.model import Deployment
from luban.operations.demo import Demonstrated
from luban.operations.evaluate import Evaluated
from luban.operations.fit import Fit, FitPlan, LeaderboardLine, PlanLine
from luban.operations.models.list_ import ModelLine, ModelList
from luban.operations.models.threshold import ThresholdMoved
from luban.operations.monitor import Monitored
from luban.operations.runs.list_ import RunList
from luban.operations.zoo.list_ import BackboneLine, BackboneList
from luban.surfaces.render import registry, terminal
from luban.surfaces.render.result import render, table, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from luban.core.run import Run

MOST_LINES = 12
REGISTERED = (registry,)
"""Modules with more looks."""


def show(result: Any, console: Console) -> None:
    """Write a result to the console, in its own look where it has one."""
    render(result, console)


@render.register(Fit)
def _fit(result: Fit, console: Console) -> None:
    """Show what was made, what it is made of, what was noticed, and what to type next."""
    from rich.text import Text

    head = f"{result.task}, {result.metric} {words(result.score)} in cross-validation, {result.seconds:.1f} s"
    console.print(Text.assemble("\n", (result.model, "bold"), f"  {head}"))
    ranked = sorted(result.leaderboard, key=lambda one: (-one.weight, one.score is None))
    table("", [_line(one, result.metric) for one in ranked[:MOST_LINES]], console, short=True)
    if len(ranked) > MOST_LINES:
        console.print(f"  and {len(ranked) - MOST_LINES} more; --json has all", style="dim")
    found = result.report.findings if result.report is not None else ()
    told = [one.what for place, one in enumerate(found) if place == 0 or one.verdict in {"warn", "block"}]
    # What was found before the fit is a note already, with its remedy.
    notes = [*(one for one in told if not any(note.startswith(one) for note in result.notes)), *result.notes]
    if result.interrupted:
        notes.append(f"Interrupted. Go on with: luban fit --resume {result.run}")
    terminal.lines("Notes", notes, console)
    name = result.model.split("/")[0]
    verbs = (
        f"explain {name}",
        f"evaluate {name} FILE",
        f"predict {name} FILE -o predictions.parquet",
        f"deploy {name}",  # to serve and to watch it: deploy says how
    )
    _next([f"luban {verb}" for verb in verbs], console)


@render.register(Deployment)
def _deployed(result: Deployment, console: Console) -> None:
    """Show what answers under the name, and how to let it answer and watch it."""
    render.dispatch(object)(result, console)
    _next([f"luban serve {result.name}", f"luban monitor {result.name} --watch 60s"], console)


@render.register(FitPlan)
def _fit_plan(result: FitPlan, console: Console) -> None:
    """Show what would be tried, what it would take, and what stands against it."""
    budget = "as many rounds as asked for" if result.budget is None else f"{result.budget:.0f} s"
    console.print(f"\n{result.task}, judged by {result.metric}, {result.rows:,} rows, {budget}; nothing was run")
    table("", [_planned(line) for line in result.lines], console, short=True)
    found = result.report.findings if result.report is not None else ()
    terminal.lines("Notes", [*(f"{one.what}. {one.remedy}".strip() for one in found), *result.notes], console)


def _planned(line: PlanLine) -> dict[str, Any]:
    return {
        "learner": line.learner,
        "way": line.way or None,
        "backbone": line.backbone or None,
        "about s": None if line.seconds is None else round(line.seconds, 1),
        "memory GB": None if line.memory is None else round(line.memory / 1e9, 2),
        "runs": "yes" if line.runs else "no",
        "": line.reason or line.note or line.parameters,
    }


def _next(commands: Sequence[str], console: Console) -> None:
    from rich.text import Text

    console.print(Text("\nNext", style="bold"))
    for command in commands:
        console.print(Text(f"  {command}"), soft_wrap=True)  # so that it can be copied


def _line(line: LeaderboardLine, metric: str) -> dict[str, Any]:
    return {
        "learner": line.learner,
        "weight": line.weight or None,
        metric: line.score,
        "fit s": line.fit_seconds if line.score is not None else None,
        "": "; ".join(one for one in (line.reason, line.parameters) if one),
    }


@render.register(Demonstrated)
def _demonstrated(result: Demonstrated, console: Console) -> None:
    """Show each step as it would be typed, and what came of it."""
    from rich.text import Text

    for step in result.steps:
        console.print(Text(f"\n$ {step.command}", style="bold"), soft_wrap=True)
        console.print(Text(f"  {step.outcome}"))
    console.print(Text(f"\nAll of it is in the folder {result.folder}; delete it and all is gone."))
    _next(result.next, console)


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
    _next([f"luban models promote {result.model}", f"luban evaluate {result.model} FILE"], console)


@render.register(ModelList)
def _models(result: ModelList, console: Console) -> None:
    kept = ("model", "task", "target", "metric", "score", "aliases", "created")
    rows = [{name: getattr(one, name) for name in kept} for one in result.models]
    if any(one.signed for one in result.models):
        rows = [_with_signature(one) for one in result.models]
    table("", rows, console)


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


def _with_signature(one: ModelLine) -> dict[str, Any]:
    """Return a line that has room for one more column at 80 characters."""
    return {
        "model": one.model,
        "task": one.task,
        "target": one.target,
        "score": f"{one.metric} {words(one.score)}",
        "aliases": one.aliases,
        "created": None if one.created is None else f"{one.created:%Y-%m-%d}",
        "signed": one.signed,
    }


@render.register(RunList)
def _runs(result: RunList, console: Console) -> None:
    table("", [_run(one) for one in result.runs], console)


def _run(run: Run) -> dict[str, Any]:
    asked = run.request
    return {
        "run": run.id,
        "verb": run.operation,
        "of": run.name
        or asked.get("learner")
        or " -> ".join(str(asked[one]) for one in ("source", "target") if asked.get(one))
        or asked.get("model"),
        "score": run.scores.get("score"),
        "state": run.state,
        "started": run.started,
        "seconds": None if run.ended is None else round((run.ended - run.started).total_seconds(), 1),
    }
