"""An operation, called as a command whose line has been read."""

from __future__ import annotations

import signal
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.surfaces import afresh, standard_files
from luban.surfaces.call import call
from luban.surfaces.ending import ended, write_json

if TYPE_CHECKING:
    from luban.core.operation import Operation


def ready() -> None:
    """Make the process one of a command: signals stop it, and standard output is for its result."""
    signal.signal(signal.SIGTERM, _terminate)
    standard_files.keep_output()


def invoke(
    operation: Operation, given: dict[str, Any], location: Path | None, page: Path | None, *, as_json: bool
) -> None:
    """Call an operation and show its result.

    Parameters
    ----------
    given : dict
        Arguments as the command line has them: text, numbers, and lists of these.
    location : Path, optional
        Of the workspace.
    page : Path, optional
        Where its report is also written to.
    """
    if operation.lasting and page is None:
        where = None if location is None else str(location)
        afresh.begin({"operation": operation.name, "given": given, "location": where, "as_json": as_json})
    from luban.surfaces import console
    from luban.surfaces.opening import opened

    if page is not None:
        from luban.surfaces.render import page as pages

        pages.check(page)
    with (
        opened(location, operation) as workspace,
        console.progress(shown=operation.long),
        console.page_kept(page),
        redirect_stdout(sys.stderr),
    ):
        result = call(operation, workspace, given)
    if page is not None:
        pages.write(result, page)
    if as_json:
        write_json(result)
    else:
        console.show(result, page)
        sys.stdout.flush()
    if code := getattr(result, "exit_code", 0):  # it was done, and did not come to what a script would go on with
        raise SystemExit(code)


def serve(given: dict[str, Any]) -> None:
    """Run the server of all operations; `given` are the options of its command, paths as text."""
    afresh.begin({"server": given})
    from luban.surfaces.rest import serve as run

    paths = {name: None if given[name] is None else Path(given[name]) for name in ("certificate", "key", "workspace")}
    run(**{**given, **paths})


def go_on(understood: dict[str, Any]) -> None:
    """Do what a process that began afresh was begun for."""
    ready()
    with ended(as_json=understood.get("as_json", False)):
        if "server" in understood:
            serve(understood["server"])
            return
        from luban.core import plugins

        location = understood["location"]
        where = None if location is None else Path(location)
        operation = plugins.load("operations", understood["operation"])
        invoke(operation, understood["given"], where, None, as_json=understood["as_json"])


def _terminate(_number: int, _frame: Any) -> None:
    """Take a polite request to stop as Ctrl-C is taken: a fit keeps its best model, a server ends its answers."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as scripts start what they run in the background
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)
