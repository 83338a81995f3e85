"""The Docker exporter: what builds an image that answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.export import folder as folders
from luban.export.docker.files import image_files
from luban.export.docker.pins import pins
from luban.export.onnx.made import make
from luban.export.python.package import needed, package, source, supports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Examples, Suitable, Unsuitable

SERVER = ("starlette", "uvicorn", "httptools")


class DockerExporter:
    """Writes a folder that ``docker compose up --build`` serves (`luban.core.protocols.Exporter`)."""

    def supports(self, model: Any) -> Suitable | Unsuitable:
        """Return whether all parts run without Luban, and if not, which and why."""
        return supports(model)

    def export(
        self,
        model: Any,
        folder: str,
        examples: Examples | None = None,
        *,
        reference: str = "model/1",
        without: Sequence[str] = (),
    ) -> Mapping[str, Any]:
        """Write ``Dockerfile``, ``compose.yaml``, ``.dockerignore``, ``requirements.txt`` and the folder ``model``.

        Parameters as of `luban.export.onnx.exporter.OnnxExporter.export`.

        Returns
        -------
        mapping
            ``path`` of the folder, ``parity`` and the rest as of the ONNX exporter, and ``packages`` in the image.
        """
        made = make(model, examples, without)
        inside, described = package(made, reference)
        requirements = pins((*needed(described), *SERVER))
        contents = {f"model/{name}": content for name, content in inside.items()}
        contents["model/server.py"] = source("luban.export.docker", "alone.py")
        folders.write(Path(folder), contents | image_files(reference, requirements))
        return {"path": folder, **made.told(), "packages": [line.partition("==")[0] for line in requirements.split()]}
