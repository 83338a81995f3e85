"""`luban monitor`, from a fit to the report: a deployment's log, a file, labels, alerts, metrics, bad input."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer

from luban.core import plugins
from luban.core.errors import InputError, MissingExtra, NotFound
from luban.core.model import Signature
from luban.core.protocols import Detector
from luban.core.schema import Column
from luban.core.task import Task
from luban.monitoring import stream
from luban.monitoring.alerts.figures import figures as named
from luban.monitoring.alerts.possible import possible
from luban.operations.alerts.add import alerts_add
from luban.operations.fit import fit
from luban.operations.loading import fitted
from luban.operations.monitor import monitor
from luban.serving.windows import WindowFigures, Windows
from luban.store import Workspace
from luban.store.chunks import Chunks
from luban.store.predictions import COLUMNS
from luban.surfaces.render import html

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2026, 3, 1, tzinfo=UTC)


def cancer() -> tuple[pa.Table, np.ndarray]:
    found = load_breast_cancer()
    names = [name.replace(" ", "_") for name in found.feature_names[:8]]
    columns = dict(zip(names, found.data[:, :8].T, strict=True))
    target = np.where(found.target == 0, "malignant", "benign")
    return pa.table({**columns, "diagnosis": target}), target


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, pa.Table]]:
    """A workspace with a model of half the rows, deployed; and the other half."""
    table, _ = cancer()
    order = np.random.default_rng(0).permutation(table.num_rows)
    folder = tmp_path_factory.mktemp("monitor")
    with Workspace.open(folder / ".luban") as workspace:
        fit(
            workspace,
            data=table.take(pa.array(order[:320])),
            target="diagnosis",
            name="tumours",
            learners=("linear",),
            rounds=2,  # not a time: a busy machine makes the same model
        )
        workspace.deployments.set("tumours", {"tumours/1": 1.0})
        yield workspace, table.take(pa.array(order[320:]))


def logged(workspace: Workspace, rows: pa.Table, name: str, *, begin: datetime = START) -> list[str]:
    """Store rows as the server would, answered by the model; one request a row, a minute apart."""
    workspace.deployments.set(name, {"tumours/1": 1.0})
    model = fitted(workspace, "tumours/1")
    inputs = rows.drop_columns([one for one in ("diagnosis",) if one in rows.column_names])
    answers = model.predict(inputs, missing="fill").to_table()
    count = rows.num_rows
    ids = [f"{name}-{begin:%H}-{i}" for i in range(count)]
    base: dict[str, Any] = {
        "request_id": ids,
        "row": [0] * count,
        "moment": [begin + timedelta(minutes=i) for i in range(count)],
        "deployment": [name] * count,
        "model": ["tumours/1"] * count,
        "arm": ["champion"] * count,
        "latency_ms": [1.0] * count,
        "subject": [None] * count,
        "consent": [None] * count,
    }
    table = pa.table(base, schema=COLUMNS)
    for part, prefix in ((inputs, "input."), (answers, "output.")):
        for column in part.column_names:
            table = table.append_column(prefix + column, part[column])
    workspace.predictions.append(table)
    return ids


def test_new_rows_of_the_same_kind_raise_no_alarm(made: tuple[Workspace, pa.Table]) -> None:
    workspace, rows = made
    logged(workspace, rows, "calm")
    found = monitor(workspace, "calm")
    assert found.rows == rows.num_rows
    assert found.report.figures["drift"]["columns"] == 0
    assert found.verdict in ("pass", "info")
    estimated = found.report.figures["estimated"]["accuracy"]
    truth = fitted(workspace, "tumours/1").predict(rows).prediction.to_pylist()
    accuracy = np.mean([one == other for one, other in zip(truth, rows["diagnosis"].to_pylist(), strict=True)])
    assert estimated["low"] - 0.02 <= accuracy <= estimated["high"] + 0.02
    assert workspace.reports.get(found.digest) == found.report


def test_moved_inputs_and_a_column_that_vanished_are_told(made: tuple[Workspace, pa.Table]) -> None:
    workspace, rows = made
    moved = rows.set_column(0, rows.column_names[0], pa.array(rows[0].to_numpy() + 4))
    logged(workspace, moved.drop_columns([rows.column_names[3]]), "moved")
    found = monitor(workspace, "moved")
    assert found.report.figures["drift"]["drifted"] == [rows.column_names[0]]
    assert found.verdict == "block"
    told = " ".join(one.what for one in found.report.findings)
    assert f"'{rows.column_names[3]}' has vanished" in told
    assert "has moved" in html.render(found.report)


def test_labels_give_the_real_quality_and_ids_without_a_prediction_do_no_harm(
    made: tuple[Workspace, pa.Table],
) -> None:
    workspace, rows = made
    ids = logged(workspace, rows, "labelled")
    truth = rows["diagnosis"].to_pylist()
    workspace.labels.add("labelled", [*ids, "of-nobody"], None, [*truth, "benign"])
    workspace.outcomes.add("labelled", {"answered": rows.num_rows, "stored": rows.num_rows})
    report = monitor(workspace, "labelled").report
    figures = report.figures
    version = workspace.models.get("tumours/1")
    names = possible(version.task, version.signature.inputs, plugins.names("detectors"))
    assert set(named(report)) <= set(names), "rules would refuse the others"
    assert figures["labelled"] == rows.num_rows
    predicted = fitted(workspace, "tumours/1").predict(rows).prediction.to_pylist()
    accuracy = np.mean([one == other for one, other in zip(predicted, truth, strict=True)])
    assert figures["quality"]["metrics"]["accuracy"] == pytest.approx(accuracy, abs=0.02)
    low, high = figures["quality"]["intervals"]["roc_auc"]
    assert low <= figures["quality"]["metrics"]["roc_auc"] <= high
    assert not figures["quality"]["worse"]


def test_a_concept_that_turns_is_seen_by_labels_and_detectors_and_not_without(
    made: tuple[Workspace, pa.Table],
) -> None:
    """From the middle on the labels are turned round: inputs and estimate stand still, errors rise."""
    workspace, rows = made
    ids = logged(workspace, rows, "turned")
    truth = rows["diagnosis"].to_pylist()
    half = len(truth) // 2
    other = {"benign": "malignant", "malignant": "benign"}
    workspace.labels.add("turned", ids, None, [*truth[:half], *(other[one] for one in truth[half:])])
    found = monitor(workspace, "turned")
    assert found.report.figures["drift"]["columns"] == 0
    assert found.report.figures["quality"]["worse"]
    assert sum(found.report.figures["stream"]["alarms"].values()) >= 2
    assert found.verdict == "warn"


def test_a_part_of_the_rows_that_is_answered_wrong_is_told_and_can_alarm(made: tuple[Workspace, pa.Table]) -> None:
    """Where the first column is high the labels are turned round: that slice is the worst, and a rule speaks of it, as
    another does of the time that answers take."""
    workspace, rows = made
    ids = logged(workspace, rows, "sliced")
    first = rows[0].to_numpy()
    high = first > np.quantile(first, 0.75)
    other = {"benign": "malignant", "malignant": "benign"}
    truth = rows["diagnosis"].to_pylist()
    workspace.labels.add(
        "sliced", ids, None, [other[one] if turned else one for one, turned in zip(truth, high, strict=True)]
    )
    alerts_add(workspace, "unfair", "sliced", "quality.worst_slice > 1.5")
    alerts_add(workspace, "slow", "sliced", "latency.p99 > 0.5")
    found = monitor(workspace, "sliced")
    quality = found.report.figures["quality"]
    assert any(rows.column_names[0] in one["slice"] for one in quality["slices"]), quality["slices"]
    assert quality["worst_slice"] == max(one["times"] for one in quality["slices"]) > 1.5
    assert found.report.figures["latency"] == {"p50": 1.0, "p90": 1.0, "p95": 1.0, "p99": 1.0}
    slow, unfair = sorted(found.notices)
    assert slow == "Alarm: slow on sliced: latency.p99 > 0.5, now 1"
    assert unfair.startswith("Alarm: unfair on sliced: quality.worst_slice > 1.5, now ")


def test_without_a_detector_that_is_said(made: tuple[Workspace, pa.Table], monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels are there and river is not: nothing is left out in silence."""
    workspace, rows = made
    ids = logged(workspace, rows, "bare")
    workspace.labels.add("bare", ids, None, rows["diagnosis"].to_pylist())

    create = plugins.create

    def missing(group: str, name: str, **options: Any) -> Any:
        if group == "detectors":
            raise MissingExtra(f"{name} needs river", remedy="Run: pip install 'luban[monitoring]'")
        return create(group, name, **options)

    monkeypatch.setattr(plugins, "create", missing)
    found = monitor(workspace, "bare")
    assert "stream" not in found.report.figures
    assert any("luban[monitoring]" in one.remedy for one in found.report.findings)


