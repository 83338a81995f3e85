"""Which rows the arithmetic of a training is chosen by."""

from __future__ import annotations

import numpy as np

from luban.foundation.training.precision import tried


def test_short_rows_are_tried_by_the_batch() -> None:
    """A few short rows cost little but copies of the weights, which says nothing of whole batches."""
    lengths = np.random.default_rng(0).integers(5, 40, 500)
    chosen = tried(lengths, 32)
    assert len(set(chosen.tolist())) == 32
    assert np.abs(lengths[chosen] - np.median(lengths)).max() <= 2


def test_long_rows_are_tried_by_as_many_as_hold_a_thousand_steps() -> None:
    """Whole batches of long texts would take seconds each."""
    assert len(tried(np.full(100, 250), 32)) == 5
    assert len(tried(np.full(100, 5_000), 32)) == 4


def test_rows_of_unknown_length_are_tried_by_four() -> None:
    """Pictures have steps that their preparation does not tell."""
    assert len(tried(np.ones(100, dtype=np.int64), 32)) == 4


def test_no_more_rows_are_tried_than_there_are() -> None:
    """Neither than a batch has."""
    assert len(tried(np.array([7, 9]), 32)) == 2
    assert len(tried(np.full(100, 7), 8)) == 8
