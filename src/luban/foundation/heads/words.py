"""A label a word: the first piece of a word speaks for it (as for BERT, Devlin and others 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from luban.foundation.heads.classes import balanced_weights
from luban.foundation.heads.head import Head

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.task import Task
    from luban.foundation.backbone import Encoded

WORD_IDS = "word_ids"
"""The tensor, int64 of shape (n, L), that says which word of its text each piece belongs to; -1 for none."""

_NONE = -100


class WordsHead(Head):
    """The same linear layer for each word; margins have shape (n, L, K), one place for each of at most L words."""

    own = (WORD_IDS,)

    def vectors(self, encoded: Encoded, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the vectors of the first pieces, word after word, shape (n, L, d); zeros where there is no word."""
        first = starts(tensors[WORD_IDS])
        places = first.clamp(min=0).unsqueeze(-1).expand(-1, -1, encoded.steps.shape[2])
        found = torch.gather(encoded.steps, 1, places)
        return found * (first >= 0).unsqueeze(-1).to(found.dtype)

    def forward(self, encoded: Encoded, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the margins, shape (n, L, K), NaN where there is no word."""
        margins = super().forward(encoded, tensors)
        missing = (starts(tensors[WORD_IDS]) < 0).unsqueeze(-1)
        return torch.where(missing, torch.full_like(margins, float("nan")), margins)


def starts(word_ids: torch.Tensor) -> torch.Tensor:
    """Return at which step each word begins, int64 of shape (n, L); -1 behind the last word.

    Examples
    --------
    >>> starts(torch.tensor([[-1, 0, 0, 1, -1]])).tolist()
    [[1, 3, -1, -1, -1]]
    """
    steps = word_ids.shape[1]
    before = functional.pad(word_ids[:, :-1], (1, 0), value=-1)
    first = (word_ids >= 0) & (word_ids != before)
    # What begins no word goes to a place of its own behind the others, which is cut off.
    places = torch.where(first, word_ids, torch.full_like(word_ids, steps))
    numbers = torch.arange(steps, device=word_ids.device).expand_as(word_ids)
    empty = functional.pad(torch.full_like(word_ids, -1), (0, 1), value=-1)
    return empty.scatter(1, places, numbers)[:, :steps]


class Words:
    """One class a word.

    The target has shape (n, W): codes, and any negative number where there is no word or no label.
    """

    def __init__(self, task: Task, target: np.ndarray | None, *, balanced: bool, smoothing: float) -> None:
        self.width = len(task.classes)
        codes = np.zeros(0, dtype=np.int64) if target is None else padded(target).ravel()
        counts = np.bincount(codes[codes >= 0], minlength=self.width).astype(np.float64)
        self._counts = counts if target is not None else np.ones(self.width)
        # The square root: most words of a text belong to no entity, and full weights drown the rest in false alarms.
        weights = np.sqrt(balanced_weights(self._counts)) if balanced else np.ones(self.width)
        self._weights = torch.tensor(weights, dtype=torch.float32)
        self._smoothing = smoothing

    def head(self, dimension: int, dropout: float) -> WordsHead:
        """Return a head whose biases are the logarithms of the classes' shares."""
        head = WordsHead(dimension, self.width, dropout=dropout)
        shares = np.maximum(self._counts * self._weights.numpy(), 0.5)
        with torch.no_grad():
            head.linear.bias.copy_(torch.from_numpy(np.log(shares / shares.sum())))
        return head

    def encode(self, target: np.ndarray) -> torch.Tensor:
        """Return the codes, shape (n, W), with -100 where there is no label."""
        codes = padded(target)
        return torch.from_numpy(np.where(codes < 0, _NONE, codes))

    def weights(self, target: torch.Tensor) -> torch.Tensor:
        """Return the weights of each row's words, summed."""
        each = self._weights.to(target.device)[target.clamp(min=0)]
        return (each * (target >= 0)).sum(dim=1)

    def losses(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the weighted cross-entropies of each row's words, summed."""
        due = _fitted(target, margins.shape[1])
        plain = functional.cross_entropy(
            margins.transpose(1, 2), due, reduction="none", ignore_index=_NONE, label_smoothing=self._smoothing
        )
        each = self._weights.to(target.device)[due.clamp(min=0)]
        return (plain * each * (due >= 0)).sum(dim=1)

    def errors(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the weighted wrong words of each row, summed."""
        due = _fitted(target, margins.shape[1])
        each = self._weights.to(target.device)[due.clamp(min=0)]
        return ((margins.argmax(dim=2) != due).float() * each * (due >= 0)).sum(dim=1)


def _fitted(target: torch.Tensor, words: int) -> torch.Tensor:
    """Return the target for exactly so many words."""
    if target.shape[1] >= words:
        return target[:, :words]
    return functional.pad(target, (0, words - target.shape[1]), value=_NONE)


def padded(target: np.ndarray) -> np.ndarray:
    """Return codes of words as one int64 matrix, padded with -1; takes a matrix or an array of rows."""
    if target.ndim == 2:
        return np.where(np.isnan(target), -1, target).astype(np.int64) if target.dtype.kind == "f" else target
    rows = [np.asarray(row, dtype=np.int64) for row in target]
    matrix = np.full((len(rows), max((len(row) for row in rows), default=0)), -1, dtype=np.int64)
    for place, row in enumerate(rows):
        matrix[place, : len(row)] = row
    return matrix
