"""Versions of data sets are deleted for good, never what a model or a running fit needs. On SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from luban.core.errors import Conflict, InputError, LubanError, NotFound
from luban.store import Workspace, datasets, unnamed
from luban.testing.store import SCHEMA, SIGNATURE, TASK

if TYPE_CHECKING:
    from luban.core.dataset import Dataset


def added(workspace: Workspace, *contents: bytes, name: str = "flowers", **more: Any) -> Dataset:
    """Add a version whose manifest names these blobs."""
    chunks = [{"digest": workspace.blobs.put(one)} for one in contents]
    return workspace.datasets.add(name=name, schema=SCHEMA, manifest={"chunks": chunks}, rows=3, **more)


def held(workspace: Workspace, content: bytes) -> bool:
    from luban.store.digests import digest_of

    return workspace.blobs.has(digest_of(content))


def test_what_nothing_else_names_goes_and_the_record_stays(workspace: Workspace) -> None:
    """Content that another version names stays; the number is never given again; who asks is told who, when and why."""
    first = added(workspace, b"rows", b"shared")
    added(workspace, b"shared", b"more", parents=(first.reference,))
    assert workspace.datasets.delete("flowers/1", reason="a person asked") == 2
    assert [held(workspace, one) for one in (b"rows", b"shared", b"more")] == [False, True, True]
    for ask in (workspace.datasets.get, workspace.datasets.delete):
        with pytest.raises(NotFound, match=r"flowers/1 was deleted; seen: by ada on 2.*UTC: a person asked"):
            ask("flowers/1")
    with pytest.raises(NotFound, match="flowers has version 2"):
        workspace.datasets.get("flowers/9")
    assert workspace.datasets.get("flowers").version == 2
    assert workspace.datasets.delete("flowers/2") == 3
    assert workspace.datasets.list() == []
    with pytest.raises(NotFound, match="flowers/2 was deleted"):
        workspace.datasets.get("flowers")
    assert added(workspace, b"rows", b"shared").version == 3
    (said,) = [one for one in workspace.audit.entries(subject="dataset/flowers/1") if one.action == datasets.DELETED]
    assert (said.detail["fingerprint"], said.detail["reason"]) == (first.fingerprint, "a person asked")
    assert next(one for one in workspace.lineage.of("data:flowers/1").nodes if one.name == "flowers/1").gone
    with pytest.raises(InputError, match="by its number"):
        workspace.datasets.delete("flowers")


def test_what_a_model_learnt_from_stays(workspace: Workspace) -> None:
    """The error names the model, and the deployment that answers with it."""
    added(workspace, b"rows")
    common: dict[str, Any] = {"name": "iris", "dataset": "flowers/1", "signature": SIGNATURE, "task": TASK}
    workspace.models.register(artifact=workspace.blobs.put(b"a model"), **common)
    workspace.deployments.set("shop", {"iris/1": 1.0})
    with pytest.raises(Conflict, match=r"iris/1; deployment shop answers with iris/1.*models delete iris/1"):
        workspace.datasets.delete("flowers/1")
    assert held(workspace, b"rows")
    workspace.deployments.remove("shop")
    workspace.models.delete("iris/1")
    assert workspace.datasets.delete("flowers/1") == 2
    with pytest.raises(NotFound, match="was deleted"):
        workspace.models.register(artifact=workspace.blobs.put(b"a model"), **common)


def test_what_a_run_learns_from_stays_until_it_ends_or_its_process_has(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    added(workspace, b"rows")
    added(workspace, b"others", name="trees")
    run = workspace.runs.start("fit", {})
    workspace.datasets.hold("flowers/1", run.id)
    with pytest.raises(Conflict, match=run.id):
        workspace.datasets.delete("flowers/1")
    workspace.datasets.delete("trees/1")
    workspace.runs.finish(run.id, "finished")
    killed = workspace.runs.start("fit", {})
    workspace.datasets.hold("flowers/1", killed.id)
    monkeypatch.setattr(datasets, "is_gone", lambda process: process is not None)
    assert workspace.datasets.delete("flowers/1") == 2
    with pytest.raises(NotFound, match="was deleted"):
        workspace.datasets.hold("flowers/1", killed.id)


def test_a_fit_that_begins_while_its_data_go_has_them_or_is_refused(workspace: Workspace) -> None:
    """One of the two wins, whoever is first."""
    for turn in range(1, 7):
        content = b"rows of turn %d" % turn
        reference = added(workspace, content).reference
        run = workspace.runs.start("fit", {})
        lost: list[str] = []
        begun = threading.Barrier(2)

        def attempt(name: str, work: Any, lost: list[str] = lost, begun: threading.Barrier = begun) -> None:
            begun.wait()
            try:
                work()
            except LubanError:
                lost.append(name)

        works = {
            "fit": lambda reference=reference, run=run: workspace.datasets.hold(reference, run.id),
            "delete": lambda reference=reference: workspace.datasets.delete(reference),
        }
        threads = [threading.Thread(target=attempt, args=one) for one in works.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(lost) == 1
        assert held(workspace, content) == (lost == ["delete"])
        workspace.runs.finish(run.id, "finished")


def test_content_that_a_new_version_has_is_not_taken_away_under_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored before the deletion and named after it: the new version has it, or is refused and made again."""
    added(workspace, b"rows")
    with monkeypatch.context() as patch:
        patch.setattr(unnamed, "sweep", lambda *_: 0)  # killed before it removed anything
        workspace.datasets.delete("flowers/1")
    again = added(workspace, b"rows")
    assert unnamed.sweep(workspace._database, workspace.blobs) == 0
    assert workspace.blobs.get(workspace.datasets.manifest(again)["chunks"][0]["digest"]) == b"rows"
    gone = workspace.blobs.put(b"to be swept")
    workspace.blobs.remove(gone)
    with pytest.raises(NotFound, match="a part of the data set was removed while it was made"):
        workspace.datasets.add(name="flowers", schema=SCHEMA, manifest={"chunks": [{"digest": gone}]}, rows=1)


@pytest.mark.long
def test_what_goes_after_it_was_looked_for_is_missed_when_the_row_is_written(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a deletion since, or by the sweep of an earlier one; what none can have taken is not asked for again."""
    database, blobs = workspace._database, workspace.blobs
    added(workspace, b"earlier", name="trees")
    workspace.datasets.delete("trees/1")

    def looked(content: bytes) -> Any:
        return unnamed.present(database, blobs, lambda: {blobs.put(content)}, what="data set")

    added(workspace, b"rows", b"more")
    sure = looked(b"rows")
    with monkeypatch.context() as patch, database.writing() as connection:
        patch.setattr(blobs, "has", lambda _: pytest.fail("asked while others wait"))
        sure(connection)
    monkeypatch.setattr(unnamed, "_PORTION", 1)
    with monkeypatch.context() as patch:
        patch.setattr(unnamed, "sweep", lambda *_: 0)
        workspace.datasets.delete("flowers/1")
    noted = looked(b"rows")
    assert unnamed.sweep(database, blobs) == 3, "in portions of one"
    for late in (sure, noted):
        with pytest.raises(NotFound, match="a part of the data set was removed"), database.writing() as connection:
            late(connection)
