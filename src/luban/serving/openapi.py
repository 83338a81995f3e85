"""The OpenAPI page of the routes that answer: paths, parameters, and what bodies look like where wires say so.

A wire describes a route's body by `described`; without it any JSON is said to be taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from luban.serving.access.declare import OPEN, declared
from luban.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DESCRIBED = "luban_body"
_ERROR = {
    "description": "What is wrong with the request.",
    "content": {"application/json": {"schema": {"type": "object"}}},
}
_ANSWERS = {
    "200": {"description": "The answer."},
    **dict.fromkeys(
        ("400", "401", "403", "404", "405", "408", "413", "415", "421", "422", "429", "503", "504"), _ERROR
    ),
}


def described(schema: Mapping[str, Any], *routes: Any, media_type: str = "application/json") -> list[Any]:
    """Say what the bodies of routes look like, as a JSON schema, and return the routes."""
    for route in routes:
        setattr(route, _DESCRIBED, (media_type, dict(schema)))
    return list(routes)


def page(routes: Iterable[Any]) -> dict[str, Any]:
    """Return the page, in the form of OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = re.sub(r"\{(\w+)[^}]*\}", r"{\1}", route.path)
        for method in sorted(route.methods - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = _operation(route, path, method)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Luban", "version": __version__},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": paths,
    }


def _operation(route: Any, path: str, method: str) -> dict[str, Any]:
    need = declared(route)
    words = "nobody" if need is None else need.need
    told: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "summary": f"Needs: {words}.",
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in route.param_convertors
        ],
        "responses": _ANSWERS,
    }
    if words != OPEN:
        told["security"] = [{"token": []}]
    if method not in ("GET", "DELETE"):
        media_type, schema = getattr(route, _DESCRIBED, ("application/json", {"type": "object"}))
        told["requestBody"] = {"content": {media_type: {"schema": schema}}}
    return told
