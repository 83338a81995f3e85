"""One of several processes that serve: ``python -m luban.operations.serving_worker REQUEST``, started by `serve`.

REQUEST is JSON: the workspace and the arguments of `serve`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from luban.core.errors import LubanError


def command(root: str, actor: str, arguments: dict[str, Any]) -> list[str]:
    """Return the command that starts a worker."""
    request = {"root": root, "actor": actor, "arguments": arguments}
    return [sys.executable, "-m", "luban.operations.serving_worker", json.dumps(request)]


def main() -> int:
    """Serve until a signal comes, and tell the parent how it went."""
    from luban.serving.light import without_object_stores, without_pandas

    without_pandas()  # before anything makes an array
    without_object_stores()

    from luban.operations.serve import answer
    from luban.serving.workers.place import place, tell
    from luban.store import Workspace

    mine = place()
    request = json.loads(sys.argv[1])
    try:
        with Workspace.open(request["root"], actor=request["actor"]) as workspace:
            served = answer(workspace, **request["arguments"], place=mine, started=lambda _url: tell(ready=True))
            tell(answered=served.requests, models=list(served.models))
    except LubanError as error:
        tell(error=str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
