"""Versions of models: what they record, aliases that go back, deletion with its content. On SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from luban.core.errors import Conflict, InputError, NotFound, Tampered
from luban.store import Workspace, unnamed
from luban.testing.store import SCHEMA, SIGNATURE, TASK

if TYPE_CHECKING:
    from pathlib import Path

    from luban.core.model import ModelVersion


def registered(workspace: Workspace, name: str = "m", payload: bytes = b"payload", **more: Any) -> ModelVersion:
    """Register a version whose manifest names one payload."""
    manifest = {"payloads": {"a.json": {"digest": workspace.blobs.put(payload)}}, "name": name}
    artifact = workspace.blobs.put_json(manifest)
    return workspace.models.register(name=name, artifact=artifact, signature=SIGNATURE, task=TASK, **more)


def test_a_version_records_data_code_and_environment_once(workspace: Workspace) -> None:
    """The fingerprint of the data is looked up; all digests are part of the record that the audit chain holds."""
    dataset = workspace.datasets.add(name="flowers", schema=SCHEMA, manifest={"chunks": []}, rows=3)
    code, environment = workspace.blobs.put_json({"commit": "c"}), workspace.blobs.put_json({"python": "3"})
    made = registered(workspace, dataset=dataset.reference, code=code, environment=environment)
    assert (made.data, made.code, made.environment) == (dataset.fingerprint, code, environment)
    assert workspace.models.verify("m/1") == made
    with workspace._database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE models SET code = '{environment}'")
    with pytest.raises(Tampered, match="not what was registered"):
        workspace.models.verify("m/1")


def test_versions_of_an_older_form_stay_readable_and_verified(tmp_path: Path) -> None:
    """A workspace of the form before these digests opens, its versions verify, and have none of them."""
    root = tmp_path / ".luban"
    with Workspace.open(root) as workspace:
        before = registered(workspace)
    with sqlite3.connect(root / "luban.db") as connection:
        kept = {
            table: connection.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("models", "audit", "audit_head")
        }
        names = [row[1] for row in connection.execute("PRAGMA table_info(models)")]
    (root / "luban.db").unlink()
    _old_tables(root / "luban.db")
    old = [name for name in names if name not in ("data", "code", "environment")]
    with sqlite3.connect(root / "luban.db") as connection:
        connection.execute("DELETE FROM audit_head")
        for row in kept["models"]:
            values = [value for name, value in zip(names, row, strict=True) if name in old]
            connection.execute(f"INSERT INTO models ({', '.join(old)}) VALUES ({', '.join('?' * len(old))})", values)
        for table in ("audit", "audit_head"):
            for row in kept[table]:
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    with Workspace.open(root) as workspace:
        assert workspace.models.verify("m/1") == before
        assert (before.data, before.code, before.environment) == (None, None, None)
        assert registered(workspace).version == 2
        assert workspace.audit.verify() == 2


def _old_tables(path: Path) -> None:
    from pathlib import Path as Place

    import luban.store

    config = Config()
    config.set_main_option("path_separator", "newline")
    config.set_main_option("script_location", str(Place(luban.store.__file__).parent / "migrations"))
    with create_engine(f"sqlite:///{path}").begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")


def test_rollback_walks_back_and_passes_over_what_is_gone(workspace: Workspace) -> None:
    """Two rollbacks go back two versions; a deleted version is passed over; then there is nothing to go back to."""
    for number in range(4):
        registered(workspace, payload=str(number).encode())
        workspace.models.set_alias("m", "champion", number + 1)
    workspace.models.delete("m/2")
    first = workspace.models.roll_back("m", reason="errors")
    assert (first.before, first.after, first.reason, first.undo) == (4, 3, "errors", True)
    assert workspace.models.roll_back("m").after == 1
    with pytest.raises(Conflict, match="nothing to go back to"):
        workspace.models.roll_back("m")
    assert workspace.models.get("m").version == 1, "a refused rollback moves nothing"
    workspace.models.set_alias("m", "champion", 4)
    assert workspace.models.roll_back("m").after == 1, "what was rolled back is not gone back to"
    with pytest.raises(NotFound, match="no alias is named 'canary'"):
        workspace.models.roll_back("m", "canary")
    said = [entry.detail for entry in workspace.audit.entries(subject="model/m") if entry.detail["undo"]]
    assert [(one["before"], one["after"]) for one in said] == [(4, 3), (3, 1), (4, 1)]


def test_a_removed_alias_comes_back_by_rollback(workspace: Workspace) -> None:
    """To take an alias away is a move like any other."""
    registered(workspace)
    workspace.models.set_alias("m", "champion", 1)
    workspace.models.set_alias("m", "champion", None)
    assert workspace.models.roll_back("m").after == 1


def test_a_trial_ends_with_other_traffic_and_the_same_again_is_another(workspace: Workspace) -> None:
    """What is set for a trial that is over changes nothing, be the deployment just as it was then."""
    registered(workspace)
    registered(workspace)
    half = {"m/1": 0.5, "m/2": 0.5}
    seen = workspace.deployments.set("shop", half)
    first = workspace.deployments.trial("shop")
    workspace.deployments.set("shop", half, log=0.1)
    assert workspace.deployments.trial("shop") == first, "who answers is as before"
    workspace.deployments.set("shop", {"m/1": 1.0})
    assert workspace.deployments.set("shop", half) == seen
    assert workspace.deployments.trial("shop") > first
    with pytest.raises(Conflict):
        workspace.deployments.set("shop", {"m/1": 1.0}, expected=seen, trial=first)
    assert workspace.deployments.get("shop") == seen
    workspace.deployments.set("shop", {"m/1": 1.0}, expected=seen, trial=workspace.deployments.trial("shop"))


def test_delete_refuses_what_is_used(workspace: Workspace) -> None:
    """A version that answers, is a shadow, or has an alias that is not given up stays, and nothing of it changes."""
    for number in range(3):
        registered(workspace, payload=str(number).encode())
    workspace.models.set_alias("m", "champion", 3)
    workspace.models.set_alias("m", "best", 3)
    workspace.deployments.set("shop", {"m/1": 1.0}, shadow="m/2")
    before = [workspace.models.get(f"m/{number}") for number in (1, 2, 3)]
    with pytest.raises(Conflict, match=r"m/1 is deployed.*deployment shop: m/1 has 100% of it"):
        workspace.models.delete("m/1")
    with pytest.raises(Conflict, match="m/2 is its shadow"):
        workspace.models.delete("m/2", without=("champion",))
    with pytest.raises(Conflict, match=r"has the alias best, so it is not deleted"):
        workspace.models.delete("m/3", without=("champion",))
    with pytest.raises(NotFound, match="no alias is named 'other'"):
        workspace.models.delete("m/3", without=("champion", "best", "other"))
    for reference in ("m", "m@champion", "m/0", "../m/1"):
        with pytest.raises(InputError):
            workspace.models.delete(reference)
    assert [workspace.models.get(f"m/{number}") for number in (1, 2, 3)] == before
    workspace.models.delete("m/3", without=("champion", "best"), reason="trained on a leak")
    assert [one.version for one in workspace.models.versions("m")] == [1, 2]
    assert {(one.alias, one.after) for one in workspace.models.alias_history("m")[-2:]} == {
        ("best", None),
        ("champion", None),
    }


def test_a_deleted_version_leaves_its_entry_and_never_its_number(workspace: Workspace) -> None:
    """The audit chain keeps the record; the next version is another number; its name tells that it was deleted."""
    registered(workspace)
    gone = registered(workspace, payload=b"two")
    workspace.models.delete("m/2", reason="a leak")
    with pytest.raises(NotFound, match=r"m/2 was deleted; seen: by ada, .*: a leak"):
        workspace.models.get("m/2")
    assert registered(workspace).version == 3
    (entry,) = [one for one in workspace.audit.entries(subject="model/m/2") if one.action == "model.delete"]
    assert entry.detail["record"]["artifact"] == gone.artifact
    workspace.audit.verify()


def test_content_goes_only_where_nothing_else_names_it(workspace: Workspace) -> None:
    """What another version, a data set, a run's tag or a report names stays; the rest of a deleted version goes."""
    blobs = workspace.blobs
    diff = blobs.put(b"diff")
    shared = {"code": blobs.put_json({"diff": diff}), "environment": blobs.put_json({"python": "3"})}
    report, tagged = blobs.put_json({"check": "own"}), blobs.put(b"tagged")
    first = registered(workspace, payload=b"one", **shared, reports={"evaluation": report})
    second = registered(workspace, payload=b"two", **shared)
    third = registered(workspace, payload=b"tagged", **shared)
    run = workspace.runs.start("any", {})
    workspace.runs.set_tag(run.id, "kept", {"blob": tagged})
    assert workspace.models.delete("m/1") == 3
    assert [blobs.has(one) for one in (first.artifact, blobs.put(b"one"), report)] == [False, True, False]
    assert all(blobs.has(one) for one in (diff, *shared.values(), second.artifact))
    workspace.models.delete("m/3")
    assert not blobs.has(third.artifact)
    assert blobs.has(tagged), "a run names it"
    workspace.models.delete("m/2")
    assert not any(blobs.has(one) for one in (diff, *shared.values(), second.artifact))


