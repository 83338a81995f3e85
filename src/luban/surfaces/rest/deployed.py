"""What is deployed answers beside the operations: one process, and one port, for REST, tracking and serving.

Nothing of serving is loaded before something is deployed, and a deployment that cannot be loaded keeps the operations
from nothing: it is told, and tried again.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from luban.core.errors import LubanError

if TYPE_CHECKING:
    from types import TracebackType

    from starlette.types import ASGIApp, Receive, Scope, Send

    from luban.serving.access.gate import Gate
    from luban.serving.access_log import AccessLog
    from luban.serving.models import Models
    from luban.serving.observe import Observe
    from luban.store import Workspace

LOOK = 0.25
"""Seconds between two looks whether something is deployed, until something is."""

AFTER_FAILURE = 10.0
"""Seconds until what could not be loaded is tried again."""


class DeployedModels:
    """The wires of all deployments of a workspace, those made later too, while the context is open.

    Parameters
    ----------
    workspace : Workspace
    gate : Gate
        That of the operations: a token's rate counts for both.
    log : AccessLog
        Gets a line for each request that a wire answers, and for each event.
    """

    def __init__(self, workspace: Workspace, gate: Gate, log: AccessLog) -> None:
        self._workspace = workspace
        self._gate = gate
        self._log = log
        self._told = ""
        self._open = ExitStack()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._wait, name="luban-deployments", daemon=True)
        self._models: Models | None = None
        self.wires: Observe | None = None

    def __enter__(self) -> DeployedModels:
        if not self._begun():
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._open.close()

    def stop(self) -> None:
        """Say to whoever asks whether the server is ready that it is not any more."""
        if self._models is not None:
            self._models.stopping = True

    def page(self) -> dict[str, Any]:
        """Return the OpenAPI paths of the wires; none as long as nothing is deployed."""
        if self.wires is None:
            return {}
        from luban.serving.openapi import page

        return dict(page(self.wires.routes)["paths"])

    def _wait(self) -> None:
        while not self._closing.wait(AFTER_FAILURE if self._told else LOOK):
            if self._begun():
                return

    def _begun(self) -> bool:
        try:
            if self._workspace.deployments.list():
                self._begin()
        except LubanError as error:
            if str(error) != self._told:
                self._told = str(error)
                self._log.write("deployments-not-served", error=self._told)
        return self.wires is not None

    def _begin(self) -> None:
        from luban.operations.loading import deployed
        from luban.serving.app import application
        from luban.serving.light import give_back

        models = self._open.enter_context(deployed(self._workspace, ())).models
        models.tell = self._log.write
        self._log.write("serving", models=[f"{one.name}/{one.version}" for one in models.all()])
        wires = application(models, log=self._log, loopback=self._gate.loopback, gate=self._gate)
        self._open.callback(wires.close)
        give_back()
        self._models, self.wires = models, wires


class Together:
    """ASGI application in which paths of the operations go to them, and all others to the wires of what is deployed.

    Parameters
    ----------
    operations : Starlette
        The REST application.
    deployed : DeployedModels
    """

    def __init__(self, operations: ASGIApp, deployed: DeployedModels) -> None:
        self._operations = operations
        self._own = frozenset(_first(one.path) for one in getattr(operations, "routes", ()))
        self._deployed = deployed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        wires = self._deployed.wires
        ours = scope["type"] != "http" or wires is None or _first(scope["path"]) in self._own
        await (self._operations if ours or wires is None else wires)(scope, receive, send)


def _first(path: str) -> str:
    return path.lstrip("/").partition("/")[0]
