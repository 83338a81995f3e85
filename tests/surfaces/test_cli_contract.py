"""The contract that others script against: one JSON object on standard output, named fields, exit code 0."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pandas as pd
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.surfaces.conftest import CommandLine


PATIENCE = 280.0  # seconds that nothing here takes unless it is broken


def test_fit_answers_with_the_fields_of_the_contract(fitted: CommandLine) -> None:
    answer = json.loads((fitted.folder / "fit.json").read_text())
    assert answer["model"] == "tumours/1"
    assert (answer["task"], answer["metric"]) == ("binary", "roc_auc")
    assert 0.97 < answer["score"] <= 1
    assert answer["seconds"] > 0
    assert {"learner", "score", "fit_seconds", "weight"} <= set(answer["leaderboard"][0])
    assert sum(line["weight"] for line in answer["leaderboard"]) == pytest.approx(1, abs=0.01)


def test_predict_writes_one_row_a_row_with_probabilities(fitted: CommandLine) -> None:
    answer = fitted("predict", "tumours", "test.csv", "-o", "p.parquet", "--json")
    assert answer.json["rows"] == 171
    table = pq.read_table(fitted.folder / "p.parquet")
    assert table.column_names == ["prediction", "probability_benign", "probability_malignant"]
    frame = table.to_pandas()
    assert np.allclose(frame["probability_benign"] + frame["probability_malignant"], 1)
    truth = pd.read_csv(fitted.folder / "test.csv")["diagnosis"]
    assert (frame["prediction"] == truth).mean() > 0.9


@pytest.fixture(scope="module")
def predicted(fitted: CommandLine) -> pd.DataFrame:
    """What `tumours` says of the rows of test.csv."""
    assert fitted("predict", "tumours", "test.csv", "-o", "same.parquet").code == 0
    return pq.read_table(fitted.folder / "same.parquet").to_pandas()


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl"])
def test_predict_writes_other_forms_too(fitted: CommandLine, predicted: pd.DataFrame, name: str) -> None:
    assert fitted("predict", "tumours", "test.csv", "-o", name).code == 0
    read = pd.read_csv if name.endswith("csv") else lambda path: pd.read_json(path, lines=True)
    pd.testing.assert_frame_equal(read(fitted.folder / name), predicted, check_dtype=False, atol=1e-9)


def test_a_model_has_three_kinds_of_name(fitted: CommandLine) -> None:
    answers = [
        fitted("predict", name, "test.csv", "--json").json for name in ("tumours", "tumours/1", "tumours@champion")
    ]
    assert answers[0]["predictions"] == answers[1]["predictions"] == answers[2]["predictions"]
    assert {answer["model"] for answer in answers} == {"tumours/1"}


def test_evaluate_agrees_with_scikit_learn(fitted: CommandLine, predicted: pd.DataFrame) -> None:
    from sklearn.metrics import accuracy_score, roc_auc_score

    metrics = fitted("evaluate", "tumours", "test.csv", "--json").json["metrics"]
    truth = pd.read_csv(fitted.folder / "test.csv")["diagnosis"]
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(truth == "malignant", predicted["probability_malignant"]))
    assert metrics["accuracy"] == pytest.approx(accuracy_score(truth, predicted["prediction"]))


def test_evaluate_writes_a_page_that_needs_no_network(fitted: CommandLine) -> None:
    assert fitted("evaluate", "tumours", "test.csv", "--html", "page.html").code == 0
    page = (fitted.folder / "page.html").read_text()
    assert "<svg" in page
    assert "tumours/1" in page
    assert not [word for word in ('src="http', 'href="http', "@import", "url(http") if word in page]


def test_explain_names_columns_and_reasons(fitted: CommandLine) -> None:
    answer = fitted("explain", "tumours", "test.csv", "--rows", "0,3", "--budget", "10s", "--json").json
    text = json.dumps(answer["report"])
    assert answer["model"] == "tumours/1"
    assert answer["report"]["check"] == "explanation"
    assert "mean texture" in text


def test_export_runs_without_luban(fitted: CommandLine, predicted: pd.DataFrame) -> None:
    answer = fitted("export", "tumours", "--to", "onnx", "-o", "onnx", "--json").json
    assert answer["parity"] <= 1e-4
    path = fitted.folder / answer["path"]
    session = onnxruntime.InferenceSession(str(path))
    frame = pd.read_csv(fitted.folder / "test.csv")
    feeds = {one.name: frame[[one.name]].to_numpy(np.float32) for one in session.get_inputs()}
    found = dict(zip([one.name for one in session.get_outputs()], session.run(None, feeds), strict=True))
    assert np.abs(found["probabilities"][:, 1] - predicted["probability_malignant"]).max() <= 1e-4
    assert list(found["prediction"]) == list(predicted["prediction"])


def test_lists_tell_what_was_made_from_what(fitted: CommandLine) -> None:
    model = fitted("models", "list", "--json").json["models"][0]
    run = fitted("runs", "show", model["run"], "--json").json
    assert run["run"]["state"] == "finished"
    assert run["run"]["request"]["target"] == "diagnosis"
    assert run["run"]["environment"]["packages"]["lightgbm"]
    assert len(run["trials"]) >= 2
    dataset = fitted("data", "show", model["dataset"], "--json").json["dataset"]
    assert dataset["rows"] == 398
    assert fitted("runs", "list", "--json").json["runs"][0]["id"] == model["run"]


def test_import_of_equal_content_is_one_version(fitted: CommandLine) -> None:
    first = fitted("data", "import", "test.csv", "--name", "held out", "--json")
    assert first.code == 2, "a name with a space is refused"
    first = fitted("data", "import", "test.csv", "--name", "heldout", "--json").json
    again = fitted("data", "import", "test.csv", "--name", "heldout", "--json").json
    assert first["dataset"] == again["dataset"] == "heldout/1"
    assert first["fingerprint"] == again["fingerprint"]


def test_promote_moves_the_champion_and_keeps_its_history(luban: CommandLine, fitted: CommandLine) -> None:
    import shutil

    shutil.copytree(fitted.folder / ".luban", luban.folder / ".luban")
    shutil.copy(fitted.folder / "tumours.csv", luban.folder)
    fit = ["fit", "tumours.csv", "--target", "diagnosis", "--rounds", "2", "--learners", "linear", "--json"]
    assert luban(*fit).json["model"] == "tumours/2"
    assert luban("models", "show", "tumours", "--json").json["model"] == "tumours/1"
    moved = luban("models", "promote", "tumours/2", "--reason", "newer", "--json").json
    assert (moved["before"], moved["after"], moved["reason"]) == (1, 2, "newer")
    shown = luban("models", "show", "tumours", "--json").json
    assert shown["model"] == "tumours/2"
    assert [change["after"] for change in shown["alias_history"]] in ([1, 2], [2, 1])


def test_every_verb_knows_json_and_help(luban: CommandLine, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the command that is made of each verb, without a process for each; of one with it."""
    from luban.core import plugins
    from luban.surfaces.commands import application

    for verb in plugins.names("operations"):
        assert not application()([*verb.split(), "--help"], prog_name="luban", standalone_mode=False), verb
        out = capsys.readouterr().out
        assert out.split()[: 2 + len(verb.split())] == ["Usage:", "luban", *verb.split()]
        assert "--json" in out, verb
    answer = luban("models", "list", "--help")
    assert answer.code == 0, answer.err
    assert "--json" in answer.out


