"""The plug-in table: every replaceable part of Luban is an entry point, the built-in ones too.

Names are listed from the metadata of installed distributions without importing anything.
A part is imported when it is used; when its packages are missing the error says what to install.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from luban.core.errors import InputError, MissingExtra, NotFound

PREFIX = "luban."


@cache
def _table(group: str) -> dict[str, EntryPoint]:
    table: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=PREFIX + group), key=_origin):
        clash = table.get(point.name)
        if clash is not None and clash.value != point.value:
            raise InputError(
                f"two installed packages both provide {point.name!r} in luban.{group}",
                seen=f"{_origin(clash)} and {_origin(point)}",
                remedy="Uninstall one of them.",
            )
        table[point.name] = point
    return table


def _origin(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else ""


def names(group: str) -> tuple[str, ...]:
    """Return the names of all parts of a group (``"learners"``, ``"checks"``, ...), sorted, importing none."""
    return tuple(sorted(_table(group)))


def origin(group: str, name: str) -> str:
    """Return the name of the distribution that provides a part."""
    return _origin(_find(group, name))


def load(group: str, name: str) -> Any:
    """Import a part and return what its entry point names: a class, a function or an object.

    Raises
    ------
    NotFound
        If no installed package provides it.
    MissingExtra
        If it needs packages that are not installed.
    """
    point = _find(group, name)
    try:
        return point.load()
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == point.module.split(".")[0]:
            raise
        extra = f"[{','.join(point.extras)}]" if point.extras else ""
        raise MissingExtra(
            f"{name} needs the package {error.name}, which is not installed",
            remedy=f"Run: pip install '{_origin(point)}{extra}'",
        ) from error


def create(group: str, name: str) -> Any:
    """Return a part, made by calling its class without arguments where the entry point names a class."""
    part = load(group, name)
    return part() if isinstance(part, type) else part


def _find(group: str, name: str) -> EntryPoint:
    table = _table(group)
    if name not in table:
        raise NotFound.named(group.rstrip("s"), name, table)
    return table[name]
