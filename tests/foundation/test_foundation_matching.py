"""Matching and zero-shot: ranks, temperatures, thresholds, labels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from luban.core.budget import Effort
from luban.core.errors import InputError, Unsupported
from luban.foundation import matching, zero_shot
from luban.foundation.backbones import tiny
from luban.foundation.features import unit


def test_an_answer_scores_as_its_best_entry() -> None:
    rng = np.random.default_rng(0)
    entries, codes = rng.normal(size=(9, 4)), np.array([2, 0, 1, 0, 2, 2, 1, 0, 0])
    questions = rng.normal(size=(5, 4))
    found = matching.similarities(questions, matching.index(entries, codes, 3))
    cosines = unit(questions) @ unit(entries).T
    expected = np.stack([cosines[:, codes == code].max(axis=1) for code in range(3)], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_question_does_not_find_itself() -> None:
    """Held out of the index by its place, a known question has to be found by the others."""
    vectors = np.eye(3)
    entries = matching.index(vectors, [0, 0, 1], 2)
    assert matching.similarities(vectors[:1], entries)[0, 0] == pytest.approx(1)
    assert matching.similarities(vectors[:1], entries, without=np.array([0]))[0, 0] == pytest.approx(0)


def test_an_answer_without_entry_is_refused() -> None:
    with pytest.raises(InputError, match="1 of 3 have none"):
        matching.index(np.eye(2), [0, 2], 3)


@given(
    arrays.arrays(np.float64, (6, 3), elements=st.floats(-1, 1)),
    st.floats(0.005, 1),
)
def test_probabilities_sum_to_one_and_keep_the_order(cosines: np.ndarray, temperature: float) -> None:
    shares = matching.probabilities(cosines, temperature)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-12)
    rows = np.arange(len(cosines))
    np.testing.assert_allclose(shares[rows, cosines.argmax(axis=1)], shares.max(axis=1), atol=1e-12)


def test_the_temperature_is_sharp_where_answers_are_right() -> None:
    rng = np.random.default_rng(1)
    target = rng.integers(0, 4, 300)
    cosines = rng.normal(scale=0.05, size=(300, 4))
    cosines[np.arange(300), target] += 0.4
    noise = rng.normal(scale=0.3, size=(300, 4))
    assert matching.fit_temperature(cosines, target) < matching.fit_temperature(noise, target)


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.8, 0.9]), st.booleans()), min_size=1, max_size=40),
    st.floats(0.3, 1),
)
def test_the_threshold_keeps_the_precision_where_any_does(held_out: list[tuple[float, bool]], precision: float) -> None:
    """By brute force over all scores: the lowest one that is precise enough."""
    scores, right = np.array([one for one, _ in held_out]), np.array([one for _, one in held_out])
    found = matching.fit_threshold(scores, right, precision=precision)
    good = [one for one in set(scores) if right[scores >= one].sum() >= precision * (scores >= one).sum()]
    if good:
        assert found == min(good)
    else:
        assert found in scores


@pytest.mark.parametrize("labels", [["one"], ["a", "A"], ["a", " "], []])
def test_labels_must_be_two_and_different(labels: list[str]) -> None:
    with pytest.raises(InputError, match="at least two labels"):
        zero_shot.labels(tiny.text(), labels)


def test_zero_shot_needs_a_backbone_that_reads() -> None:
    with pytest.raises(Unsupported, match="reads image"):
        zero_shot.labels(tiny.image(), ["cat", "dog"])


def test_a_text_goes_to_the_label_with_its_words() -> None:
    """A text that is the description itself is at that label; one without words is at all alike."""
    backbone = tiny.text(["cat dog bird"])
    found = zero_shot.labels(backbone, ["cat", "dog", "bird"], template="{}")
    table = pa.table({"text": ["dog", None, "bird"]})
    shares, present = zero_shot.predict(backbone, found, table, "text", effort=Effort())
    assert shares.argmax(axis=1)[[0, 2]].tolist() == [1, 2]
    assert present.tolist() == [True, False, True]
    np.testing.assert_allclose(shares[1], 1 / 3)
    with pytest.raises(InputError, match="no place for a label"):
        zero_shot.labels(backbone, ["cat", "dog"], template="about")
