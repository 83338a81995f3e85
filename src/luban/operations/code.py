"""The code that a call was made with: the git commit of the folder it was made in, and what was changed since.

No failure of git is one of the call: each has a word of its own in the record. What is not part of the repository is
named, not kept. ``LUBAN_CODE=commit`` keeps no changes (they may hold secrets), ``LUBAN_CODE=off`` asks git nothing.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 10.0
"""Time for all that git is asked; it is asked beside the work."""

LARGEST = 16 << 20
"""Bytes of changes that are kept at most."""

MOST = 200
"""Files outside of the repository that are named at most."""

# Nothing that the repository's own settings name is run, and nothing is locked or written.
_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.quotepath=false")
_DIFF = ("diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty")


@dataclass(frozen=True, kw_only=True)
class Code:
    """What git says of a folder.

    Parameters
    ----------
    state : str
        ``clean``, ``changed``, ``no commit yet``, ``no repository``, ``no git``, ``not asked`` or ``timed out``.
    commit : str, optional
        The commit that is checked out.
    repository : str, optional
        Where it is shared (the remote ``origin``), without a password.
    diff : bytes, optional
        What differs from the commit in files that git knows, as ``git apply`` takes it.
    untracked : tuple of str
        Files that git neither knows nor ignores.
    note : str
        What was left out, and why.
    """

    state: str
    commit: str | None = None
    repository: str | None = None
    diff: bytes | None = None
    untracked: tuple[str, ...] = ()
    note: str = ""


def code(folder: str | None = None, *, seconds: float = SECONDS, early: Callable[[Code], None] | None = None) -> Code:
    """Return the commit of a folder, by default the current one, and what was changed since.

    Parameters
    ----------
    early : callable, optional
        Is told the commit as soon as it is known, before changes are looked for, which takes longer in a large folder.
    """
    wish = os.environ.get("LUBAN_CODE", "").lower()
    if wish == "off":
        return Code(state="not asked")
    deadline = time.monotonic() + seconds
    commit: str | None = None
    try:
        status, out = _git(("rev-parse", "--show-toplevel"), folder, deadline)
        if status:
            return Code(state="no repository")
        top = out.decode("utf-8", "surrogateescape").rstrip("\n")
        status, out = _git(("rev-parse", "--verify", "HEAD^{commit}"), top, deadline)
        if status:
            return Code(state="no commit yet")
        commit = out.decode().strip()
        _, out = _git(("config", "--get", "remote.origin.url"), top, deadline)
        remote = without_password(out.decode("utf-8", "replace").strip()) or None
        if wish == "commit":
            return Code(state="not asked", commit=commit, repository=remote, note="changes were not asked for")
        if early is not None:
            early(Code(state="timed out", commit=commit, repository=remote))
        return _changes(top, deadline, commit, remote)
    except FileNotFoundError:
        return Code(state="no git")
    except (OSError, subprocess.TimeoutExpired) as error:
        timed = isinstance(error, subprocess.TimeoutExpired)
        note = "" if timed else str(error)
        return Code(state="timed out" if timed else "no git", commit=commit, note=note)


def _changes(top: str, deadline: float, commit: str, remote: str | None) -> Code:
    _, names = _git(("ls-files", "--others", "--exclude-standard", "-z"), top, deadline)
    others = [one for one in names[:LARGEST].decode("utf-8", "replace").split("\0") if one]
    notes = [f"{len(others) - MOST} more files are not known to git"] if len(others) > MOST else []
    status, diff = _git(_DIFF, top, deadline)
    kept: bytes | None = diff or None
    if status or len(diff) > LARGEST:
        notes.append(f"the changes are larger than {LARGEST >> 20} MiB" if not status else "git could not tell changes")
        kept = None
    return Code(
        state="changed" if diff or status or others else "clean",
        commit=commit,
        repository=remote,
        diff=kept,
        untracked=tuple(others[:MOST]),
        note="; ".join(notes),
    )


def _git(arguments: tuple[str, ...], folder: str | None, deadline: float) -> tuple[int, bytes]:
    """Return the exit status and at most a little more than `LARGEST` bytes of what git wrote."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise subprocess.TimeoutExpired("git", 0)
    surroundings = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    with subprocess.Popen(
        ["git", *_QUIET, *arguments],  # noqa: S607 - the git that the user has
        cwd=folder,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        late = threading.Timer(left, process.kill)
        late.daemon = True
        late.start()
        try:
            assert process.stdout is not None
            out = process.stdout.read(LARGEST + 1)
            if len(out) > LARGEST:
                process.kill()
                process.wait()
                return 0, out
            status = process.wait()
        finally:
            late.cancel()
    if status < 0 and time.monotonic() >= deadline:
        raise subprocess.TimeoutExpired("git", left)
    return status, out


def without_password(address: str) -> str:
    """Return the address of a repository without the password that it may hold."""
    from urllib.parse import urlsplit, urlunsplit

    if "://" not in address:
        return address
    try:
        parts = urlsplit(address)
    except ValueError:  # an address that is none
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
