"""Forests explain themselves through shap, quietly, and say how long that takes to begin."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("shap")

SCRIPT = """
    import sys
    import numpy as np, pyarrow as pa
    from luban.core import plugins
    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.data.infer import infer_schema
    from luban.data.task import infer_task
    from luban.data.target import encode_target
    x = np.random.default_rng(0).normal(size=200)
    table = pa.table({"x": x, "z": x[::-1], "y": np.where(x > 0, "a", "b")})
    found = infer_task(table, infer_schema(table), "y")
    rows = table.select([column.name for column in found.schema.columns])
    examples = Examples(table=rows, target=encode_target(found.task, table["y"]))
    learner = plugins.create("learners", "random_forest")
    model = learner.fit(found.task, found.schema, examples, None, parameters={"trees": 10}, effort=Effort())
    assert "shap" not in sys.modules and model.warm_up > 0
    model.contributions(rows.slice(0, 2))
    assert "matplotlib" in sys.modules, "this test would prove nothing"
    assert model.warm_up == 0
"""


def test_the_first_contributions_say_nothing_and_are_announced() -> None:
    """Matplotlib logs a warning where it may not write, and shap warns of what it calls: neither is the user's."""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", textwrap.dedent(SCRIPT)],
        env={"MPLCONFIGDIR": "/proc/nowhere", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "atplotlib" not in done.stderr
    assert "shap" not in done.stderr
