"""What data sets, models and aliases may be called, and how a version is referred to."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 100
_NAME = re.compile(r"\w[\w.-]*")


def valid_name(what: str, name: str) -> str:
    """Return `name` in Unicode's composed form (NFC), or raise `InputError` where it cannot be one.

    A name has letters of any script, digits, ``.``, ``_`` and ``-``; it starts with a letter, a digit or
    ``_``, has no ``..`` and at most 100 characters. So it never reads as a path, an option or a reference.

    Parameters
    ----------
    what : str
        What is named, for the message: ``"model"``, ``"data set"``, ``"alias"``.
    """
    plain = unicodedata.normalize("NFC", name)
    if len(plain) > LONGEST or ".." in plain or not _NAME.fullmatch(plain):
        raise InputError(
            f"this cannot be the name of a {what}",
            seen=repr(name[: LONGEST + 20]),
            remedy="Use letters, digits, '.', '_' and '-', starting with a letter or digit, without '..' "
            f"and at most {LONGEST} long.",
        )
    return plain


def numbered(versions: Sequence[int]) -> str:
    """Return the numbers of versions in words, the last twenty where there are gaps.

    Examples
    --------
    >>> numbered([1]), numbered([1, 2, 3]), numbered([1, 3])
    ('version 1', 'the versions 1 to 3', 'the versions 1, 3')
    """
    if len(versions) == 1:
        return f"version {versions[0]}"
    counted = len(versions) == versions[-1] - versions[0] + 1
    return f"the versions {f'{versions[0]} to {versions[-1]}' if counted else ', '.join(map(str, versions[-20:]))}"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """``name``, ``name/version`` or ``name@alias``, taken apart."""

    name: str
    version: int | None = None
    alias: str | None = None


def parse_reference(what: str, text: str) -> Reference:
    """Return the parts of a reference, or raise `InputError`.

    Examples
    --------
    >>> parse_reference("model", "adult/3")
    Reference(name='adult', version=3, alias=None)
    """
    name, slash, version = text.partition("/")
    if slash:
        name = valid_name(what, name)
        if not re.fullmatch(r"[1-9][0-9]{0,8}", version):
            raise InputError(
                f"the version of a {what} must be a whole number from 1",
                seen=repr(text),
                remedy=f"Write it as {name}/1.",
            )
        return Reference(name=name, version=int(version))
    name, at, alias = text.partition("@")
    return Reference(name=valid_name(what, name), alias=valid_name("alias", alias) if at else None)
