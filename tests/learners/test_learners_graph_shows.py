"""What a graph shows of its answers: it has no gradients, and is asked with words left out and parts covered."""

from __future__ import annotations

import base64
import io
import time

import numpy as np
import pyarrow as pa

import media_models as media
import small_models as small
from luban.core.budget import Effort
from luban.core.protocols import Attributing
from luban.export.onnx.build import build
from luban.learners.graph.reading import graph_model
from luban.learners.payloads import read_json
from toy_preparation import Letters, letters_installed  # noqa: F401 - a fixture


def effort() -> Effort:
    return Effort(deadline=time.monotonic() + 280)


def half_bright(sound: bool) -> str:
    """Return a picture whose right half is bright, or a sound whose second half is loud, as a data URI."""
    from luban.data.media import data_uri

    buffer = io.BytesIO()
    if sound:
        import soundfile

        time_ = np.arange(16000) / 16000
        soundfile.write(buffer, np.where(time_ > 0.5, 0.5, 0.0) * np.sin(2800 * time_), 16000, format="WAV")
    else:
        from PIL import Image

        pixels = np.zeros((48, 48, 3), dtype=np.uint8)
        pixels[:, 24:] = 250
        Image.fromarray(pixels).save(buffer, "PNG")
    return data_uri(buffer.getvalue())


def test_pictures_are_covered_and_a_missing_one_is_left_out() -> None:
    """The bright half speaks for bright; a row without a picture shows none, and nothing needs torch."""
    from PIL import Image

    whole = media.fitted()
    graph = graph_model(task=whole.task, columns=whole.signature.inputs, graph=build(whole))
    assert isinstance(graph, Attributing)
    table = pa.table(
        {
            "photo": pa.array([half_bright(sound=False), None], pa.string()),
            "sound": pa.array([None, half_bright(sound=True)], pa.string()),
            "age": [0.0, 0.0],
        }
    )
    first, second = graph.attributions(table, np.array([1, 1]), effort=effort())
    assert [one.drawing for one in first] == ["picture"]
    assert "photo" in first[0].title
    assert all("photo" not in one.title for one in second)
    uri = first[0].rows[1][1]
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")).astype(float)
    orange = np.clip(drawn[:, :, 0] - drawn[:, :, 2], 0, None)
    middle = orange.shape[1] // 2
    assert orange[:, middle:].sum() > 3 * orange[:, :middle].sum()


def test_words_are_left_out(letters_installed: None) -> None:  # noqa: F811
    """The word with most letters tells most of a model that counts letters; a table alone shows nothing."""
    from test_learners_graph import Counting

    whole = small.fitted(small.NUMBER, Counting(task=small.NUMBER))
    graph = graph_model(task=small.NUMBER, columns=small.COLUMNS, graph=build(whole))
    assert isinstance(graph, Attributing)
    row = small.random_table(1, seed=1)
    row = row.set_column(row.column_names.index("note"), "note", pa.array(["a considerable b"]))
    ((shown,),) = graph.attributions(row, np.array([0]), effort=effort())
    assert shown.drawing == "spans"
    assert max(shown.rows, key=lambda one: one[1])[0].strip() == "considerable"
    assert "".join(piece for piece, _ in shown.rows) == "a considerable b"
    plain = [one for one in small.COLUMNS if one.kind != "text"]
    assert not isinstance(graph_model(task=small.NUMBER, columns=plain, graph=b""), Attributing)


def test_a_loaded_graph_shows_too(letters_installed: None) -> None:  # noqa: F811
    from test_learners_graph import Counting

    from luban.learners.graph.model import GraphForm

    whole = small.fitted(small.NUMBER, Counting(task=small.NUMBER))
    payloads = graph_model(task=small.NUMBER, columns=small.COLUMNS, graph=build(whole)).save()
    assert read_json(payloads, "graph.json")
    assert isinstance(GraphForm().load(payloads), Attributing)
