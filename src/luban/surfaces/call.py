"""How every face calls an operation: checked arguments, and an audit record of what writes."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from luban.core.budget import Duration
from luban.core.errors import InputError
from luban.core.serial import to_json
from luban.operations.reading import source_of

if TYPE_CHECKING:
    from luban.core.operation import Operation
    from luban.store import Workspace


def call(operation: Operation, workspace: Workspace, arguments: Mapping[str, Any]) -> Any:
    """Check the arguments, call the operation, and record it where it writes.

    Raises
    ------
    InputError
        If an argument is unknown, missing or of the wrong type.
    """
    ready = arguments_for(operation, arguments)
    result = operation(workspace, **ready)
    if operation.permission.endswith(":write"):
        workspace.audit.append(operation.name, _subject(result), _given(ready))
    return result


def arguments_for(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as the operation's annotations want them."""
    parameters = {parameter.name: parameter for parameter in operation.parameters}
    for name in arguments:
        if name not in parameters:
            near = get_close_matches(name, parameters, n=1)
            remedy = f"Did you mean {near[0]}?" if near else f"Parameters: {', '.join(parameters)}."
            raise InputError(f"{operation.name} has no parameter {name!r}", remedy=remedy)
    ready: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name in arguments:
            ready[name] = coerce(parameter.annotation, arguments[name], name)
        elif parameter.required:
            raise InputError(f"{operation.name} needs {name}", remedy=parameter.description or None)
    return ready


def coerce(annotation: Any, value: Any, name: str) -> Any:
    """Return `value` as the annotation wants it, or raise `InputError` naming the parameter."""
    if annotation is Any:
        return value
    kinds = [kind for kind in variants(annotation) if kind is not type(None)]
    if value is None and len(kinds) < len(variants(annotation)):
        return None
    if any(kind is not int and isinstance(kind, type) and type(value) is kind for kind in kinds):
        return value
    for kind in kinds:
        found = _as(kind, value, name)
        if found is not None:
            return found
    wanted = " or ".join(_wanted(kind) for kind in kinds)
    raise InputError(f"{name} must be {wanted}", seen=_seen(value))


def _as(kind: Any, value: Any, name: str) -> Any:
    """Return `value` as one kind wants it, or None where it cannot be that."""
    if get_origin(kind) is Literal:
        return value if value in get_args(kind) else None
    if get_origin(kind) in (list, tuple):
        if not isinstance(value, Iterable) or isinstance(value, Mapping):
            return None
        items = [item.strip() for item in value.split(",")] if isinstance(value, str) else value
        return tuple(coerce(get_args(kind)[0], item, name) for item in items)
    if kind is Duration and isinstance(value, str | int | float) and not isinstance(value, bool):
        return Duration.parse(value)
    if kind is bool and isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())
    if kind in (int, float) and isinstance(value, Real | str) and not isinstance(value, bool):
        try:
            number = kind(value)
        except (ValueError, OverflowError):
            return None
        if kind is float:
            return number
        # Whole numbers count or name things here (rows, seeds, ports): none is negative.
        return number if number >= 0 and (isinstance(value, str) or number == value) else None
    if isinstance(value, str | Path) and kind in (str, Path):
        return kind(value)
    return None


def _seen(value: Any) -> str:
    """Return a value as an error shows it; of a table or an array its type says more than its text."""
    return repr(value)[:100] if isinstance(value, str | int | float | Path) else type(value).__name__


def _wanted(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(kind))
    if get_origin(kind) in (list, tuple):
        return "a list, or values with commas between"
    words = {int: "a whole number from 0", float: "a number", str: "text", bool: "true or false", Path: "a file name"}
    return words.get(kind) or getattr(kind, "__name__", str(kind)).lower()


def variants(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the annotation alone."""
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain arguments as the audit record keeps them, without passwords."""
    plain = {name: value for name, value in arguments.items() if isinstance(value, str | int | float | Path | tuple)}
    return {name: _shown(value) if isinstance(value, str) else to_json(value) for name, value in plain.items()}


def _shown(value: str) -> str:
    """Return a text without passwords; of an address on the web the host, since what follows is often a secret."""
    return _PATH.sub(r"\1\2/…", value) if _PATH.match(value) else source_of(value)


_PATH = re.compile(r"(https?://)(?:[^/?#]*@)?([^/?#]*)[/?#].+")


def _subject(result: Any) -> str:
    for name in ("model", "dataset", "run", "path"):
        value = getattr(result, name, None)
        if isinstance(value, str):
            return value
    return ""
