"""Signatures under model versions, and whether a version may be loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from luban.core.errors import Refused, Tampered
from luban.store import audit
from luban.store.clock import now
from luban.store.keys import trusted
from luban.store.model_rows import version_of
from luban.store.signing import verified
from luban.store.tables import model_signatures, settings
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from luban.core.model import ModelSignature, ModelVersion, SigningKey
    from luban.store.database import Database

SIGNED_ONLY = "signed-only"
"""The setting that lets only signed models be loaded."""


GOOD, BROKEN, UNTRUSTED = "good", "broken", "key not trusted"


@dataclass(frozen=True, kw_only=True)
class SignatureState:
    """A signature under a version, and what it is worth.

    Parameters
    ----------
    key, name : str
        Identifier of the key, and its name where it is trusted.
    state : str
        ``good``, ``broken`` or ``key not trusted``.
    """

    key: str
    name: str
    state: str
    created: datetime | None = None
    actor: str = ""


class Signatures:
    """The signatures of a workspace.

    Whoever may write to the database could change the setting and the trusted keys too. A process that must not depend
    on them has ``LUBAN_SIGNED_ONLY=1`` and ``LUBAN_TRUSTED_KEYS`` (identifiers with commas between): then only signed
    models are loaded, and no other keys count.
    """

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    def add(self, reference: str, sign: Callable[[str, int, str], ModelSignature]) -> ModelSignature:
        """Keep a signature under a version, in place of an older one by the same key, and return it.

        Parameters
        ----------
        sign : callable
            Returns it, given name, version and the digest of the manifest.
        """
        with self._database.writing() as connection:
            model = version_of(connection, reference, held=True)
            made = replace(sign(model.name, model.version, model.artifact), created=now(), actor=self._actor)
            values = dict(vars(made))
            key = {"name": model.name, "version": model.version, "key": values.pop("key")}
            upsert(connection, model_signatures, key, values)
            detail = {"key": made.key, "artifact": model.artifact}
            audit.append(connection, self._actor, "model.sign", f"model/{model.reference}", detail)
        return made

    def signed(self) -> set[str]:
        """Return the references of all versions that have a signature."""
        columns = (model_signatures.c.name, model_signatures.c.version)
        with self._database.reading() as connection:
            return {f"{name}/{version}" for name, version in connection.execute(select(*columns))}

    def required(self) -> bool:
        """Return whether only signed models may be loaded."""
        with self._database.reading() as connection:
            return _required(connection)

    def states(self, model: ModelVersion) -> tuple[SignatureState, ...]:
        """Return the signatures of a version, oldest first, and what each is worth."""
        with self._database.reading() as connection:
            mine = (model_signatures.c.name == model.name) & (model_signatures.c.version == model.version)
            found = connection.execute(select(model_signatures).where(mine).order_by(model_signatures.c.created)).all()
            keys = {key.id: key for key in trusted(connection) if _counts(key)} if found else {}
        told = []
        for row in found:
            key = keys.get(row.key)
            state = UNTRUSTED
            if key is not None:
                good = verified(key.public, row.signature, model.name, model.version, model.artifact)
                state = GOOD if good else BROKEN
            name = "" if key is None else key.name
            told.append(SignatureState(key=row.key, name=name, state=state, created=row.created, actor=row.actor))
        return tuple(told)

    def check(self, model: ModelVersion) -> tuple[SignatureState, ...]:
        """Return the good signatures of a version; called before anything of the model is read.

        Raises
        ------
        Tampered
            If a signature is broken: of other bytes, of another version, or made up.
        Refused
            If nobody who is trusted signed it although it is signed, or has to be.
        """
        found, required = self.states(model), self.required()
        if not found and required:
            raise Refused(
                f"{model.reference} is not signed, and only signed models are loaded here",
                remedy=f"Sign it: luban models sign {model.reference} --key KEY (the policy: luban keys policy).",
            )
        for one in found:
            if one.state == BROKEN:
                raise Tampered(
                    f"the signature of {model.reference} is broken",
                    seen=f"key {one.name} ({one.key}) did not sign {model.artifact[:19]} as {model.reference}",
                    remedy="The model or its record was changed after it was signed: do not use it.",
                )
        if found and all(one.state != GOOD for one in found):
            raise Refused(
                f"{model.reference} is signed by nobody who is trusted here",
                seen=f"key {', '.join(one.key for one in found)}",
                remedy="If you know whose key it is: luban keys trust FILE; else sign it with one of yours.",
            )
        return tuple(one for one in found if one.state == GOOD)


def _required(connection: Connection) -> bool:
    if os.environ.get("LUBAN_SIGNED_ONLY", "").lower() not in ("", "0", "false", "no"):
        return True
    return bool(connection.scalar(select(settings.c.value).where(settings.c.key == SIGNED_ONLY)))


def _counts(key: SigningKey) -> bool:
    pinned = os.environ.get("LUBAN_TRUSTED_KEYS")
    return not pinned or key.id in {one.strip() for one in pinned.split(",")}
