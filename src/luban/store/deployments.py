"""The deployments of a workspace: which versions of a model answer under one name."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Row, Select, delete, select

from luban.core.errors import Conflict, InputError
from luban.core.model import Deployment
from luban.store import audit
from luban.store import removed as removals
from luban.store.approvals import check_unasked
from luban.store.model_rows import version_of
from luban.store.names import valid_name
from luban.store.tables import deployments
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from luban.store.audit import Audit, AuditEntry
    from luban.store.database import Database
    from luban.store.removed import RemovedDeployment


class Deployments:
    """Deployments as they are now; the audit chain holds how they came to be so."""

    def __init__(self, database: Database, audit_: Audit, actor: str) -> None:
        self._database = database
        self._audit = audit_
        self._actor = actor

    def set(
        self,
        name: str,
        traffic: Mapping[str, float],
        *,
        shadow: str | None = None,
        replicas: int = 1,
        log: float = 1.0,
        keep: int | None = None,
        media: bool = False,
        reason: str = "",
        expected: Deployment | None = None,
        trial: int | None = None,
        undo: bool = False,
    ) -> Deployment:
        """Say which versions answer under this name from now on, and return the deployment.

        Parameters
        ----------
        traffic : mapping of str to float
            Reference of a model version to its share, the champion first; aliases are resolved to the version they
            mean now.
        shadow : str, optional
            Reference of a version that sees every request and answers none.
        log : float
            Share of the requests that the prediction log keeps, from 0 to 1.
        keep : int, optional
            Days after which the prediction log forgets.
        media : bool
            Whether the prediction log keeps the content of pictures and sounds too.
        expected : Deployment, optional
            What the caller saw: where the deployment has changed since, nothing is done.
        trial : int, optional
            Of `trial`, as the caller saw it: where the same traffic was set anew since, nothing is done.
        undo : bool
            Whether this takes the last champion back, so that the next rollback goes further back.

        Raises
        ------
        Conflict
            If it is not as expected.
        """
        name = valid_name("deployment", name)
        _check(traffic, replicas, log, keep)
        with self._database.writing(lock=f"deployment/{name}") as connection:
            shares: dict[str, float] = {}
            for reference, share in traffic.items():
                version = version_of(connection, reference, held=True).reference
                shares[version] = shares.get(version, 0.0) + float(share)
            seen = None if shadow is None else version_of(connection, shadow, held=True).reference
            before = _find(connection, name)
            changed = expected is not None and (before is None or _deployment(before) != expected)
            if changed or (trial is not None and trial != _trial(connection, name)):
                raise Conflict(
                    f"the deployment {name!r} was changed by somebody else meanwhile",
                    remedy="Look at it again: luban deployments show.",
                )
            made = Deployment(
                name=name, traffic=shares, shadow=seen, replicas=replicas, log=log, keep=keep, media=media
            )
            _put(connection, self._actor, before, made, reason, undo=undo)
        return made

    def get(self, name: str) -> Deployment:
        """Return a deployment by its name."""
        with self._database.reading() as connection:
            row = _find(connection, valid_name("deployment", name))
            if row is None:
                raise removals.not_found(connection, name)
        return _deployment(row)

    def remove(self, name: str, *, log: Literal["keep", "erase"] | None = None, reason: str = "") -> None:
        """Take a deployment away.

        Parameters
        ----------
        log : "keep" or "erase", optional
            What becomes of the rows and labels of its log; needed where there are any. Those to be erased are taken
            by `luban.store.predictions.Predictions.clear`; nothing more is stored for them from here on. With
            ``"erase"`` the deployment may be removed already.

        Raises
        ------
        Conflict
            If the log holds rows or labels, and it is not said what becomes of them.
        """
        name = valid_name("deployment", name)
        with self._database.writing(lock=[f"deployment/{name}", removals.turn(name)]) as connection:
            before = _find(connection, name)
            held = removals.logged(connection, name)
            # Logs of deployments that were removed before their removals were noted are left too.
            known = held > 0 or name in [one.name for one in removals.gone(connection)]
            if before is None and (log != "erase" or not known):
                raise removals.not_found(connection, name)
            if held and log is None:
                raise Conflict(
                    f"the log of {name!r} holds {held:,} rows and labels, so it must be said what becomes of them",
                    remedy=f"Erase them (luban deployments remove {name} --log erase), or keep them (--log keep); "
                    f"luban predictions export {name} FILE writes them to a file.",
                )
            keep = None if before is None else before.keep
            removals.note(connection, self._actor, name, erased=log != "keep", keep=keep)
            if before is not None:
                connection.execute(delete(deployments).where(deployments.c.name == name))
                _record(connection, self._actor, name, before, None, reason, {"log": log})

    def removed(self) -> list[RemovedDeployment]:
        """Return the deployments that were removed and not made anew since, by name."""
        with self._database.reading() as connection:
            return removals.gone(connection)

    def history(self, name: str) -> list[AuditEntry]:
        """Return every change of a deployment, oldest first, with what was before and after, who and why."""
        return self._audit.entries(subject=f"deployment/{valid_name('deployment', name)}")

    def trial(self, name: str) -> int:
        """Return the number of the entry of the audit chain by which a deployment got the traffic that it has."""
        with self._database.reading() as connection:
            return _trial(connection, valid_name("deployment", name))

    def list(self) -> list[Deployment]:
        """Return all deployments, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(deployments).order_by(deployments.c.name)).all()
        return [_deployment(row) for row in rows]