@pytest.mark.parametrize("others", [(), ("age",)])
def test_pictures_in_the_log_are_there_and_not_gone(tmp_path: Path, others: tuple[str, ...]) -> None:
    """The log has digests of them: they neither vanish nor stop the look, be there other columns or none."""
    inputs = (Column(name="photo", kind="image"), *(Column(name=name, kind="number") for name in others))
    task = Task(
        kind="multiclass",
        target="kind",
        inputs=tuple(one.name for one in inputs),
        metric="log_loss",
        classes=("a", "b", "c"),
    )
    with Workspace.open(tmp_path / ".luban") as workspace:
        outputs = (Column(name="kind", kind="category", role="target"),)
        workspace.models.register(
            name="tumours",
            artifact=workspace.blobs.put(b"nothing"),
            signature=Signature(inputs=inputs, outputs=outputs),
            task=task,
        )
        workspace.deployments.set("photos", {"tumours/1": 1.0})
        rows = [
            {"request_id": str(place), "row": 0, "moment": START + timedelta(minutes=place), "deployment": "photos"}
            | {"model": "tumours/1", "arm": "champion", "latency_ms": 1.0, "input.photo": f"sha256:{place:064x}"}
            | {"input.age": float(place % 7), "output.prediction": "abc"[place % 3]}
            | {f"output.probability_{one}": 1 / 3 for one in "abc"}
            for place in range(80)
        ]
        names = [f"output.probability_{one}" for one in "abc"]
        kinds = [("input.photo", pa.string()), *((f"input.{name}", pa.float64()) for name in others)]
        kinds += [("output.prediction", pa.string()), *((name, pa.float64()) for name in names)]
        workspace.predictions.append(pa.Table.from_pylist(rows, schema=pa.schema([*COLUMNS, *kinds])))
        found = monitor(workspace, "photos", last=40, against="previous")
    assert found.rows == 40
    assert found.verdict in ("pass", "info"), found.report.findings
    assert set(found.report.figures["columns"]) == {"photo", *others}
    told = " ".join(one.what for one in found.report.findings)
    assert "vanished" not in told
    assert ("they are files" in told) is (not others)


