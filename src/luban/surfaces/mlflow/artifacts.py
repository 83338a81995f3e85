"""The artifact proxy: files go up and down through this server, and are kept by digest."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, JSONResponse, Response

from luban.store.disk import writing_to
from luban.surfaces.mlflow.fields import text
from luban.surfaces.mlflow.places import place
from luban.surfaces.mlflow.shapes import run_of
from luban.surfaces.rest import bodies

if TYPE_CHECKING:
    from starlette.requests import Request

    from luban.store import Workspace
    from luban.store.artifacts import Artifact
    from luban.surfaces.mlflow.fields import Body

MOST = 16 << 30
"""Bytes of a file at most."""

STALE = 24 * 3600.0
_HEADERS = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox"}


async def download(request: Request, workspace: Workspace) -> Response:
    """Send a file. It is never shown as a page: what was uploaded must not run in this origin."""
    address = request.path_params["path"]

    def local() -> tuple[Path, str]:
        file = place(workspace, address).file(workspace)
        return workspace.blobs.local(file.digest), file.path.rpartition("/")[2]

    path, name = await run_in_threadpool(local)
    return FileResponse(path, filename=name, media_type="application/octet-stream", headers=_HEADERS)


async def upload(request: Request, workspace: Workspace) -> Response:
    """Keep a file under its address."""
    run, path = await run_in_threadpool(lambda: place(workspace, request.path_params["path"]).writable())
    incoming = workspace.root / "incoming"
    with writing_to(incoming):
        await run_in_threadpool(_prepare, incoming)
        with tempfile.TemporaryDirectory(dir=incoming) as folder:
            file = Path(folder) / "content"
            await bodies.receive(request, file, most=MOST)
            await run_in_threadpool(workspace.artifacts.put_file, run, path, file)
    return JSONResponse({})


def _prepare(incoming: Path) -> None:
    """Make the folder of uploads that are on their way, and remove what a server that was killed left there."""
    incoming.mkdir(parents=True, exist_ok=True)
    for left in incoming.iterdir():
        with suppress(FileNotFoundError):  # another upload is done, or sweeps too
            if time.time() - left.stat().st_mtime > STALE:
                shutil.rmtree(left, ignore_errors=True)


async def remove(request: Request, workspace: Workspace) -> Response:
    """Forget a file, or all in a folder."""

    def forget() -> None:
        run, path = place(workspace, request.path_params["path"]).writable()
        workspace.artifacts.remove(run, path)

    await run_in_threadpool(forget)
    return JSONResponse({})


def listing(workspace: Workspace, body: Body) -> Body:
    """Return what is in a folder, by its address."""
    found = place(workspace, text(body, "path"))
    return {"files": _entries(found.files(workspace), found.path, whole=False)}


def of_run(workspace: Workspace, body: Body) -> Body:
    """Return what is in a folder of a run."""
    run = run_of(workspace, text(body, "run_id", body.get("run_uuid") or None))
    path = text(body, "path", "").strip("/")
    uri = f"mlflow-artifacts:/{run.experiment}/{run.id}/artifacts"
    return {"root_uri": uri, "files": _entries(workspace.artifacts.list(run.id, path), path, whole=True)}


def _entries(files: list[Artifact], folder: str, *, whole: bool) -> list[dict[str, Any]]:
    """Return the files and folders right below a folder; names alone, or whole paths in the run."""
    found: dict[str, dict[str, Any]] = {}
    for one in files:
        rest = one.path[len(folder) + 1 :] if folder else one.path
        name, slash, _ = rest.partition("/")
        if not name:  # the folder is a file
            continue
        path = f"{folder}/{name}" if folder and whole else name
        found[path] = (
            {"path": path, "is_dir": True} if slash else {"path": path, "is_dir": False, "file_size": one.bytes}
        )
    return [found[path] for path in sorted(found)]
