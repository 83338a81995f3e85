"""The models of a workspace: versions that are written once, and aliases that move among them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select

from luban.core.errors import Conflict, InputError, NotFound, Tampered
from luban.core.serial import to_json
from luban.store import aliases as moves
from luban.store import audit, unnamed
from luban.store.clock import now
from luban.store.deleted import deleted
from luban.store.digests import valid_digest
from luban.store.model_rows import CHAMPION, next_version, no_alias, not_found, record, version_of, versions
from luban.store.names import parse_reference, valid_name
from luban.store.tables import (
    datasets,
    deleted_models,
    deployments,
    model_notes,
    model_reports,
    model_signatures,
    models,
    runs,
)
from luban.store.tables import reports as report_rows
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from luban.core.model import AliasChange, ModelSignature, ModelVersion, Signature
    from luban.core.recipe import Recipe
    from luban.core.task import Task
    from luban.store.blobs import Blobs
    from luban.store.database import Database

REGISTERED, DELETED = "model.register", "model.delete"


class Models:
    """Versions of models, their aliases, and the history of those."""

    def __init__(self, database: Database, blobs: Blobs, actor: str) -> None:
        self._database = database
        self._blobs = blobs
        self._actor = actor

    def register(
        self,
        *,
        name: str,
        artifact: str,
        signature: Signature,
        task: Task,
        recipe: Recipe | None = None,
        dataset: str | None = None,
        run: str | None = None,
        reports: Mapping[str, str] | None = None,
        scores: Mapping[str, float] | None = None,
        tags: Mapping[str, Any] | None = None,
        code: str | None = None,
        environment: str | None = None,
        number: int | None = None,
        sign: Callable[[str, int, str], ModelSignature] | None = None,
    ) -> ModelVersion:
        """Record the next version of a model and return it.

        Parameters
        ----------
        artifact : str
            Digest of the manifest blob.
        dataset : str, optional
            Reference of the data set version it learnt from; its fingerprint is recorded too.
        run : str, optional
            Identifier of the run that made it.
        reports : mapping of str to str, optional
            Name of a check to the digest of its report.
        code, environment : str, optional
            Digests of what is known of the code and of the surroundings it was made with.
        number : int, optional
            The number that it has elsewhere: taken where no version has or had it here, else it gets the next one.
        sign : callable, optional
            Given name, version and artifact it returns a signature, which is kept with the version, or neither is.
        """
        name = valid_name("model", name)
        named = [
            valid_digest(one) for one in (artifact, code, environment, *(reports or {}).values()) if one is not None
        ]
        content = partial(_content, self._blobs, named)
        make_sure = unnamed.present(self._database, self._blobs, content, what="model")
        with self._database.writing(lock=f"model/{name}") as connection:
            if run is not None and connection.scalar(select(runs.c.id).where(runs.c.id == run)) is None:
                raise NotFound(f"no run is named {run!r}", remedy="List them: luban runs list")
            make_sure(connection)
            version = next_version(connection, name, number)
            connection.execute(
                insert(models).values(
                    name=name,
                    version=version,
                    artifact=artifact,
                    data=_fingerprint(connection, dataset),
                    code=code,
                    environment=environment,
                    signature=to_json(signature),
                    task=to_json(task),
                    recipe=to_json(recipe),
                    dataset=dataset,
                    run=run,
                    scores=to_json(scores or {}),
                    tags=to_json(tags or {}),
                    created=now(),
                    actor=self._actor,
                )
            )
            for check, digest in (reports or {}).items():
                key = {"name": name, "version": version, "check": check}
                connection.execute(insert(model_reports).values(**key, digest=digest))
            model = version_of(connection, f"{name}/{version}")
            signed = None if sign is None else sign(name, version, artifact)
            if signed is not None:
                values = {"key": signed.key, "signature": signed.signature, "created": now(), "actor": self._actor}
                connection.execute(insert(model_signatures).values(name=name, version=version, **values))
            detail = {"artifact": artifact, "dataset": dataset, "run": run, "record": record(model)}
            if signed is not None:
                detail["signed by"] = signed.key
            audit.append(connection, self._actor, REGISTERED, f"model/{name}/{version}", detail)
            return model

    def get(self, reference: str) -> ModelVersion:
        """Return a version.

        Parameters
        ----------
        reference : str
            ``"adult/3"``, ``"adult@champion"``, or ``"adult"``: the champion where there is one, else the
            newest version.
        """
        with self._database.reading() as connection:
            return version_of(connection, reference)

    def verify(self, reference: str) -> ModelVersion:
        """Return a version after comparing its row with what the audit chain says was registered.

        The chain itself is verified by `Audit.verify`, the artifact by reading it.

        Raises
        ------
        Tampered
            If the row was changed behind the store's back.
        """
        with self._database.reading() as connection:
            model = version_of(connection, reference)
            said = list(audit.details(connection, REGISTERED, f"model/{model.reference}").values())
        if [detail.get("record") for detail in said] != [record(model)]:
            raise Tampered(
                f"the record of {model.reference} is not what was registered",
                seen=f"it points at {model.artifact}; the audit chain has {said[0]['artifact'] if said else 'nothing'}",
                remedy="Register the model anew, or restore the database from a copy.",
            )
        return model

    def versions(self, name: str) -> list[ModelVersion]:
        """Return all versions of a model, oldest first."""
        name = valid_name("model", name)
        with self._database.reading() as connection:
            found = versions(connection, select(models).where(models.c.name == name).order_by(models.c.version))
            if not found:
                raise not_found(connection, name, name)
        return found

    def deleted(self, name: str) -> dict[int, Mapping[str, Any]]:
        """Return the tags of the versions that were deleted, by their numbers, as the audit chain keeps them."""
        name = valid_name("model", name)
        found = {}
        with self._database.reading() as connection:
            for number in connection.scalars(select(deleted_models.c.version).where(deleted_models.c.name == name)):
                for said in audit.details(connection, DELETED, f"model/{name}/{number}").values():
                    found[int(number)] = said["record"]["tags"]
        return found

    def set_alias(self, name: str, alias: str, version: int | None, *, reason: str = "") -> AliasChange:
        """Point an alias at a version, or with None remove it, and return the change.

        Readers see the version before or the one after, never neither.
        """
        name, alias = valid_name("model", name), valid_name("alias", alias)
        with self._database.writing(lock=f"model/{name}") as connection:
            return moves.move(connection, self._actor, name, alias, version, reason=reason)

    def roll_back(
        self,
        name: str,
        alias: str = CHAMPION,
        *,
        reason: str = "",
        check: Callable[[ModelVersion], object] | None = None,
    ) -> AliasChange:
        """Point an alias at the version that it pointed at before, as its history tells, and return the change.

        Parameters
        ----------
        check : callable, optional
            Given the version that is gone back to; where it raises nothing is done.

        Raises
        ------
        Conflict
            If there is nothing to go back to.
        """
        name, alias = valid_name("model", name), valid_name("alias", alias)
        with self._database.writing(lock=f"model/{name}") as connection:
            if connection.scalar(select(models.c.name).where(models.c.name == name).limit(1)) is None:
                raise not_found(connection, name, name)
            before = moves.previous(connection, name, alias)
            if check is not None:
                check(version_of(connection, f"{name}/{before}"))
            return moves.move(connection, self._actor, name, alias, before, reason=reason, undo=True)

    def alias_history(self, name: str, alias: str | None = None) -> list[AliasChange]:
        """Return every move of the aliases of a model, or of one of them, oldest first."""
        name = valid_name("model", name)
        with self._database.reading() as connection:
            return moves.history(connection, name, None if alias is None else valid_name("alias", alias))

    def attach_report(self, reference: str, check: str, digest: str) -> None:
        """Put the digest of a report beside a version, in place of an older one of the same check."""
        with self._database.writing() as connection:
            model = version_of(connection, reference)
            key = {"name": model.name, "version": model.version, "check": check}
            upsert(connection, model_reports, key, {"digest": valid_digest(digest)})

    def delete(self, reference: str, *, without: Sequence[str] = (), reason: str = "") -> int:
        """Delete a version for good, and return how many blobs were removed that nothing else names.

        Its number is not given again, and the audit chain keeps its record.

        Parameters
        ----------
        reference : str
            ``name/version``.
        without : sequence of str
            The aliases that point at it, which are removed with it.

        Raises
        ------
        Conflict
            If a deployment uses it, or an alias that is not named points at it.
        """
        wanted = parse_reference("model", reference)
        if wanted.version is None:
            raise InputError(
                "only one version is deleted at a time, by its number",
                seen=repr(reference),
                remedy=f"Write it as {wanted.name}/1.",
            )
        key = (models.c.name == wanted.name) & (models.c.version == wanted.version)
        with self._database.writing(lock=f"model/{wanted.name}") as connection:
            connection.execute(
                select(models.c.name).where(key).with_for_update()
            )  # a deployment waits, or is seen below
            model = version_of(connection, reference)
            _check_unused(connection, model, [valid_name("alias", one) for one in without])
            about = report_rows.c.subject == model.reference
            kept = [*model.reports.values(), *connection.scalars(select(report_rows.c.digest).where(about))]
            content = unnamed.of_model(connection, self._blobs, model.name, model.version, kept)
            for table in (model_reports, model_signatures, model_notes):
                mine = (table.c.name == model.name) & (table.c.version == model.version)
                connection.execute(delete(table).where(mine))
            connection.execute(delete(report_rows).where(about))
            unnamed.note(connection, content)
            for alias in model.aliases:
                moves.move(connection, self._actor, model.name, alias, None, reason=reason or f"{reference} is deleted")
            connection.execute(delete(models).where(key))
            gone = {"artifact": model.artifact, "reason": reason, "moment": now(), "actor": self._actor}
            connection.execute(insert(deleted_models).values(name=model.name, version=model.version, **gone))
            detail = {"artifact": model.artifact, "record": to_json(model), "reason": reason}
            audit.append(connection, self._actor, DELETED, f"model/{model.reference}", detail)
        return unnamed.sweep(self._database, self._blobs)

    def list(self) -> list[ModelVersion]:
        """Return the newest version of every model, by name."""
        last = select(models.c.name, func.max(models.c.version).label("version")).group_by(models.c.name).subquery()
        on = (models.c.name == last.c.name) & (models.c.version == last.c.version)
        with self._database.reading() as connection:
            return versions(connection, select(models).join(last, on).order_by(models.c.name))


def _fingerprint(connection: Connection, dataset: str | None) -> str | None:
    """Return the fingerprint of a data set version; None where the workspace has none of that name."""
    name, _, version = (dataset or "").partition("/")
    if not version.isdecimal():
        return None
    same = (datasets.c.name == name) & (datasets.c.version == int(version))
    # Held until the model is there: whoever deletes the data set waits, and sees it.
    found: str | None = connection.scalar(select(datasets.c.fingerprint).where(same).with_for_update(read=True))
    gone = None if found is not None else deleted(connection, name, int(version))
    if gone is not None:
        raise gone
    return found


def _content(blobs: Blobs, named: Sequence[str]) -> set[str]:
    return set().union(*(unnamed.named_in(blobs, digest) for digest in named))


def _check_unused(connection: Connection, model: ModelVersion, without: Sequence[str]) -> None:
    """Raise where a version must not be deleted."""
    for row in connection.execute(select(deployments)):
        if model.reference in row.traffic or model.reference == row.shadow:
            how = "is its shadow" if model.reference == row.shadow else f"has {row.traffic[model.reference]:.0%} of it"
            raise Conflict(
                f"{model.reference} is deployed, so it is not deleted",
                seen=f"deployment {row.name}: {model.reference} {how}",
                remedy=f"Deploy another version first (luban deploy {row.name} MODEL), "
                f"or remove the deployment: luban deployments remove {row.name}",
            )
    for alias in without:
        if alias not in model.aliases:
            raise no_alias(connection, model.name, alias)
    left = [alias for alias in model.aliases if alias not in without]
    if left:
        flags = ",".join(model.aliases)
        raise Conflict(
            f"{model.reference} has the alias {', '.join(left)}, so it is not deleted",
            remedy=f"Move it (luban models promote {model.name}/VERSION --alias {left[0]}), "
            f"or give it up: luban models delete {model.reference} --without {flags}",
        )
