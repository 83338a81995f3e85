"""A few real rows of each kind of task over texts, pictures, sounds and mixtures, for tests that walk the whole way."""

from __future__ import annotations

import base64
import io
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Shared = Callable[[str], Path]


@dataclass(frozen=True)
class Given:
    """Rows to learn from, how, and one row to ask.

    Parameters
    ----------
    file : str
        Name of the file in the folder.
    options : dict
        Of `fit`, beside the data.
    row : dict
        One row as a client of a server gives it.
    """

    file: str
    row: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)


def written(kind: str, folder: Path, shared: Shared) -> Given:
    """Write the rows of a kind into a folder."""
    return _KINDS[kind](folder, shared)


def _multilabel(folder: Path, shared: Shared) -> Given:
    table = pq.read_table(shared("bank_faq") / "data.parquet")
    rows = [one for one in table.to_pylist() if one["Class"] in ("cards", "loans", "insurance")][::6][:120]
    texts = [one["Question"] for one in rows]
    labels = [f"{one['Class']};{'long' if len(one['Question']) > 60 else 'short'}" for one in rows]
    pq.write_table(pa.table({"text": texts, "labels": labels}), folder / "rows.parquet")
    options = {"target": "labels", "task": "multilabel", "learners": ["text_ngrams"]}
    return Given("rows.parquet", {"text": texts[0]}, options)


def _tokens(folder: Path, shared: Shared) -> Given:
    texts = pq.read_table(shared("bank_faq") / "data.parquet")["Question"].to_pylist()[:60]
    words = [one.split() for one in texts]
    labels = [["name" if word[0].isupper() and place else "other" for place, word in enumerate(one)] for one in words]
    pq.write_table(pa.table({"words": words, "labels": labels}), folder / "rows.parquet")
    options = {"target": "labels", "task": "tokens", "learners": ["fine_tune"]}
    return Given("rows.parquet", {"words": words[0]}, options)


def _pairs(folder: Path, shared: Shared) -> Given:
    table = pq.read_table(shared("sick_nli_sts") / "data.parquet").slice(0, 150)
    pq.write_table(table.select(["sentence_A", "sentence_B", "entailment_judgment"]), folder / "rows.parquet")
    row = table.select(["sentence_A", "sentence_B"]).slice(0, 1).to_pylist()[0]
    return Given("rows.parquet", row, {"target": "entailment_judgment", "learners": ["linear_probe"]})


def _matching(folder: Path, shared: Shared) -> Given:
    table = pq.read_table(shared("bank_faq") / "data.parquet").slice(0, 80).select(["Question", "Answer"])
    pq.write_table(table, folder / "rows.parquet")
    options = {"target": "Answer", "task": "matching", "learners": ["matching"]}
    return Given("rows.parquet", {"Question": table["Question"][0].as_py()}, options)


def _image(folder: Path, shared: Shared) -> Given:
    with zipfile.ZipFile(shared("ants_bees") / "images.zip") as archive:
        names = [one for one in archive.namelist() if one.lower().endswith(".jpg")]
        chosen = {label: [one for one in names if f"/{label}/" in f"/{one}"][:20] for label in ("ants", "bees")}
        _zip(folder / "rows.zip", {label: [archive.read(one) for one in each] for label, each in chosen.items()}, "jpg")
        row = {"image": base64.b64encode(archive.read(chosen["ants"][0])).decode()}
    return Given("rows.zip", row, {"learners": ["linear_probe"]})


def _audio(folder: Path, shared: Shared) -> Given:
    with zipfile.ZipFile(shared("fsdd") / "audio.zip") as archive:
        names = [one for one in archive.namelist() if one.endswith(".wav")]
        chosen = {label: [one for one in names if one.split("/")[-1].startswith(label)][:20] for label in ("0", "7")}
        found = {f"digit{label}": [archive.read(one) for one in each] for label, each in chosen.items()}
    _zip(folder / "rows.zip", found, "wav")
    row = {"audio": base64.b64encode(found["digit0"][0]).decode()}
    return Given("rows.zip", row, {"learners": ["linear_probe"]})


def _mixture(folder: Path, shared: Shared) -> Given:
    from PIL import Image

    place = shared("houses_multimodal")
    table = pq.read_table(place / "data.parquet").slice(0, 60)
    names = next(one for one in table.column_names if str(table[one][0].as_py()).lower().endswith((".jpg", ".png")))
    contents = []
    with zipfile.ZipFile(place / "images.zip") as archive:
        whole = {one.split("/")[-1]: one for one in archive.namelist()}
        for name in table[names].to_pylist():
            buffer = io.BytesIO()
            with Image.open(archive.open(whole[name.split("/")[-1]])) as image:
                image.convert("RGB").resize((64, 64)).save(buffer, "JPEG")
            contents.append(buffer.getvalue())
    numbers = [one.name for one in table.schema if pa.types.is_integer(one.type) or pa.types.is_floating(one.type)]
    kept = table.select(numbers).append_column("photo", pa.array(contents, pa.binary()))
    pq.write_table(kept, folder / "rows.parquet")
    row = {name: kept[name][0].as_py() for name in numbers if name != "price"}
    row["photo"] = base64.b64encode(contents[0]).decode()
    return Given("rows.parquet", row, {"target": "price", "learners": ["late_fusion"]})


