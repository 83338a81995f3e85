"""Rows of models that show the parts of their values: which are chosen, what is said, and within which time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from luban.core.errors import Unsupported
from luban.core.model import Signature
from luban.core.report import Evidence
from luban.core.schema import Column
from luban.core.task import Task
from luban.testing.check import check_report
from luban.trust.explain.explain import explain

if TYPE_CHECKING:
    from luban.core.budget import Effort

COLUMNS = (Column(name="text", kind="text"),)


@dataclass
class Fitted:
    """The few parts of a fitted model that an explanation needs."""

    task: Task
    signature: Signature
    model: Any


class Counting:
    """A class is as likely as often its name stands in the text; it shows the words that name it."""

    learner = "counting"
    learned: Any = None

    def __init__(self, task: Task, *, pause: float = 0.0, shows: bool = True) -> None:
        self.task, self.pause, self.attributed = task, pause, ("counting", 0.6 if shows else 0.0)
        self.paused = 0.0

    def predict(self, table: pa.Table) -> np.ndarray:
        time.sleep(self.pause * table.num_rows)
        self.paused += self.pause * table.num_rows
        counts = [
            [1 + 5 * text.split().count(label) for label in self.task.classes] for text in table["text"].to_pylist()
        ]
        found = np.array(counts, dtype=float).reshape(table.num_rows, len(self.task.classes))
        return found / found.sum(axis=1, keepdims=True)

    def attributions(self, table: pa.Table, outputs: np.ndarray, *, effort: Effort) -> list[list[Evidence]]:
        shown = []
        for text, output in zip(table["text"].to_pylist(), outputs, strict=True):
            rows = tuple((f"{word} ", 1.0 if word == self.task.classes[output] else 0.0) for word in text.split())
            evidence = Evidence(title="Words", columns=("piece", "weight"), rows=rows, drawing="spans")
            shown.append([] if effort.expired else [evidence])
        return shown


def fitted(kind: str = "multiclass", **options: Any) -> Fitted:
    """A counting model."""
    task = Task(kind=kind, target="y", inputs=("text",), metric="accuracy", classes=("red", "green", "blue"))
    return Fitted(task=task, signature=Signature(inputs=COLUMNS, outputs=COLUMNS), model=Counting(task, **options))


TABLE = pa.table({"text": ["red red red so", "red a", "green it", "green green", "blue", "blue blue and", "red not"]})
TARGET = np.array([0, 0, 1, 1, 2, 2, 1])


def test_each_class_is_shown_at_its_surest_and_an_error_with_what_is_true() -> None:
    """The surest right row of each class and the error are chosen; words and the truth are said; the share is told."""
    report = explain(fitted(), TABLE, TARGET, budget=250)
    check_report(report)
    rows = [one for one in report.findings if one.what.startswith("Row")]
    assert [one["row"] for one in report.figures["rows"]] == [0, 3, 5, 6]
    assert "because of “red”" in rows[0].what
    assert rows[3].what.endswith("; in truth green")
    assert "in truth" not in rows[0].what
    assert rows[0].evidence[0].drawing == "spans"
    assert report.figures["rows"][0]["parts"][0]["rows"][0] == ["red ", 1.0]
    assert any("counting" in one.what and "60%" in one.what for one in report.findings)
    assert list(report.figures["importance"]) == ["text"]
    # The contribution of a single column is all by which a row differs from the average one.
    assert report.figures["exact"]


@pytest.mark.parametrize("kind", ["matching", "multilabel"])
def test_kinds_without_shares_of_columns_show_their_rows(kind: str) -> None:
    """Where columns have no shares the rows alone are explained, and a model that shows nothing is still refused."""
    report = explain(fitted(kind), TABLE, rows=(0, 3), budget=250)
    check_report(report)
    assert [one["row"] for one in report.figures["rows"]] == [0, 3]
    assert "because of “green”" in report.findings[1].what
    with pytest.raises(Unsupported):
        explain(fitted(kind, shows=False), TABLE, budget=250)


def test_a_slow_model_keeps_the_budget() -> None:
    """At 10 ms a row no more rows are asked than the budget has room for, and few rows are said to be few."""
    many = pa.concat_tables([TABLE] * 40)
    slow = fitted(pause=0.01)
    report = explain(slow, many, np.tile(TARGET, 40), budget=2.5)
    assert slow.model.paused < 2.5 * 1.5
    assert any("hint" in one.what for one in report.findings)


def test_an_answer_that_is_a_text_of_its_own_is_cut_in_sentences() -> None:
    """An answer of a page would hide what is said of it."""
    from luban.learners.adapted.attributing import words_of
    from luban.trust.explain.reasons import prediction_said

    long = "The following documents\nare needed: " + 40 * "a certificate of registration, "
    task = Task(kind="matching", target="y", inputs=("text",), metric="mrr", classes=(long, "none"))
    said = prediction_said(task, 3, np.array([0.9, 0.1]), 0)
    assert said.startswith("Row 3: predicted The following documents are needed: a certificate")
    assert len(said) < 120
    assert len(words_of(task, 0)[1]) <= 60


def test_where_a_file_lies_is_not_said() -> None:
    """Of a picture its column is named, not the path of a copy on this machine; numbers are said as ever."""

    class Long:
        """The size decides, and the length of the reference a little."""

        learner = "long"
        learned: Any = None

        def predict(self, table: pa.Table) -> np.ndarray:
            lengths = np.array([len(one or "") for one in table["photo"].to_pylist()])
            return np.asarray(table["size"].to_numpy() + 0.1 * lengths, dtype=float)

    columns = (Column(name="photo", kind="image"), Column(name="size", kind="number"))
    task = Task(kind="regression", target="y", inputs=("photo", "size"), metric="rmse")
    model = Fitted(task=task, signature=Signature(inputs=columns, outputs=columns), model=Long())
    field = pa.field("photo", pa.string(), metadata={"luban.kind": "image", "luban.sound": "1"})
    paths = [f"/tmp/secret/{'x' * (place % 5)}.png" for place in range(30)]
    table = pa.table(
        [pa.array([*paths[:29], None], pa.string()), np.arange(30.0)], schema=pa.schema([field, ("size", pa.float64())])
    )
    report = explain(model, table, np.arange(30.0), rows=(3, 29), budget=250)
    told = repr(report)
    assert "/tmp/secret" not in told
    row = next(one.what for one in report.findings if one.what.startswith("Row 3"))
    assert "photo pushes" in row
    assert "size = 3" in row


def test_of_words_the_one_that_is_explained_is_named() -> None:
    """Which word, what it is labelled and how surely; a row without words says so."""
    from luban.trust.explain.reasons import prediction_said

    task = Task(kind="tokens", target="y", inputs=("text",), metric="accuracy", classes=("other", "name"))
    prediction = np.array([[0.9, 0.1], [0.2, 0.8], [np.nan, np.nan]])
    said = prediction_said(task, 4, prediction, None, entry=3, text="hello Anna")
    assert said == "Row 4: word 2, “Anna”, is labelled name (80 %)"
    assert prediction_said(task, 4, prediction[2:], None, entry=0, text="") == "Row 4: it has no word"
    assert prediction_said(task, 4, prediction[:0], None, entry=0, text="") == "Row 4: it has no word"
