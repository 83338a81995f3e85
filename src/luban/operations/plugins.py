"""Plugins: the parts that are installed, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core import plugins as table
from luban.core.errors import MissingExtra, NotFound
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace

GROUPS = (
    "architectures",
    "backbones",
    "checks",
    "executors",
    "exporters",
    "forms",
    "gates",
    "learners",
    "metrics",
    "modalities",
    "operations",
    "preparations",
    "run_exporters",
    "searchers",
    "sources",
    "wires",
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One replaceable part."""

    group: str
    name: str
    package: str
    usable: bool
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class PartList:
    """The parts that are installed."""

    parts: tuple[Part, ...]


@operation(permission="plugins:read")
def plugins(workspace: Workspace, group: str | None = None) -> PartList:  # noqa: ARG001 - every verb has one
    """List the replaceable parts of Luban that are installed, by group.

    Parameters
    ----------
    group
        Only this group, such as `learners` or `exporters`; with it each part is imported to see whether it is usable.
    """
    if group is not None and group not in GROUPS:
        raise NotFound.named("group of parts", group, GROUPS)
    parts = []
    for one in (group,) if group else GROUPS:
        for name in table.names(one):
            remedy = _remedy(one, name) if group else ""
            parts.append(Part(group=one, name=name, package=table.origin(one, name), usable=not remedy, remedy=remedy))
    return PartList(parts=tuple(parts))


def _remedy(group: str, name: str) -> str:
    try:
        table.load(group, name)
    except MissingExtra as error:
        return str(error)
    except (ImportError, AttributeError) as error:  # a part of another package that is broken hides no other part
        return f"It cannot be imported: {error}"
    return ""
