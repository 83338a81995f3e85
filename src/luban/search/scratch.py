"""The folder of a study: the rows as workers read them, and every finished fold.

    study.json               what the study is about, to refuse to resume another one
    rows/table.arrow         the input columns, uncompressed, to be mapped into memory
    rows/target.npy          ... weight.npy, folds.npy
    folds/KEY/003/           one fold of one candidate: result.json, prediction.npy, payload.0, ...
    folds/KEY/whole/         the candidate learnt from all rows
    checkpoints/KEY/003/     what a fit under way needs to go on after it was killed

A result is written beside its place and then renamed into it, so that it is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.errors import InputError
from luban.core.schema import Schema
from luban.core.serial import from_json, to_json
from luban.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WHOLE = "whole"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a study, as much of them as possible mapped rather than read.

    Parameters
    ----------
    folds : numpy.ndarray
        Shape (repeats, n), int16: the fold that a row is judged in, in each repeat of the cross-validation; -1 where it
        is judged in none.
    forward : bool
        Whether folds go forward in time: fold 0 judges the latest rows, and each fold learns from earlier ones only.
    """

    task: Task
    schema: Schema
    table: pa.Table
    target: np.ndarray
    weight: np.ndarray | None
    folds: np.ndarray
    forward: bool = False

    @property
    def folds_a_repeat(self) -> int:
        """Number of folds of one cross-validation."""
        return int(self.folds.max()) + 1

    def judged(self, fold: int) -> np.ndarray:
        """Return the numbers of the rows that a fold is judged by; folds are counted through all repeats."""
        repeat, place = divmod(fold, self.folds_a_repeat)
        return np.flatnonzero(self.folds[repeat] == place)

    def learnt(self, fold: int) -> np.ndarray:
        """Return the numbers of the rows that a fold learns from."""
        repeat, place = divmod(fold, self.folds_a_repeat)
        folds = self.folds[repeat]
        return np.flatnonzero((folds > place) | (folds < 0) if self.forward else folds != place)


@dataclass(frozen=True, kw_only=True)
class FoldResult:
    """What became of one fit.

    Parameters
    ----------
    loss : float
        Of the task's metric on the rows judged; NaN for a fit on all rows.
    seconds : float
        Of the fit.
    predict_seconds : float
        Of predicting the rows judged.
    cut : bool
        Whether the time limit ended the fit, so that more time would have made another model.
    kept_seconds : float
        Of these, what no other fit of the candidate takes again.
    rows_read : int, optional
        What it learnt from where there was no time to read all rows.
    bytes : int
        Size of all payloads.
    tensors : int
        Of these, the weights of networks.
    learned : mapping
        `Model.learned`.
    payloads : tuple of str
        Names of the payloads, in the order of their files.
    curve : tuple of (int, float)
        Validation loss by step, as the fit told it, thinned out.
    curves : mapping of str to tuple of (int, float)
        Other figures of the fit by step, where its model is `luban.core.protocols.Recounting`, thinned out.
    """

    loss: float
    seconds: float
    predict_seconds: float = 0.0
    cut: bool = False
    bytes: int = 0
    learned: Mapping[str, Any]
    payloads: tuple[str, ...] = ()
    kept_seconds: float = 0.0
    rows_read: int | None = None
    tensors: int = 0
    curve: tuple[tuple[int, float], ...] = ()
    curves: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)

    @property
    def again_seconds(self) -> float:
        """Seconds that another fit on as many rows is likely to take."""
        return max(0.0, self.seconds - self.kept_seconds)

    @property
    def searched_bytes(self) -> int:
        """Size of what an answer walks through node by node: all but the weights of networks."""
        return self.bytes - self.tensors


