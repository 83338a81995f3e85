"""The Python face: every operation as a function of the package.

``luban.fit(data, target="class")`` opens the workspace as the command line would (or takes
``workspace=``: a folder or an open workspace) and calls the operation. Verbs of a group are
attributes of the group: ``luban.models.list()``.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from luban.core import plugins
from luban.core.errors import InputError
from luban.surfaces.call import call

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from luban.core.operation import Operation
    from luban.serving.runtime import Runtime
    from luban.store import Workspace


def attributes() -> list[str]:
    """Return the names that the package offers beside its modules."""
    return sorted({"load", *(name.split()[0] for name in plugins.names("operations"))})


def attribute(name: str) -> Any:
    """Return a verb or a group of verbs of the package, by its Python name."""
    if name == "load":
        return load
    verbs = plugins.names("operations")
    if name in verbs:
        return _function(plugins.load("operations", name))
    group = [verb for verb in verbs if verb.startswith(name + " ")]
    if group:
        return Group(name, group)
    raise AttributeError(f"module 'luban' has no attribute {name!r}")


class Group:
    """The verbs of one noun, such as ``luban.models``."""

    def __init__(self, name: str, verbs: list[str]) -> None:
        self._verbs = {verb.removeprefix(name + " "): verb for verb in verbs}
        self.__doc__ = f"Verbs: {', '.join(self._verbs)}."

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in self._verbs:
            raise AttributeError(f"there is no verb {name!r}; there are {', '.join(self._verbs)}")
        return _function(plugins.load("operations", self._verbs[name]))

    def __dir__(self) -> list[str]:
        return sorted(self._verbs)


def load(reference: str, *, workspace: Workspace | Path | str | None = None) -> Runtime:
    """Return the model that `reference` names, ready to predict.

    Parameters
    ----------
    reference : str
        ``"adult"``, ``"adult/3"`` or ``"adult@champion"``.
    """
    from luban.operations.loading import runtime

    opened, close = _open(workspace)
    try:
        return runtime(opened, reference)
    finally:
        if close:
            opened.close()


def _open(workspace: Workspace | Path | str | None) -> tuple[Workspace, bool]:
    from luban.store import Workspace

    if isinstance(workspace, Workspace):
        return workspace, False
    return Workspace.open(workspace), True


def _function(operation: Operation) -> Callable[..., Any]:
    def function(*arguments: Any, workspace: Any = None, **options: Any) -> Any:
        names = [parameter.name for parameter in operation.parameters if parameter.positional]
        if len(arguments) > len(names):
            raise InputError(
                f"{operation.name} takes {len(names)} arguments by position",
                seen=f"{len(arguments)}",
                remedy=f"Give the others by name: {', '.join(p.name for p in operation.parameters)}.",
            )
        opened, close = _open(workspace)
        try:
            return call(operation, opened, {**dict(zip(names, arguments, strict=False)), **options})
        finally:
            if close:
                opened.close()

    function.__name__ = function.__qualname__ = operation.name.replace(" ", "_")
    function.__doc__ = inspect.getdoc(operation.function)
    return function
