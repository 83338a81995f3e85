"""From the text ``"package.module:function"`` to the function."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from luban.core.errors import InputError


def resolve(reference: str) -> Any:
    """Return the object that ``"package.module:name"`` means.

    Raises
    ------
    InputError
        If the text has no colon, or the module has no such name.
    """
    module, _, name = reference.partition(":")
    if not name:
        raise InputError("a function is written as 'package.module:function'", seen=repr(reference))
    found: Any = import_module(module)
    for part in name.split("."):
        if not hasattr(found, part):
            raise InputError(f"the module {module} has no {name!r}", seen=repr(reference))
        found = getattr(found, part)
    return found


def describe(error: BaseException) -> dict[str, Any]:
    """Return an error as the JSON value of a ``failed`` event."""
    import traceback

    text = str(error) or type(error).__name__
    return {"error": text, "type": type(error).__name__, "trace": "".join(traceback.format_exception(error))}
