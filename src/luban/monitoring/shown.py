"""What was measured, in tables and drawings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.report import Evidence, Finding
from luban.evaluation.words import number, significant
from luban.monitoring.drift import FALSE_DISCOVERIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.monitoring.drift import Compared
    from luban.monitoring.measured import Measured

_BARS = 20
_BINS = 24


def effect(column: Compared) -> float:
    """Return the effect of a column's drift, 0 where it could not be compared."""
    found = column.of("drift")
    return 0.0 if found is None else found.effect


def figures(column: Compared) -> dict[str, Any]:
    """Return the figures of a column, by name."""
    drift = column.of("drift")
    found: dict[str, Any] = {"missing": column.missing / column.rows if column.rows else 0.0}
    if drift is not None:
        found |= {"effect": drift.effect, "chance": column.chance("drift"), "drifted": "drift" in column.flags}
        found |= drift.figures
    for what in ("out_of_range", "unseen"):
        one = column.of(what)
        if one is not None:
            found[what] = one.figures["share"]
    if column.vanished:
        found["vanished"] = True
    return found


def overview(columns: Sequence[Compared]) -> tuple[Evidence, ...]:
    """Return the effects of all columns, drawn, and all figures as a table."""
    tested = sorted((one for one in columns if one.of("drift") is not None), key=lambda one: -effect(one))
    bars = Evidence(
        title="How far each column has moved",
        columns=("column", "effect"),
        rows=tuple((one.name, significant(effect(one))) for one in tested[:_BARS]),
        drawing="bar",
        y="largest gap of shares (distance for categories, discrepancy for texts), 0 to 1",
    )
    table = Evidence(
        title=f"Columns (moved: chance at most {FALSE_DISCOVERIES} and effect large enough)",
        columns=("column", "moved", "effect", "chance", "PSI", "KS", "Wasserstein", "chi-square", "MMD", "missing"),
        rows=tuple(_row(one) for one in tested),
    )
    return bars, table


def _row(column: Compared) -> tuple[Any, ...]:
    drift = column.of("drift")
    assert drift is not None
    names = ("psi", "ks", "wasserstein", "chi_square", "mmd")
    return (
        column.name,
        "yes" if "drift" in column.flags else "",
        significant(drift.effect),
        significant(column.chance("drift")),
        *(significant(drift.figures[name]) if name in drift.figures else None for name in names),
        significant(column.missing / column.rows if column.rows else 0.0),
    )


def moved(column: Compared) -> Finding:
    """Return what has moved in one column, drawn before and now."""
    drift = column.of("drift")
    assert drift is not None
    told = ", ".join(f"{_WORDS[name]} {number(value)}" for name, value in drift.figures.items() if name in _WORDS)
    return Finding(
        what=f"{column.name!r} has moved: {told}",
        verdict="info",
        value=drift.effect,
        threshold=drift.least,
        evidence=_drawn(column),
    )


_WORDS = {
    "psi": "PSI",
    "ks": "KS distance",
    "wasserstein": "Wasserstein distance in standard deviations",
    "chi_square": "chi-square",
    "distance": "share of rows with another level",
    "mmd": "maximum mean discrepancy",
}


def _drawn(column: Compared) -> tuple[Evidence, ...]:
    base = column.base
    if base.numbers is not None and column.after:
        return (_histogram(column),)
    if base.levels is None or not column.after:
        return ()
    known = max(1, base.levels.rows)
    rows = max(1, column.rows - column.missing)
    pairs = list(zip(base.levels.counts.items(), column.after, strict=True))[:_BARS]
    lines = [(level, significant(before / known), significant(after / rows)) for (level, before), after in pairs]
    rest = rows - sum(after for _, after in pairs)
    if rest > 0 or base.levels.rows > sum(count for (_, count), _ in pairs):
        before = base.levels.rows - sum(count for (_, count), _ in pairs)
        lines.append(("any other", significant(before / known), significant(rest / rows)))
    return (
        Evidence(
            title=f"{column.name} before and now",
            columns=("level", "before", "now"),
            rows=tuple(lines),
            drawing="bar",
            y="share of rows",
        ),
    )


def _histogram(column: Compared) -> Evidence:
    """Return the shares between points that lie about evenly in what was seen before."""
    base = column.base.numbers
    assert base is not None
    points = np.array([base.low, *base.points])
    before, after = np.array(base.counts, dtype=np.float64), np.array(column.after, dtype=np.float64)
    low, high = np.interp([0.01, 0.99], np.cumsum(before) / before.sum(), points[1:])
    edges = np.unique(np.concatenate([[base.low], np.linspace(low, high, _BINS - 1), [base.high]]))
    place = np.clip(np.searchsorted(edges, points[1:], side="left") - 1, 0, max(0, len(edges) - 2))
    shares = [
        np.bincount(place, weights=one[: len(place)], minlength=max(1, len(edges) - 1)) / max(1.0, one.sum())
        for one in (before, after)
    ]
    shares[1][-1] += after[-1] / max(1.0, after.sum())  # beyond all that was seen
    if len(edges) < 2:
        edges = np.array([base.low, base.low + 1])
    return Evidence(
        title=f"{column.name} before and now",
        columns=("from", "to", "before", "now"),
        rows=tuple(
            (significant(edges[i]), significant(edges[i + 1]), significant(shares[0][i]), significant(shares[1][i]))
            for i in range(len(edges) - 1)
        ),
        drawing="histogram",
        x=column.name,
        y="share of rows",
    )


def defects(what: str, columns: Sequence[tuple[Compared, Measured | None]]) -> Evidence:
    """Return the shares of rows that are missing, out of range or never seen, by column."""
    before = what == "missing"
    rows = []
    for column, measured in columns:
        assert measured is not None
        share = significant(measured.figures["share"])
        rows.append((column.name, significant(measured.figures["before"]), share) if before else (column.name, share))
    return Evidence(
        title=what.replace("_", " "),
        columns=("column", "before", "now") if before else ("column", "share of rows"),
        rows=tuple(rows[:_BARS]),
        drawing="bar",
        y="share of rows",
    )
