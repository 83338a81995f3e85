"""Every installed learner through ONNX: it answers the same on ordinary and on strange rows, or says why it cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.errors import InputError, MissingExtra, Unsupported
from luban.core.protocols import Examples, Suitable
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.data.conform import conform
from luban.data.infer import infer_schema
from luban.data.task import infer_task
from luban.export.onnx.build import build
from luban.export.onnx.parity import LIMIT, measure
from luban.learners.composite import Composite
from luban.learners.fitted import Fitted, fitted
from luban.serving.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from luban.core.protocols import Model

# Pre-trained networks are learnt and traced here as well, which takes many seconds each.
LEARNERS = [
    pytest.param(name, marks=() if module.startswith("luban.learners.tabular.") else pytest.mark.exhaustive)
    for name in plugins.names("learners")
    if name != "neural_network" and (module := type(plugins.create("learners", name)).__module__)
]
ROUNDS = 25


def mixed(rows: int = 600) -> tuple[pa.Table, Schema, dict[str, np.ndarray]]:
    """Return rows of every kind of column, with a target of every kind that depends on them."""
    generator = np.random.default_rng(0)
    size = generator.normal(0, 10, rows)
    amount = np.round(generator.lognormal(8, 2, rows))
    colour = generator.choice(["red", "green", "blue", "gelb", "紫"], rows)
    town = np.array([f"town {one}" for one in generator.integers(0, 40, rows)])
    member = generator.choice(["true", "false"], rows)
    day = generator.integers(0, 20_000, rows) * 86_400_000_000
    margin = 0.1 * size + (colour == "red") - (member == "true") + 0.2 * np.log(amount) - 1.5
    gone = generator.random((5, rows)) < 0.07

    def values(column: np.ndarray, place: int, kind: Any) -> pa.Array:
        return pa.array(column.tolist(), mask=gone[place]).cast(kind)

    table = pa.table(
        {
            "size": values(size, 0, pa.float64()),
            "amount": values(amount, 1, pa.float64()),
            "colour": values(colour, 2, pa.string()),
            "town": pa.array(town),
            "member": values(member, 3, pa.string()),
            "day": values(day, 4, pa.int64()).cast(pa.timestamp("us")),
            "words": pa.array([f"{one} and some words of {two}" for one, two in zip(colour, town, strict=True)]),
        }
    )
    kinds = ("number", "number", "category", "category", "boolean", "date", "text")
    schema = Schema(columns=tuple(Column(name=n, kind=k) for n, k in zip(table.column_names, kinds, strict=True)))
    noisy = margin + generator.logistic(size=rows)
    targets = {
        "binary": (noisy > 0).astype(np.int64),
        "multiclass": np.digitize(noisy, [-1, 1]).astype(np.int64),
        "regression": 1000 * noisy,
        "quantile": 1000 * noisy,
    }
    return table, schema, targets


def strange(table: pa.Table) -> pa.Table:
    """Return rows such as nobody has seen: nothing at all, huge and tiny numbers, unknown and empty words, odd days."""
    numbers = [None, 0.0, -0.0, 1e-300, -1e300, 3.5e38, 1e38, 16777217.0, 0.1, -7.0]
    words = [None, "", " ", "never seen", "RED", "x" * 3000, "ünïcödé", "0", "nan", "true"]
    days = [
        None,
        0,
        -1,
        2**53,
        253402300799999999,
        -62135596800000000,
        1,
        951782400000000,
        4102444800000000,
        86399999999,
    ]
    rows = table.slice(0, 10)
    for place, name in enumerate(table.column_names):
        kind = table.schema.field(name).type
        pool = numbers if pa.types.is_floating(kind) else days if pa.types.is_timestamp(kind) else words
        if name == "member":
            pool = [None, "true", "false", None, "true"] * 2
        turned = pool[place:] + pool[:place]
        rows = rows.set_column(place, name, pa.array(turned, type=pa.int64() if pool is days else kind).cast(kind))
    return pa.concat_tables([rows, pa.Table.from_pylist([{}], schema=table.schema)])


TABLE, SCHEMA, TARGETS = mixed()
TASKS = {
    "binary": Task(kind="binary", target="t", inputs=SCHEMA.names, metric="roc_auc", classes=("no", "yes")),
    "multiclass": Task(kind="multiclass", target="t", inputs=SCHEMA.names, metric="log_loss", classes=(10, 20, 30)),
    "regression": Task(kind="regression", target="t", inputs=SCHEMA.names, metric="rmse"),
    "quantile": Task(kind="quantile", target="t", inputs=SCHEMA.names, metric="pinball", quantiles=(0.1, 0.5, 0.9)),
}


def member(name: str, task: Task, schema: Schema, examples: Examples) -> Model:
    """Return a small fit; skips where the learner does not take the task on."""
    try:
        learner = plugins.create("learners", name)
    except MissingExtra as error:
        pytest.skip(str(error))
    suits = learner.suits(task, schema, examples.table.num_rows, 60.0)
    if not isinstance(suits, Suitable):
        pytest.skip(f"{name}: {suits.reason}")
    effort = Effort(threads=2)
    for small in ({"rounds": ROUNDS}, {"trees": ROUNDS}, {}):  # what a learner calls its size, if it has one
        try:
            return learner.fit(task, schema, examples, None, parameters=small, effort=effort)
        except InputError:
            continue
    raise AssertionError(f"{name} takes no parameters at all")


def ensemble(task: Task, schema: Schema, *members: Any) -> Fitted:
    classes = {"temperature": 1.3} if task.classifies else {}
    model = Composite(members=members, weights=tuple([1.0] * len(members)), task=task, **classes)
    return fitted(model, schema)


@pytest.mark.parametrize("kind", list(TASKS))
@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_answers_the_same_through_onnx_or_says_why_not(name: str, kind: str) -> None:
    task = TASKS[kind]
    made = ensemble(task, SCHEMA, member(name, task, SCHEMA, Examples(table=TABLE, target=TARGETS[kind])))
    graph = refusal = None
    try:
        graph = build(made)
    except Unsupported as error:
        refusal = str(error)
    if graph is None:
        assert name.replace("_", " ") in refusal.replace("_", " "), f"the refusal does not name {name}: {refusal}"
        return
    ordinary = measure(made, graph, TABLE)
    assert ordinary.holds, f"{ordinary}"
    odd = measure(made, graph, strange(TABLE))
    assert odd.difference <= max(odd.limit, ordinary.limit), f"on strange rows: {odd}"


@pytest.mark.parametrize("kind", list(TASKS))
def test_xgboost_answers_the_same_without_text(kind: str) -> None:
    schema = Schema(columns=tuple(column for column in SCHEMA.columns if column.kind != "text"))
    table = TABLE.select(list(schema.names))
    task = replace(TASKS[kind], inputs=schema.names)
    made = ensemble(task, schema, member("xgboost", task, schema, Examples(table=table, target=TARGETS[kind])))
    graph = build(made)
    assert measure(made, graph, table).holds
    assert measure(made, graph, strange(table)).holds


def test_an_ensemble_of_real_members_is_served_in_one_graph() -> None:
    task = TASKS["binary"]
    examples = Examples(table=TABLE, target=TARGETS["binary"])
    made = ensemble(
        task, SCHEMA, *(member(name, task, SCHEMA, examples) for name in ("lightgbm", "catboost", "linear"))
    )
    graph = build(made)
    assert measure(made, graph, TABLE).difference < 1e-5
    onnx, python = Runtime.from_fitted(made, graph), Runtime.from_fitted(made)
    for row in TABLE.slice(0, 20).to_pylist() + strange(TABLE).to_pylist():
        one, other = onnx.predict_row(row), python.predict_row(row)
        assert one["probabilities"]["yes"] == pytest.approx(other["probabilities"]["yes"], abs=LIMIT)


@pytest.mark.parametrize(
    ("name", "target"),
    [("adult", "class"), ("telco_churn", "Churn"), ("diamonds", "price"), ("credit_g", "credit_risk")],
)
def test_real_data_keep_parity(shared_data: Callable[[str], Path], name: str, target: str) -> None:
    table = pq.read_table(shared_data(name) / "data.parquet").slice(0, 3000)
    found = infer_task(table, infer_schema(table), target)
    task, schema = found.task, found.schema.select(found.task.inputs)
    rows = conform(table, schema.columns).table
    values = table[target].to_pylist()
    codes = {label: code for code, label in enumerate(task.classes)}
    wanted = np.array([codes[one] for one in values]) if task.classes else np.array(values, dtype=np.float64)
    examples = Examples(table=rows.slice(0, 700), target=wanted[:700])
    made = ensemble(task, schema, *(member(one, task, schema, examples) for one in ("lightgbm", "linear")))
    measured = measure(made, build(made), rows.slice(700))
    assert measured.holds, f"{measured}"
