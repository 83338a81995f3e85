"""The 70/30 split, written as CSV once, so that every system reads the same bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.automl.sets import DataSet

SEED = 7
TEST_SHARE = 0.3


@dataclass(frozen=True, kw_only=True)
class Split:
    """Two CSV files and the digest of their bytes: figures are comparable only where the digests agree."""

    train: Path
    test: Path
    digest: str


def write_split(data: DataSet, source: Path, folder: Path, *, without_identifiers: bool = False) -> Split:
    """Split a set, stratified by class where it has classes.

    Parameters
    ----------
    data
        Which set, and its target.
    source
        The folder that holds ``NAME/data.parquet``.
    folder
        Where ``train.csv`` and ``test.csv`` are written.
    without_identifiers
        Leave the set's identifier columns out.
    """
    frame = pd.read_parquet(source / data.name / "data.parquet")
    if without_identifiers:
        frame = frame.drop(columns=list(data.identifiers))
    classes = None if data.kind == "regression" else frame[data.target]
    train, test = train_test_split(frame, test_size=TEST_SHARE, random_state=SEED, stratify=classes)
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    files = {"train": folder / "train.csv", "test": folder / "test.csv"}
    for name, part in (("train", train), ("test", test)):
        part.to_csv(files[name], index=False)
        digest.update(files[name].read_bytes())
    return Split(train=files["train"], test=files["test"], digest=digest.hexdigest()[:16])
