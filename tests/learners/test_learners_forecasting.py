"""What a fit over frozen features would take, told by reading a few rows, and what would be lost of them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.errors import InputError
from luban.core.protocols import Examples, Forecast, Plannable, Preflight
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.foundation.backbones import tiny
from luban.learners.adapted import choice, frozen

if TYPE_CHECKING:
    from luban.foundation.backbone import Backbone

WORDS = ("good", "bad", "film", "book", "was", "the")
TASK = Task(kind="binary", target="y", inputs=("text", "number"), metric="log_loss", classes=("bad", "good"))
ALONE = Schema(columns=(Column(name="text", kind="text"),))
SCHEMA = Schema(columns=(Column(name="text", kind="text"), Column(name="number", kind="number")))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Backbone:
    """Let the default backbone be a tiny random one."""
    made = tiny.text([" ".join(WORDS)])
    monkeypatch.setattr(frozen, "frozen_backbone", lambda *_: made)
    monkeypatch.setattr(choice, "frozen_backbone", lambda *_: made)
    return made


class Still:
    """Memory that never moves."""

    bytes = 10**6

    def __init__(self, device: object) -> None:
        """Take the place of a measure."""

    def __enter__(self) -> Still:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""


def examples(texts: list[str]) -> Examples:
    table = pa.table({"text": texts, "number": np.arange(len(texts), dtype=np.float64)})
    return Examples(table=table, target=np.arange(len(texts)) % 2)


def some(count: int) -> list[str]:
    draw = np.random.default_rng(0)
    return [" ".join(draw.choice(WORDS, 5)) + f" {number}" for number in range(count)]


@pytest.mark.parametrize("learner", ["linear_probe", "late_fusion"])
def test_reading_a_few_rows_tells_of_all(learner: str) -> None:
    """A pace is measured even where no time is left for it; more rows take longer, and what is least does not grow."""
    able = plugins.create("learners", learner)
    assert isinstance(able, Plannable)
    late = Effort(deadline=time.monotonic() - 1.0)
    few, many = (
        able.forecast(TASK, SCHEMA, examples(some(count)), parameters={}, effort=late) for count in (40, 3_000)
    )
    for told in (few, many):
        assert told.memory > 0
        assert "by 4 of them" in told.note
        assert 0 < told.least <= told.seconds
    assert few.least == few.seconds
    assert many.least < many.seconds


@pytest.mark.long
@pytest.mark.parametrize("learner", ["linear_probe", "fine_tune"])
def test_what_stays_in_the_machine_is_not_counted_on_another_device(
    monkeypatch: pytest.MonkeyPatch, small: Backbone, learner: str
) -> None:
    """Vectors and rows grow with the rows in the machine's memory, and not in that of a device that computes them."""
    monkeypatch.setattr(choice, "_kept", lambda _name: small)
    able = plugins.create("learners", learner)
    assert isinstance(able, Plannable)
    given = Examples(table=pa.table({"text": some(6_000)}), target=np.arange(6_000) % 2)
    task = replace(TASK, inputs=("text",))

    def forecast(room: int | None) -> Forecast:
        for module in ("luban.foundation.training.memory", "luban.foundation.forecast"):
            monkeypatch.setattr(f"{module}.room_beside_the_machine", lambda _place: room)
            monkeypatch.setattr(f"{module}.Peak", Still)
            monkeypatch.setattr(f"{module}.resident", lambda: 10**6)
        found = able.forecast(task, ALONE, given, parameters={}, effort=Effort(deadline=time.monotonic() - 1.0))
        assert isinstance(found, Forecast)
        return found

    here, there = forecast(None), forecast(10**12)
    assert (here.room, there.room, here.host) == (None, 10**12, 0)
    assert here.memory - there.memory == there.host - 10**6 > 0


