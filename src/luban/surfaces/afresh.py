"""A server begins in a process that has read no command line: what reads it takes as much memory as many a model.

The reader of options (typer, with pydantic and its compiled core) stays in memory to the end of a process although it
is needed for a moment. So once the options of a command that lasts are read, the process becomes a new one, with the
same number, files and command line, which is given them as they were understood.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

UNDERSTOOD = "LUBAN_COMMAND_UNDERSTOOD"
"""The variable of the environment in which the new process finds what to do."""

_begun = False


def begin(understood: dict[str, Any]) -> None:
    """Become a process that does this; return where there is no such way, so that the caller does it here.

    Parameters
    ----------
    understood : dict
        Of values that JSON has.
    """
    # Only a process that is this command: not one that was handed another's arguments, as a test may be.
    ours = bool(sys.argv[1:]) and sys.orig_argv[-len(sys.argv[1:]) :] == sys.argv[1:]
    # A script may come here by another door than `understood`, and would come again and again.
    begun = _begun or os.environ.pop(UNDERSTOOD, None) is not None
    if os.name != "posix" or not sys.executable or not ours or begun:
        return
    from luban.surfaces.standard_files import output_given_back

    with output_given_back():
        try:
            environment = {**os.environ, UNDERSTOOD: json.dumps(understood)}
            os.execve(sys.executable, sys.orig_argv, environment)  # noqa: S606 - this very command, without a shell
        except OSError:  # forbidden, or too long for the system: then it is done here
            return


def understood() -> dict[str, Any] | None:
    """Return what this process was begun for; None where it has to read its command line."""
    global _begun  # noqa: PLW0603 - of the process
    found = os.environ.pop(UNDERSTOOD, None)
    _begun = found is not None
    return None if found is None else dict(json.loads(found))
