"""Every installed exporter passes the conformance check, and the check finds what is wrong with a bad one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import small_models as small
from luban.core import plugins
from luban.core.protocols import Examples, Suitable
from luban.export.onnx.exporter import OnnxExporter
from luban.testing.exporter import check_exporter, check_refusal

EXAMPLES = Examples(table=small.random_table(100), target=np.zeros(100))


# What imports another framework takes many seconds to begin; `test_export_tfserving` has the same check.
@pytest.mark.parametrize("name", [name for name in plugins.names("exporters") if name != "tfserving"])
def test_every_installed_exporter_conforms(name: str, tmp_path: Path) -> None:
    done = check_exporter(plugins.create("exporters", name), small.fitted(small.BINARY), EXAMPLES, tmp_path)
    assert done["parity"] <= 1e-4


def test_refusals_conform(tmp_path: Path) -> None:
    reason = check_refusal(OnnxExporter(), small.fitted(small.BINARY, small.NoGraph(task=small.BINARY)), tmp_path)
    assert "no_graph" in reason


class Elsewhere:
    """Writes where it was not asked to."""

    def supports(self, model):
        return Suitable()

    def export(self, model, folder, examples=None):
        path = Path(folder).parents[1] / "elsewhere"
        path.write_text("")
        return {"path": str(path), "parity": None}


class Nowhere(Elsewhere):
    """Writes nothing."""

    def export(self, model, folder, examples=None):
        return {"path": str(Path(folder) / "nothing"), "parity": None}


class Nonsense(Elsewhere):
    """Measures no number."""

    def export(self, model, folder, examples=None):
        path = Path(folder) / "something"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        return {"path": str(path), "parity": float("nan")}


@pytest.mark.parametrize(
    ("exporter", "words"), [(Elsewhere(), "outside"), (Nowhere(), "not there"), (Nonsense(), "a parity of nan")]
)
def test_the_check_finds_what_is_wrong(exporter, words: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=words):
        check_exporter(exporter, small.fitted(small.BINARY), EXAMPLES, tmp_path)
    with pytest.raises(AssertionError, match="takes the model on"):
        check_refusal(exporter, None, tmp_path)
