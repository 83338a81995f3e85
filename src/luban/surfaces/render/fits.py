"""What a fit shows in the terminal, and the plan of one: figures in a table, reasons in whole sentences under it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from luban.operations.fit import Fit, FitPlan, LeaderboardLine, PlanLine
from luban.surfaces.render import terminal
from luban.surfaces.render.result import render, table, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

MOST_LINES = 12


@render.register(Fit)
def _fit(result: Fit, console: Console) -> None:
    """Show what was made, what it is made of, what was noticed, and what to type next."""
    from rich.text import Text

    head = f"{result.task}, {result.metric} {words(result.score)} in cross-validation, {result.seconds:.1f} s"
    console.print(Text.assemble("\n", (result.model, "bold"), f"  {head}"))
    scored = [one for one in result.leaderboard if one.weight or one.score is not None]
    ranked = sorted(scored, key=lambda one: (-one.weight, one.score is None))
    table("", [_line(one, result.metric) for one in ranked[:MOST_LINES]], console, short=True)
    if len(ranked) > MOST_LINES:
        console.print(f"  and {len(ranked) - MOST_LINES} more; --json has all", style="dim")
    terminal.lines("Of these", _by_reason((one.learner, one.reason) for one in ranked), console)
    others = [one for one in result.leaderboard if not one.weight and one.score is None]
    terminal.lines("Left out", _by_reason((one.learner, one.reason or one.state) for one in others), console)
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
    terminal.following([f"luban {verb}" for verb in verbs], console)


@render.register(FitPlan)
def _fit_plan(result: FitPlan, console: Console) -> None:
    """Show what would be tried, what it would take, and what stands against the rest."""
    budget = "as many rounds as asked for" if result.budget is None else f"{result.budget:.0f} s"
    console.print(f"\n{result.task}, judged by {result.metric}, {result.rows:,} rows, {budget}; nothing was run")
    runs = [one for one in result.lines if one.runs]
    table("", [_planned(one) for one in runs], console, short=True)
    terminal.lines("How that is known", _by_reason((_named(one), one.note) for one in runs), console)
    left = [(_named(one), one.reason) for one in result.lines if not one.runs]
    terminal.lines("Left out", _by_reason(left), console)
    found = result.report.findings if result.report is not None else ()
    terminal.lines("Notes", [*(f"{one.what}. {one.remedy}".strip() for one in found), *result.notes], console)


def _line(line: LeaderboardLine, metric: str) -> dict[str, Any]:
    return {
        "learner": line.learner,
        "weight": line.weight or None,
        metric: line.score,
        "fit s": line.fit_seconds if line.score is not None else None,
        "": line.parameters,
    }


def _planned(line: PlanLine) -> dict[str, Any]:
    return {
        "learner": line.learner,
        "way": line.way or None,
        "backbone": line.backbone or None,
        "about s": None if line.seconds is None else round(line.seconds, 1),
        "memory GB": None if line.memory is None else round(line.memory / 1e9, 2),
        "": "" if line.parameters == f"way={line.way}" else line.parameters,
    }


def _named(line: PlanLine) -> str:
    return f"{line.learner} {line.way}".strip()


def _by_reason(told: Iterable[tuple[str, str]]) -> list[str]:
    """Return each reason once, after the names that it holds for."""
    names: dict[str, Counter[str]] = {}
    for name, reason in told:
        if reason:
            names.setdefault(reason, Counter())[name] += 1
    return [
        f"{', '.join(name if count == 1 else f'{name} ({count} times)' for name, count in those.items())}: {reason}"
        for reason, those in names.items()
    ]
