"""One look at deployments with alert rules, in a process of its own: ``python -m ... REQUEST``, see `beside`.

REQUEST is JSON: the workspace, who works, and the names. What came of each is in one line of JSON on standard output.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from typing import Any

from luban.core.errors import InputError, LubanError
from luban.operations.beside import line

NICE = 10
"""A look lets requests go first."""


def main() -> int:
    """Look at each name as `luban monitor` does, and say what came of it."""
    from luban.execution.worker import die_with_parent
    from luban.store import Workspace

    die_with_parent()
    os.nice(NICE)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):  # a server that stops: what is being told is told
        signal.signal(number, lambda *_: over.set())
    # What rules tell the log is among the notices, which are written for it as the server writes its own.
    log = logging.getLogger("luban.alerts")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    request = json.loads(sys.argv[1])
    said = {}
    with Workspace.open(request["root"], actor=f"alerts/{request['actor']}") as workspace:
        for name in request["names"]:
            if over.is_set():
                break
            said[name] = _look(workspace, name)
    sys.stdout.write(json.dumps({"looks": said}) + "\n")
    return 0


def _look(workspace: Any, name: str) -> dict[str, Any]:
    from luban.operations.monitor import monitor

    try:
        done = monitor(workspace, name)
    except InputError as error:  # a window of too few rows
        return {"outcome": "waiting", "reason": str(error)}
    except LubanError as error:
        return {"outcome": "failed", "reason": str(error)}
    except Exception as error:  # noqa: BLE001 - a defect in one window ends no other
        return {"outcome": "failed", "reason": f"{type(error).__name__}: {error}"}
    for notice in done.notices:
        line("alert", subject=name, notice=notice)
    return {"outcome": "done"}


if __name__ == "__main__":
    raise SystemExit(main())