def begin(folder: Path, rows: Rows, *, seed: int, resume: bool) -> None:
    """Write the rows of a study into its folder, or check that they are those that are already there.

    Raises
    ------
    InputError
        If the study to resume is about other rows, another task or another seed.
    """
    study = {
        "task": to_json(rows.task),
        "schema": to_json(rows.schema),
        "rows": rows.table.num_rows,
        "content": fingerprint(rows),
        "seed": seed,
        "forward": rows.forward,
    }
    path = folder / "study.json"
    if resume and path.exists():
        kept = json.loads(path.read_text())
        different = [name for name in study if kept.get(name) != study[name]]
        if different:
            raise InputError(
                "what is to be resumed is another study",
                seen=f"another {' and another '.join(different)}",
                remedy="Start a new fit.",
            )
        return
    for name in ("rows", "folds", "checkpoints"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "rows").mkdir(parents=True)
    (folder / "folds").mkdir()
    with (
        pa.OSFile(str(folder / "rows" / "table.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, rows.table.schema) as writer,
    ):
        writer.write_table(rows.table.combine_chunks())
    np.save(folder / "rows" / "target.npy", rows.target, allow_pickle=False)
    np.save(folder / "rows" / "folds.npy", rows.folds, allow_pickle=False)
    if rows.weight is not None:
        np.save(folder / "rows" / "weight.npy", rows.weight, allow_pickle=False)
    _put(path, json.dumps(study))


def fingerprint(rows: Rows) -> str:
    """Return a digest of all that fits learn from."""
    digest = hashlib.sha256()
    with (
        pa.PythonFile(_Hashing(digest), mode="w") as sink,
        pa.ipc.new_stream(sink, rows.table.schema) as writer,
    ):
        # One layout, whatever chunks the rows came in.
        writer.write_table(rows.table.combine_chunks())
    for array in (rows.target, rows.weight, rows.folds):
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class _Hashing(io.RawIOBase):
    """A file that keeps only the digest of what is written to it."""

    def __init__(self, digest: hashlib._Hash) -> None:
        super().__init__()
        self._digest = digest

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._digest.update(content)
        return memoryview(content).nbytes


def read_rows(folder: Path) -> Rows:
    """Return the rows of the study in `folder`, mapped into memory."""
    study = json.loads((folder / "study.json").read_text())
    weight = folder / "rows" / "weight.npy"
    return Rows(
        task=from_json(Task, study["task"]),
        schema=from_json(Schema, study["schema"]),
        table=pa.ipc.open_file(pa.memory_map(str(folder / "rows" / "table.arrow"))).read_all(),
        target=np.load(folder / "rows" / "target.npy", mmap_mode="r", allow_pickle=False),
        weight=np.load(weight, mmap_mode="r", allow_pickle=False) if weight.exists() else None,
        folds=np.load(folder / "rows" / "folds.npy", mmap_mode="r", allow_pickle=False),
        forward=study["forward"],
    )


def place(folder: Path, key: str, fold: int | None) -> Path:
    """Return where the result of one fit is kept; `fold` is None for a fit on all rows."""
    return folder / "folds" / key / (WHOLE if fold is None else f"{fold:03d}")


def checkpoint(folder: Path, key: str, fold: int | None) -> Path:
    """Return the folder, made, in which one fit may keep what it needs to go on after it was killed."""
    where = folder / "checkpoints" / key / (WHOLE if fold is None else f"{fold:03d}")
    where.mkdir(parents=True, exist_ok=True)
    return where


def write_result(
    folder: Path,
    key: str,
    fold: int | None,
    result: FoldResult,
    prediction: np.ndarray | None,
    payloads: Mapping[str, bytes],
) -> None:
    """Keep the result of one fit, whole or not at all."""
    final = place(folder, key, fold)
    beside = final.with_name(f"{final.name}.{os.getpid()}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    if prediction is not None:
        np.save(beside / "prediction.npy", prediction, allow_pickle=False)
    for index, content in enumerate(payloads.values()):
        (beside / f"payload.{index}").write_bytes(content)
    (beside / "result.json").write_text(json.dumps(to_json(replace(result, payloads=tuple(payloads)))))
    shutil.rmtree(final, ignore_errors=True)
    beside.rename(final)


def read_result(folder: Path, key: str, fold: int | None) -> FoldResult | None:
    """Return the result of one fit, or None where it has not finished."""
    path = place(folder, key, fold) / "result.json"
    if not path.exists():
        return None
    content = json.loads(path.read_text())
    if content["loss"] is None:  # JSON has no NaN and no infinity
        content["loss"] = float("nan") if fold is None else float("inf")
    return from_json(FoldResult, content)


def read_prediction(folder: Path, key: str, fold: int) -> np.ndarray:
    """Return the predictions of one fold for the rows that it is judged by."""
    prediction: np.ndarray = np.load(place(folder, key, fold) / "prediction.npy", allow_pickle=False)
    return prediction


def read_payloads(folder: Path, key: str, fold: int | None) -> dict[str, bytes]:
    """Return the payloads of the model of one fit."""
    result = read_result(folder, key, fold)
    names = result.payloads if result is not None else ()
    where = place(folder, key, fold)
    return {name: (where / f"payload.{index}").read_bytes() for index, name in enumerate(names)}


def _put(path: Path, text: str) -> None:
    beside = path.with_suffix(".partial")
    beside.write_text(text)
    beside.rename(path)
