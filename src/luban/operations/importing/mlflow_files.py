"""Runs in a folder ``mlruns``, as MLflow's file store keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.operations.importing.foreign import STATES, ForeignRun, moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from luban.operations.importing.places import Places

_NUMBERED = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_MODELS = {1: "RUNNING", 2: "FINISHED", 3: "FAILED"}
LARGEST = 64 << 20
"""Bytes of a file of parameters, tags or metrics, beyond which it is not taken for one."""


def is_store(folder: Path) -> bool:
    """Return whether a folder is a file store: one with experiments in it."""
    return any((one / "meta.yaml").is_file() for one in _experiments(folder))


def read(folder: Path, places: Places) -> Iterator[ForeignRun]:
    """Yield the runs of a file store, deleted ones too, and the models that it keeps beside them."""
    for experiment in _experiments(folder):
        if not (experiment / "meta.yaml").is_file():
            continue
        described = yaml_of(experiment / "meta.yaml")
        if "experiment_id" not in described:  # the registry of models has a folder of its own
            continue
        name = str(described.get("name") or described["experiment_id"])
        gone = described.get("lifecycle_stage") == "deleted"
        for run in sorted(experiment.iterdir()):
            if run.name != "models" and (run / "meta.yaml").is_file():
                yield _run(run, name, places, gone=gone)
        models = experiment / "models"
        for model in sorted(models.iterdir()) if models.is_dir() else ():
            if (model / "meta.yaml").is_file():
                yield _model(model, name, places, gone=gone)


def _experiments(folder: Path) -> list[Path]:
    found = []
    for place in (folder, folder / ".trash"):
        if place.is_dir():
            found += sorted(one for one in place.iterdir() if one.is_dir() and one.name != ".trash")
    return found


def _run(folder: Path, experiment: str, places: Places, *, gone: bool) -> ForeignRun:
    described = yaml_of(folder / "meta.yaml")
    tags = texts(folder / "tags")
    status = described.get("status")
    artefacts, unread = places.find(described.get("artifact_uri"), folder / "artifacts")
    started = moment(described.get("start_time"))
    if started is None:
        raise InputError("a run of the store has no start", seen=str(folder / "meta.yaml"))
    return ForeignRun(
        id=str(described.get("run_id") or described.get("run_uuid") or folder.name),
        experiment=experiment,
        name=str(described.get("run_name") or tags.get("mlflow.runName") or ""),
        state=STATES.get(_NUMBERED.get(status, "FAILED") if isinstance(status, int) else str(status), "failed"),
        started=started,
        ended=moment(described.get("end_time")),
        deleted=gone or described.get("lifecycle_stage") == "deleted",
        parent=tags.get("mlflow.parentRunId"),
        actor=str(described.get("user_id") or ""),
        params=texts(folder / "params"),
        tags=tags,
        metrics=_metrics(folder / "metrics"),
        artefacts=artefacts,
        unread=unread,
    )


def _model(folder: Path, experiment: str, places: Places, *, gone: bool) -> ForeignRun:
    described = yaml_of(folder / "meta.yaml")
    artefacts, unread = places.find(described.get("artifact_location"), folder / "artifacts")
    started = moment(described.get("creation_timestamp"))
    if started is None:
        raise InputError("a model of the store has no moment of its making", seen=str(folder / "meta.yaml"))
    return ForeignRun(
        id=str(described.get("model_id") or folder.name),
        operation="logged model",
        experiment=experiment,
        name=str(described.get("name") or ""),
        state=STATES[_MODELS.get(described.get("status", 2), "FAILED")],
        started=started,
        ended=moment(described.get("last_updated_timestamp")),
        deleted=gone or described.get("lifecycle_stage") == "deleted",
        parent=described.get("source_run_id"),
        params=texts(folder / "params"),
        tags=texts(folder / "tags"),
        metrics=_metrics(folder / "metrics"),
        artefacts=artefacts,
        unread=unread,
    )


def yaml_of(path: Path) -> dict[str, Any]:
    """Return what a file of the store describes, or raise `InputError`."""
    import yaml

    try:
        found = yaml.safe_load(_read(path))
    except yaml.YAMLError as error:
        raise InputError("a file of the store cannot be read", seen=f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise InputError("a file of the store cannot be read", seen=str(path))
    return found


def texts(folder: Path) -> dict[str, str]:
    """Return the texts of a folder, by the paths of their files."""
    return {name: _read(file) for name, file in _files(folder)}


def _metrics(folder: Path) -> list[tuple[str, int, float, Any]]:
    found = []
    for name, file in _files(folder):
        for number, line in enumerate(_read(file).splitlines()):
            words = line.split(" ")
            try:  # older releases wrote no step
                step = int(words[2]) if len(words) > 2 else 0
                found.append((name, step, float(words[1]), moment(float(words[0]))))
            except (IndexError, ValueError) as error:
                raise InputError("a line of metrics cannot be read", seen=f"{file}, line {number + 1}") from error
    return found


def _files(folder: Path) -> list[tuple[str, Path]]:
    from luban.store.artifacts import files_of

    if not folder.is_dir():
        return []
    if not folder.resolve().is_relative_to(folder.parent.resolve()):
        raise InputError("a link in the store leads out of it", seen=str(folder))
    return files_of(folder)


def _read(path: Path) -> str:
    if path.stat().st_size > LARGEST:
        raise InputError("a file of the store is too large", seen=f"{path}: {path.stat().st_size:,} bytes")
    return path.read_text(encoding="utf-8", errors="replace")
