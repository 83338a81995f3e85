"""One look, and where it is time one update, in a process of its own: ``python -m ... REQUEST``, see `beside`.

REQUEST is JSON: the workspace, who works, and the name. What came of it is one line of JSON on standard output.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from luban.core.errors import LubanError

NICE = 10
"""An update lets requests go first."""


def main() -> int:
    """Look, update where it is time, and say what came of it."""
    from luban.core.serial import to_json
    from luban.execution.worker import die_with_parent
    from luban.operations.updating.round import update_once
    from luban.store import Workspace

    die_with_parent()
    os.nice(NICE)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a server that stops: the run is marked as interrupted
    request = json.loads(sys.argv[1])
    try:
        # A question that the loop asks is asked by no person: whoever runs the server may answer it.
        with Workspace.open(request["root"], actor=f"updates/{request['actor']}") as workspace:
            policy = workspace.policies.list().get(request["name"])
            if policy is None:
                said = {"outcome": "waiting", "reason": "the policy was removed"}
            else:
                said = to_json(update_once(workspace, request["name"], None, policy))
                said.pop("report")
    except LubanError as error:
        said = {"outcome": "failed", "reason": str(error)}
    except KeyboardInterrupt:
        said = {"outcome": "stopped", "reason": "the server stopped"}
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
