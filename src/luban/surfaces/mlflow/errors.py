"""Errors as MLflow's clients read them: {"error_code", "message"}."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luban.core.errors import Conflict, LubanError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODES: Mapping[int, str] = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    405: "ENDPOINT_NOT_FOUND",
    409: "INVALID_STATE",
    413: "REQUEST_LIMIT_EXCEEDED",
    422: "INVALID_STATE",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Exists(Conflict):
    """Something of this name is there already: what MLflow's clients look for by its code."""

    code: ClassVar[str] = "RESOURCE_ALREADY_EXISTS"
    status: ClassVar[int] = 400


def shape(error: LubanError) -> dict[str, str]:
    """Return an error as the JSON object that MLflow's clients expect."""
    code = error.code if isinstance(error, Exists) else _CODES.get(error.status, "INTERNAL_ERROR")
    return {"error_code": code, "message": str(error)}
