"""How many threads a prediction may run: as many processors as this process really has."""

from __future__ import annotations

from functools import cache


@cache
def threads() -> int:
    """Return the number of processors, within the limits of the container."""
    from luban.execution.resources import resources

    return resources().cpus
