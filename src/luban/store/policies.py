"""Policies: which models and deployments are updated by themselves, when and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from luban.core.errors import NotFound
from luban.core.serial import from_json, to_json
from luban.core.update import UpdatePolicy
from luban.store import audit
from luban.store.clock import now
from luban.store.names import valid_name
from luban.store.tables import update_policies
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from luban.store.database import Database


class Policies:
    """Policies by the name of a deployment or a model."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    def set(self, name: str, policy: UpdatePolicy) -> None:
        """Update under this name by this policy from now on."""
        name = valid_name("deployment", name)
        values = {"policy": to_json(policy), "created": now(), "actor": self._actor}
        with self._database.writing(lock=f"policy/{name}") as connection:
            upsert(connection, update_policies, {"name": name}, values)
            audit.append(connection, self._actor, "update.policy", f"deployment/{name}", to_json(policy))

    def remove(self, name: str) -> None:
        """Update under this name by itself no more."""
        with self._database.writing(lock=f"policy/{name}") as connection:
            done = connection.execute(delete(update_policies).where(update_policies.c.name == name))
            if not done.rowcount:
                known = connection.scalars(select(update_policies.c.name)).all()
                raise NotFound.named("policy", name, known)
            audit.append(connection, self._actor, "update.policy", f"deployment/{name}", {"on": None})

    def list(self) -> dict[str, UpdatePolicy]:
        """Return all policies by name."""
        query = select(update_policies.c.name, update_policies.c.policy).order_by(update_policies.c.name)
        with self._database.reading() as connection:
            return {row.name: from_json(UpdatePolicy, row.policy) for row in connection.execute(query)}
