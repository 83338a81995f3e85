"""The public keys whose signatures count in a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from luban.core.errors import Conflict, NotFound, Tampered
from luban.core.model import SigningKey
from luban.store import audit
from luban.store.clock import now
from luban.store.names import valid_name
from luban.store.signing import key_id
from luban.store.tables import signing_keys

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from luban.store.database import Database


class Keys:
    """Trusted keys, each by a name and by its identifier."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    def trust(self, name: str, public: str) -> SigningKey:
        """Let the signatures of a key count from now on; a key that does already is returned as it is.

        Parameters
        ----------
        public : str
            32 bytes in base64.
        """
        name, identifier = valid_name("key", name), key_id(public)
        with self._database.writing(lock="keys") as connection:
            for key in trusted(connection):
                if key.id == identifier and key.name == name:
                    return key
                if name == key.name or identifier == key.id:
                    raise Conflict(
                        "another key has this name" if name == key.name else "this key is trusted under another name",
                        seen=f"{key.name}: {key.id}",
                        remedy=f"Take it away first: luban keys remove {key.name}",
                    )
            made = SigningKey(id=identifier, name=name, public=public, created=now(), actor=self._actor)
            connection.execute(insert(signing_keys).values(**vars(made)))
            audit.append(connection, self._actor, "key.trust", f"key/{name}", {"id": identifier, "public": public})
        return made

    def remove(self, name: str) -> SigningKey:
        """Let the signatures of a key count no more; it is given by its name or identifier."""
        with self._database.writing(lock="keys") as connection:
            there = trusted(connection)
            key = next((one for one in there if name in (one.name, one.id)), None)
            if key is None:
                raise NotFound.named("trusted key", name, [one.name for one in there])
            connection.execute(delete(signing_keys).where(signing_keys.c.id == key.id))
            audit.append(connection, self._actor, "key.remove", f"key/{key.name}", {"id": key.id})
        return key

    def list(self) -> list[SigningKey]:
        """Return the trusted keys, by name."""
        with self._database.reading() as connection:
            return trusted(connection)


def trusted(connection: Connection) -> list[SigningKey]:
    """Return the trusted keys, by name.

    Raises
    ------
    Tampered
        If a key is not the one of its identifier.
    """
    found = [
        SigningKey(**row) for row in connection.execute(select(signing_keys).order_by(signing_keys.c.name)).mappings()
    ]
    for key in found:
        if key_id(key.public) != key.id:
            raise Tampered(
                f"the trusted key {key.name!r} was exchanged for another",
                seen=f"its identifier is {key.id}, that of the key {key_id(key.public)}",
                remedy="Look who may write to the database; then remove the key and trust the right one.",
            )
    return found
