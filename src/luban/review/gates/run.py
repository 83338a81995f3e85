"""All gates over one contest, as one report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core import plugins
from luban.core.contest import Gate
from luban.core.errors import InputError, NotFound
from luban.core.report import Finding, Report, worst

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.contest import Contest, Limit

CHECK = "gates"
"""Name of the check under which the report is kept with the challenger."""


def limits(given: Sequence[str]) -> dict[str, Limit | None]:
    """Return limits by gate from ``name=limit`` and ``name=off``; a gate that is off has None.

    Raises
    ------
    NotFound
        With the nearest names, if there is no such gate.
    """
    found: dict[str, Limit | None] = {}
    for one in given:
        name, equals, text = (part.strip() for part in one.partition("="))
        if not equals or not text:
            raise InputError(
                "a gate is given with its limit", seen=repr(one)[:80], remedy="Write quality=0.95, size=off."
            )
        found[name] = None if text == "off" else text
    return known(found)


def known(given: Mapping[str, Limit | None]) -> dict[str, Limit | None]:
    """Return limits of gates that there are, or raise `NotFound`."""
    names = plugins.names("gates")
    for name in given:
        if name not in names:
            raise NotFound.named("gate", name, names)
    return dict(given)


def run(contest: Contest, given: Mapping[str, Limit | None]) -> Report:
    """Return what every gate says; the verdict is ``block`` where one of them does.

    Parameters
    ----------
    given : mapping
        Limits that are not the gates' own, None for a gate that is left out.
    """
    findings: list[Finding] = []
    figures = {}
    for name in sorted(plugins.names("gates"), key=lambda one: (one != "quality", one)):
        if name in given and given[name] is None:
            continue
        gate = plugins.create("gates", name)
        assert isinstance(gate, Gate)
        limit = given.get(name)
        finding = gate.judge(contest, gate.limit if limit is None else limit)
        findings.append(finding)
        figures[name] = {"value": finding.value, "threshold": finding.threshold, "verdict": finding.verdict}
    if not findings:
        raise InputError("all gates are off", remedy="A challenger must pass at least one; leave one of them on.")
    return Report(
        check=CHECK,
        subject=contest.challenger.reference,
        verdict=worst(tuple(findings)),
        findings=tuple(findings),
        figures={
            "champion": contest.champion.reference,
            "challenger": contest.challenger.reference,
            "fresh_rows": len(contest.fresh.target),
            "gates": figures,
        },
    )


def refused(report: Report) -> tuple[str, ...]:
    """Return the names of the gates that were not passed."""
    return tuple(name for name, one in report.figures["gates"].items() if one["verdict"] == "block")
