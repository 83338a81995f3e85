"""Standard input, output and error of a command: they may be closed, and their readers may leave.

A reader such as `head` that has seen enough is no error: the command ends where it would have written more, quietly and
with 0, as ripgrep does. Only what is written here counts as that, not a connection of the work that breaks.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator


class ReaderLeft(SystemExit):
    """Nobody reads standard output any more."""


class _File(io.FileIO):
    """A file that, once its reader has left, takes what is written to it for nobody."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            give_up(self)
            self._left()
            return memoryview(content).nbytes

    def _left(self) -> None:
        """Go on: of progress nobody has to hear."""


class _Output(_File):
    def _left(self) -> NoReturn:
        raise ReaderLeft(0)


def ready() -> None:
    """Open what is closed, so that no other file takes its number, and take it well when a reader leaves."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - a number, not a name
    sys.stdout = _text(_Output(1, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_File(2, "w", closefd=False), sys.stderr, by_line=True)


def keep_output() -> None:
    """Leave standard output to the result alone: what native libraries print to it goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = _text(_Output(kept, "w"), sys.stdout)


@contextmanager
def output_given_back() -> Iterator[None]:
    """Let the file of standard output be again what it was before `keep_output`."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(sys.stdout.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def give_up(file: Any) -> None:
    """Let an open file lead nowhere, so that Python does not try again at its end to write what it did not take."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, file.fileno())
    os.close(nowhere)


def _text(file: _File, before: Any, *, by_line: bool = False) -> io.TextIOWrapper:
    """Return a text file in the encoding of the one before; a terminal gets it line by line in any case."""
    encoding = getattr(before, "encoding", None) or "utf-8"
    errors = getattr(before, "errors", None) or "backslashreplace"
    return io.TextIOWrapper(io.BufferedWriter(file), encoding, errors, line_buffering=by_line or file.isatty())
