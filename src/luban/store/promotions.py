"""Promotions: a challenger takes its champion's place under all its names, in one transaction or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from luban.core.errors import Conflict
from luban.core.update import Promoted
from luban.store import aliases as moves
from luban.store import approvals
from luban.store.deployments import change, found
from luban.store.leases import fence
from luban.store.model_rows import CHAMPION
from luban.store.tables import aliases, deployments

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from luban.core.model import Deployment
    from luban.core.update import Lease, Promotion
    from luban.store.database import Database


class Promotions:
    """Moves of aliases and deployments from a champion to its challenger."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    def promote(
        self, promotion: Promotion, *, reason: str = "", lease: Lease | None = None, approval: str | None = None
    ) -> Promoted:
        """Let the challenger take over, and return what moved.

        The alias ``champion`` moves where it points at the champion, and so do the deployments that the promotion is
        for.

        Parameters
        ----------
        lease : Lease, optional
            Under which the challenger was judged: where somebody else has taken it over nothing moves.
        approval : str, optional
            Identifier of the question that this is the yes to, which is answered in the same transaction.

        Raises
        ------
        Conflict
            If the champion is not the champion any more, the lease is lost, or the question was answered.
        """
        locks = [f"model/{promotion.model}", *(f"deployment/{one.name}" for one in self._answering(promotion))]
        with self._database.writing(lock=locks) as connection:
            if lease is not None:
                fence(connection, lease)
            if approval is not None:
                approvals.answer(connection, self._actor, approval, "approved", reason)
            return self._moved(connection, promotion, reason, locks)

    def _answering(self, promotion: Promotion) -> list[Deployment]:
        """Return the deployments that may move, by name, so that their locks are always taken in one order."""
        with self._database.reading() as connection:
            return _candidates(connection, promotion)

    def _moved(self, connection: Connection, promotion: Promotion, reason: str, locks: list[str]) -> Promoted:
        here = [one for one in _candidates(connection, promotion) if f"deployment/{one.name}" in locks]
        version = int(promotion.champion.rpartition("/")[2])
        key = (aliases.c.name == promotion.model) & (aliases.c.alias == CHAMPION)
        named = connection.scalar(select(aliases.c.version).where(key)) == version
        free = [one for one in here if not one.canaries]
        if (promotion.deployment is not None and not free) or (promotion.deployment is None and not named):
            raise Conflict(
                f"{promotion.challenger} was compared with {promotion.champion}, which is not the champion any more",
                seen=f"a canary is under way in {promotion.subject!r}" if here else f"of {promotion.subject!r}",
                remedy=f"Compare with what is: luban update {promotion.subject}",
            )
        if named:
            after = int(promotion.challenger.rpartition("/")[2])
            moves.move(connection, self._actor, promotion.model, CHAMPION, after, reason=reason)
        for one in free:
            shadow = None if one.shadow == promotion.challenger else one.shadow
            change(connection, self._actor, one, {promotion.challenger: 1.0}, shadow=shadow, reason=reason)
        return Promoted(
            challenger=promotion.challenger,
            alias=named,
            deployments=tuple(one.name for one in free),
            left_alone=tuple(one.name for one in here if one.canaries),
        )


def _candidates(connection: Connection, promotion: Promotion) -> list[Deployment]:
    query = select(deployments).order_by(deployments.c.name)
    if promotion.deployment is not None:
        query = query.where(deployments.c.name == promotion.deployment)
    return [one for one in found(connection, query) if one.champion == promotion.champion]
