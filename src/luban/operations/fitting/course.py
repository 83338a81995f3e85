"""What a report tells of the way to its model: what was found before the work, and how the losses fell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from luban.core.report import Evidence, Finding, Report, worst

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.search.result import LeaderboardRow, StudyResult

# A curve of fewer points shows nothing; the curves of more members are not looked at.
_POINTS, _MEMBERS = 3, 6
_LOSS = "_loss"


def with_course(report: Report, result: StudyResult) -> Report:
    """Return the evaluation with the findings of the preflight and the curves of the members' fits."""
    findings = (*report.findings, *result.findings, *_curves(result))
    return replace(report, findings=findings, verdict=worst(findings))


def _curves(result: StudyResult) -> list[Finding]:
    """Return the course of the members that tell it whole, then the losses that the others have reported."""
    members = [line for line in result.leaderboard if line.weight]
    whole = [(line, _recounted(line)) for line in members if line.curves]
    reported = [(line, _reported(line)) for line in members if not line.curves]
    found = []
    told = {"How {} learnt, step by step": whole, "Loss on held-out rows while {} learnt": reported}
    for words, pictures in told.items():
        drawn = [(line, evidence) for line, evidence in pictures if evidence][:_MEMBERS]
        names = ", ".join(dict.fromkeys(line.learner for line, _ in drawn))
        evidence = tuple(one for _, pieces in drawn for one in pieces)
        found += [Finding(what=words.format(names), evidence=evidence)] if drawn else []
    return found


def _recounted(line: LeaderboardRow) -> list[Evidence]:
    """Return all losses in one picture, and each other figure in its own."""
    losses = {_words(name): curve for name, curve in line.curves.items() if name.endswith(_LOSS)}
    pictures = {"loss": losses}
    if line.curve not in losses.values():
        pictures["the loss that fits are compared by"] = {"validation loss": line.curve}
    others = {_words(name): curve for name, curve in line.curves.items() if not name.endswith(_LOSS)}
    pictures |= {name: {name: curve} for name, curve in others.items()}
    return [
        _picture(f"{_member(line)}: {what}", curves, y="loss" if "loss" in what else what)
        for what, curves in pictures.items()
        if max(map(len, curves.values()), default=0) >= _POINTS
    ]


def _reported(line: LeaderboardRow) -> list[Evidence]:
    """Return the losses that a fit has told while it went on."""
    enough = len(line.curve) >= _POINTS
    return [_picture(_member(line), {"validation loss": line.curve}, y="loss")] if enough else []


def _picture(title: str, curves: Mapping[str, Sequence[tuple[int, float]]], *, y: str) -> Evidence:
    """Return curves over the steps, the rows of one after those of the other: a row without a value breaks a line."""
    rows = [
        (step, *(value if place == own else None for place in range(len(curves))))
        for own, curve in enumerate(curves.values())
        for step, value in curve
    ]
    return Evidence(title=title, columns=("step", *curves), rows=tuple(rows), drawing="line", x="step", y=y)


def _member(line: LeaderboardRow) -> str:
    return f"{line.learner} {line.parameters}".strip()


def _words(name: str) -> str:
    return name.replace("_", " ")
