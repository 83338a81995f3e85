"""Where the files of foreign runs are: only folders beside the store that is imported are read.

A store names the places of its files itself, so whoever wrote it could name any folder of this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit


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
            return own, None
        if not address:
            return None, None
        parts = urlsplit(address)
        if parts.scheme == "mlflow-artifacts":
            folder = self.served / unquote(parts.path).lstrip("/")
        elif parts.scheme in ("", "file") and not parts.netloc:
            folder = self.home / unquote(parts.path)
        else:
            return None, address
        real = folder.resolve()
        if not any(real.is_relative_to(place.resolve()) for place in (self.home, self.served)):
            return None, address
        return (real, None) if real.is_dir() else (None, None)
