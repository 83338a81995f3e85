"""A server that answers through a graph reads models without the libraries that trained them."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from luban.core import plugins
from luban.core.budget import Effort
from luban.testing.learner import SCHEMA, examples_of, task_of
import json, base64, pathlib
name, folder = sys.argv[1:]
path = pathlib.Path(folder) / "payloads.json"
learner = plugins.create("learners", name)
if path.exists():
    learner.load({key: base64.b64decode(value) for key, value in json.loads(path.read_text()).items()})
    print(sorted({"catboost", "lightgbm", "xgboost", "sklearn"} & set(sys.modules)))
else:
    task = task_of("binary")
    fitted = learner.fit(task, SCHEMA, examples_of(task, 60, 1), None, parameters={}, effort=Effort(threads=1))
    path.write_text(json.dumps({key: base64.b64encode(value).decode() for key, value in fitted.save().items()}))
"""


@pytest.mark.long
@pytest.mark.parametrize("name", ["catboost", "lightgbm"])
def test_a_model_is_read_without_its_library(name: str, tmp_path: object) -> None:
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, name, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
