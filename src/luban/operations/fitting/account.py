"""The account of a fit: what was tried, how the budget was spent, on which data, in which run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.report import Evidence, Finding, Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.run import Run
    from luban.execution.deadline import Plan
    from luban.operations.fit import LeaderboardLine
    from luban.operations.fitting.prepare import Prepared
    from luban.search.result import StudyResult


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Seconds of the clock that the parts of a fit took."""

    reading: float
    searching: float
    learning_again: float
    finishing: float

    @classmethod
    def of(cls, result: StudyResult, plan: Plan, *, before: float) -> Spent:
        """Return what was spent until now.

        Parameters
        ----------
        before : float
            Seconds from the start to the end of the study.
        """
        return cls(
            reading=max(0.0, before - result.seconds),
            searching=result.seconds - result.refit_seconds,
            learning_again=result.refit_seconds,
            finishing=plan.elapsed - before,
        )


def account(
    model: str,
    prepared: Prepared,
    lines: Sequence[LeaderboardLine],
    result: StudyResult,
    run: Run,
    *,
    notes: Sequence[str],
    plan: Plan,
    spent: Spent,
) -> Report:
    """Return the account of the fit that made `model`.

    Returns
    -------
    Report
        Its figures: ``seconds`` by part, ``budget`` (None where it was counted in rounds), ``run``, ``dataset``,
        ``fingerprint``.
    """
    findings = [_leaderboard(prepared, lines, result), _budget(lines, run, plan, spent), _data(prepared), _run(run)]
    if notes:
        table = Evidence(title="Notes", columns=("note",), rows=tuple((note,) for note in notes))
        findings.append(Finding(what="What was noticed and decided on the way", evidence=(table,)))
    return Report(
        check="fit",
        subject=model,
        verdict="info",
        findings=tuple(findings),
        figures={
            "seconds": {
                "reading": spent.reading,
                "searching": spent.searching,
                "learning_again": spent.learning_again,
                "finishing": spent.finishing,
            },
            "budget": plan.budget if plan.timed else None,
            "run": run.id,
            "dataset": prepared.dataset.reference,
            "fingerprint": prepared.dataset.fingerprint,
        },
    )


def _leaderboard(prepared: Prepared, lines: Sequence[LeaderboardLine], result: StudyResult) -> Finding:
    metric = prepared.task.metric
    members = sum(line.weight > 0 for line in lines)
    made = f"{members} members" if members > 1 else "one member"
    return Finding(
        what=f"The model is an ensemble of {made}; its {metric} on rows that none of them learnt from is "
        f"{result.score:.4g}",
        value=result.score,
        evidence=(
            Evidence(
                title="Leaderboard",
                columns=("learner", "weight", metric, "folds", "fit s", "state", "why", "parameters"),
                rows=tuple(
                    (
                        line.learner,
                        line.weight,
                        line.score,
                        line.folds,
                        line.fit_seconds,
                        line.state,
                        line.reason,
                        line.parameters,
                    )
                    for line in lines
                ),
            ),
        ),
    )


def _budget(lines: Sequence[LeaderboardLine], run: Run, plan: Plan, spent: Spent) -> Finding:
    tried = [line for line in lines if line.state != "unsuitable"]
    rounds = run.request.get("rounds")
    budget = f"Of a budget of {plan.budget:g} s, " if plan.timed else ""
    if not plan.timed and rounds is not None:  # what goes on learning has neither
        budget = f"Of a budget of {rounds} candidates, "
    parts = (
        ("reading and checking the rows", spent.reading),
        ("searching", spent.searching),
        ("learning again from all rows", spent.learning_again),
        ("graph, evaluation, saving", spent.finishing),
    )
    by_learner: dict[str, list[float]] = {}
    for line in tried:
        of_it = by_learner.setdefault(line.learner, [0, 0, 0.0, 0.0])
        for place, more in enumerate((1, line.folds, line.fit_seconds, line.weight)):
            of_it[place] += more
    ranked = sorted(by_learner.items(), key=lambda one: -one[1][2])
    return Finding(
        what=f"{budget}{plan.elapsed:.1f} s were spent on {len(tried)} candidates",
        value=plan.elapsed,
        evidence=(
            Evidence(
                title="Time by the clock",
                columns=("part", "seconds"),
                rows=tuple((name, seconds) for name, seconds in parts if seconds >= 0.05),
                drawing="bar",
                y="seconds",
            ),
            Evidence(
                title="Work by learner",
                columns=("learner", "candidates", "folds", "fit s", "weight"),
                rows=tuple((name, *figures) for name, figures in ranked),
            ),
        ),
    )


def _data(prepared: Prepared) -> Finding:
    dataset, task = prepared.dataset, prepared.task
    target = f"{task.target} ({', '.join(map(str, task.classes[:12]))})" if task.classes else task.target
    rows: list[tuple[str, Any]] = [
        ("data set", dataset.reference),
        ("fingerprint", dataset.fingerprint),
        ("from", dataset.source),
        ("rows", dataset.rows),
        ("rows learnt from", prepared.table.num_rows),
        ("task", task.kind),
        ("target", target),
        ("inputs", ", ".join(task.inputs)),
        *((f"{name}", _words(wish)) for name, wish in task.constraints.items()),
    ]
    what = f"It learnt {task.target!r} from {prepared.table.num_rows:,} rows and {len(task.inputs)} columns"
    return Finding(what=f"{what} of {dataset.reference}", evidence=(_pairs("Data", rows),))


def _run(run: Run) -> Finding:
    made_with = run.environment
    code = made_with.get("code") or {}
    changed = " (with changes)" if code.get("changed") else ""
    rows: list[tuple[str, Any]] = [
        ("run", run.id),
        ("started", run.started.isoformat(sep=" ", timespec="seconds")),
        ("by", run.actor),
        *(
            (name.replace("_", " "), _words(value))
            for name, value in run.request.items()
            if value not in (None, [], "")
        ),
        ("Luban", made_with.get("luban")),
        ("Python", made_with.get("python")),
        ("platform", made_with.get("platform")),
        ("code", f"{code['commit']}{changed}" if code else None),
    ]
    shown = [(name, value) for name, value in rows if value not in (None, "")]
    return Finding(what=f"Run {run.id} can be looked at and compared", evidence=(_pairs("Run", shown),))


def _pairs(title: str, rows: Sequence[tuple[str, Any]]) -> Evidence:
    return Evidence(title=title, columns=("", "value"), rows=tuple((name, _plain(value)) for name, value in rows))


def _plain(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _words(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one:+d}" if isinstance(one, int) else f"{name} {one}" for name, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
