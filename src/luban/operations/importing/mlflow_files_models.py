"""Registered models in a folder ``mlruns``: each has a folder below ``models``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.operations.importing.foreign import ForeignModel, ForeignVersion, moment
from luban.operations.importing.mlflow_files import texts, yaml_of

if TYPE_CHECKING:
    from pathlib import Path

_DELETED = "Deleted_Internal"
_DIGITS = 1000


def registered(folder: Path) -> list[ForeignModel]:
    """Return the registered models of a file store.

    Raises
    ------
    InputError
        If a file of them cannot be read.
    """
    place = folder / "models"
    return [_model(one) for one in (sorted(place.iterdir()) if place.is_dir() else ()) if (one / "meta.yaml").is_file()]


def _model(folder: Path) -> ForeignModel:
    described = yaml_of(folder / "meta.yaml")
    aliases = {alias: version.strip() for alias, version in texts(folder / "aliases").items()}
    wrong = {alias: version for alias, version in aliases.items() if not _number(version)}
    if wrong:
        raise InputError("an alias of the store points at no version", seen=f"{folder}: {wrong}")
    found = [_version(one) for one in folder.glob("version-*") if (one / "meta.yaml").is_file()]
    return ForeignModel(
        name=str(described.get("name") or folder.name),
        description=str(described.get("description") or ""),
        tags=texts(folder / "tags"),
        aliases={alias: int(version) for alias, version in aliases.items()},
        versions=sorted((one for one in found if one.stage != _DELETED), key=lambda one: one.number),
    )


def _version(folder: Path) -> ForeignVersion:
    described = yaml_of(folder / "meta.yaml")
    made = moment(described.get("creation_timestamp"))
    number = str(described.get("version") or folder.name.removeprefix("version-"))
    if made is None or not _number(number):
        raise InputError("a version of the store cannot be read", seen=str(folder / "meta.yaml"))
    source = str(described.get("source") or "")
    model = described.get("model_id") or (source.removeprefix("models:/") if source.startswith("models:/m-") else "")
    return ForeignVersion(
        number=int(number),
        made=made,
        addresses=[one for one in (source, str(described.get("storage_location") or "")) if one],
        run=str(described.get("run_id") or "") or None,
        model=str(model) or None,
        link=str(described.get("run_link") or ""),
        actor=str(described.get("user_id") or ""),
        description=str(described.get("description") or ""),
        stage=str(described.get("current_stage") or "None"),
        tags=texts(folder / "tags"),
    )


def _number(text: str) -> bool:
    """Return whether a text is a number, of no more digits than are read as one."""
    return text.isdecimal() and len(text) <= _DIGITS
