"""A model on disk: it comes back the same, and not at all where a byte was changed."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.errors import InputError, LubanError, Tampered, Unsupported
from luban.learners import artifact
from luban.learners.composite import Composite
from luban.learners.fitted import Fitted, fitted
from luban.store import Blobs
from luban.testing.learner import SCHEMA, examples_of, task_of

Stored = tuple[Blobs, str, str, list[str]]


@cache
def model(kind: str = "multiclass") -> Fitted:
    """An ensemble of three real learners with a temperature."""
    task = task_of(kind)
    training, validation = examples_of(task, 200, 1), examples_of(task, 60, 2)
    members = tuple(
        plugins.create("learners", name).fit(
            task, SCHEMA, training, validation, parameters=parameters, effort=Effort(threads=2)
        )
        for name, parameters in (("constant", {}), ("linear", {}), ("lightgbm", {"rounds": 20}))
    )
    joined = Composite(
        members=members,
        weights=(0.2, 0.3, 0.5),
        task=task,
        temperature=1.3 if task.classifies else 1.0,
        threshold=0.4 if kind == "binary" else None,
        shifts=(-5.0, 0.0, 5.0) if kind == "quantile" else (),
    )
    return fitted(joined, SCHEMA)


def test_what_is_written_reads_back(tmp_path: object) -> None:
    """Predictions to the byte, the signature, the parts with their weights, and what was stored beside."""
    for kind in ("binary", "multiclass", "regression", "quantile"):
        blobs, one = Blobs(f"{tmp_path}/{kind}"), model(kind)
        digest = artifact.write(blobs, one, extra={"model.onnx": b"graph"}, parity=1e-7)
        again = artifact.read(blobs, digest)
        table = examples_of(one.task, 30, 3).table
        assert again.model.predict(table).tobytes() == one.model.predict(table).tobytes()
        assert (again.task, again.signature) == (one.task, one.signature)
        assert [(part["learner"], part["weight"]) for part in again.manifest["parts"]] == [
            ("constant", 0.2),
            ("linear", 0.3),
            ("lightgbm", 0.5),
        ]
        assert again.manifest["parity"] == 1e-7
        assert artifact.extra(blobs, again, "model.onnx") == b"graph"
        assert artifact.extra(blobs, again, "model.pkl") is None
        assert artifact.write(blobs, again, extra={"model.onnx": b"graph"}, parity=1e-7) == digest


class Flipped:
    """Blobs of which one, when read, has a byte that is not what was stored; digests are checked as the store does."""

    def __init__(self, blobs: Blobs, folder: str, digest: str, place: int, bits: int) -> None:
        content = bytearray(blobs.get(digest))
        content[place % len(content)] ^= bits
        name = digest.removeprefix("sha256:")
        (path,) = [path for path in Path(folder).rglob("*") if path.is_file() and name.endswith(path.name[-40:])]
        self.path, self.kept = path, path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(bytes(content))

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self.path.write_bytes(self.kept)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    folder = str(tmp_path_factory.mktemp("blobs"))
    blobs = Blobs(folder)
    digest = artifact.write(blobs, model())
    manifest = artifact.read_manifest(blobs, digest)
    return blobs, folder, digest, [digest, *(one.digest for one in manifest.payloads.values())]


@settings(max_examples=60, deadline=None)
@given(which=st.integers(0, 10**6), place=st.integers(0, 10**9), bits=st.integers(1, 255))
def test_any_flipped_byte_is_refused(stored: Stored, which: int, place: int, bits: int) -> None:
    """In the manifest or in any payload, wherever it is."""
    blobs, folder, digest, everything = stored
    with Flipped(blobs, folder, everything[which % len(everything)], place, bits), pytest.raises(Tampered):
        artifact.read(blobs, digest)
    assert artifact.read(blobs, digest).task == model().task


def changed(stored: Stored, change: dict[str, object]) -> str:
    """The digest of a manifest that someone wrote anew with other content."""
    blobs, _, digest, _ = stored
    return blobs.put_json(blobs.get_json(digest) | change)


def test_a_newer_protocol_is_named(stored: Stored) -> None:
    """The error says which version wrote it and what to do."""
    with pytest.raises(Unsupported, match="newer version") as error:
        artifact.read(stored[0], changed(stored, {"protocol": 99, "luban": "9.0"}))
    assert "9.0" in str(error.value)
    assert "upgrade" in str(error.value)


@pytest.mark.parametrize(
    "name", ["model.pkl", "../model.json", "/etc/model.json", "a//b.json", "model", "model.json.exe"]
)
def test_a_payload_of_another_type_is_refused(stored: Stored, name: str) -> None:
    """Before it is read, by its name."""
    entry = next(iter(stored[0].get_json(stored[2])["payloads"].values()))
    with pytest.raises(Tampered, match="type"):
        artifact.read(stored[0], changed(stored, {"payloads": {name: entry}}))


def test_a_learner_that_nobody_installed_is_named(stored: Stored) -> None:
    """A manifest can name what it likes; only the plug-in table is loaded from."""
    blobs = stored[0]
    payloads = blobs.get_json(stored[2])["payloads"]
    about = json.loads(model().model.save()["composite.json"]) | {"learners": ["os.system"] * 3}
    content = json.dumps(about).encode()
    payloads["composite.json"] |= {"digest": blobs.put(content), "size": len(content), "coding": None}
    with pytest.raises(LubanError, match=r"os\.system"):
        artifact.read(blobs, changed(stored, {"payloads": payloads}))


def test_a_payload_that_unpacks_to_more_than_it_says_is_refused(stored: Stored) -> None:
    """Compressed content never fills more memory than its declared size."""
    blobs = stored[0]
    bomb = pa.Codec("zstd").compress(b"0" * 10_000_000, asbytes=True)
    payloads = blobs.get_json(stored[2])["payloads"]
    payloads["composite.json"] |= {"digest": blobs.put(bomb), "size": 1000, "coding": "zstd"}
    with pytest.raises(Tampered):
        artifact.read(blobs, changed(stored, {"payloads": payloads}))


def test_a_learner_cannot_store_pickle(tmp_path: object) -> None:
    """A plug-in whose model saves another type is told so when it is written."""

    class Pickled:
        learner = "pickled"
        learned: ClassVar = {}

        def predict(self, table: pa.Table) -> np.ndarray:
            return np.zeros(table.num_rows)

        def save(self) -> dict[str, bytes]:
            return {"model.pkl": b"x"}

    one = model("regression")
    other = replace(one, model=Composite(members=(Pickled(),), weights=(1.0,), task=one.task))
    with pytest.raises(Unsupported, match="may not be stored"):
        artifact.write(Blobs(str(tmp_path)), other)


def test_predictions_speak_the_users_labels() -> None:
    """One row as a dict, many as a list; a missing column is an error that names it."""
    one = model("binary")
    table = examples_of(one.task, 12, 4).table
    many = one.predict(table)
    scored = many.to_table()
    assert scored.column_names == ["prediction", "probability_no", "probability_yes"]
    positive = scored["probability_yes"].to_numpy()
    assert scored["prediction"].to_pylist() == ["yes" if value >= 0.4 else "no" for value in positive]
    row = one.predict(table.slice(0, 1).to_pylist()[0])
    assert len(row) == 1
    assert row.prediction[0].as_py() == many.prediction[0].as_py()
    with pytest.raises(InputError, match="colour"):
        one.predict(table.drop_columns(["colour"]))


def test_quantiles_are_shifted_and_named() -> None:
    """The shifts of the calibration are in the predictions; the prediction is the median."""
    one = model("quantile")
    table = examples_of(one.task, 12, 4).table
    plain = replace(one.model, shifts=()).predict(table)
    scored = one.predict(table).to_table()
    assert scored.column_names == ["prediction", "quantile_0.1", "quantile_0.5", "quantile_0.9"]
    np.testing.assert_allclose(scored["quantile_0.9"].to_numpy(), plain[:, 2] + 5.0)
    np.testing.assert_allclose(scored["prediction"].to_numpy(), plain[:, 1])
