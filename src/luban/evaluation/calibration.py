"""Calibration: whether predicted probabilities come true as often as they say."""

from __future__ import annotations

import numpy as np

_SMALLEST = 1e-15
# Below these, a temperature fitted on validation rows is more noise than signal (binary, more classes).
MINIMUM_ROWS = {2: 3000}
MINIMUM_ROWS_MULTICLASS = 500


def fit_temperature(probabilities: np.ndarray, target: np.ndarray, *, seed: int = 0) -> float:
    """Return the temperature that makes probabilities honest, 1.0 where none helps.

    Parameters
    ----------
    probabilities : numpy.ndarray
        Of rows that were not learnt from (out of fold), shape (n, K).
    target : numpy.ndarray
        Class codes, shape (n,).

    Returns
    -------
    float
        T, to be used as softmax(log(p) / T). It is kept only if a temperature fitted on one half of the rows
        lowers the log loss of the other half, and only with at least 3000 rows (binary) or 500 (more classes).

    Notes
    -----
    Guo et al. (2017), On calibration of modern neural networks. The loss is convex in 1 / T, so Newton's
    method with bisection as its guard finds the one minimum.
    """
    rows, classes = probabilities.shape
    if rows < MINIMUM_ROWS.get(classes, MINIMUM_ROWS_MULTICLASS):
        return 1.0
    logs = np.log(np.clip(probabilities, _SMALLEST, None))
    order = np.random.default_rng(seed).permutation(rows)
    halves = order[: rows // 2], order[rows // 2 :]
    gain = 0.0
    for fitted, judged in (halves, halves[::-1]):
        sharpness = _sharpness(logs[fitted], target[fitted])
        gain += _loss(logs[judged], target[judged], 1.0) - _loss(logs[judged], target[judged], sharpness)
    return 1 / _sharpness(logs, target) if gain > 0 else 1.0


def soften(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(log(p) / temperature), shape (n, K)."""
    return _softmax(np.log(np.clip(probabilities, _SMALLEST, None)) / temperature)


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _loss(logs: np.ndarray, target: np.ndarray, sharpness: float) -> float:
    given = _softmax(logs * sharpness)[np.arange(len(target)), target]
    return float(-np.log(np.clip(given, _SMALLEST, None)).sum())


def _sharpness(logs: np.ndarray, target: np.ndarray) -> float:
    """Return 1 / T in [0.05, 20] at the minimum of the log loss: where its slope is 0."""
    low, high, now = 0.05, 20.0, 1.0
    true = logs[np.arange(len(target)), target]
    for _ in range(60):
        shares = _softmax(logs * now)
        mean = (shares * logs).sum(axis=1)
        slope = float((mean - true).mean())
        curve = float(((shares * logs**2).sum(axis=1) - mean**2).mean())
        low, high = (low, now) if slope > 0 else (now, high)
        step = now - slope / curve if curve > 0 else low
        then = step if low < step < high else (low + high) / 2
        if abs(then - now) < 1e-9 * now:
            break
        now = then
    return now


def reliability(
    probabilities: np.ndarray, outcome: np.ndarray, bins: int = 15
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (mean probability, observed share, rows) of bins that hold equally many rows.

    Parameters
    ----------
    probabilities : numpy.ndarray
        Of one event, shape (n,).
    outcome : numpy.ndarray
        Whether the event came, shape (n,).
    """
    order = np.argsort(probabilities, kind="stable")
    edges = np.unique(np.linspace(0, len(order), min(bins, len(order)) + 1).astype(int))
    starts, counts = edges[:-1], np.diff(edges)
    said = np.add.reduceat(probabilities[order], starts) / counts
    came = np.add.reduceat(outcome[order].astype(np.float64), starts) / counts
    return said, came, counts


def expected_calibration_error(probabilities: np.ndarray, outcome: np.ndarray, bins: int = 15) -> float:
    """Return the mean gap between said and observed share, over bins of equally many rows, 0 to 1.

    Nixon et al. (2019), Measuring calibration in deep learning (the adaptive variant).
    """
    said, came, counts = reliability(probabilities, outcome, bins)
    return float((np.abs(said - came) * counts).sum() / counts.sum())


def calibration_error_by_chance(
    probabilities: np.ndarray, *, draws: int = 200, level: float = 0.95, bins: int = 15, seed: int = 0
) -> float:
    """Return the calibration error that honest probabilities stay under with chance `level`.

    Outcomes are drawn from the probabilities themselves (consistency resampling, Broecker and Smith 2007):
    a measured error below this is no evidence of bad calibration.
    """
    generator = np.random.default_rng(seed)
    ordered = np.sort(probabilities)
    edges = np.unique(np.linspace(0, len(ordered), min(bins, len(ordered)) + 1).astype(int))
    starts, counts = edges[:-1], np.diff(edges)
    said = np.add.reduceat(ordered, starts) / counts
    errors = np.empty(draws)
    for draw in range(draws):
        came = np.add.reduceat((generator.random(len(ordered)) < ordered).astype(np.float64), starts) / counts
        errors[draw] = (np.abs(said - came) * counts).sum() / counts.sum()
    return float(np.quantile(errors, level))
