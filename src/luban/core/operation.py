"""One verb, written once.

An operation is a typed function whose first parameter is the workspace. Its signature is its
schema and its docstring its help: the Python call, the command, the REST route and the studio's
form are derived from the :class:`Operation` that the decorator makes. Positional parameters are
the command's arguments, keyword-only ones its options.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIRED = inspect.Parameter.empty
# Named in annotations for type checking alone, so that reading a schema imports no database.
_LATE = {"Workspace": Any}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of an operation.

    Parameters
    ----------
    annotation : type
        The resolved type hint.
    default : object
        `REQUIRED` where there is none.
    positional : bool
        Whether it is an argument of the command rather than an option.
    description : str
        From the docstring.
    """

    name: str
    annotation: Any
    default: Any
    positional: bool
    description: str

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is REQUIRED


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A verb with its schema.

    Parameters
    ----------
    name : str
        The verb, or ``"group verb"``.
    permission : str
        ``"resource:read"`` or ``"resource:write"``.
    long : bool
        Whether it reports progress and can be interrupted.
    remote : bool
        Whether it makes sense from another machine; a server does not offer the others.
    lasting : bool
        Whether it goes on until it is stopped, so that what it keeps in memory counts.
    about : tuple of str
        Parameters that name the models and deployments it is about, all of them: who may use only some may call it
        for these. Without any, it is for those who may use all.
    existing : bool
        Whether it is about what is in the workspace already, so that it has nothing to do where there is none: no
        workspace begins with it.
    function : callable
        ``function(workspace, ...)``.
    """

    name: str
    permission: str
    long: bool
    remote: bool
    function: Callable[..., Any]
    about: tuple[str, ...] = ()
    lasting: bool = False
    existing: bool = False

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function: ``operation(workspace, ...)``."""
        return self.function(*arguments, **options)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").split("\n", 1)[0]

    @property
    def description(self) -> str:
        """The docstring up to its first section."""
        return re.split(r"\n\w[\w ]*\n-{3,}", inspect.getdoc(self.function) or "")[0].strip()

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters but the workspace, in order."""
        hints = get_type_hints(self.function, localns=_LATE, include_extras=True)
        words = describe_parameters(inspect.getdoc(self.function) or "")
        signature = list(inspect.signature(self.function).parameters.values())[1:]
        return tuple(
            Parameter(
                name=one.name,
                annotation=hints.get(one.name, Any),
                default=one.default,
                positional=one.kind is not inspect.Parameter.KEYWORD_ONLY,
                description=words.get(one.name, ""),
            )
            for one in signature
        )

    @property
    def returns(self) -> Any:
        """The resolved type of the result."""
        return get_type_hints(self.function, localns=_LATE).get("return", Any)


def operation(
    *,
    permission: str,
    long: bool = False,
    remote: bool = True,
    name: str | None = None,
    about: tuple[str, ...] = (),
    lasting: bool = False,
    existing: bool = False,
) -> Callable[[Callable[..., Any]], Operation]:
    """Declare a function to be an operation.

    Parameters
    ----------
    permission : str
        What the caller must be allowed, such as ``"models:write"``.
    long : bool
        Whether it takes long enough for progress to be shown.
    remote : bool
        Whether it makes sense from another machine.
    name : str, optional
        Its verb; by default the name of the function, with ``_`` as a space.
    about, lasting, existing : tuple of str, bool, bool
        As in `Operation`.
    """

    def declare(function: Callable[..., Any]) -> Operation:
        verb = name or function.__name__.replace("_", " ")
        return Operation(
            name=verb,
            permission=permission,
            long=long,
            remote=remote,
            function=function,
            about=about,
            lasting=lasting,
            existing=existing,
        )

    return declare


def describe_parameters(docstring: str) -> dict[str, str]:
    """Return the description of each parameter in a numpydoc docstring."""
    found = re.search(r"Parameters\n-{3,}\n(.*?)(?:\n\w[\w ]*\n-{3,}|\Z)", docstring, re.DOTALL)
    words: dict[str, str] = {}
    current: list[str] = []
    for line in found.group(1).splitlines() if found else []:
        head = re.match(r"(\w+(?:, \w+)*) ?(?::.*)?$", line)
        if head:
            current = head.group(1).split(", ")
        elif line.strip():
            for one in current:
                words[one] = f"{words.get(one, '')} {line.strip()}".strip()
    return words
