"""Foreign registered models become models of the workspace: records with their files, which Luban never loads.

A version is recognised by its model, its number and the moment it was made, wherever the store lies, so that importing
again doubles nothing. It keeps its number where that is free. What people have changed here since stays: an alias that
was moved, a version that was deleted, and notes until the store's own change.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, NotFound
from luban.operations.importing import kept_model
from luban.operations.importing.kept_model import DESCRIPTION, LINK, MADE, MODEL_ID, PROMPT, STAGE, TAG
from luban.operations.importing.write import MARK
from luban.store.clock import run_id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from luban.core.model import ModelSignature, ModelVersion
    from luban.operations.importing.foreign import ForeignModel, ForeignRun, ForeignVersion
    from luban.operations.importing.places import Places
    from luban.operations.importing.write import Count
    from luban.store import Workspace
    from luban.store.artifacts import Artifact

REASON = "imported from MLflow"
"""Of every alias that an import moves: one whose last move has another reason was moved by somebody here."""

LARGEST = 1_000_000_000
"""Number of a version: databases count to about twice as far, and later versions have greater ones."""


class Registry:
    """The import of one store's registered models."""

    def __init__(
        self, workspace: Workspace, runs: Iterable[ForeignRun], places: Places, source: str, count: Count
    ) -> None:
        from luban.operations.registering import signer

        self._workspace = workspace
        self._runs = {run.id: run for run in runs}
        self._places = places
        self._source = source
        self._count = count
        self._sign: Callable[[str, int, str], ModelSignature] | None = signer(workspace)
        self._taken: set[str] = set()
        self.notes: list[str] = []

    def write(self, models: Iterable[ForeignModel]) -> None:
        """Write models: those first whose names may stay."""
        for model in sorted(models, key=lambda one: (_plain(one.name) != one.name, one.name)):
            if model.tags.get(PROMPT) == "true":
                self.notes.append(f"{model.name} is a prompt, which is not kept here.")
            else:
                self._model(model)

    def _model(self, model: ForeignModel) -> None:
        name, there = self._name(model)
        deleted = {_key(tags): number for number, tags in self._workspace.models.deleted(name).items()}
        before = {_key(one.tags): one for one in there}
        ours: dict[int, int] = {}
        for version in model.versions:
            key = _identity(model, version)
            known = before.get(key)
            if known is None and key in deleted:
                self.notes.append(f"{name}/{deleted[key]} was deleted here, and stays so.")
                continue
            known = known or self._version(name, model, version)
            if known is not None:
                ours[version.number] = known.version
                self._notes(name, known.version, _told(version.description, version.tags, version.stage))
        if there or ours or not model.versions:
            self._count.models += not there and (name, 0) not in self._workspace.notes.read(name)
            self._notes(name, 0, {MADE: "mlflow", **_told(model.description, model.tags)})
            self._aliases(name, model, ours)

    def _name(self, model: ForeignModel) -> tuple[str, list[ModelVersion]]:
        """Return what a model is called here, and the versions that are there by this name."""
        name = _plain(model.name)
        if name in self._taken:
            name = f"{name}-{_short(model.name)}"
        there = _versions(self._workspace, name)
        if any(one.task.kind != "foreign" for one in there):
            self.notes.append(f"{name} is a model of Luban's here: MLflow's is imported as {name}.mlflow.")
            name = f"{name}.mlflow"
            there = _versions(self._workspace, name)
        elif name != model.name:
            self.notes.append(f"{model.name!r} is called {name} here.")
        self._taken.add(name)
        return name, there

    def _version(self, name: str, model: ForeignModel, version: ForeignVersion) -> ModelVersion | None:
        """Register a version, or return None where its files cannot be had."""
        from luban.operations.importing.told_code import code_of

        told = f"{model.name}/{version.number}"
        if version.number > LARGEST:
            self.notes.append(f"{told} was left out: a version's number is at most {LARGEST:,} here.")
            return None
        files = self._files(told, version)
        if files is None:
            return None
        signature = kept_model.signature(self._workspace.blobs, files)
        run = self._ours(version.run)
        by = None if run is None else self._workspace.runs.get(run)
        logged = self._ours(version.model)
        key = _identity(model, version)
        mark = {"from": "mlflow", "source": self._source, "model": key[0], "version": key[1], "made": key[2]}
        kept = {MODEL_ID: None if logged is None else f"m-{logged}", LINK: version.link, "user": version.actor}
        made = self._workspace.models.register(
            name=name,
            artifact=self._workspace.blobs.put_json(
                kept_model.manifest(files, next(iter(version.addresses), self._source))
            ),
            signature=signature,
            task=kept_model.task(signature),
            run=run,
            scores={} if by is None else by.scores,
            tags={**{name: value for name, value in kept.items() if value}, MARK: mark},
            code=code_of(self._workspace, run),
            number=version.number,
            sign=self._sign,
        )
        if made.version != version.number:
            self.notes.append(f"{told} is {made.reference} here: another version has the number.")
        self._count.versions += 1
        return made

    def _ours(self, run: str | None) -> str | None:
        """Return the run that a foreign one became."""
        if run not in self._runs:
            return None
        return run_id_of(self._runs[run].started, run)

    def _files(self, told: str, version: ForeignVersion) -> list[Artifact] | None:
        """Keep the files of a version by their digests; None, with a note, where they cannot be had."""
        from luban.store.artifacts import Artifact, files_of, valid_path

        unread = None
        for address in version.addresses:
            folder, elsewhere = self._places.of_model(address, self._runs)
            unread = unread or elsewhere
            if folder is None:
                continue
            try:
                found = [(valid_path(name), file) for name, file in files_of(folder)]
            except InputError as error:
                self.notes.append(f"{told} was left out: {error}")
                return None
            if found:
                blobs = self._workspace.blobs
                self._count.files += len(found)
                return [
                    Artifact(path=name, digest=blobs.put_file(file), bytes=file.stat().st_size) for name, file in found
                ]
        where = f"its files are at {unread}; --artefacts names their folder" if unread else "its files are not there"
        self.notes.append(f"{told} was left out: {where}.")
        return None

    def _notes(self, name: str, version: int, told: Mapping[str, str]) -> None:
        """Write notes beside a model or a version where the store tells others than when it was imported last."""
        from luban.store.digests import canonical_json, digest_of

        there = self._workspace.notes.read(name).get((name, version), {})
        before = json.loads(there[MARK][0]) if MARK in there else {}
        digest = digest_of(canonical_json(dict(told)))
        if before.get("content") == digest:
            return
        gone = {key: None for key in before.get("keys", ()) if key not in told and key in there}
        mark = json.dumps({"content": digest, "keys": sorted(told)})
        try:
            self._workspace.notes.write(name, version, {**gone, **told, MARK: mark})
        except InputError as error:
            self.notes.append(f"Notes of {name}/{version} were left out: {error}")

    def _aliases(self, name: str, model: ForeignModel, ours: Mapping[int, int]) -> None:
        pointing = {alias: one.version for one in _versions(self._workspace, name) for alias in one.aliases}
        last: dict[str, Any] = {}
        for change in self._workspace.models.alias_history(name):
            last[change.alias] = change
        for alias, number in model.aliases.items():
            if number not in ours or pointing.get(alias) == ours[number]:
                continue
            if alias in last and last[alias].reason != REASON:
                self.notes.append(f"The alias {alias} of {name} was moved here since, and is left where it is.")
                continue
            try:
                self._workspace.models.set_alias(name, alias, ours[number], reason=REASON)
            except InputError as error:
                self.notes.append(f"The alias {alias!r} of {name} was left out: {error}")
                continue
            self._count.aliases += 1


