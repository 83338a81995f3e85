"""Targets of several labels a row: found, encoded, refused with the row named, and dealt to folds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from luban.core.errors import InputError
from luban.core.schema import Column
from luban.data import conform, infer, profile, read, split
from luban.data.split import folds
from luban.data.target import encode_target
from luban.data.task import infer_task

SENTENCES = [["Ada", "lives", "in", "London"], ["Bob", "left"], ["rain", "in", "New York"]] * 8
TAGS = [["B-PER", "O", "O", "B-LOC"], ["B-PER", "O"], ["O", "O", "B-LOC"]] * 8


def found(target, x=None, **options):
    columns = {"x": [f"a text number {k} of some words" for k in range(len(target))] if x is None else x, "y": target}
    table = pa.table(columns)
    return table, infer_task(table, infer.infer_schema(table), "y", **options)


def test_lists_of_labels_are_multilabel_and_become_zeros_and_ones():
    table, one = found([["a", "b"], ["b"], [], ["c", "a"]] * 6)
    assert one.task.kind == "multilabel"
    assert one.task.classes == ("a", "b", "c")
    assert one.task.metric == "average_precision"
    encoded = encode_target(one.task, table["y"])
    assert encoded.dtype == np.float64
    assert encoded[:4].tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert any("6 of 24 rows have no label" in note for note in one.notes)


def test_written_labels_are_multilabel_where_asked():
    table, one = found(["a; b", "b", None, "c;a"] * 6, kind="multilabel")
    assert one.dropped == 6  # a text that is missing says nothing, an empty list says none
    assert encode_target(one.task, one.learnable(table)["y"])[:3].tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert found(["a; b", "b", "c;a"] * 6)[1].task.kind == "multiclass"


def test_a_written_label_that_holds_a_separator_is_read_by_what_is_known():
    _, one = found(["Washington, D.C.;Rome", "Rome", "Washington, D.C."] * 6, kind="multilabel")
    assert one.task.classes == ("Rome", "Washington, D.C.")
    # No semicolon is in these rows, so that the comma could be taken for the separator.
    assert encode_target(one.task, pa.array(["Washington, D.C.", "Rome"])).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("target", "options", "word"),
    [
        ([[]] * 20, {}, "too few labels"),
        ([["a"]] * 20, {}, "every row has the one label"),
        ([[f"label {k}", "x"] for k in range(1200)], {}, "too many different labels"),
        ([["a"], ["b"]] * 10, {"kind": "multiclass"}, "nested"),
        ([["a"], ["b"]] * 10, {"metric": "rmse"}, "does not suit"),
        ([1.5, 2.5] * 10, {"kind": "multilabel"}, "no lists of labels"),
        (["only one answer"] * 20, {"kind": "matching"}, "one answer only"),
    ],
)
def test_targets_of_lists_that_cannot_be_learnt(target, options, word):
    with pytest.raises(InputError, match=word):
        found(target, **options)


def test_a_label_seen_once_and_labels_that_look_alike_are_said():
    _, one = found([["a", "b"], ["b "], ["B"], ["a"]] * 5 + [["rare", "a"]])
    assert "rare" in one.task.classes
    assert any("single row" in note and "'rare'" in note for note in one.notes)
    assert any("differ by case or spaces" in note for note in one.notes)


def test_an_unknown_label_is_named_with_its_row():
    table, one = found([["a"], ["b"]] * 10)
    with pytest.raises(InputError, match="does not know") as caught:
        encode_target(one.task, pa.array([["a"], ["b", "z"]]))
    assert "'z' in row 2" in str(caught.value)
    assert table.num_rows == 20


@pytest.mark.parametrize("listed", [True, False])
def test_a_label_a_word_is_tokens(listed):
    texts = SENTENCES if listed else [" ".join(word.replace(" ", "_") for word in one) for one in SENTENCES]
    table, one = found(TAGS, x=texts)
    assert one.task.kind == "tokens"
    assert one.task.metric == "entity_f1"
    assert one.task.inputs == ("x",)
    codes = encode_target(one.task, table["y"])
    assert codes.shape == (24, 4)
    assert codes[1].tolist() == [*(one.task.classes.index(tag) for tag in TAGS[1]), -1, -1]
    canonical = conform.conform(table, one.schema.select(one.task.inputs).columns).table
    assert canonical["x"][2].as_py() == "rain in New_York"
    assert canonical["x"].type == pa.string()
    row = conform.conform_row({"x": SENTENCES[2]}, one.schema.select(one.task.inputs).columns)
    assert row["x"] == canonical["x"][2].as_py()


def test_words_of_chinese_are_its_characters():
    texts, tags = ["我在北京", "他 去 Rome"] * 10, ["O O B-LOC I-LOC", "O O B-LOC"] * 10
    table, one = found(tags, x=texts, kind="tokens")
    assert one.schema.column("x").storage == "string characters"
    assert conform.conform(table, one.schema.select(("x",)).columns).table["x"][0].as_py() == "我 在 北 京"
    assert (encode_target(one.task, table["y"]) >= 0).sum(axis=1).tolist() == [4, 3] * 10


def test_a_row_with_another_number_of_words_is_named():
    with pytest.raises(InputError, match="another number of words") as caught:
        found([*TAGS[:-1], ["O"]], x=SENTENCES)
    assert "3 words and 1 labels in row 24" in str(caught.value)
    with pytest.raises(InputError, match="no column has as many words"):
        found(TAGS, x=["one two three four five six"] * 24, kind="tokens")


def test_a_word_without_a_label_is_left_open():
    _, one = found([["A", None], ["B", "A"]] * 10, x=[["x", "y"], ["z", "x"]] * 10)
    assert encode_target(one.task, pa.array([["A", None]])).tolist() == [[0, -1]]


def test_an_answer_of_a_single_row_can_be_matched():
    _, one = found([f"answer {k}" for k in range(20)], kind="matching")
    assert one.dropped == 0
    assert len(one.task.classes) == 20
    assert one.task.metric == "mrr"
    with pytest.raises(InputError, match="too many different labels") as caught:
        found([f"answer {k}" for k in range(20)])
    assert "--task matching" in str(caught.value)


@pytest.mark.parametrize("kind", ["multilabel", "tokens"])
def test_folds_spread_the_rarest_labels(kind):
    generator = np.random.default_rng(0)
    if kind == "multilabel":
        _, one = found([["a", "rare"], ["a"], [], ["b"]] * 4 + [["a"]] * 30)
        target = encode_target(one.task, pa.array([["a", "rare"], ["a"], [], ["b"]] * 4 + [["a"]] * 30))
        rare = target[:, one.task.classes.index("rare")] > 0
    else:
        tags = [["O", "B-X"], ["O", "O"], ["B-Y", "O"]] * 10 + [["O", "O"]] * 30
        _, one = found(tags, x=[["w", f"v{k}"] for k in range(60)])
        target = encode_target(one.task, pa.array(tags))
        rare = (target == one.task.classes.index("B-X")).any(axis=1)
    order = generator.permutation(len(target))
    pairs = folds(one.task, target[order], None, 4, 0)
    judged = np.concatenate([rows for _, rows in pairs])
    assert sorted(judged) == list(range(len(target)))
    counts = [rare[order][rows].sum() for _, rows in pairs]
    assert max(counts) - min(counts) <= 1


def test_other_tasks_still_refuse_lists_as_inputs():
    with pytest.raises(InputError, match="nested"):
        found(["a", "b"] * 10, x=[["p", "q"]] * 20)
    with pytest.raises(InputError, match="nested"):
        conform.conform({"x": [["p"]]}, [Column(name="x", kind="text")])


def test_lists_stay_lists_where_some_blocks_of_a_file_have_empty_ones(tmp_path):
    lines = ['{"x": 1, "y": ["a"]}', '{"x": 2, "y": []}', '{"x": 3, "y": null}', '{"x": 4, "y": []}']
    (tmp_path / "rows.jsonl").write_text("\n".join(lines * 5))
    table = read.table(str(tmp_path / "rows.jsonl"))
    assert table["y"].to_pylist()[:4] == [["a"], [], None, []]


def test_lists_of_labels_can_be_profiled_and_split_by():
    table, one = found([["a", "b"], ["b"], [], None] * 20)
    assert profile.profile(table, one.schema, target="y").check == "profile"
    parts = split.split(table, one.schema, how="stratified", by="y", shares=(0.5, 0.5))
    assert [len(part) for part in parts] == [40, 40]
    assert sum(table["y"][int(row)].as_py() == ["b"] for row in parts[0]) == 10
