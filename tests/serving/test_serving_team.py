"""From a fit to a watched deployment with three commands, as a team has it: rows in PostgreSQL, content in S3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from sklearn.datasets import load_breast_cancer

import servers
from luban.operations.fit import fit
from luban.store import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 300.0


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database and a bucket, named by the environment as a team would."""
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed; pip install 'luban[s3]'")
    pytest.importorskip("psycopg", reason="psycopg is not installed; pip install 'luban[postgres]'")
    try:
        with servers.postgresql() as database, servers.s3() as bucket:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                monkeypatch.setenv(name, "test")
            monkeypatch.setenv("AWS_ENDPOINT_URL", bucket)
            monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            s3fs.S3FileSystem.clear_instance_cache()
            s3fs.S3FileSystem().mkdir("team")
            monkeypatch.setenv("LUBAN_STORE", database)
            monkeypatch.setenv("LUBAN_BLOBS", "s3://team/blobs")
            yield
    except servers.NotInstalled as reason:
        pytest.skip(str(reason))


def luban(folder: Path, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "luban", *arguments, "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "luban", "serve", "tumours", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            told = (json.loads(line) for line in process.stderr if line.startswith("{"))
            yield next(str(one["url"]) for one in told if one.get("event") == "start")
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("team")
def test_three_commands_from_a_fit_to_a_watched_deployment(tmp_path: Path) -> None:
    """deploy, serve, monitor; and labels, by which the real quality is told. No content is on this machine's disk."""
    found = load_breast_cancer()
    names = [name.replace(" ", "_") for name in found.feature_names[:6]]
    truth = np.where(found.target == 0, "malignant", "benign")
    columns = dict(zip(names, found.data[:, :6].T, strict=True))
    table = pa.table({**columns, "diagnosis": truth}).take(np.random.default_rng(0).permutation(len(truth)))
    new = table.slice(400)
    with Workspace.open(tmp_path / ".luban") as workspace:
        fit(workspace, table.slice(0, 400), target="diagnosis", name="tumours", learners=("linear",), rounds=1)
        assert luban(tmp_path, "deploy", "tumours")["traffic"] == {"tumours/1": 1.0}
        with serving(tmp_path) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
            rows = new.drop_columns(["diagnosis"]).to_pylist()
            answer = client.post("/models/tumours/predict", json={"rows": rows, "id": "ward 7"}).json()
            until = time.monotonic() + PATIENCE
            while workspace.predictions.count("tumours") < len(rows):
                assert time.monotonic() < until, "the predictions were never stored"
                time.sleep(0.1)
        labels = {"request_id": ["ward 7"] * len(rows), "row": range(len(rows)), "label": new["diagnosis"]}
        pa_csv.write_csv(pa.table(labels), tmp_path / "labels.csv")
        assert luban(tmp_path, "feedback", "tumours", "labels.csv")["labels"] == len(rows)
        watched = luban(tmp_path, "monitor", "tumours", "--html", "page.html")
    assert watched["rows"] == len(rows)
    said = [one["prediction"] for one in answer["predictions"]]
    right = np.mean([one == other for one, other in zip(said, new["diagnosis"].to_pylist(), strict=True)])
    assert watched["report"]["figures"]["quality"]["metrics"]["accuracy"] == pytest.approx(right)
    assert "roc_auc is" in (tmp_path / "page.html").read_text()
    assert not (tmp_path / ".luban" / "blobs").exists()