def found(connection: Connection, query: Select[Any]) -> list[Deployment]:
    """Return the deployments that a query finds."""
    return [_deployment(row) for row in connection.execute(query)]


def change(
    connection: Connection,
    actor: str,
    before: Deployment,
    traffic: Mapping[str, float],
    *,
    shadow: str | None,
    reason: str,
) -> Deployment:
    """Let other versions answer, in the transaction of `connection`, which holds the deployment's lock."""
    for reference in traffic:
        version_of(connection, reference, held=True)
    made = replace(before, traffic=traffic, shadow=shadow)
    _put(connection, actor, _find(connection, before.name), made, reason, undo=False)
    return made


_CHANGE = "deployment.change"
_SETTINGS = ("traffic", "shadow", "replicas", "log", "keep", "media")


def _check(traffic: Mapping[str, float], replicas: int, log: float, keep: int | None) -> None:
    shares = list(traffic.values())
    if not shares or min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        raise InputError(
            "the shares of a deployment's traffic must be at least 0 and sum to 1",
            seen=", ".join(f"{reference}: {share}" for reference, share in traffic.items()) or "nothing",
        )
    if replicas < 1:
        raise InputError("a deployment needs at least one replica", seen=str(replicas))
    if not 0 <= log <= 1:
        raise InputError("the share of requests to log must lie between 0 and 1", seen=str(log))
    if keep is not None and keep < 1:
        raise InputError("predictions must be kept for at least a day", seen=str(keep))


def _find(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(deployments).where(deployments.c.name == name)).first()


def _deployment(row: Row[Any]) -> Deployment:
    return Deployment(**row._mapping)


def _trial(connection: Connection, name: str) -> int:
    """Return the first entry of the last ones that say the same traffic; 0 where there is none."""
    began, traffic = 0, None
    for number, detail in reversed(audit.details(connection, _CHANGE, f"deployment/{name}").items()):
        after = detail["after"] or {}
        said = (after.get("champion"), after.get("traffic"))
        if traffic not in (None, said):
            break
        began, traffic = number, said
    return began


def _put(
    connection: Connection, actor: str, before: Row[Any] | None, made: Deployment, reason: str, *, undo: bool
) -> None:
    was = None if before is None else _deployment(before)
    newly = set(made.traffic) - set(() if was is None else was.traffic)
    if was is None or made.champion != was.champion:
        newly.add(made.champion)
    check_unasked(connection, actor, newly)
    after = {key: getattr(made, key) for key in _SETTINGS}
    upsert(connection, deployments, {"name": made.name}, after)
    _record(connection, actor, made.name, before, {**after, "champion": made.champion, "undo": undo}, reason)


def _record(
    connection: Connection,
    actor: str,
    name: str,
    before: Row[Any] | None,
    after: Mapping[str, Any] | None,
    reason: str,
    more: Mapping[str, Any] | None = None,
) -> None:
    was = None if before is None else {key: before._mapping[key] for key in _SETTINGS}
    detail = {"before": was, "after": after, "reason": reason, **(more or {})}
    audit.append(connection, actor, _CHANGE, f"deployment/{name}", detail)
