"""What holds for all columns of a kind: the one table that rooms ask which may not know a modality's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from luban.core.schema import Kind


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What a kind means.

    Parameters
    ----------
    modality : str
        Whose kind it is; its entry of ``luban.modalities``.
    file : bool
        Whether a value is a file of its own: content, or a reference to it.
    prose : bool
        Whether values are in words of their own: hardly two are equal, and they may tell of a person.
    """

    modality: str
    file: bool = False
    prose: bool = False

    @property
    def cell(self) -> bool:
        """Whether a value is what a cell of a table holds, rather than a work of its own."""
        return not (self.file or self.prose)


MEANINGS: Mapping[Kind, Meaning] = {
    "number": Meaning(modality="tabular"),
    "category": Meaning(modality="tabular"),
    "boolean": Meaning(modality="tabular"),
    "date": Meaning(modality="tabular"),
    "nested": Meaning(modality="tabular"),
    "text": Meaning(modality="text", prose=True),
    "image": Meaning(modality="image", file=True),
    "audio": Meaning(modality="audio", file=True),
}


def modalities(kinds: Iterable[Kind]) -> tuple[str, ...]:
    """Return the modalities of these kinds, each once, in the order of the kinds.

    Examples
    --------
    >>> modalities(("number", "category", "text"))
    ('tabular', 'text')
    """
    return tuple(dict.fromkeys(MEANINGS[kind].modality for kind in kinds))
