"""What an encoder says about each number it makes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of the encoded matrix.

    Parameters
    ----------
    name : str
    sources : tuple of str
        The input columns behind it.
    cardinality : int
        For integer codes 0..cardinality-1, how many there are (other and missing included); otherwise 0.
    """

    name: str
    sources: tuple[str, ...]
    cardinality: int = 0
