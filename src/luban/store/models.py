"""The models of a workspace: versions that are written once, and aliases that move among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, delete, func, insert, select

from luban.core.errors import NotFound, Tampered
from luban.core.model import AliasChange, ModelVersion, Signature
from luban.core.recipe import Recipe
from luban.core.serial import from_json, to_json
from luban.core.task import Task
from luban.store import audit
from luban.store.clock import now
from luban.store.digests import canonical_json, digest_of, valid_digest
from luban.store.names import parse_reference, valid_name
from luban.store.tables import alias_changes, aliases, model_reports, models, runs
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from luban.store.database import Database

CHAMPION = "champion"
"""The alias that a model's plain name means, where it is set."""

REGISTERED = "model.register"


class Models:
    """Versions of models, their aliases, and the history of those."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
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
    ) -> ModelVersion:
        """Record the next version of a model and return it.

        Parameters
        ----------
        artifact : str
            Digest of the manifest blob.
        dataset : str, optional
            Reference of the data set version it learnt from.
        run : str, optional
            Identifier of the run that made it.
        reports : mapping of str to str, optional
            Name of a check to the digest of its report.
        """
        name = valid_name("model", name)
        with self._database.writing(lock=f"model/{name}") as connection:
            if run is not None and connection.scalar(select(runs.c.id).where(runs.c.id == run)) is None:
                raise NotFound(f"no run is named {run!r}", remedy="List them: luban runs list")
            version = (connection.scalar(select(func.max(models.c.version)).where(models.c.name == name)) or 0) + 1
            connection.execute(
                insert(models).values(
                    name=name,
                    version=version,
                    artifact=valid_digest(artifact),
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
                connection.execute(insert(model_reports).values(**key, digest=valid_digest(digest)))
            model = version_of(connection, f"{name}/{version}")
            detail = {"artifact": artifact, "dataset": dataset, "run": run, "record": _record(model)}
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
            said = audit.details(connection, REGISTERED, f"model/{model.reference}")
        if [detail.get("record") for detail in said] != [_record(model)]:
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
            found = _read(connection, select(models).where(models.c.name == name).order_by(models.c.version))
            if not found:
                raise _not_found(connection, name, name)
        return found

    def set_alias(self, name: str, alias: str, version: int | None, *, reason: str = "") -> AliasChange:
        """Point an alias at a version, or with None remove it, and return the change.

        Readers see the version before or the one after, never neither.
        """
        name, alias = valid_name("model", name), valid_name("alias", alias)
        with self._database.writing(lock=f"model/{name}") as connection:
            if version is not None:
                version_of(connection, f"{name}/{version}")
            key = (aliases.c.name == name) & (aliases.c.alias == alias)
            before = connection.scalar(select(aliases.c.version).where(key))
            if version is not None:
                upsert(connection, aliases, {"name": name, "alias": alias}, {"version": version})
            elif before is None:
                raise _no_alias(connection, name, alias)
            else:
                connection.execute(delete(aliases).where(key))
            change = AliasChange(
                model=name,
                alias=alias,
                before=before,
                after=version,
                actor=self._actor,
                reason=reason,
                moment=now(),
            )
            connection.execute(insert(alias_changes).values(**vars(change)))
            detail = {"alias": alias, "before": before, "after": version, "reason": reason}
            audit.append(connection, self._actor, "model.alias", f"model/{name}", detail)
        return change

    def alias_history(self, name: str) -> list[AliasChange]:
        """Return every move of the aliases of a model, oldest first."""
        name = valid_name("model", name)
        query = select(alias_changes).where(alias_changes.c.model == name).order_by(alias_changes.c.number)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [AliasChange(**{key: value for key, value in row.items() if key != "number"}) for row in rows]

    def attach_report(self, reference: str, check: str, digest: str) -> None:
        """Put the digest of a report beside a version, in place of an older one of the same check."""
        with self._database.writing() as connection:
            model = version_of(connection, reference)
            key = {"name": model.name, "version": model.version, "check": check}
            upsert(connection, model_reports, key, {"digest": valid_digest(digest)})

    def list(self) -> list[ModelVersion]:
        """Return the newest version of every model, by name."""
        last = select(models.c.name, func.max(models.c.version).label("version")).group_by(models.c.name).subquery()
        on = (models.c.name == last.c.name) & (models.c.version == last.c.version)
        with self._database.reading() as connection:
            return _read(connection, select(models).join(last, on).order_by(models.c.name))


def _record(model: ModelVersion) -> str:
    """Return the digest of all that is written once."""
    once = to_json(model)
    for later in ("aliases", "reports"):
        del once[later]
    return digest_of(canonical_json(once))


def version_of(connection: Connection, reference: str) -> ModelVersion:
    """Return the version that a reference means, as this transaction sees it."""
    wanted = parse_reference("model", reference)
    version = wanted.version
    if version is None:
        alias = wanted.alias or CHAMPION
        key = (aliases.c.name == wanted.name) & (aliases.c.alias == alias)
        version = connection.scalar(select(aliases.c.version).where(key))
    query = select(models).where(models.c.name == wanted.name).order_by(models.c.version.desc()).limit(1)
    if version is not None:
        query = query.where(models.c.version == version)
    found = _read(connection, query)
    if not found:
        raise _not_found(connection, wanted.name, reference)
    if wanted.alias is not None and version is None:
        raise _no_alias(connection, wanted.name, wanted.alias)
    return found[0]


def _read(connection: Connection, query: Any) -> list[ModelVersion]:
    rows = connection.execute(query).all()
    names: Sequence[str] = sorted({row.name for row in rows})
    pointing: dict[tuple[str, int], list[str]] = {}
    for row in connection.execute(select(aliases).where(aliases.c.name.in_(names)).order_by(aliases.c.alias)):
        pointing.setdefault((row.name, row.version), []).append(row.alias)
    checked: dict[tuple[str, int], dict[str, str]] = {}
    for row in connection.execute(select(model_reports).where(model_reports.c.name.in_(names))):
        checked.setdefault((row.name, row.version), {})[row.check] = row.digest
    return [
        _model(row, checked.get((row.name, row.version), {}), pointing.get((row.name, row.version), [])) for row in rows
    ]


def _model(row: Row[Any], reports: Mapping[str, str], pointing: Sequence[str]) -> ModelVersion:
    return ModelVersion(
        name=row.name,
        version=row.version,
        artifact=row.artifact,
        signature=from_json(Signature, row.signature),
        task=from_json(Task, row.task),
        recipe=None if row.recipe is None else from_json(Recipe, row.recipe),
        dataset=row.dataset,
        run=row.run,
        reports=reports,
        aliases=tuple(pointing),
        scores=row.scores,
        tags=row.tags,
        created=row.created,
    )


def _not_found(connection: Connection, name: str, reference: str) -> NotFound:
    known = connection.scalars(select(models.c.name).distinct()).all()
    if name not in known:
        return NotFound.named("model", name, known)
    last = connection.scalar(select(func.max(models.c.version)).where(models.c.name == name))
    return NotFound(
        f"no model version is named {reference!r}",
        seen=f"{name} has the versions 1 to {last}",
        remedy=f"Write it as {name}/{last}.",
    )


def _no_alias(connection: Connection, name: str, alias: str) -> NotFound:
    known = connection.scalars(select(aliases.c.alias).where(aliases.c.name == name)).all()
    return NotFound.named("alias", alias, known, remedy=None if known else f"{name} has no alias yet.")
