"""What the evaluation of a regression shows: residuals, and where they lie."""

from __future__ import annotations

import numpy as np

from luban.core.report import Evidence, Finding
from luban.evaluation.words import number, significant

_POINTS = 600
# A mean residual below this share of the typical error is no bias worth acting on.
_NEGLIGIBLE = 0.1


def residuals(target: np.ndarray, prediction: np.ndarray, unit: str, seed: int) -> Finding:
    """Return residuals against predictions, their distribution, and errors by tenth of the prediction.

    Parameters
    ----------
    target, prediction : numpy.ndarray
        Shape (n,).
    unit : str
        Name of the target, for the axes.
    """
    gap = target - prediction
    rows = len(gap)
    typical = float(np.sqrt(np.mean(gap**2)))
    mean = float(gap.mean())
    error = float(gap.std() / np.sqrt(rows))
    biased = abs(mean) > 2 * error and abs(mean) > _NEGLIGIBLE * typical
    chosen = np.arange(rows)
    if rows > _POINTS:
        chosen = np.sort(np.random.default_rng(seed).choice(rows, _POINTS, replace=False))
    counts, edges = np.histogram(gap, bins=min(40, max(8, int(np.sqrt(rows)))))
    return Finding(
        what=(
            f"Predictions are {'below' if mean > 0 else 'above'} the truth by {number(abs(mean))} on average"
            if biased
            else f"Residuals are centred (mean {number(mean)}, typical size {number(typical)})"
        ),
        verdict="warn" if biased else "pass",
        value=mean,
        threshold=max(2 * error, _NEGLIGIBLE * typical),
        remedy="Check whether these rows come from another time or place than the rows learnt from." if biased else "",
        evidence=(
            Evidence(
                title="Residuals",
                columns=("prediction", "residual"),
                rows=tuple((significant(prediction[i]), significant(gap[i])) for i in chosen),
                drawing="scatter",
                x=f"predicted {unit}",
                y="true - predicted",
            ),
            Evidence(
                title="Distribution of residuals",
                columns=("from", "to", "rows"),
                rows=tuple(
                    (significant(edges[i]), significant(edges[i + 1]), int(counts[i])) for i in range(len(counts))
                ),
                drawing="histogram",
                x="true - predicted",
                y="rows",
            ),
            _by_tenth(target, prediction),
        ),
    )


def _by_tenth(target: np.ndarray, prediction: np.ndarray) -> Evidence:
    parts = [part for part in np.array_split(np.argsort(prediction, kind="stable"), 10) if len(part)]
    rows = []
    for place, part in enumerate(parts):
        gap = target[part] - prediction[part]
        rows.append(
            (
                place + 1,
                len(part),
                significant(prediction[part].mean()),
                significant(target[part].mean()),
                significant(gap.mean()),
                significant(np.abs(gap).mean()),
                significant(np.sqrt(np.mean(gap**2))),
            )
        )
    return Evidence(
        title="By tenth of the prediction",
        columns=("tenth", "rows", "predicted", "true", "true - predicted", "mae", "rmse"),
        rows=tuple(rows),
    )
