"""MLflow's model folder: its own client loads it, its own server answers from it, and both answer as the model does."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import small_models as small
from luban.core.protocols import Examples
from luban.export.mlflow.exporter import MlflowExporter

TABLE = small.random_table(40)
EXAMPLES = Examples(table=TABLE, target=np.zeros(40))
ROWS = [
    {"age": 39, "colour": "red", "member": True, "since": "2020-05-17", "note": "x"},
    {"age": None, "colour": None, "member": None, "since": None, "note": None},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("mlflow") / "out"
    done = MlflowExporter().export(small.fitted(small.BINARY), str(made), EXAMPLES, reference="income/3")
    assert done["path"] == str(made)
    assert done["parity"] <= 1e-5
    return made


def loaded(folder: Path) -> Any:
    """Return the model as MLflow loads it, by the words of its ``MLmodel``."""
    flavour = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["python_function"]
    path = folder / flavour["code"] / f"{flavour['loader_module']}.py"
    spec = importlib.util.spec_from_file_location("exported_pyfunc", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module._load_pyfunc(str(folder / flavour["data"]))


def test_the_folder_says_what_goes_in_and_nothing_in_it_is_pickled(folder: Path) -> None:
    described = yaml.safe_load((folder / "MLmodel").read_text())
    inputs = json.loads(described["signature"]["inputs"])
    assert [one["name"] for one in inputs] == list(small.NAMES)
    assert described["metadata"]["luban_model"] == "income/3"
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".joblib", ".bin", ".pt"))]
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert [line.partition("=")[0] for line in lines[1:]] == ["numpy", "onnxruntime"]
    assert yaml.safe_load((folder / "conda.yaml").read_text())["dependencies"][2]["pip"] == lines
    assert yaml.safe_load((folder / "python_env.yaml").read_text())["dependencies"] == ["-r requirements.txt"]


def test_the_loader_answers_frames_dicts_and_lists(folder: Path) -> None:
    model = loaded(folder)
    expected = small.fitted(small.BINARY).predict(TABLE)
    for given in (TABLE.to_pandas(), TABLE.to_pydict(), TABLE.to_pylist()):
        assert model.predict(given).tolist() == expected.prediction.to_pylist()
        found = model.predict(given, params={"predict_method": "predict_proba"})
        np.testing.assert_allclose(found, expected.probabilities, atol=1e-6)
    with pytest.raises(ValueError, match="'age' is missing"):
        model.predict([{"colour": "red"}])
    assert model.predict([{}], params={"missing": "fill"}).shape == (1,)
    with pytest.raises(ValueError, match="predict_method must be one of predict, predict_proba"):
        model.predict([{}], params={"predict_method": "system"})


def test_numbers_have_no_probabilities(tmp_path: Path) -> None:
    MlflowExporter().export(small.fitted(small.NUMBER), str(tmp_path))
    model = loaded(tmp_path)
    np.testing.assert_allclose(
        model.predict(TABLE.to_pandas()), small.fitted(small.NUMBER).predict(TABLE).prediction, rtol=1e-5
    )
    with pytest.raises(ValueError, match="one of predict;"):
        model.predict(ROWS, params={"predict_method": "predict_proba"})


@pytest.mark.long
def test_mlflow_itself_loads_it(folder: Path) -> None:
    """Whole numbers, texts and dates in any form pass its check of the signature; so do columns in another order."""
    pyfunc = pytest.importorskip("mlflow.pyfunc")
    model = pyfunc.load_model(str(folder))
    frame = TABLE.to_pandas()
    expected = small.fitted(small.BINARY).predict(TABLE)
    assert model.predict(frame[list(reversed(frame.columns))]).tolist() == expected.prediction.to_pylist()
    found = model.predict(frame, params={"predict_method": "predict_proba"})
    np.testing.assert_allclose(found, expected.probabilities, atol=1e-6)
    for name, values in (("age", 40), ("age", "1,5"), ("member", True), ("since", "2020-05-17"), ("colour", 1)):
        changed = frame.assign(**{name: values})
        assert model.predict(changed).tolist() == loaded(folder).predict(changed).tolist()
    with pytest.raises(ValueError, match="no number"):
        model.predict(frame.assign(age="x"))


@pytest.mark.long
def test_mlflow_models_serve_answers_from_it(folder: Path) -> None:
    pytest.importorskip("mlflow.pyfunc")
    here = Path(sys.executable).parent
    if not (here / "mlflow").exists():
        pytest.skip("the command mlflow is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [str(here / "mlflow"), "models", "serve", "-m", str(folder), "--env-manager", "local", "-p", port]
    variables = os.environ | {"PATH": f"{here}:{os.environ['PATH']}"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, env=variables, start_new_session=True, **quiet)
    url = f"http://127.0.0.1:{port}"
    try:
        while not answers(f"{url}/ping"):
            assert server.poll() is None
            time.sleep(0.2)
        expected = small.fitted(small.BINARY).predict(ROWS)
        split = {"columns": list(ROWS[0]), "data": [list(row.values()) for row in ROWS]}
        assert asked(url, {"dataframe_split": split}) == expected.prediction.to_pylist()
        proba = asked(url, {"dataframe_records": ROWS, "params": {"predict_method": "predict_proba"}})
        np.testing.assert_allclose(proba, expected.probabilities, atol=1e-6)
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # MLflow starts its server as a process of its own
        server.wait(timeout=280)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def asked(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{url}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["predictions"]
