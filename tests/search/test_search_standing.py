"""Which candidates make the ensemble: those with skill, on common rows, and not too large together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from luban.core.schema import Schema
from luban.core.task import Task
from luban.search import scratch
from luban.search.candidate import Candidate
from luban.search.standing import MOST_BYTES_TOGETHER, OutOfFold, stand
from luban.search.trial import Trial

if TYPE_CHECKING:
    from pathlib import Path

FOLDS = 4
TARGET = np.tile([0, 1], 100)
ROWS = scratch.Rows(
    task=Task(kind="binary", target="y", inputs=(), metric="roc_auc", classes=("a", "b")),
    schema=Schema(columns=()),
    table=pa.table({}),
    target=TARGET,
    weight=None,
    folds=(np.arange(200) // 2 % FOLDS)[None].astype(np.int16),
)


def trial(folder: Path, name: str, skill: float, depth: int = FOLDS, size: int = 1000, loss: float = 0.3) -> Trial:
    """Write the folds of a candidate whose predictions know the target with so much skill."""
    made = Trial(candidate=Candidate(learner=name))
    generator = np.random.default_rng(len(name))
    for fold in range(depth):
        judged = ROWS.judged(fold)
        positive = 0.5 + 0.3 * np.tanh(
            skill * (TARGET[judged] - 0.5) + (skill > 0) * generator.normal(size=len(judged))
        )
        result = scratch.FoldResult(loss=loss, seconds=1.0, bytes=size, learned={})
        prediction = np.column_stack([1 - positive, positive])
        scratch.write_result(folder, made.candidate.key, fold, result, prediction, {"model/a.txt": b"x"})
        made.results[fold] = result
    return made


def names(trials: tuple[Trial, ...]) -> set[str]:
    return {one.candidate.learner for one in trials}


def test_a_constant_is_no_member_though_it_would_not_hurt_the_order(tmp_path: Path) -> None:
    trials = [trial(tmp_path, "constant", 0.0), trial(tmp_path, "good", 2.0), trial(tmp_path, "better", 3.0)]
    assert "constant" not in names(stand(OutOfFold(tmp_path, ROWS), trials, members=6).members)


def test_a_constant_alone_stands(tmp_path: Path) -> None:
    found = stand(OutOfFold(tmp_path, ROWS), [trial(tmp_path, "constant", 0.0)], members=6)
    assert names(found.members) == {"constant"}


def test_a_new_trial_does_not_shrink_the_ground(tmp_path: Path) -> None:
    trials = [trial(tmp_path, "one", 2.0), trial(tmp_path, "three", 2.0), trial(tmp_path, "newcomer", 9.0, depth=1)]
    found = stand(OutOfFold(tmp_path, ROWS), trials, members=6)
    assert found.depth == FOLDS
    assert len(found.rows) == len(TARGET)


def test_the_members_of_the_first_fold_decide_when_they_are_deeper(tmp_path: Path) -> None:
    """Most candidates are at the first fold, but the best one has finished all."""
    weak = [trial(tmp_path, f"weak{place}", 0.2, depth=1) for place in range(4)]
    found = stand(OutOfFold(tmp_path, ROWS), [*weak, trial(tmp_path, "best", 9.0)], members=1)
    assert found.depth == FOLDS


def test_a_quick_one_that_knows_nothing_does_not_leave_a_good_one_behind(tmp_path: Path) -> None:
    """The constant has finished three folds and the network two: the network stands."""
    trials = [trial(tmp_path, "constant", 0.0, depth=3, loss=0.5), trial(tmp_path, "network", 4.0, depth=2, loss=0.05)]
    found = stand(OutOfFold(tmp_path, ROWS), trials, members=6)
    assert names(found.members) == {"network"}
    assert found.depth == 2


def test_models_too_large_together_are_thinned_out(tmp_path: Path) -> None:
    size = int(0.6 * MOST_BYTES_TOGETHER)
    trials = [trial(tmp_path, "one", 2.0, size=size), trial(tmp_path, "three", 2.0, size=size)]
    assert len(stand(OutOfFold(tmp_path, ROWS), trials, members=6).members) == 1


def test_pruned_and_failed_trials_are_no_members_unless_there_is_nothing_else(tmp_path: Path) -> None:
    good, bad = trial(tmp_path, "good", 4.0), trial(tmp_path, "bad", 1.0)
    good.state = "pruned"
    assert names(stand(OutOfFold(tmp_path, ROWS), [good, bad], members=6).members) == {"bad"}
    assert names(stand(OutOfFold(tmp_path, ROWS), [good], members=6).members) == {"good"}
    assert stand(OutOfFold(tmp_path, ROWS), [], members=6) is None


def test_predictions_of_folds_come_back_in_the_order_of_rows(tmp_path: Path) -> None:
    one = trial(tmp_path, "one", 50.0, depth=2)
    kept = OutOfFold(tmp_path, ROWS)
    rows = kept.covered(2)
    assert rows.tolist() == sorted([*ROWS.judged(0), *ROWS.judged(1)])
    assert ((kept.prediction(one, 2)[:, 1] > 0.5) == (TARGET[rows] == 1)).all()


def test_payloads_come_back_by_their_names(tmp_path: Path) -> None:
    one = trial(tmp_path, "one", 1.0, depth=1)
    assert scratch.read_payloads(tmp_path, one.candidate.key, 0) == {"model/a.txt": b"x"}
    assert scratch.read_payloads(tmp_path, one.candidate.key, 1) == {}


def test_an_array_with_objects_is_not_read(tmp_path: Path) -> None:
    one = trial(tmp_path, "one", 1.0, depth=1)
    np.save(scratch.place(tmp_path, one.candidate.key, 0) / "prediction.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        OutOfFold(tmp_path, ROWS).prediction(one, 1)
