"""The command line: every operation as a command, made from its signature.

Standard output holds the result and nothing else (with ``--json`` one JSON object); progress and
errors go to standard error. Exit codes: 0 done, 1 a defect of Luban, 2 something the user can
mend, 130 interrupted with nothing to show. A reader that leaves before it has all, such as `head`,
is no error.
"""

from __future__ import annotations

import sys

from luban.surfaces import standard_files


def main() -> None:
    """Run the command that ``sys.argv`` asks for."""
    standard_files.ready()
    if sys.argv[1:] == ["--version"]:  # answered before anything else is imported
        from luban.version import __version__

        sys.stdout.write(f"luban {__version__}\n")
        sys.stdout.flush()
        return
    from luban.surfaces import afresh

    understood = afresh.understood()
    if understood is not None:
        from luban.surfaces.invoking import go_on

        go_on(understood)
        return
    from luban.surfaces.commands import run

    run()
