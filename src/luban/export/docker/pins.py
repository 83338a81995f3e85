"""All packages that an image installs, each with its version: those asked for and what they require in turn."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from luban.export.python.package import pinned

if TYPE_CHECKING:
    from collections.abc import Iterable


_IMAGE = {"extra": "", "os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}
"""What markers are held against: an image is Linux, whatever this machine is."""


def pins(packages: Iterable[str]) -> str:
    """Return the lines of a ``requirements.txt``, by name.

    Raises
    ------
    Unsupported
        If a package that is asked for is not installed here, so that no version is known to work.
    """
    found: dict[str, str] = {}
    wanted = [str(canonicalize_name(name)) for name in packages]
    asked = set(wanted)
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        try:
            required = distribution(name).requires or ()
        except PackageNotFoundError:
            if name not in asked:  # only another machine needs it
                continue
            required = ()
        found[name] = pinned(name)
        parsed = [Requirement(one) for one in required]
        wanted += [canonicalize_name(one.name) for one in parsed if one.marker is None or one.marker.evaluate(_IMAGE)]
    return "".join(f"{name}=={found[name]}\n" for name in sorted(found))
