"""The Python face: every operation as a function of the package.

``luban.fit(data, target="class")`` opens the workspace as the command line would (or takes
``workspace=``: a folder or an open workspace) and calls the operation. Verbs of a group are
attributes of the group: ``luban.models.list()``.
"""

from __future__ import annotations

import importlib
import inspect
import keyword
import sys
from typing import TYPE_CHECKING, Any

from luban.core import plugins
from luban.core.errors import InputError
from luban.surfaces.call import call
from luban.surfaces.opening import opened

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from luban.core.operation import Operation
    from luban.serving.runtime import Runtime
    from luban.store import Workspace


def attributes() -> list[str]:
    """Return the names that the package offers beside its modules."""
    groups = (name.split()[0].replace("-", "_") for name in plugins.names("operations"))
    return sorted({"load", "sklearn", "track", *groups})


def attribute(name: str) -> Any:
    """Return a verb, a group of verbs or a room of the package, by its Python name."""
    if name == "load":
        return load
    if name == "track":
        return importlib.import_module("luban.surfaces.track").track
    if name == "sklearn":
        return importlib.import_module("luban.sklearn")
    verbs = plugins.names("operations")
    if name not in verbs and any(verb.startswith(name.replace("_", "-") + " ") for verb in verbs):
        name = name.replace("_", "-")  # `luban.audit_log` is `luban audit-log`
    if name in verbs:
        return Verb(name, plugins.load("operations", name))
    group = [verb for verb in verbs if verb.startswith(name + " ")]
    if group:
        return Group(name, group)
    return _room(f"luban.{name}")


class Verb:
    """An operation as a function: ``luban.fit(data, target="class")``."""

    def __init__(self, name: str, operation: Operation) -> None:
        self.__name__ = f"luban.{name.replace(' ', '.')}"
        self.__doc__ = inspect.getdoc(operation.function)
        self.__signature__ = _signature(operation)
        self._operation = operation

    def __call__(self, *arguments: Any, workspace: Any = None, **options: Any) -> Any:
        """Call the operation in a workspace: a folder, an open one, or by default the nearest."""
        names = [parameter.name for parameter in self._operation.parameters if parameter.positional]
        if len(arguments) > len(names):
            raise InputError(
                f"{self._operation.name} takes {len(names)} arguments by position",
                seen=f"{len(arguments)}",
                remedy=f"Give the others by name: {', '.join(p.name for p in self._operation.parameters)}.",
            )
        with opened(workspace, self._operation) as place:
            return call(self._operation, place, {**dict(zip(names, arguments, strict=False)), **options})

    def __getattr__(self, name: str) -> Any:
        return _inside(f"{self.__name__}", name)

    def __repr__(self) -> str:
        return f"<{self.__name__}{self.__signature__}>"


class Group:
    """The verbs of one noun, such as ``luban.models``."""

    def __init__(self, name: str, verbs: list[str]) -> None:
        self.__name__ = f"luban.{name}"
        self._verbs = {_plain(verb.removeprefix(name + " ")): verb for verb in verbs}
        self.__doc__ = f"Verbs: {', '.join(self._verbs)}."

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("_verbs", ()):
            verb = self._verbs[name]
            return Verb(verb, plugins.load("operations", verb))
        return _inside(self.__name__, name)

    def __dir__(self) -> list[str]:
        return sorted(self._verbs)


def _plain(verb: str) -> str:
    """Return the name of a verb in Python, where some words are taken: ``luban.data.import_``."""
    return f"{verb}_" if keyword.iskeyword(verb) else verb


def _room(name: str) -> ModuleType:
    """Return a module of the package that was imported."""
    if name not in sys.modules:
        raise AttributeError(f"module 'luban' has no attribute {name.removeprefix('luban.')!r}")
    return sys.modules[name]


def _inside(room: str, name: str) -> Any:
    """Return what a room of the same name as a verb holds, so that ``luban.data.read`` is found beside the verbs."""
    if name.startswith("__") or room not in sys.modules:
        raise AttributeError(f"{room} has no attribute {name!r}")
    return getattr(sys.modules[room], name)


def _signature(operation: Operation) -> inspect.Signature:
    plain = inspect.signature(operation.function)
    workspace = inspect.Parameter("workspace", inspect.Parameter.KEYWORD_ONLY, default=None)
    return plain.replace(parameters=[*list(plain.parameters.values())[1:], workspace])


def load(reference: str, *, workspace: Workspace | Path | str | None = None) -> Runtime:
    """Return the model that `reference` names, ready to predict.

    Parameters
    ----------
    reference : str
        ``"adult"``, ``"adult/3"`` or ``"adult@champion"``.
    """
    from luban.operations.loading import runtime
    from luban.operations.predict import predict

    with opened(workspace, predict) as place:
        return runtime(place, reference, paths=True)
