"""How a command ends: one result on standard output, or one line on standard error, and an exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.errors import LubanError, Unavailable
from luban.core.serial import to_json
from luban.surfaces.standard_files import ReaderLeft, give_up

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def ended(*, as_json: bool) -> Iterator[None]:
    """Turn what can end a command into a line on standard error (with JSON also an object) and an exit code."""
    try:
        yield
    except LubanError as error:
        _fail(error.to_dict(), f"error: {error}", error.exit_code, as_json=as_json)
    except KeyboardInterrupt:
        happened = "interrupted; nothing was kept"
        _fail({"code": "interrupted", "happened": happened}, happened, 130, as_json=as_json)
    except OSError as error:  # a full disk or a missing right where no room had a better word for it
        _release_output()
        refused = Unavailable("the operating system refused", seen=str(error))
        _fail(refused.to_dict(), f"error: {refused}", refused.exit_code, as_json=as_json)
    except Exception as error:
        if os.environ.get("LUBAN_TRACEBACK"):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        happened = f"{type(error).__name__}: {error} ({place.name}, {Path(place.filename).name}:{place.lineno})"
        remedy = "This is a fault of Luban: please report it, with what LUBAN_TRACEBACK=1 shows."
        fault = {"code": "defect", "happened": happened, "remedy": remedy}
        _fail(fault, f"defect: {happened}. {remedy}", 1, as_json=as_json)


def _fail(error: dict[str, Any], line: str, code: int, *, as_json: bool) -> None:
    if as_json:
        with suppress(ReaderLeft):
            write_json({"error": {"code": None, "happened": None, "seen": None, "remedy": None} | error})
    sys.stderr.write(" ".join(line.splitlines()) + "\n")
    raise SystemExit(code) from None


def _release_output() -> None:
    """Drop what standard output does not take."""
    try:
        with suppress(ReaderLeft):
            sys.stdout.flush()
    except OSError:
        give_up(sys.stdout)


def write_json(value: Any) -> None:
    """Write a value to standard output as JSON on one line."""
    plain = "utf" not in (sys.stdout.encoding or "").lower()
    sys.stdout.write(json.dumps(to_json(value), ensure_ascii=plain) + "\n")
    sys.stdout.flush()
