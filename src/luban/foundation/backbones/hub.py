"""Backbones of the Hugging Face hub, by their identifier: from the local cache, or downloaded where that is allowed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.errors import MissingExtra, NotFound, Unavailable
from luban.foundation.backbones.folder import Folder

if TYPE_CHECKING:
    from luban.foundation.backbone import Backbone, Card

# Weights as safetensors and what describes them; nothing that could run code.
_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "1_Pooling/*.json")
_TRUE = frozenset({"1", "true", "yes", "on"})


def offline() -> bool:
    """Return whether downloads are forbidden (HF_HUB_OFFLINE)."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in _TRUE


class Hub:
    """A backbone of the hub.

    Parameters
    ----------
    name : str
        ``owner/name``, or ``owner/name@revision``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def card(self) -> Card:
        """Return what the copy on this machine tells, or that it is not here yet."""
        from luban.foundation.backbone import Card

        path = self._local()
        if path is not None:
            return self._folder(path).card()
        return Card(
            name=self.name,
            kind="",
            tasks=(),
            ways={},
            parameters=0,
            bytes=0,
            licence="see its source",
            source=f"Hugging Face hub, {self.name}",
            words="Not on this machine yet: what it is will be known when it has been downloaded.",
            needs="a download" + (", which HF_HUB_OFFLINE forbids" if offline() else ""),
        )

    def load(self, **options: Any) -> Backbone:
        """Return it with its weights.

        Raises
        ------
        NotFound
            If the hub has no model of that name.
        Unavailable
            If it is not on this machine and cannot be downloaded.
        """
        return self._folder(self._local() or self._download()).load(**options)

    def _folder(self, path: Path) -> Folder:
        return Folder(path, name=self.name, source=f"Hugging Face hub, {self.name}")

    def _local(self) -> Path | None:
        snapshot = _library()
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        identifier, _, revision = self.name.partition("@")
        try:
            path = Path(snapshot(identifier, revision=revision or None, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError):
            return None
        return path if (path / "config.json").exists() else None

    def _download(self) -> Path:
        snapshot = _library()
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
            OfflineModeIsEnabled,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        identifier, _, revision = self.name.partition("@")
        if offline():
            raise self._unavailable("HF_HUB_OFFLINE forbids downloads")
        try:
            return Path(snapshot(identifier, revision=revision or None, allow_patterns=list(_FILES)))
        except GatedRepoError as error:
            raise Unavailable(
                f"the hub gives {identifier} only to those who accepted its terms",
                remedy="Accept them on its page and log in with: hf auth login",
            ) from error
        except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
            raise NotFound(
                f"the hub has no model named {self.name!r}",
                remedy="Check the name; luban zoo list shows what needs no download.",
            ) from error
        except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
            first = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
            raise self._unavailable(first) from error

    def _unavailable(self, why: str) -> Unavailable:
        return Unavailable(
            f"{self.name} is not on this machine and cannot be downloaded",
            seen=why,
            remedy="Choose a backbone that comes with a package (luban zoo list), name a folder that holds it, or run "
            "once with network and without HF_HUB_OFFLINE.",
        )


def _library() -> Any:
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "backbones of the hub need the package transformers", remedy="Run: pip install 'luban[text]'"
        ) from error
    return snapshot_download