def test_a_kill_between_deletion_and_removal_leaves_it_to_the_next(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are gone and the content is noted in one transaction; the next deletion removes it."""
    first, _ = registered(workspace, payload=b"one"), registered(workspace, payload=b"two")
    with monkeypatch.context() as patch:
        patch.setattr(unnamed, "sweep", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            workspace.models.delete("m/1")
    assert workspace.blobs.has(first.artifact)
    workspace.models.delete("m/2")
    assert not workspace.blobs.has(first.artifact)


def test_content_that_is_named_again_is_not_removed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version registered between deletion and removal keeps what it shares; one that comes too late is refused."""
    first = registered(workspace, payload=b"same")
    with monkeypatch.context() as patch:
        patch.setattr(unnamed, "sweep", lambda *_: 0)
        workspace.models.delete("m/1")
    again = registered(workspace, payload=b"same")
    assert again.artifact == first.artifact
    assert unnamed.sweep(workspace._database, workspace.blobs) == 0
    assert workspace.blobs.has(again.artifact)
    workspace.models.delete("m/2")
    with pytest.raises(NotFound, match="was removed while it was made"):
        workspace.models.register(name="m", artifact=again.artifact, signature=SIGNATURE, task=TASK)


def test_a_version_is_deleted_or_deployed_never_both(workspace: Workspace) -> None:
    """Threads deploy and delete the same version at once: one of the two is refused, whichever comes second."""
    rounds = 8
    for number in range(rounds):
        registered(workspace, payload=str(number).encode())

    def deploy(number: int) -> bool:
        try:
            workspace.deployments.set(f"d{number}", {f"m/{number}": 1.0})
        except NotFound:
            return False
        return True

    def delete(number: int) -> bool:
        try:
            workspace.models.delete(f"m/{number}")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        for number in range(1, rounds + 1):
            done = [pool.submit(deploy, number), pool.submit(delete, number)]
            assert [one.result() for one in done].count(True) == 1
    workspace.audit.verify()
