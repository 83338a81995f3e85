"""The data sets as files: the same bytes for every system."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SEED = 7


def frame(data: Path, name: str) -> pd.DataFrame:
    """Return a data set's table."""
    return pd.read_parquet(data / name / "data.parquet")


def halves(table: pd.DataFrame, target: str, share: float = 0.3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return rows to learn from and to be judged on, stratified, seed 7."""
    learn, judge = train_test_split(table, test_size=share, random_state=SEED, stratify=table[target])
    return learn, judge


def written(folder: Path, **parts: pd.DataFrame) -> dict[str, str]:
    """Write each part as CSV and return the paths by name."""
    paths = {}
    for name, part in parts.items():
        paths[name] = str(folder / f"{name}.csv")
        part.to_csv(paths[name], index=False)
    return paths


def sst2(data: Path) -> dict[str, pd.DataFrame]:
    """Return the split that the set came with; ``learn`` is ``train`` and ``valid`` together."""
    table = frame(data, "sst2")
    parts = {"train": table[table.split == "train"], "valid": table[table.split == "dev"]}
    parts |= {"learn": table[table.split != "test"], "test": table[table.split == "test"]}
    return {name: part[["text", "label"]] for name, part in parts.items()}


def ag_news(data: Path) -> dict[str, pd.DataFrame]:
    """Return 70/30 of the official test part (the train part is not at hand); a ninth of the 70 is ``valid``."""
    learn, test = halves(frame(data, "ag_news")[["title", "text", "label"]], "label")
    train, valid = halves(learn, "label", share=1 / 9)
    return {"learn": learn, "train": train, "valid": valid, "test": test}


def pictures(folder: Path, images: np.ndarray, labels: Sequence[object]) -> str:
    """Write uint8 images as PNG files in a folder a class and return the folder."""
    from PIL import Image

    for place, (image, label) in enumerate(zip(images, labels, strict=True)):
        inner = folder / str(label)
        inner.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(inner / f"{place:05}.png")
    return str(folder)


def mnist(data: Path, folder: Path) -> tuple[str, str]:
    """Return folders of 4,000 and 1,000 digits."""
    stored = np.load(data / "mnist_5k" / "mnist_5k.npz")
    images, labels = stored["X"], stored["y"]
    learn, test = train_test_split(np.arange(len(labels)), test_size=0.2, random_state=SEED, stratify=labels)
    return (
        pictures(folder / "train", images[learn], labels[learn].tolist()),
        pictures(folder / "test", images[test], labels[test].tolist()),
    )


def unpacked(data: Path, name: str, archive: str, folder: Path) -> Path:
    """Unpack a set's archive and return where."""
    with zipfile.ZipFile(data / name / archive) as packed:
        packed.extractall(folder)
    return folder


def fsdd(data: Path, folder: Path) -> tuple[str, str]:
    """Return folders of spoken digits, a folder a class: takes 0 to 4 of each speaker are for judging."""
    files = unpacked(data, "fsdd", "audio.zip", folder / "all")
    about = pd.read_parquet(data / "fsdd" / "metadata.parquet")
    for name, label, split in zip(about.file, about.label, about.split, strict=True):
        inner = folder / str(split) / str(label)
        inner.mkdir(parents=True, exist_ok=True)
        (files / name).rename(inner / name)
    return str(folder / "train"), str(folder / "test")