def test_the_window_before_may_be_what_is_compared_with(made: tuple[Workspace, pa.Table]) -> None:
    workspace, rows = made
    first = rows.slice(0, 120)
    logged(workspace, first, "windows")
    later = rows.slice(120)
    later = later.set_column(0, later.column_names[0], pa.array(later[0].to_numpy() * 3))
    logged(workspace, later, "windows", begin=START + timedelta(days=1))
    found = monitor(workspace, "windows", last=later.num_rows, against="previous")
    assert found.report.figures["drift"]["drifted"] == [rows.column_names[0]]
    with pytest.raises(InputError, match="no window before"):
        monitor(workspace, "windows", against="previous")


def test_only_the_newest_rows_of_a_long_log_are_read(
    made: tuple[Workspace, pa.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year of predictions does not make a look at the last hundred slower; the window is the same."""
    workspace, rows = made
    days = [START + timedelta(days=day) for day in (3, 0, 1, 4, 2)]  # chunks need not come in the order of time
    for day in days:
        logged(workspace, rows, "long", begin=day)
    whole = workspace.predictions.read("long").sort_by("moment")
    read: list[Any] = []
    chunk_rows = Chunks.rows
    monkeypatch.setattr(Chunks, "rows", lambda self, chunk, *more: read.append(chunk) or chunk_rows(self, chunk, *more))
    found = monitor(workspace, "long", last=100)
    assert {one.first for one in read} == {max(days)}  # others need not even be opened
    newest = whole.slice(whole.num_rows - 100)
    assert found.rows == 100
    assert found.report.figures["since"] == newest["moment"][0].as_py().isoformat()
    assert monitor(workspace, "long", last=300).rows == 300
    assert workspace.predictions.newest("long", whole.num_rows) == min(days)
    assert workspace.predictions.newest("long", whole.num_rows + 1) is None


def test_a_file_is_compared_without_a_server(made: tuple[Workspace, pa.Table], tmp_path: Path) -> None:
    workspace, rows = made
    found = monitor(workspace, "tumours", rows)
    assert found.subject == "tumours/1"
    assert found.report.figures["quality"]["rows"] == rows.num_rows
    assert found.report.figures["drift"]["columns"] == 0
    with pytest.raises(InputError, match="none of the columns"):
        monitor(workspace, "tumours", pa.table({"x": [1, 2]}))
    with pytest.raises(InputError, match="looked at once"):
        monitor(workspace, "tumours", rows, against="previous")


def test_no_log_too_few_rows_and_unknown_names_say_what_to_do(made: tuple[Workspace, pa.Table]) -> None:
    workspace, rows = made
    workspace.deployments.set("empty", {"tumours/1": 1.0})
    with pytest.raises(InputError, match="luban serve"):
        monitor(workspace, "empty")
    logged(workspace, rows.slice(0, 5), "empty")
    with pytest.raises(InputError, match="5 rows"):
        monitor(workspace, "empty")
    with pytest.raises(NotFound):
        monitor(workspace, "nobody")
    with pytest.raises(InputError, match="not both"):
        monitor(workspace, "empty", last=5, window=60.0)


def test_an_alert_is_told_by_the_monitor_and_metrics_show_the_window(made: tuple[Workspace, pa.Table]) -> None:
    workspace, rows = made
    moved = rows.set_column(0, rows.column_names[0], pa.array(rows[0].to_numpy() + 4))
    logged(workspace, moved, "watched")
    alerts_add(workspace, "drift", "watched", "drift.columns >= 1")
    assert monitor(workspace, "watched").notices == ("Alarm: drift on watched: drift.columns >= 1, now 1",)
    assert monitor(workspace, "watched").notices == ()
    windows = Windows(workspace)
    samples = {
        (sample.name, sample.labels.get("column")): sample.value
        for family in WindowFigures(lambda: windows).collect()
        for sample in family.samples
        if sample.labels["deployment"] == "watched"
    }
    assert samples["luban_monitored_rows", None] == rows.num_rows
    assert samples["luban_drift_effect", rows.column_names[0]] > 0.3


def test_requests_that_fail_and_rows_that_the_log_loses_are_figures_that_alarm(
    made: tuple[Workspace, pa.Table],
) -> None:
    """Of 400 requests 8 failed, of 392 rows 40 were dropped; what came before the newest 300 requests is left out."""
    workspace, rows = made
    logged(workspace, rows, "failing")
    now = datetime.now(UTC)
    workspace.outcomes.add("failing", {"failed": 5000}, now - timedelta(minutes=50))
    workspace.outcomes.add("failing", {"answered": 300, "stored": 352}, now)
    workspace.outcomes.add("failing", {"answered": 92, "failed": 8, "dropped": 40}, now)
    alerts_add(workspace, "errors", "failing", "requests.failed_share > 0.01")
    alerts_add(workspace, "lost", "failing", "log.dropped > 0")
    found = monitor(workspace, "failing", last=300)
    assert found.report.figures["requests"] == {"count": 400, "failed": 8, "failed_share": 0.02}
    assert found.report.figures["log"]["dropped_share"] == pytest.approx(40 / 392)
    assert sorted(found.notices) == [
        "Alarm: errors on failing: requests.failed_share > 0.01, now 0.02",
        "Alarm: lost on failing: log.dropped > 0, now 40",
    ]
    told = " ".join(one.what for one in found.report.findings)
    assert "8 of 400 requests failed (2 %)" in told
    assert "lost 40 of 392 rows (10 %)" in told
    assert monitor(workspace, "failing", window=3600.0).report.figures["requests"]["failed"] == 5008


def test_where_every_request_fails_that_is_told_although_nothing_is_logged(made: tuple[Workspace, pa.Table]) -> None:
    """A rule on drift is not told that all is well: nothing was compared."""
    workspace, rows = made
    logged(workspace, rows.set_column(0, rows.column_names[0], pa.array(rows[0].to_numpy() + 4)), "broken")
    alerts_add(workspace, "drifting", "broken", "drift.share > 0.1")
    alerts_add(workspace, "all-fail", "broken", "requests.failed_share > 0.5")
    assert [one.split(":")[1] for one in monitor(workspace, "broken").notices] == [" drifting on broken"]
    workspace.outcomes.add("broken", {"failed": 40})
    found = monitor(workspace, "broken", window=60.0)
    assert found.verdict == "warn"
    assert found.rows == 0
    assert found.notices == ("Alarm: all-fail on broken: requests.failed_share > 0.5, now 1",)
    assert "drift" not in found.report.figures
    assert "Too few answers" in html.render(found.report)


def test_the_dashboard_asks_for_nothing_that_is_not_exported() -> None:
    from luban.serving.metrics import Metrics
    from luban.serving.models import Models

    models = Models(served={"none": {}})
    exported = {family.name for family in Metrics(models).registry.collect()}
    board = json.loads((Path(__file__).parents[2] / "docs" / "grafana" / "luban.json").read_text())
    asked = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"luban_\w+", target["expr"])
    }
    assert {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in asked} <= exported
    assert {"luban_drift_effect", "luban_score", "luban_requests_total"} <= asked


@pytest.mark.parametrize("name", plugins.names("detectors"))
def test_a_detector_finds_more_errors_and_rests_while_there_are_none(name: str) -> None:
    """500 values with one error in ten, then 500 with one in two."""
    generator = np.random.default_rng(5)
    errors = (generator.random(1000) < np.repeat([0.1, 0.5], 500)).astype(float)
    detector = plugins.create("detectors", name)
    assert isinstance(detector, Detector)
    (places,) = stream.alarms({name: detector}, errors).values()
    assert any(500 <= place < 700 for place in places)
    assert not [place for place in places if place < 500]


def test_chance_alone_counts_as_no_rise_of_errors() -> None:
    """Of 40 streams of 300 with 2 % errors in which nothing changes DDM accuses some; at most one counts."""
    generator = np.random.default_rng(0)
    accused = counted = 0
    for _ in range(40):
        errors = (generator.random(300) < 0.02).astype(float)
        (places,) = stream.alarms({"ddm": plugins.create("detectors", "ddm")}, errors).values()
        moments = np.arange(300).astype("datetime64[us]")
        _, figures = stream.errors_over_time({"ddm": plugins.create("detectors", "ddm")}, errors, moments, None)
        accused += bool(places)
        counted += bool(figures["alarms"]["ddm"])
    assert accused >= 5
    assert counted <= 1


def test_a_watch_goes_on_over_what_fails_and_ends_when_asked(made: tuple[Workspace, pa.Table]) -> None:
    """First there are too few rows, then enough: each look is told, results on the way with it."""
    from luban.core.progress import Progress, listening, stopping

    workspace, rows = made
    workspace.deployments.set("slow", {"tumours/1": 1.0})
    news: list[Progress] = []

    def listen(one: Progress) -> None:
        news.append(one)
        if len(news) == 1:
            logged(workspace, rows, "slow")

    with listening(listen), stopping(lambda: len(news) >= 2):
        found = monitor(workspace, "slow", watch=1.0)
    assert "too few rows" in news[0].message
    assert news[1].result == found
