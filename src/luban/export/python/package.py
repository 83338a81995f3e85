"""The folder that predicts with onnxruntime and numpy alone; other forms carry the same one."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from luban.core.errors import Unsupported
from luban.core.protocols import Suitable, Unsuitable
from luban.export.onnx import made
from luban.export.onnx.package import describe, parts
from luban.export.python.readme import readme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.export.onnx.made import Made

PROGRAM = "predict.py"
REQUIREMENTS = "requirements.txt"
README = "README.md"
GRAPH = "model.onnx"
RUNTIME = "onnxruntime"
PACKAGES = ("numpy", RUNTIME)


def package(ready: Made, reference: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the files by path, and what ``signature.json`` says.

    Raises
    ------
    Unsupported
        If a preparation is no program that runs without Luban.
    """
    described = describe(ready, reference)
    stuck = [one for one in described["preparations"] if not one["program"]]
    if stuck:
        raise Unsupported(
            f"the preparation {stuck[0]['name']} of {', '.join(stuck[0]['columns'])} runs with Luban alone",
            seen=f"members {', '.join(described['members'])}",
            remedy="Serve the model with luban serve, or leave the member out that needs it: --without MEMBER.",
        )
    contents = parts(ready, described)
    contents |= {
        PROGRAM: source("luban.export.python", "alone.py"),
        REQUIREMENTS: requirements(described).encode(),
        README: readme(described).encode(),
    }
    return contents, described


def supports(model: Any) -> Suitable | Unsuitable:
    """Return whether all parts of the fitted model run without Luban, and if not, which and why."""
    answer = made.supports(model)
    if isinstance(answer, Unsuitable):
        return answer
    try:
        package(made.make(model, None), "model/1")
    except Unsupported as error:
        return Unsuitable(str(error))
    return answer


def source(where: str, name: str) -> bytes:
    """Return a program that leaves the house, by its package and file."""
    return files(where).joinpath(name).read_bytes()


def needed(described: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the packages that the program imports: two, and what preparations need."""
    more = {name for one in described["preparations"] for name in one["packages"]}
    return (*PACKAGES, *sorted(more - set(PACKAGES)))


def requirements(described: Mapping[str, Any], more: Sequence[str] = ()) -> str:
    """Return the lines of ``requirements.txt``: the versions that the parity was measured with."""
    return "".join(f"{name}=={pinned(name)}\n" for name in (*needed(described), *more))


def pinned(name: str) -> str:
    """Return the installed version of a package, without a local label such as ``+cpu``.

    Raises
    ------
    Unsupported
        If it is not installed, so that no version is known to work.
    """
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        raise Unsupported(
            f"the export pins {name}, of which no version is installed here", remedy=f"Run: pip install {name}"
        ) from None
