"""A policy from the options of a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.core.update import UpdatePolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.contest import Limit

LEAST_FRESH, MOST_FRESH = 0.05, 0.9


def policy_of(
    *, gate: Sequence[str] = (), gates: Path | None = None, fresh: str = "25%", **values: Any
) -> UpdatePolicy:
    """Return the policy that the options mean.

    Parameters
    ----------
    gate : sequence of str
        ``name=limit`` or ``name=off``; they go before those of the file.
    gates : Path, optional
        A file in YAML or JSON of limits by the name of a gate.
    fresh : str
        A share such as ``25%``.

    Raises
    ------
    InputError, NotFound
        If an option cannot be read, or a gate does not exist.
    """
    from luban.operations.shares import share
    from luban.operations.updating.window import windows
    from luban.review.gates.run import limits

    part = share(fresh, "fresh rows")
    if not LEAST_FRESH <= part <= MOST_FRESH:
        raise InputError("between 5% and 90% of the new rows must be fresh", seen=fresh)
    if values.get("labels") == 0:
        raise InputError("an update waits for at least one new label", seen="--labels 0")
    if values.get("rounds") == 0:
        raise InputError("rounds must be at least 1", seen="0")
    windows(values.get("window", "auto"), 1)  # what cannot be read is told before any work
    found = {**({} if gates is None else read(gates)), **limits(gate)}
    return UpdatePolicy(fresh=part, gates=found, **values)


def read(path: Path) -> dict[str, Limit | None]:
    """Return limits by gate from a file.

    Raises
    ------
    InputError
        If it cannot be read, or is no mapping of names to limits.
    """
    import yaml

    from luban.review.gates.run import known

    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError("the file of gates cannot be read", seen=f"{path}: {str(error)[:200]}") from error
    if not isinstance(found, dict) or not all(_limit(value) for value in found.values()):
        raise InputError(
            "a file of gates holds a limit for each name",
            seen=str(path),
            remedy="Write lines such as 'quality: 0.95', 'checks: evaluation+fairness' and 'size: off'.",
        )
    return known({str(name): None if value is False or value == "off" else value for name, value in found.items()})


def _limit(value: object) -> bool:
    return value is False or (isinstance(value, int | float | str) and value is not True)
