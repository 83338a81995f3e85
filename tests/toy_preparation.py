"""A preparation by hand, for tests of graphs: a text's letters as numbers, padded to the longest of the batch."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import numpy as np
import pytest

from luban.core import plugins
from luban.core.preparation import Program, Tensor
from luban.learners.payloads import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

PROGRAM = '''"""Letters of a text as numbers."""

import json

import numpy as np


def prepare(rows, folder):
    about = json.loads((folder / "letters.json").read_text())
    texts = [(row.get(about["columns"][0]) or "")[: about["longest"]] for row in rows]
    letters = np.zeros((len(texts), max([1, *map(len, texts)])), dtype=np.int64)
    for place, text in enumerate(texts):
        letters[place, : len(text)] = [ord(one) % 64 for one in text]
    return {"letters": letters, "mask": (letters > 0).astype(np.int64)}
'''


class Letters:
    """`luban.core.preparation.Preparation` of one text column: letters and mask, int64 (n, L)."""

    name = "letters"

    def __init__(self, column: str, longest: int = 64) -> None:
        self.columns = (column,)
        self.longest = longest
        self.seen: list[int] = []

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        kind = Tensor(dtype="int64", shape=(None,))
        return {"letters": kind, "mask": kind}

    def __call__(self, table: pa.Table) -> dict[str, np.ndarray]:
        texts = [(one or "")[: self.longest] for one in table.column(self.columns[0]).to_pylist()]
        letters = np.zeros((len(texts), max([1, *map(len, texts)])), dtype=np.int64)
        for place, text in enumerate(texts):
            letters[place, : len(text)] = [ord(one) % 64 for one in text]
        self.seen.append(letters.size)
        return {"letters": letters, "mask": (letters > 0).astype(np.int64)}

    def save(self) -> Mapping[str, bytes]:
        return {"letters.json": json.dumps({"columns": self.columns, "longest": self.longest}).encode()}

    @classmethod
    def load(cls, payloads: Mapping[str, bytes]) -> Letters:
        about = read_json(payloads, "letters.json")
        return cls(about["columns"][0], about["longest"])

    def program(self) -> Program:
        return Program(source=PROGRAM)


@pytest.fixture
def letters_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``letters`` be an entry point of ``luban.preparations``."""
    point = EntryPoint("letters", "toy_preparation:Letters", "luban.preparations")
    found = plugins._table
    monkeypatch.setattr(
        plugins, "_table", lambda group: {**found(group), **({"letters": point} if group == "preparations" else {})}
    )
