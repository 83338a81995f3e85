"""Shares as a person writes them."""

from __future__ import annotations

from luban.core.errors import InputError


def share(text: str, what: str) -> float:
    """Return a share from 0 to 1 for ``"5%"`` or ``"0.05"``.

    Raises
    ------
    InputError
        Naming what it is the share of.
    """
    plain = text.strip()
    try:
        value = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"the share of {what} cannot be read", seen=repr(text)[:60], remedy="Write it as 5% or 0.05.")
    return value


def log_share(text: str) -> float:
    """Return the share of requests to log for ``"full"``, ``"off"`` or a share."""
    return {"full": 1.0, "off": 0.0}[text] if text in ("full", "off") else share(text, "requests to log")
