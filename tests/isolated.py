"""A Python environment that has some installed packages and no others, made in a second without a network.

What ``pip install`` would put into a fresh virtual environment is linked there from this one: the packages asked for
and what they require, file by file as their records list them.
"""

from __future__ import annotations

import re
import sys
import venv
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def environment(folder: Path, packages: Iterable[str]) -> Path:
    """Make the environment in a folder and return its Python."""
    venv.create(folder, symlinks=True)
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for name in closure(packages):
        found = distribution(name)
        for root in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            target = site / root
            if not target.exists():
                target.symlink_to(found.locate_file(root))
    return folder / "bin" / "python"


def closure(packages: Iterable[str]) -> set[str]:
    """Return the packages and all that they require here."""
    wanted, known = list(packages), set()
    while wanted:
        name = _plain(wanted.pop())
        try:
            required = [Requirement(one) for one in distribution(name).requires or ()]
        except PackageNotFoundError:
            if name in map(_plain, packages):
                raise
            continue
        if name in known:
            continue
        known.add(name)
        wanted += [one.name for one in required if one.marker is None or one.marker.evaluate({"extra": ""})]
    return known


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
