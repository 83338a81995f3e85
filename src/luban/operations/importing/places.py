"""Where the files of foreign runs are: only folders beside the store that is imported are read.

A store names the places of its files itself, so whoever wrote it could name any folder of this machine.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.operations.importing.foreign import ForeignRun


@dataclass(frozen=True, kw_only=True)
class Places:
    """Folders that may be read.

    Parameters
    ----------
    home : Path
        The folder of the store.
    served : Path
        What an MLflow server serves as ``mlflow-artifacts:/``.
    """

    home: Path
    served: Path

    def find(self, address: str | None, own: Path | None = None) -> tuple[Path | None, str | None]:
        """Return the folder that an address means, or the address where that may not be read.

        Parameters
        ----------
        own : Path, optional
            Where files would be without an address.
        """
        if own is not None and own.is_dir():
            real = _real(own)
            inside = real.is_relative_to(_real(own.parent)) or self._may_be_read(real)
            return (own, None) if inside else (None, str(real))
        if not address:
            return None, None
        parts = urlsplit(address)
        if parts.scheme == "mlflow-artifacts":
            folder = self.served / unquote(parts.path).lstrip("/")
        elif parts.scheme in ("", "file") and not parts.netloc:
            folder = self.home / unquote(parts.path)
        else:
            return None, address
        real = _real(folder)
        if not self._may_be_read(real):
            return None, address
        return (real, None) if real.is_dir() else (None, None)

    def of_model(self, address: str, runs: Mapping[str, ForeignRun]) -> tuple[Path | None, str | None]:
        """Return the folder of a version's files, or the address where that may not be read.

        What a run or a logged model of the store keeps is looked for with it: a store that was moved still names the
        places of before.
        """
        kept = _kept(address, runs)
        if kept is None:
            return self.find(address)
        run, rest = kept
        if run.artefacts is None:
            return None, run.unread
        root = _real(run.artefacts)
        inner = _real(root / unquote(rest))
        return (inner, None) if inner.is_relative_to(root) and inner.is_dir() else (None, None)

    def _may_be_read(self, real: Path) -> bool:
        return any(real.is_relative_to(_real(place)) for place in (self.home, self.served))


def _real(path: Path) -> Path:
    """Return a path without links; one that leads to itself stays, and is no folder."""
    return Path(os.path.realpath(path))


def _kept(address: str, runs: Mapping[str, ForeignRun]) -> tuple[ForeignRun, str] | None:
    """Return the run, or logged model, that an address is about, and the path in what it keeps.

    ``runs:/RUN/path``, ``models:/m-ID`` or ``.../RUN/artifacts/path``.
    """
    parts = address.split("/")
    if parts[0] in ("runs:", "models:"):
        parts = [one for one in parts if one]
        return (runs[parts[1]], "/".join(parts[2:])) if len(parts) > 1 and parts[1] in runs else None
    for before, (run, folder) in enumerate(pairwise(parts)):
        if folder == "artifacts" and run in runs:
            return runs[run], "/".join(parts[before + 2 :])
    return None
