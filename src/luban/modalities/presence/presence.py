"""Which values are there, and how many words: all that a prediction which reads nothing needs to know of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from luban.core.errors import InputError
from luban.core.preparation import Tensor
from luban.modalities import settings
from luban.modalities.program import program

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from luban.core.preparation import Program


@dataclass(frozen=True, kw_only=True)
class Presence:
    """Whether values of one column are there, whatever kind they are of; nothing is opened or decoded.

    One tensor ``present``, float32, of shape (n, 1): 1 where there is a value, else 0. With `words` of shape (n, L), L
    being the words of the longest text of the batch: 1 where a text has a word, else 0.

    Parameters
    ----------
    columns : tuple of str
        One.
    words : bool
        Whether to look at the words of texts, which have white space between them.
    """

    name: ClassVar[str] = "presence"

    columns: tuple[str, ...]
    words: bool = False

    def __post_init__(self) -> None:
        if len(self.columns) != 1:
            raise InputError("it is told of one column whether its values are there", seen=str(self.columns))

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """What it makes, by name."""
        return {"present": Tensor(dtype="float32", shape=(None if self.words else 1,))}

    def __call__(self, table: pa.Table) -> dict[str, np.ndarray]:
        """Return the tensor of these rows."""
        values = table.column(self.columns[0]).to_pylist()
        counts = np.array([len((one or "").split()) if self.words else bool(one) for one in values], dtype=np.int64)
        steps = np.arange(max(1, counts.max(initial=0)))
        return {"present": (steps < counts[:, None]).astype(np.float32)}

    def save(self) -> Mapping[str, bytes]:
        """Return the settings."""
        return {settings.NAME: settings.written(self)}

    def program(self) -> Program:
        """Return the program that makes the same tensor without Luban."""
        return program("presence")

    @classmethod
    def load(cls, payloads: Mapping[str, bytes]) -> Presence:
        """Return what `save` wrote, or raise `Tampered` where it is damaged."""
        return settings.construct(cls, settings.read(cls, payloads))
