"""What a run was made with: interpreter, platform, packages and code."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import distributions
from typing import Any

from luban.version import __version__


def environment() -> dict[str, Any]:
    """Return the Python, the platform, the packages with their versions, and the git commit of the current folder."""
    packages = {dist.name: dist.version for dist in distributions() if dist.name}
    return {
        "luban": __version__,
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "packages": dict(sorted(packages.items())),
        "code": _commit(),
    }


def _commit() -> dict[str, Any] | None:
    """Return the commit of the folder that the command runs in and whether it was changed, None outside git."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None  # no git here: the record says nothing about code
    if found.returncode != 0:
        return None
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=5,
        check=False,
    )
    return {"commit": found.stdout.strip(), "changed": bool(changed.stdout.strip())}
