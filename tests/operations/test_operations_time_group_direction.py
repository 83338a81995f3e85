"""What a fit makes of a time column, a group column and directions, and which of them it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from luban.core.errors import InputError, LubanError, NotFound
from luban.operations.data.import_ import data_import
from luban.operations.evaluate import evaluate
from luban.operations.fit import fit
from luban.operations.loading import fitted, runtime
from luban.store import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace.open(tmp_path_factory.mktemp("time") / ".luban") as opened:
        yield opened


def drifting(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    """Demand that rises from day to day; the customer number rises as well and so tells the time."""
    import pandas as pd

    random = np.random.default_rng(seed)
    day = np.arange(rows)
    price = random.normal(size=rows)
    table = pd.DataFrame(
        {
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(day, unit="D"),
            "customers": day + random.normal(size=rows),
            "price": price,
            "shop": [f"s{one}" for one in random.integers(0, 6, rows)],
            "open": random.random(rows) < 0.5,
            "demand": 0.05 * day - price + 0.2 * random.normal(size=rows),
        }
    )
    return table.sample(frac=1.0, random_state=1).reset_index(drop=True)


QUICK: dict[str, Any] = {"target": "demand", "rounds": 1, "learners": ("nearest_neighbours",)}


def test_in_time_the_score_tells_what_later_rows_will_show(workspace: Workspace) -> None:
    """The random score is several times too good; that in time is near what the rows after the last show."""
    rows = drifting().sort_values("day")
    past, future = rows.iloc[:540], rows.iloc[540:]
    honest = fit(workspace, past, **QUICK, name="honest", time="day")
    hopeful = fit(workspace, past, **QUICK, name="hopeful", ignore=("day",))
    truth = evaluate(workspace, "honest", future).metrics["rmse"]
    assert 0.6 < honest.score / truth < 1.6
    assert hopeful.score < 0.5 * evaluate(workspace, "hopeful", future).metrics["rmse"]
    assert "day" not in workspace.models.get("honest").task.inputs
    assert any("later, by 'day'" in note for note in honest.notes)


def test_a_data_set_that_was_imported_with_a_time_or_group_is_judged_by_it(workspace: Workspace) -> None:
    data_import(workspace, drifting(), name="timed", time="day")
    data_import(workspace, drifting(), name="grouped", group="shop")
    timed = fit(workspace, "timed", **QUICK)
    asked = fit(workspace, drifting(), **QUICK, time="day", name="asked")
    assert timed.score == asked.score
    assert any("later, by 'day'" in note for note in timed.notes)
    ignored = QUICK | {"ignore": ("day",)}
    grouped = fit(workspace, "grouped", **ignored)
    assert grouped.score == fit(workspace, drifting(), **ignored, group="shop", name="asked").score
    assert workspace.models.get("grouped").task.groups == "shop"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"time": "dai"}, NotFound, "day"),
        ({"time": "demand"}, InputError, "target"),
        ({"time": "shop", "ignore": ("day",)}, InputError, None),
        ({"time": "open"}, InputError, "no order"),
        ({"time": "day", "group": "shop"}, InputError, "cannot both"),
        ({"group": "demand"}, InputError, "target"),
        ({"group": "shopp"}, NotFound, "shop"),
        ({"monotonic": ("prise=+1",)}, NotFound, "price"),
        ({"monotonic": ("price",)}, InputError, "cannot be read"),
        ({"monotonic": ("price=2",)}, InputError, "cannot be read"),
        ({"monotonic": ("price=+1", "price=-1")}, InputError, "rise and to fall"),
        ({"monotonic": ("shop=+1",)}, InputError, "holds none"),
        ({"monotonic": ("open=+1",)}, InputError, "boolean"),
        ({"monotonic": ("demand=+1",)}, InputError, "target"),
        ({"monotonic": ("price=+1",), "ignore": ("price",)}, InputError, "not used"),
        ({"monotonic": ("price=+1",), "task": "quantile"}, InputError, "one output"),
    ],
)
def test_nonsense_is_refused_in_words_before_anything_is_written(
    workspace: Workspace, options: dict[str, Any], error: type[LubanError], words: str | None
) -> None:
    rows = drifting(60)
    if options.get("time") == "shop":
        rows["shop"] = [f"shop {'abcdef'[one % 6]}" for one in range(60)]
    before = len(workspace.runs.list(operation="fit", limit=1000)), len(workspace.datasets.list())
    with pytest.raises(error, match=words):
        fit(workspace, rows, **{**QUICK, "name": "refused", **options})
    assert (len(workspace.runs.list(operation="fit", limit=1000)), len(workspace.datasets.list())) == before


@pytest.mark.parametrize("column", ["time", "group"])
def test_one_moment_or_one_group_decides_nothing_and_is_told(workspace: Workspace, column: str) -> None:
    rows = drifting(60).assign(day="2024-01-01", shop="a")
    with pytest.raises(InputError, match="all rows are of one"):
        fit(workspace, rows, **QUICK, name="refused", **{column: {"time": "day", "group": "shop"}[column]})


@pytest.fixture(scope="module")
def held(workspace: Workspace) -> tuple[Any, Any]:
    """A whole fit of a binary task: several learners, an ensemble, a temperature, a threshold, and an ONNX graph."""
    import pandas as pd

    random = np.random.default_rng(0)
    age, income, noise = random.normal(size=(3, 700))
    score = np.sin(3 * age) + 0.8 * age + income * noise - income
    rows = pd.DataFrame({"age": age, "income": income, "noise": noise, "city": random.choice(list("abc"), 700)})
    rows["buys"] = np.where(score + random.normal(size=700) > 1.0, "yes", "no")
    made = fit(
        workspace, rows, target="buys", metric="balanced_accuracy", rounds=5, monotonic=("age=+1", "income=-1"),
        learners=("lightgbm", "xgboost", "catboost", "linear", "constant"), name="held",
    )  # fmt: skip
    assert {line.learner for line in made.leaderboard if line.weight} >= {"lightgbm"}
    refused = next(line for line in made.leaderboard if line.learner == "linear")
    assert refused.state == "unsuitable"
    assert "monotonic in age, income" in refused.reason
    return fitted(workspace, made.model), runtime(workspace, made.model)


@pytest.mark.long
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    base=some.tuples(*[some.floats(-3, 3)] * 3, some.sampled_from(["a", "b", "c", "new"])),
    column=some.sampled_from([("age", 1), ("income", -1)]),
    steps=some.lists(some.floats(-4, 4), min_size=2, max_size=30),
)
def test_the_whole_model_keeps_to_the_directions(
    held: tuple[Any, Any], base: tuple[float, float, float, str], column: tuple[str, int], steps: list[float]
) -> None:
    """For any row, along the column: the probability, the decision, and what the ONNX graph answers."""
    model, graph = held
    name, direction = column
    row = dict(zip(("age", "income", "noise", "city"), base, strict=True))
    rows = [row | {name: one} for one in sorted(steps)]
    answer = model.predict(rows).to_table()
    chance = np.asarray(answer["probability_yes"])
    assert (np.diff(chance) * direction >= -1e-12).all()
    decided = np.asarray([one == "yes" for one in answer["prediction"].to_pylist()]).astype(int)
    assert (np.diff(decided) * direction >= 0).all()
    through_graph = np.asarray(graph.predict(rows).to_table()["probability_yes"])
    assert (np.diff(through_graph) * direction >= -1e-6).all()


def test_directions_are_kept_with_the_model_and_a_resumed_run(workspace: Workspace) -> None:
    made = fit(
        workspace, drifting(80), target="demand", rounds=1, learners=("lightgbm",), ignore=("day",),
        monotonic=("price=-1",), name="kept",
    )  # fmt: skip
    assert workspace.models.get(made.model).task.constraints == {"monotonic": {"price": -1}}
    assert workspace.runs.get(made.run).request["monotonic"] == ["price=-1"]