def test_unknown_words_are_exit_code_2(luban: CommandLine) -> None:
    assert luban("fitt").code == 2
    assert luban("fit", "--taget", "y").code == 2


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    """Read standard error of a process until `words` come."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    pytest.fail(f"{words!r} did not come")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_keeps_the_best_model_so_far(fitted: CommandLine, luban: CommandLine, sent: signal.Signals) -> None:
    data = fitted.folder / "tumours.csv"
    process = luban.start("fit", data, "--target", "diagnosis", "--budget", "10m", "--name", "early", "--json")
    wait_for(process, "search: roc_auc")  # there is a model, and the search goes on
    process.send_signal(sent)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert json.loads(out)["interrupted"] is True
    assert luban("predict", "early", fitted.folder / "test.csv", "-o", "p.parquet").code == 0


def test_killed_fit_resumes_with_what_was_finished(fitted: CommandLine, luban: CommandLine) -> None:
    data = fitted.folder / "tumours.csv"
    process = luban.start("fit", data, "--target", "diagnosis", "--budget", "10m", "--name", "late")
    wait_for(process, "search: roc_auc")
    process.kill()
    process.wait()
    run = luban("runs", "list", "--json").json["runs"][0]
    assert run["state"] == "running"
    assert luban("models", "list", "--json").json == {"models": []}
    before = finished_folds(luban.folder)
    assert before, "some folds were finished before the kill"
    resumed = luban.start("fit", "--resume", run["id"], "--budget", "10m", "--json")
    wait_for(resumed, "search: roc_auc")
    resumed.send_signal(signal.SIGINT)
    out, err = resumed.communicate(timeout=PATIENCE)
    assert resumed.returncode == 0, err
    assert json.loads(out)["run"] == run["id"]
    assert json.loads(out)["model"] == "late/1"
    assert luban("fit", "--resume", run["id"]).code == 2, "a complete fit cannot be resumed"


def finished_folds(folder: Path) -> set[str]:
    return {str(path) for path in (folder / ".luban" / "scratch").glob("*/folds/*/*/prediction.npy")}


def test_two_fits_at_once_both_succeed(fitted: CommandLine, luban: CommandLine) -> None:
    data = fitted.folder / "tumours.csv"
    fit = ["fit", data, "--target", "diagnosis", "--rounds", "1", "--learners", "linear", "--name", "same", "--json"]
    both = [luban.start(*fit), luban.start(*fit)]
    answers = [json.loads(process.communicate(timeout=PATIENCE)[0]) for process in both]
    assert {answer["model"] for answer in answers} == {"same/1", "same/2"}
    assert len({answer["dataset"] for answer in answers}) == 1


def test_same_seed_and_rounds_give_the_same_bytes(fitted: CommandLine, luban: CommandLine) -> None:
    """Made once more, elsewhere; without a word of the seed it is a fixed one."""
    assert luban("fit", fitted.folder / "tumours.csv", "--target", "diagnosis", "--rounds", "3").code == 0
    for line in (fitted, luban):
        assert line("predict", "tumours", fitted.folder / "test.csv", "-o", "again.parquet").code == 0
    assert (luban.folder / "again.parquet").read_bytes() == (fitted.folder / "again.parquet").read_bytes()


@pytest.mark.parametrize("budget", [1, 4])
def test_budget_is_kept_and_there_is_always_a_model(fitted: CommandLine, luban: CommandLine, budget: int) -> None:
    fit = ["fit", fitted.folder / "tumours.csv", "--target", "diagnosis", "--json"]
    began = time.monotonic()
    least = luban(*fit, "--rounds", "1", "--learners", "constant", "--name", "least")
    least_seconds = time.monotonic() - began
    assert least.code == 0, least.err
    answer = luban(*fit, "--budget", f"{budget}s")
    seconds = time.monotonic() - began - least_seconds
    assert answer.code == 0, answer.err
    # The promise is budget + 2 s on an idle machine; this guards against a deadline that is not kept at all, on one as
    # slow as it has just been or some times slower.
    assert seconds < budget + 30 + 10 * least_seconds
    assert luban("predict", answer.json["model"], fitted.folder / "test.csv", "-o", "p.parquet").code == 0


SETS = {
    "adult": ("class", "binary"),
    "credit_g": ("credit_risk", "binary"),
    "telco_churn": ("Churn", "binary"),
    "covertype_sample": ("Cover_Type", "multiclass"),
    "diamonds": ("price", "regression"),
    "wine_quality": ("quality", "multiclass"),
    "melbourne_housing": ("Price", "regression"),
    "hr_jobs_change": ("target", "binary"),
    "titanic": ("Survived", "binary"),
}


@pytest.mark.long
@pytest.mark.parametrize("name", SETS)
def test_contract_holds_on_real_data(luban: CommandLine, shared_data: Callable[[str], Path], name: str) -> None:
    target, kind = SETS[name]
    frame = pd.read_parquet(shared_data(name) / "data.parquet").dropna(subset=[target])
    if len(frame) > 7000:  # so few that a budget in rounds is soon done; small sets keep their rare classes
        frame = frame.sample(2500, random_state=3)
    test = frame.sample(frac=0.3, random_state=7)
    frame.drop(test.index).to_csv(luban.folder / "train.csv", index=False)
    test.to_csv(luban.folder / "test.csv", index=False)
    few = ["--learners", "linear,lightgbm", "--rounds", "2"]
    answer = luban("fit", "train.csv", "--target", target, *few, "--name", name, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["task"] == kind
    test.drop(columns=target).to_csv(luban.folder / "new.csv", index=False)
    assert luban("predict", name, "new.csv", "-o", "p.parquet", "--json").json["rows"] == len(test)
    metrics = luban("evaluate", name, "test.csv", "--json").json["metrics"]
    assert answer.json["metric"] in metrics
    if kind == "regression":
        assert metrics["r2"] > 0.6
    else:
        assert metrics["roc_auc"] > 0.7
    assert luban("explain", name, "test.csv", "--budget", "3s", "--json").code == 0
    assert luban("export", name, "--to", "onnx", "-o", "onnx", "--json").json["path"]
