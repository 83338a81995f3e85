"""Errors as clients of the REST face read them: what to do is a request, where the remedy has a command for it."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from luban.core import plugins
from luban.surfaces.rest import openapi

if TYPE_CHECKING:
    from luban.core.errors import LubanError
    from luban.core.operation import Operation

_COMMAND = re.compile(r"(?P<whole>: |\()?luban (?P<words>[^;()`]+?)(?= ?[;()`]|[,.](?: |$)|$)")
"""A command in a sentence, to the end of its clause; after a colon or in brackets all of that belongs to it."""


def shown(error: LubanError) -> dict[str, str | None]:
    """Return an error as the JSON object that a client gets."""
    told = error.to_dict()
    return told | {"remedy": None if told["remedy"] is None else requests(told["remedy"])}


def requests(remedy: str) -> str:
    """Return a remedy with requests in place of the commands that a server offers.

    >>> requests("List them: luban runs list")
    'List them: GET /api/runs/list'
    >>> requests("Deploy another (luban deploy house MODEL), or wait.")
    'Deploy another (POST /api/deploy {"name": "house", "model": "MODEL"}), or wait.'
    """
    return _COMMAND.sub(_request, remedy)


def _request(found: re.Match[str]) -> str:
    words = found["words"].split(" ")
    verbs = plugins.names("operations")
    count = next((count for count in (2, 1) if " ".join(words[:count]) in verbs), 0)
    operation: Operation | None = plugins.load("operations", " ".join(words[:count])) if count else None
    if operation is None or not operation.remote:
        return found[0]
    before, rest = found["whole"] or "", " ".join(words[count:])
    route = f"{openapi.method(operation)} {openapi.path(operation)}"
    arguments = _arguments(operation, rest) if before else None
    if arguments is None:  # the sentence goes on, or leaves out what everybody has to fill in
        return f"{before}{route}{' ' * bool(rest)}{rest}"
    if not arguments:
        return f"{before}{route}"
    if openapi.method(operation) == "GET":
        return f"{before}{route}?{urlencode(arguments, safe='/@')}"
    return f"{before}{route} {json.dumps(arguments, ensure_ascii=False)}"


def _arguments(operation: Operation, text: str) -> dict[str, Any] | None:
    """Return the arguments of a command by their names; None where these words are none."""
    known = {one.name: one for one in operation.parameters}
    places = [one.name for one in operation.parameters if one.positional]
    given: dict[str, Any] = {}
    try:
        words = shlex.split(text)
    except ValueError:
        return None
    while words:
        word = words.pop(0)
        option = word.startswith("--")
        name = word[2:].replace("-", "_") if option else next((one for one in places if one not in given), "")
        flag = option and name in known and known[name].annotation is bool
        if name not in known or name in given or (option and not flag and not words):
            return None
        given[name] = True if flag else words.pop(0) if option else word
    return given if all(one.name in given for one in known.values() if one.required) else None
