"""The programs that leave the house with a graph make the same tensors, bit for bit, and import nothing of Luban."""

from __future__ import annotations

import ast
import importlib.util
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from luban.core import plugins
from luban.core.preparation import Portable
from luban.data.media import data_uri

if TYPE_CHECKING:
    from pathlib import Path

    from luban.core.preparation import Preparation

pytest.importorskip("tokenizers")
pytest.importorskip("PIL")
pytest.importorskip("soundfile")


def tokens(columns: tuple[str, ...] = ("a",), **options: Any) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "query:", "a", "the", "very"]
    made = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return plugins.load("preparations", "text_tokens")(columns=columns, tokenizer=made.to_str().encode(), **options)


def picture(mode: str, size: tuple[int, int], kind: str, **options: Any) -> str:
    from PIL import Image

    random = np.random.default_rng(0)
    values = random.integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    image = (
        Image.fromarray(values[:, :, 0].astype(np.uint16) * 200) if mode == "I;16" else Image.fromarray(values, "RGBA")
    )
    buffer = io.BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(buffer, kind, **options)
    return data_uri(buffer.getvalue())


def turned() -> str:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    return picture("RGB", (200, 120), "JPEG", exif=exif)


def sound(seconds: float, rate: int, channels: int = 1) -> str:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(
        buffer, np.random.default_rng(0).normal(0, 0.1, (int(seconds * rate), channels)), rate, format="WAV"
    )
    return data_uri(buffer.getvalue())


TEXTS = ["good film", "", None, "the very bad film " * 20, "Grüße, 电影"]
PICTURES = [
    picture("RGB", (64, 40), "PNG"), picture("RGBA", (30, 50), "PNG"), picture("L", (9, 9), "PNG"), None,
    picture("CMYK", (300, 200), "JPEG"), picture("P", (20, 20), "GIF"), picture("I;16", (33, 21), "PNG"), turned(),
]  # fmt: skip
SOUNDS = [sound(0.5, 16000), sound(0.02, 16000), None, sound(1.5, 44100, 2), sound(0.3, 8000)]


def ngrams() -> Any:
    return plugins.load("preparations", "text_ngrams").learnt("a", [*TEXTS, "good film, 电影"], most=50, least=1)


def image(**options: Any) -> Any:
    return plugins.load("preparations", "image_pixels")(columns=("a",), **options)


def audio(name: str, **options: Any) -> Any:
    return plugins.load("preparations", name)(columns=("a",), **options)


CASES: list[tuple[Any, dict[str, list[str | None]]]] = [
    (tokens(), {"a": TEXTS}),
    (tokens(max_length=8, types=True, left=True, prefix="query: "), {"a": TEXTS}),
    (tokens(words=True, prefix="query: ", max_length=16), {"a": TEXTS}),
    (tokens(("a", "b"), max_length=12, types=True), {"a": TEXTS, "b": TEXTS[::-1]}),
    (tokens(("a", "b"), max_length=12, truncation="only_second"), {"a": TEXTS, "b": TEXTS[::-1]}),
    (ngrams(), {"a": TEXTS}),
    (image(size=(16, 16)), {"a": PICTURES}),
    (image(size=(16, 24), fit="squash", interpolation="bilinear"), {"a": PICTURES}),
    (image(size=(16, 24), fit="pad", mean=(0.5,), deviation=(0.5,), channels=1), {"a": PICTURES}),
    (image(size=(16, 16), shortest=20), {"a": PICTURES}),
    (audio("audio_waveform", seconds=1.0), {"a": SOUNDS}),
    (audio("audio_waveform", normalise=False), {"a": SOUNDS}),
    (audio("audio_mel"), {"a": SOUNDS}),
    (audio("audio_mel", scale="htk", low=50.0, high=7000.0, seconds=1.0, mels=32), {"a": SOUNDS}),
    (plugins.load("preparations", "audio_mel").whisper(("a",), seconds=1.0), {"a": SOUNDS}),
    (plugins.load("preparations", "presence")(columns=("a",)), {"a": SOUNDS}),
    (plugins.load("preparations", "presence")(columns=("a",), words=True), {"a": TEXTS}),
]


def prepared(preparation: Preparation, folder: Path, rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Return what the program makes, run as it is exported."""
    assert isinstance(preparation, Portable)
    for name, content in preparation.save().items():
        (folder / name).write_bytes(content)
    path = folder / "prepare.py"
    path.write_text(preparation.program().source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("prepare_alone", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, np.ndarray] = module.prepare(rows, folder)
    return found


@pytest.mark.parametrize(("preparation", "columns"), CASES)
def test_a_program_makes_the_same_tensors(preparation: Any, columns: dict[str, Any], tmp_path: Path) -> None:
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    for rows in (table, table.slice(2, 1), table.slice(0, 0)):
        expected = preparation(rows)
        found = prepared(preparation, tmp_path, rows.to_pylist())
        assert set(found) == set(expected)
        for name, values in expected.items():
            assert found[name].dtype == values.dtype
            np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("preparation", [one for one, _ in CASES[::5]])
def test_a_program_imports_what_it_says(preparation: Any) -> None:
    program = preparation.program()
    wanted = {"tokenizers": "tokenizers", "pillow": "PIL", "soundfile": "soundfile", "scipy": "scipy"}
    tree = ast.parse(program.source)
    modules = {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    roots = {one.split(".")[0] for one in modules}
    assert "luban" not in roots
    assert {wanted[one] for one in program.packages} == roots & set(wanted.values())
