"""What a run was made with: interpreter, platform, packages and code."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import distributions
from typing import Any

from luban.version import __version__


def environment() -> dict[str, Any]:
    """Return the Python, the platform, the packages with their versions, and the git commit of the current folder."""
    from luban.operations.origin import Origin

    return Origin().of_run()


def surroundings() -> dict[str, Any]:
    """Return Luban, the Python, the platform, and the packages with their versions."""
    packages = {dist.name: dist.version for dist in distributions() if dist.name}
    return {
        "luban": __version__,
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "packages": dict(sorted(packages.items())),
    }
