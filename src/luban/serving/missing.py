"""What a client is told about a column that it did not send: in the words of its protocol, not of the command line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.data.row import MISSING_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def missing_told(fill: str | None) -> Iterator[None]:
    """Tell how a request asks for columns to be filled, where one is missing.

    Parameters
    ----------
    fill : str, optional
        What to put in a request; None where its protocol has no such word.
    """
    try:
        yield
    except InputError as error:
        if error.remedy != MISSING_COLUMN:
            raise
        words = "Add it, or rename the one that holds it."
        if fill is not None:
            words = f"Add it, rename the one that holds it, or send {fill} to take it as missing in every row."
        raise InputError(error.happened, seen=error.seen, remedy=words) from error
