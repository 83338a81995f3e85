"""The package of a graph with preparations: it runs without Luban, on what people have."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import media_models as media
from luban.core.protocols import Examples
from luban.data.conform import conform
from luban.export.onnx.exporter import OnnxExporter

if TYPE_CHECKING:
    from pathlib import Path

# The program is run where Luban cannot be imported.
RUN = (
    "import runpy, sys; sys.modules['luban'] = None; sys.argv = sys.argv[1:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


def run(folder: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder / "example.py"), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    rows = pa.Table.from_pylist(
        [{"photo": media.plain(media.picture(level)), "sound": None, "age": 3.0} for level in (0, 250)]
    )
    table = conform(rows, media.COLUMNS).table
    written = OnnxExporter().export(media.fitted(), str(folder), Examples(table=table, target=table["age"].to_numpy()))
    assert written["parity"] <= 1e-5
    assert written["rows"] == 2
    return folder


def test_the_program_answers_as_the_model_does(exported: Path) -> None:
    """Pictures and sounds are files, data URIs or missing."""
    (exported / "cat.png").write_bytes(media.picture(200))
    (exported / "meow.wav").write_bytes(media.sound(0.7))
    uri = f"data:image/jpeg;base64,{media.plain(media.picture(30, kind='JPEG'))}"
    rows: list[dict[str, Any]] = [
        {"photo": str(exported / "cat.png"), "sound": str(exported / "meow.wav"), "age": 40},
        {"photo": uri, "sound": None, "age": None},
        {"photo": None, "sound": None, "age": 1.5},
    ]
    (exported / "rows.json").write_text(json.dumps(rows))
    found = run(exported, str(exported / "rows.json"))
    expected = media.fitted().predict(rows)
    assert found["prediction"] == expected.prediction.to_pylist()
    assert [one[1] for one in found["probabilities"]] == pytest.approx(expected.probabilities[:, 1].tolist(), abs=1e-5)


def test_a_typical_row_is_nobodys(exported: Path) -> None:
    assert json.loads((exported / "signature.json").read_text())["example"] == {
        "photo": None,
        "sound": None,
        "age": 3.0,
    }
    assert len(run(exported)["prediction"]) == 1


def test_the_files_say_what_must_be_installed_and_what_is_made(exported: Path) -> None:
    readme = (exported / "README.md").read_text()
    assert "pip install onnxruntime numpy pillow scipy soundfile" in readme
    assert "`0_image_pixels/prepare.py`" in readme
    signature = json.loads((exported / "signature.json").read_text())
    assert [one["tensor"] for one in signature["inputs"]] == [None, None, "age"]
    first = signature["preparations"][0]
    assert (first["columns"], first["tensors"]["pixel_values"]["shape"]) == (["photo"], [-1, 3, 8, 8])
    names = {str(path.relative_to(exported)) for path in exported.rglob("*") if path.is_file()}
    assert {"model.onnx", "example.py", "0_image_pixels/prepare.py", "1_audio_waveform/preparation.json"} <= names
