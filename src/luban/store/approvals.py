"""Approvals: what waits for a person's yes, and what was said, by whom, when and why."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from luban.core.access import approves
from luban.core.errors import Conflict, InputError, NotFound, Refused
from luban.core.serial import to_json
from luban.core.update import Approval
from luban.store import audit
from luban.store.clock import new_run_id, now
from luban.store.tables import approvals, roles, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection, Row

    from luban.core.update import ApprovalState
    from luban.store.database import Database


class Approvals:
    """Questions to people; the newest about a subject takes the place of those before it."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    def ask(
        self, action: str, subject: str, reference: str, *, seconds: float, detail: Mapping[str, Any] | None = None
    ) -> Approval:
        """Ask, and return the question.

        Parameters
        ----------
        action, subject, reference : str
            As in `luban.core.update.Approval`.
        seconds : float
            After which nobody can say yes any more.
        """
        moment = now()
        row: dict[str, Any] = {
            "id": new_run_id(),
            "action": action,
            "subject": subject,
            "reference": reference,
            "detail": to_json(detail or {}),
            "state": "open",
            "asked": moment,
            "asker": self._actor,
            "expires": moment + timedelta(seconds=seconds),
        }
        same = (approvals.c.action == action) & (approvals.c.subject == subject) & (approvals.c.state == "open")
        with self._database.writing(lock=f"approval/{subject}") as connection:
            connection.execute(
                update(approvals).where(same).values(state="superseded", decided=moment, decider=self._actor)
            )
            connection.execute(insert(approvals).values(**row))
            said = {"id": row["id"], "reference": reference, "expires": row["expires"].isoformat()}
            audit.append(connection, self._actor, f"approval.{action}.ask", subject, said)
        return Approval(**row)

    def get(self, id: str) -> Approval:  # noqa: A002
        """Return a question by its identifier, or by the beginning of it where only one has that."""
        with self._database.reading() as connection:
            return _shown(_find(connection, id))

    def list(self, *, state: ApprovalState | None = None, subject: str | None = None) -> list[Approval]:
        """Return questions, newest first."""
        query = select(approvals).order_by(approvals.c.id.desc())
        if subject is not None:
            query = query.where(approvals.c.subject == subject)
        with self._database.reading() as connection:
            found = [_shown(row) for row in connection.execute(query)]
        return [one for one in found if state in (None, one.state)]

    def reject(self, id: str, *, reason: str = "") -> Approval:  # noqa: A002
        """Say no, and return the question with its answer."""
        with self._database.writing() as connection:
            return answer(connection, self._actor, id, "rejected", reason)


def answer(connection: Connection, actor: str, id: str, state: ApprovalState, reason: str) -> Approval:  # noqa: A002
    """Answer a question in the transaction of what follows from the answer.

    Raises
    ------
    Conflict
        If it was answered before, or nobody can answer it any more.
    Refused
        If who asked says yes, where there is access control: then another has to.
    """
    row = _find(connection, id, held=True)
    before = _shown(row)
    if before.state != "open":
        by = f" by {before.decider}" if before.decider else ""
        raise Conflict(
            f"the question {before.id} is not open any more",
            seen=f"{before.state}{by}",
            remedy="See those that are: luban approvals list",
        )
    if state == "approved" and person(actor) == person(before.asker) and _controlled(connection):
        raise Refused(
            "who asked does not say yes: another has to",
            seen=f"asked by {before.asker}, answered by {actor}",
            remedy="Anybody else whose token has the scope approve may (you may reject it): "
            f"luban approvals approve {before.id}",
        )
    values = {"state": state, "decided": now(), "decider": actor, "reason": reason}
    connection.execute(update(approvals).where(approvals.c.id == before.id).values(**values))
    said = {"id": before.id, "reference": before.reference, "reason": reason}
    audit.append(connection, actor, f"approval.{before.action}.{state}", before.subject, said)
    return Approval(**{**row._mapping, **values})


def check_unasked(connection: Connection, actor: str, references: Iterable[str]) -> None:
    """Raise `Refused` where one of these versions was asked about and got no yes, and this actor may not say it.

    For whatever lets a version answer by hand, which would else be a yes by another name: of who asked, or of who has
    no right to say it. That the question was rejected, or has expired, is no yes.
    """
    for reference in references:
        asked = select(approvals).where(approvals.c.reference == reference).order_by(approvals.c.id.desc())
        last = connection.execute(asked.limit(1)).first()
        one = None if last is None else _shown(last)
        if one is None or one.state == "approved" or not _controlled(connection):
            continue
        own = person(actor) == person(one.asker)
        if own or not approves(one.reference):
            waits = f"{one.reference} waits for a person's yes"
            got_none = f"{one.reference} was asked about and got no yes ({one.state})"
            who = "who asked does" if own else "a token without the scope approve does"
            raise Refused(
                f"{waits if one.state == 'open' else got_none}, and {who} not let it answer by hand either",
                seen=f"asked by {one.asker}, moved by {actor}",
                remedy="Anybody else whose token has the scope approve may answer"
                + (
                    f"{' (you may reject it)' if own else ''}: luban approvals approve {one.id}"
                    if one.state == "open"
                    else f" that, or move it: luban models promote {one.reference}"
                ),
            )


def person(actor: str) -> str:
    """Return who it is, however they came in: ``token/ada``, ``oidc/ada`` and ``ada`` at the machine are one."""
    way, _, name = actor.partition("/")
    return name if way in ("token", "oidc") else actor


def _controlled(connection: Connection) -> bool:
    """Return whether it is told who may do what: a token was ever made, or there is a role."""
    made = (select(table.c.name).limit(1) for table in (tokens, roles))
    return any(connection.scalar(one) is not None for one in made)


def _find(connection: Connection, id: str, *, held: bool = False) -> Row[Any]:  # noqa: A002
    beginning = approvals.c.id.startswith(id.lower(), autoescape=True)
    query = select(approvals).where(beginning).order_by(approvals.c.id).limit(2)
    found = connection.execute(query.with_for_update() if held else query).all() if id else []
    if not found:
        raise NotFound(f"no approval is named {id!r}", remedy="List them: luban approvals list")
    if len(found) > 1 and found[0].id != id:
        raise InputError(f"several approvals begin with {id!r}", remedy="Give more of the identifier.")
    return found[0]


def _shown(row: Row[Any]) -> Approval:
    found = Approval(**row._mapping)
    if found.state == "open" and found.expires <= now():
        return Approval(**{**row._mapping, "state": "expired"})
    return found