@pytest.mark.parametrize(
    ("rows", "seconds", "least"), [(2_000, 100.0, 50.0), (8_000, 50.0, 50.0), (20_000, 20.0, 20.0)]
)
def test_the_least_of_a_fine_tuning_is_no_more_than_what_is_worth_it(
    monkeypatch: pytest.MonkeyPatch, small: Backbone, rows: int, seconds: float, least: float
) -> None:
    """Half a pass is enough, and so are 4,000 rows, of however many."""
    told = Forecast(seconds=100.0, memory=1, least=50.0)
    monkeypatch.setattr(choice, "_kept", lambda _name: small)
    monkeypatch.setattr("luban.foundation.forecast.forecast", lambda *_, **__: told)
    able = plugins.create("learners", "fine_tune")
    assert isinstance(able, Plannable)
    given = Examples(table=pa.table({"text": ["good"] * rows}), target=np.arange(rows) % 2)
    found = able.forecast(replace(TASK, inputs=("text",)), ALONE, given, parameters={}, effort=Effort())
    assert isinstance(found, Forecast)
    assert (found.seconds, found.least) == (seconds, least)


def test_what_the_backbone_would_lose_is_said_before_it_reads() -> None:
    """Empty texts are counted; where the tokenizer knows next to nothing the fit is not begun."""
    able = plugins.create("learners", "linear_probe")
    assert isinstance(able, Preflight)

    def found(texts: list[str]) -> list[tuple[str, str]]:
        made = able.preflight(TASK, SCHEMA, examples(texts), parameters={}, effort=Effort())
        assert all(one.remedy for one in made)
        return [(one.verdict, one.what) for one in made]

    assert ("warn", "25% of the rows have no text") in found(["the film was good", "", "bad", "a book"] * 5)
    assert any(verdict == "block" and "does not know" in what for verdict, what in found(["ᚠᚢᚦᚨ ᚱᚲᚷᚹ ᚺᚾᛁ"] * 20))


@pytest.mark.parametrize("learner", ["linear_probe", "late_fusion", "few_shot", "fine_tune"])
def test_labels_that_teach_nothing_are_told_by_whatever_reads_the_rows(
    monkeypatch: pytest.MonkeyPatch, small: Backbone, learner: str
) -> None:
    """One class alone, or no label at all, forbids the fit, with its fix; so says each learner in the same words."""
    monkeypatch.setattr(choice, "_kept", lambda _name: small)
    able = plugins.create("learners", learner)
    assert isinstance(able, Preflight)
    rows = examples(some(40))
    for target, words in ((np.zeros(40, dtype=np.int64), "only one class"), (np.full(40, -100), "masked away")):
        given = Examples(table=rows.table, target=target)
        told = able.preflight(TASK, SCHEMA, given, parameters={}, effort=Effort())
        assert any(one.verdict == "block" and words in one.what and one.remedy for one in told), told


def test_what_is_lost_of_answers_is_told_beside_what_is_lost_of_questions() -> None:
    """Answers in a script that the tokenizer does not know are told and forbid nothing: questions stand for them."""
    task = Task(kind="matching", target="y", inputs=("text",), metric="mrr", classes=("ᚠᚢᚦᚨ ᚱᚲᚷᚹ", "ᚺᚾᛁ ᛃᛇᛈ"))
    able = plugins.create("learners", "matching")
    assert isinstance(able, Preflight)
    told = able.preflight(task, ALONE, examples(["the film was good", ""] * 10), parameters={}, effort=Effort())
    found = [(one.verdict, one.what) for one in told]
    assert ("warn", "50% of the rows have no text") in found
    assert any(verdict == "warn" and what.startswith("Of the answers: The tok") for verdict, what in found)


def test_who_learns_from_no_row_asks_for_no_labels() -> None:
    """The names of the classes are all that zero-shot reads, and its own parameters are known to it."""
    able = plugins.create("learners", "zero_shot")
    assert isinstance(able, Preflight)
    given = Examples(table=examples(["the film was good", ""] * 10).table, target=np.zeros(20, dtype=np.int64))
    told = able.preflight(TASK, ALONE, given, parameters={"template": "A {}."}, effort=Effort())
    assert [one.what for one in told] == ["50% of the rows have no text"]
    assert isinstance(able, Plannable)
    told = able.forecast(TASK, ALONE, given, parameters={"template": "A {}."}, effort=Effort())
    assert isinstance(told, Forecast)
    assert told.seconds > 0
    with pytest.raises(InputError, match="strength"):
        able.forecast(TASK, ALONE, given, parameters={"strength": 1.0}, effort=Effort())
