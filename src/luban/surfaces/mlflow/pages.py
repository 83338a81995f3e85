"""Tokens that name the next page."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, TypeVar

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.surfaces.mlflow.fields import Body

T = TypeVar("T")

MOST = 10_000
"""Rows of a page at most; a larger page that is asked for goes on in the next."""


def offset(token: str | None) -> int:
    """Return how many rows come before a page."""
    if not token:
        return 0
    try:
        found = int(base64.urlsafe_b64decode(token.encode()).decode())
    except (ValueError, binascii.Error, UnicodeError):
        found = -1
    if not 0 <= found < 1 << 53:
        raise InputError("the page_token is none of this server's", seen=repr(token)[:60])
    return found


def token(offset: int) -> str:
    """Return what names the page that begins after so many rows."""
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def page(rows: Sequence[T], given: Body, most: int) -> tuple[list[T], dict[str, Any]]:
    """Return the rows of the page that is asked for, and the token of the next where there is one."""
    begin = offset(given.get("page_token"))
    end = begin + most
    return list(rows[begin:end]), {"next_page_token": token(end)} if end < len(rows) else {}
