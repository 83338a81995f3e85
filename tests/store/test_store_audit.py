"""The audit chain finds every kind of tampering."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update

from luban.core.errors import Tampered
from luban.store.tables import models
from luban.testing.store import SIGNATURE, TASK

if TYPE_CHECKING:
    from luban.store import Workspace

TAMPERINGS = {
    "a word changed": "UPDATE audit SET actor = 'eve' WHERE number = 3",
    "a detail changed": "UPDATE audit SET detail = '{\"number\":99}' WHERE number = 3",
    "a moment changed": "UPDATE audit SET moment = moment + 1 WHERE number = 3",
    "an entry left out": "DELETE FROM audit WHERE number = 3",
    "the last entry cut off": "DELETE FROM audit WHERE number = 5",
    "the first entry cut off": "DELETE FROM audit WHERE number = 1",
    "all entries cut off": "DELETE FROM audit",
    "an entry added": "INSERT INTO audit SELECT 6, moment, actor, action, subject, detail, hash, hash "
    "FROM audit WHERE number = 5",
    "two entries swapped": "UPDATE audit SET number = CASE number WHEN 2 THEN -3 WHEN 3 THEN -2 END "
    "WHERE number IN (2, 3)",
    "a hash made to fit": "UPDATE audit SET hash = '" + "a" * 64 + "' WHERE number = 3",
    "the end moved": "UPDATE audit_head SET number = 4",
}


@pytest.fixture
def chain(workspace: Workspace) -> Workspace:
    """A workspace with five entries."""
    for number in range(5):
        workspace.audit.append("test", "subject", {"number": number, "word": "汉字"})
    return workspace


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_tampering_is_found(chain: Workspace, tampering: str) -> None:
    """An untouched chain is whole; any change behind the store's back breaks it."""
    assert chain.audit.verify() == 5
    with chain._database.writing() as connection:
        connection.exec_driver_sql(TAMPERINGS[tampering])
    with pytest.raises(Tampered, match="chain is broken"):
        chain.audit.verify()


def test_a_rebuilt_chain_is_found_by_a_hash_kept_elsewhere(chain: Workspace) -> None:
    """Whoever rewrites the whole chain cannot bring back the hash that someone noted."""
    _, noted = chain.audit.head()
    chain.audit.append("test", "subject")
    assert chain.audit.verify(anchor=noted) == 6
    with chain._database.writing() as connection:
        connection.execute(text("DELETE FROM audit"))
        connection.execute(text("UPDATE audit_head SET number = 0, hash = '" + "0" * 64 + "'"))
    for _ in range(6):
        chain.audit.append("test", "forged")
    assert chain.audit.verify() == 6
    with pytest.raises(Tampered, match=noted):
        chain.audit.verify(anchor=noted)


def test_threads_keep_one_chain(workspace: Workspace) -> None:
    """Entries appended at once by many threads form one chain while it is being verified."""
    with ThreadPoolExecutor(8) as pool:
        appended = [pool.submit(workspace.audit.append, "test", f"subject {number}") for number in range(60)]
        for _ in range(5):
            workspace.audit.verify()
        for one in appended:
            one.result()
    assert workspace.audit.verify() == 60
    assert {entry.subject for entry in workspace.audit.entries()} == {f"subject {number}" for number in range(60)}


def test_a_change_and_its_entry_last_together(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the entry cannot be written the data set is not there either."""
    from luban.core.schema import Schema
    from luban.store import audit

    def broken(*_: object) -> None:
        raise OSError("no")

    with monkeypatch.context() as patch:
        patch.setattr(audit, "append", broken)
        with pytest.raises(OSError, match="no"):
            workspace.datasets.add(name="d", schema=Schema(columns=()), manifest={}, rows=0)
    assert workspace.datasets.list() == []


def test_a_model_row_changed_behind_the_store_is_found(workspace: Workspace) -> None:
    """A version whose row points at other content than was registered does not verify; its aliases may move."""
    artifact, other = workspace.blobs.put(b"model"), workspace.blobs.put(b"another")
    workspace.models.register(name="m", artifact=artifact, signature=SIGNATURE, task=TASK, scores={"roc_auc": 0.5})
    workspace.models.set_alias("m", "champion", 1)
    workspace.models.attach_report("m/1", "fairness", other)
    assert workspace.models.verify("m@champion").artifact == artifact
    with workspace._database.writing() as connection:
        connection.execute(update(models).values(artifact=other))
    with pytest.raises(Tampered, match="not what was registered"):
        workspace.models.verify("m")
