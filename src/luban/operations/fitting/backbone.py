"""The backbone that was asked for by name: it must be there, be whole, and read one of the columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.core.progress import Progress, tell

if TYPE_CHECKING:
    from luban.core.schema import Schema


def checked(name: str, inputs: Schema) -> str:
    """Return the name as learners are to be told it, in any process: a folder as an absolute path.

    It is loaded, and downloaded where that is needed, before any work is done: a fit must not fall back to what
    nobody asked for.

    Raises
    ------
    NotFound, Unavailable, MissingExtra, Tampered
        If it does not exist, cannot be had, or is damaged.
    Refused
        If a client over the network names what is not of the zoo.
    InputError
        If no column is of the kind that it reads.
    """
    from luban.foundation import zoo

    found = zoo.find(name)
    tell(Progress(stage="read", message=f"loading the backbone {name}"))
    card = found.load().card
    kinds = dict.fromkeys(column.kind for column in inputs.inputs)
    if card.kind not in kinds:
        raise InputError(
            f"the backbone {name!r} reads {card.kind}, and no input is of that kind",
            seen=f"inputs are of kind {', '.join(kinds)}",
            remedy="Name another (luban zoo list), or leave --backbone out.",
        )
    return name if name in zoo.names() or not Path(name).is_dir() else str(Path(name).resolve())
