"""How a pre-trained network is to be fine-tuned, where somebody says so: from what was asked to a wish of the task."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_REMEDY = "Write a name and a value, such as way=lora,rank=8,accumulate=4."


def settings(asked: Sequence[str]) -> dict[str, Any]:
    """Return the value of each setting, from texts such as ``"rank=8"``.

    Raises
    ------
    InputError
        If a text is no name and value, a setting is given twice, or more processes are asked for than there are
        processors.

    Examples
    --------
    >>> settings(["way=lora", "rank=8", "balanced=true"])
    {'way': 'lora', 'rank': 8, 'balanced': True}
    """
    from luban.execution.resources import resources

    found: dict[str, Any] = {}
    for text in asked:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not name or not sign or not value:
            raise InputError("a setting of the network cannot be read", seen=repr(text), remedy=_REMEDY)
        if name in found:
            raise InputError(f"the setting {name!r} is given twice", remedy=_REMEDY)
        found[name] = _value(value)
    processes, there = found.get("processes"), resources().cpus
    if isinstance(processes, int) and processes > there:
        raise InputError(
            "more processes are asked for than there are processors",
            seen=f"processes={processes} on {there}",
            remedy=f"Ask for at most {there}.",
        )
    return found


def _value(text: str) -> Any:
    """Return a number or a truth value where the text is one, else the text."""
    try:
        value = json.loads(text.lower())
    except ValueError:
        return text
    return value if isinstance(value, int | float) else text
