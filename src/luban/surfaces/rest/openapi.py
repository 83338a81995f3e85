"""The OpenAPI page, made from the operations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.describe import json_schema
from luban.core.serial import to_json
from luban.surfaces.call import variants
from luban.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.operation import Operation, Parameter
    from luban.serving.access.declare import Need


ADMIN = frozenset({"tokens", "roles", "audit", "keys"})
"""What only administrators see and change."""

APPROVALS = "approvals"
"""What is answered with a scope of its own: who changes models does not thereby say yes to the change."""


def path(operation: Operation) -> str:
    """Return the path of an operation's route."""
    return "/api/" + operation.name.replace(" ", "/")


def method(operation: Operation) -> str:
    """Return GET for a quick operation that only reads and takes plain values, else POST."""
    plain = all(_is_plain(parameter) for parameter in operation.parameters)
    return "GET" if operation.permission.endswith(":read") and not operation.long and plain else "POST"


def need(operation: Operation) -> Need:
    """Return the scope that a token needs for an operation."""
    resource, _, kind = operation.permission.partition(":")
    if resource in ADMIN:
        return "admin"
    if kind == "read":
        return "read"
    return "approve" if resource == APPROVALS else "write"


def _is_plain(parameter: Parameter) -> bool:
    return parameter.annotation is not Any and Path not in variants(parameter.annotation)


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of all routes."""
    paths: dict[str, Any] = {path(one): {method(one).lower(): _route(one)} for one in operations}
    paths["/api/jobs/{job}"] = {
        "get": {
            "operationId": "job",
            "summary": "Where a long operation stands, and its result.",
            "parameters": [{"name": "job", "in": "path", "required": True, "schema": {"type": "string"}}],
            "responses": {"200": _json("The job.", {"type": "object"}), "default": _ERROR},
        },
        "delete": {
            "operationId": "stop_job",
            "summary": "Ask a job to end with the best it has; one that waits does not begin.",
            "parameters": [{"name": "job", "in": "path", "required": True, "schema": {"type": "string"}}],
            "responses": {"202": _json("The job.", {"type": "object"}), "default": _ERROR},
        },
    }
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    paths["/api/files/{name}"] = {
        "put": {
            "operationId": "upload",
            "summary": "Upload a file, to be named as data.",
            "parameters": [name],
            "requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string"}}}},
            "responses": {"201": _json("Written.", {"type": "object"}), "default": _ERROR},
        },
        "get": {
            "operationId": "download",
            "summary": "Download a file.",
            "parameters": [name],
            "responses": {"200": {"description": "The file."}, "default": _ERROR},
        },
    }
    return {"openapi": "3.1.0", "info": {"title": "Luban", "version": __version__}, "paths": paths}


_ERROR = {
    "description": "What happened, what was seen, what to do.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "error": {
                        "type": "object",
                        "properties": {
                            name: {"type": ["string", "null"]} for name in ("code", "happened", "seen", "remedy")
                        },
                    }
                },
            }
        }
    },
}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _route(operation: Operation) -> dict[str, Any]:
    route: dict[str, Any] = {
        "operationId": operation.name.replace(" ", "_"),
        "summary": operation.summary,
        "description": operation.description,
        "x-permission": operation.permission,
        "x-scope": need(operation),
        "responses": {"default": _ERROR},
    }
    if operation.long:
        job = {"type": "object", "properties": {"job": {"type": "string"}, "url": {"type": "string"}}}
        route["responses"]["202"] = _json("Started; the job's result is as described in x-result.", job)
        route["x-result"] = json_schema(operation.returns)
    else:
        route["responses"]["200"] = _json("The result.", json_schema(operation.returns))
    if method(operation) == "GET":
        route["parameters"] = [
            {
                "name": one.name,
                "in": "query",
                "required": one.required,
                "description": one.description,
                "schema": json_schema(one.annotation),
            }
            for one in operation.parameters
        ]
    else:
        route["requestBody"] = {"required": True, "content": {"application/json": {"schema": _request(operation)}}}
    return route


def _request(operation: Operation) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for one in operation.parameters:
        properties[one.name] = {**json_schema(one.annotation), "description": one.description}
        if not one.required:
            properties[one.name]["default"] = to_json(one.default)
    return {
        "type": "object",
        "properties": properties,
        "required": [one.name for one in operation.parameters if one.required],
        "additionalProperties": False,
    }


def html(document: dict[str, Any]) -> str:
    """Return a page that shows the description, without scripts and without a network."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("luban.surfaces.rest"), autoescape=True)
    return environment.get_template("docs.html").render(page=document)