def _identity(model: ForeignModel, version: ForeignVersion) -> tuple[str, int, str]:
    return model.name, version.number, version.made.isoformat()


def _key(tags: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return the identity of the foreign version that one of the workspace was made of, if it was."""
    mark = tags.get(MARK)
    return (mark.get("model"), mark.get("version"), mark.get("made")) if isinstance(mark, dict) else None


def _told(description: str, tags: Mapping[str, str], stage: str = "None") -> dict[str, str]:
    told = {TAG + key: value for key, value in tags.items()}
    told |= {DESCRIPTION: description} if description else {}
    return told | ({STAGE: stage} if stage != "None" else {})


def _versions(workspace: Workspace, name: str) -> list[ModelVersion]:
    try:
        return workspace.models.versions(name)
    except NotFound:
        return []


def _plain(name: str) -> str:
    """Return the name that a model may have here: MLflow's may hold spaces and most other signs."""
    from luban.store.names import LONGEST, valid_name

    try:
        return valid_name("model", name)
    except InputError:
        words = re.sub(r"\.{2,}", ".", re.sub(r"[^\w.-]+", "-", name)).strip("-.")
        return words if 0 < len(words) <= LONGEST - 15 else f"{words[: LONGEST - 30] or 'model'}-{_short(name)}"


def _short(name: str) -> str:
    from luban.store.digests import digest_of

    return digest_of(name.encode()).removeprefix("sha256:")[:8]