def _zip(path: Path, contents: dict[str, list[bytes]], ending: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for label, files in contents.items():
            for place, content in enumerate(files):
                archive.writestr(f"{label}/{place}.{ending}", content)


def _texts(folder: Path, table: pa.Table, text: str, target: str, learner: str) -> Given:
    pq.write_table(table.select([text, target]), folder / "rows.parquet")
    return Given("rows.parquet", {text: table[text][0].as_py()}, {"target": target, "learners": [learner]})


def _sst2(folder: Path, shared: Shared) -> Given:
    table = pq.read_table(shared("sst2") / "data.parquet").slice(0, 150)
    return _texts(folder, table, "text", "label", "linear_probe")


def _banking77(folder: Path, shared: Shared) -> Given:
    table = pq.read_table(shared("banking77") / "data.parquet")
    chosen = sorted(set(table["category"].to_pylist()))[:6]
    rows = [place for place, label in enumerate(table["category"].to_pylist()) if label in chosen]
    rows = rows[:: max(1, len(rows) // 120)]  # they lie by category
    return _texts(folder, table.take(rows), "text", "category", "few_shot")


def _chinese(folder: Path, shared: Shared) -> Given:
    table = pq.read_table(shared("chnsenticorp_htl") / "data.parquet")
    return _texts(folder, table.take(list(range(0, table.num_rows, 60))), "text", "label", "linear_probe")


def _similarity(folder: Path, shared: Shared) -> Given:
    table = pq.read_table(shared("sick_nli_sts") / "data.parquet").slice(0, 150)
    names = ["sentence_A", "sentence_B"]
    scores = pa.array([float(one) for one in table["relatedness_score"].to_pylist()])
    pq.write_table(table.select(names).append_column("score", scores), folder / "rows.parquet")
    row = table.select(names).slice(0, 1).to_pylist()[0]
    return Given("rows.parquet", row, {"target": "score", "task": "regression", "learners": ["linear_probe"]})


def _digits(shared: Shared) -> tuple[list[bytes], list[int]]:
    """Return pictures of handwritten digits, and what they show."""
    import numpy as np
    from PIL import Image

    with np.load(shared("mnist_5k") / "mnist_5k.npz") as arrays:
        images = next(one for one in (arrays[name] for name in arrays.files) if one.ndim >= 3)[::25]
        labels = next(one for one in (arrays[name] for name in arrays.files) if one.ndim == 1)[::25]
    contents = []
    for image in images:
        Image.fromarray(image.reshape(28, 28).astype(np.uint8)).save(buffer := io.BytesIO(), "PNG")
        contents.append(buffer.getvalue())
    return contents, [int(one) for one in labels]


def _mnist(folder: Path, shared: Shared) -> Given:
    contents, labels = _digits(shared)
    classes = {
        f"digit{one}": [image for image, label in zip(contents, labels, strict=True) if label == one]
        for one in (0, 1, 7)
    }
    _zip(folder / "rows.zip", classes, "png")
    return Given("rows.zip", {"image": base64.b64encode(contents[0]).decode()}, {"learners": ["linear_probe"]})


def _picture_labels(folder: Path, shared: Shared) -> Given:
    contents, labels = _digits(shared)
    said = [[["even", "odd"][one % 2], *(["large"] if one > 4 else [])] for one in labels]
    pq.write_table(pa.table({"photo": pa.array(contents, pa.binary()), "labels": said}), folder / "rows.parquet")
    options = {"target": "labels", "task": "multilabel", "learners": ["linear_probe"]}
    return Given("rows.parquet", {"photo": base64.b64encode(contents[0]).decode()}, options)


def _picture_number(folder: Path, shared: Shared) -> Given:
    contents, labels = _digits(shared)
    numbers = pa.array([float(one) for one in labels])
    pq.write_table(pa.table({"photo": pa.array(contents, pa.binary()), "number": numbers}), folder / "rows.parquet")
    options = {"target": "number", "task": "regression", "learners": ["linear_probe"]}
    return Given("rows.parquet", {"photo": base64.b64encode(contents[0]).decode()}, options)


def _petfinder(folder: Path, shared: Shared) -> Given:
    table = pq.read_table(shared("petfinder_mini") / "data.parquet").slice(0, 200)
    pq.write_table(table, folder / "rows.parquet")
    row = {name: value for name, value in table.slice(0, 1).to_pylist()[0].items() if name != "AdoptionSpeed"}
    return Given("rows.parquet", row, {"target": "AdoptionSpeed", "task": "multiclass", "learners": ["late_fusion"]})


_KINDS: dict[str, Callable[[Path, Shared], Given]] = {
    "multilabel": _multilabel,
    "tokens": _tokens,
    "pairs": _pairs,
    "matching": _matching,
    "image": _image,
    "audio": _audio,
    "mixture": _mixture,
    "sst2": _sst2,
    "banking77": _banking77,
    "chnsenticorp_htl": _chinese,
    "similarity": _similarity,
    "mnist_5k": _mnist,
    "image_multilabel": _picture_labels,
    "image_regression": _picture_number,
    "petfinder_mini": _petfinder,
}
KINDS = tuple(_KINDS)
