"""The prediction log and labels: stored for good, found again, merged, erased by person, forgotten by age, joined."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from luban.core.errors import Conflict, InputError, NotFound, Unavailable
from luban.core.model import Signature
from luban.core.task import Task
from luban.store import Workspace, chunks
from luban.store.predictions import COLUMNS
from luban.store.tables import condemned

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
TASK = Task(kind="binary", target="income", inputs=("age",), metric="roc_auc", classes=("no", "yes"))


def rows(
    *ids: str, subject: str | None = None, moment: datetime = NOON, deployment: str = "shop", **more: Any
) -> pa.Table:
    """Return rows of the log with one input and one output."""
    made = [
        {
            "request_id": one,
            "row": 0,
            "moment": moment,
            "deployment": deployment,
            "model": "adult/1",
            "arm": "champion",
            "latency_ms": 0.5,
            "subject": subject,
            "consent": None,
            "input.age": 40.0,
            "output.prediction": "yes",
            **more,
        }
        for one in ids
    ]
    kinds = {float: pa.float64(), str: pa.string()}
    extra = [(name, kinds[type(value)]) for name, value in made[0].items() if name not in COLUMNS.names]
    return pa.Table.from_pylist(made, schema=pa.schema([*COLUMNS, *extra]))


def ids(workspace: Workspace, **options: Any) -> list[str]:
    found: list[str] = workspace.predictions.read("shop", **options)["request_id"].to_pylist()
    return found


def test_rows_come_back_in_order_by_time_and_by_column(workspace: Workspace) -> None:
    early, late = NOON, NOON + timedelta(hours=1)
    workspace.predictions.append(rows("a", "b", moment=early))
    workspace.predictions.append(rows("c", moment=late))
    workspace.predictions.append(rows("elsewhere", deployment="other"))
    assert ids(workspace) == ["a", "b", "c"]
    assert ids(workspace, since=late) == ["c"]
    assert ids(workspace, until=late) == ["a", "b"]
    assert ids(workspace, until=early) == []
    chosen = workspace.predictions.read("shop", columns=["output.prediction", "model"])
    assert chosen.column_names == ["output.prediction", "model"]
    assert workspace.predictions.read("nothing").schema.names == COLUMNS.names


def test_a_writer_that_tries_again_stores_once(workspace: Workspace) -> None:
    """Whoever loses the connection while committing cannot know whether it went through."""
    for _ in range(2):
        workspace.predictions.append(rows("a", "b"))
    assert ids(workspace) == ["a", "b"]


def test_versions_with_other_columns_share_a_log(workspace: Workspace) -> None:
    """A column that one version lacks is null there, and one whose type changed is text."""
    workspace.predictions.append(rows("a"))
    workspace.predictions.append(rows("b", **{"input.town": "Rome", "output.prediction": 1.0}))
    found = workspace.predictions.read("shop").to_pylist()
    assert [row["input.town"] for row in found] == [None, "Rome"]
    assert [row["output.prediction"] for row in found] == ["yes", "1"]


def test_small_chunks_are_merged_and_nothing_is_lost_while_others_read_and_erase(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MANY", 5)
    faults: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for number in range(12):
                workspace.predictions.append(rows(f"{writer}-{number}", subject="eve" if number % 4 == 0 else None))
                workspace.predictions.read("shop")
        except BaseException as error:
            faults.append(error)
            raise

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
    for thread in threads:
        thread.start()
    workspace.predictions.erase("eve")
    for thread in threads:
        thread.join()
    workspace.predictions.erase("eve")
    assert not faults
    assert sorted(ids(workspace)) == sorted(f"{w}-{n}" for w in range(3) for n in range(12) if n % 4)
    assert len(workspace.predictions._chunks.named("shop")) < 27
    assert workspace.audit.verify()


def test_chunks_that_are_merged_under_an_eraser_are_read_where_they_are_then(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server merges and removes them after the eraser has made its list, and before it has read them."""
    workspace.predictions.append(rows("a", subject="alice"))
    workspace.predictions.append(rows("b", subject="alice"))
    named, lists = chunks.Chunks.named, []

    def then_merged(self: chunks.Chunks, *given: Any, **more: Any) -> list[chunks.Chunk]:
        found = named(self, *given, **more)
        lists.append(found)
        if len(lists) == 1:
            monkeypatch.setattr(chunks, "MANY", 3)
            workspace.predictions.append(rows("c"))
            assert not any(workspace.blobs.has(chunk.digest) for chunk in found)
        return found

    monkeypatch.setattr(chunks.Chunks, "named", then_merged)
    assert workspace.predictions.erase("alice") == 2
    assert ids(workspace) == ["c"]


def test_erasing_a_person_takes_rows_labels_and_bytes(workspace: Workspace) -> None:
    """Nothing of the person stays: not in the log, the labels, the blobs or the audit chain; others' rows do."""
    workspace.predictions.append(rows("a", "b", subject="alice@example.org"))
    workspace.predictions.append(rows("c"))
    workspace.predictions.append(rows("d", subject="bob"))
    workspace.labels.add("shop", ["a", "c"], None, ["yes", "no"])
    before = {chunk.digest for chunk in workspace.predictions._chunks.named()}
    assert workspace.predictions.erase("alice@example.org") == 2
    assert ids(workspace) == ["c", "d"]
    assert workspace.labels.read("shop")["request_id"].to_pylist() == ["c"]
    gone = before - {chunk.digest for chunk in workspace.predictions._chunks.named()}
    assert len(gone) == 1
    assert not any(workspace.blobs.has(digest) for digest in gone)
    entry = workspace.audit.entries()[-1]
    assert (entry.action, entry.detail["rows"]) == ("predictions.erase", 2)
    assert "alice" not in str(workspace.audit.entries())
    assert workspace.predictions.erase("alice@example.org") == 0


def test_content_that_a_killed_eraser_left_is_removed_by_the_next(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.predictions.append(rows("a", subject="alice"))
    (chunk,) = workspace.predictions._chunks.named("shop")
    with monkeypatch.context() as patch:

        def killed(_digest: str) -> None:
            raise KeyboardInterrupt

        patch.setattr(workspace.blobs, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            workspace.predictions.erase("alice")
    assert workspace.blobs.has(chunk.digest)
    workspace.predictions.erase("somebody else")
    assert not workspace.blobs.has(chunk.digest)


def test_what_is_old_is_forgotten(workspace: Workspace) -> None:
    now = datetime.now(UTC)
    workspace.predictions.append(rows("old", moment=now - timedelta(days=31)))
    workspace.predictions.append(
        pa.concat_tables([rows("older", moment=now - timedelta(days=40)), rows("new", moment=now)])
    )
    assert workspace.predictions.retain("shop", 30) == 2
    assert ids(workspace) == ["new"]
    assert workspace.predictions.retain("shop", 30) == 0
    with pytest.raises(InputError):
        workspace.predictions.retain("shop", -1)


def test_the_last_label_counts_and_meets_its_prediction(workspace: Workspace) -> None:
    """Labels may come before their predictions, twice, or changed; the shadow's row of a request is labelled too."""
    workspace.labels.add("shop", ["a", "b"], [0, 0], ["no", "no"])
    workspace.predictions.append(rows("a", "b", "c"))
    workspace.predictions.append(rows("a", arm="shadow", model="adult/2"))
    for _ in range(2):
        workspace.labels.add("shop", ["a"], None, ["yes"])
    workspace.labels.add("shop", ["a"], [7], ["no"])  # another row of the same request
    joined = workspace.labels.joined("shop", columns=["arm"]).to_pylist()
    assert [(row["arm"], row["label"]) for row in joined] == [
        ("champion", "yes"),
        ("champion", "no"),
        ("shadow", "yes"),
    ]
    assert workspace.labels.joined("shop")["request_id"].to_pylist() == ["a", "b", "a"]
    assert workspace.labels.read("shop").num_rows == 3
    known = workspace.labels.read("shop")["moment"].to_pylist()
    assert workspace.labels.read("shop", since=max(known)).num_rows == 1


def test_labels_meet_an_id_by_both_of_its_spellings(workspace: Workspace) -> None:
    """The id itself, and the header in which it is percent-encoded; erasing a person takes either."""
    workspace.predictions.append(rows("订单17", "100%", subject="bob"))
    workspace.predictions.append(rows("甲-1", subject="alice"))
    workspace.labels.add("shop", ["%E8%AE%A2%E5%8D%9517", "100%", "甲-1"], None, ["yes", "no", "no"])
    joined = workspace.labels.joined("shop")
    found = zip(joined["request_id"].to_pylist(), joined["label"].to_pylist(), strict=True)
    assert list(found) == [("订单17", "yes"), ("100%", "no"), ("甲-1", "no")]
    workspace.labels.add("shop", ["订单17"], None, ["no"])
    assert workspace.labels.joined("shop")["label"].to_pylist() == ["no", "no", "no"]
    assert workspace.predictions.erase("bob") == 2
    assert workspace.labels.read("shop")["request_id"].to_pylist() == ["甲-1"]


@pytest.mark.parametrize(
    ("request_ids", "places", "labels"),
    [(["a"], None, ["x", "y"]), (["a"], [2**40], ["x"]), ([None], None, ["x"]), (["a"], None, [None])],
)
def test_labels_that_cannot_be_are_refused(workspace: Workspace, request_ids: Any, places: Any, labels: Any) -> None:
    with pytest.raises(InputError):
        workspace.labels.add("shop", request_ids, places, labels)
    assert workspace.labels.read("shop").num_rows == 0


def test_a_full_disk_is_told_and_leaves_no_row(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_content: bytes) -> str:
        raise Unavailable("the disk is full, so nothing more was written")

    with monkeypatch.context() as patch:
        patch.setattr(workspace.blobs, "put", full)
        with pytest.raises(Unavailable):
            workspace.predictions.append(rows("a"))
    assert ids(workspace) == []
    workspace.predictions.append(rows("a"))
    assert ids(workspace) == ["a"]


WRITER = """
import sys
from test_store_prediction_log import rows
from luban.store import Workspace, chunks
chunks.MANY = 4
with Workspace.open(sys.argv[1]) as workspace:
    for number in range(100_000):
        workspace.predictions.append(rows(str(number)))
        print(number, flush=True)
"""


@pytest.mark.parametrize("seen", [1, 9, 22])
def test_what_was_acknowledged_survives_a_kill(store: Path, seen: int) -> None:
    """SIGKILL in the middle of writing and merging: each row that `append` returned for is there, once."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=__file__.rsplit("/", 1)[0],
    )
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(seen)]
    writer.kill()
    acknowledged += writer.stdout.read().split()
    writer.wait()
    with Workspace.open(store) as workspace:
        found = ids(workspace)
    assert found[: len(acknowledged)] == acknowledged
    assert len(found) <= len(acknowledged) + 1


def register(workspace: Workspace) -> None:
    """Let the deployment `shop` answer with a version of a model."""
    if not workspace.models.list():
        artifact = workspace.blobs.put(b"a model")
        workspace.models.register(
            name="adult", artifact=artifact, signature=Signature(inputs=(), outputs=()), task=TASK
        )
    workspace.deployments.set("shop", {"adult/1": 1.0}, keep=30)


def test_a_log_that_goes_with_its_deployment_is_gone_and_stays_so(workspace: Workspace) -> None:
    """It must be said; what a server stores late is not stored; under the same name a new log begins."""
    register(workspace)
    workspace.predictions.append(rows("a", "b", subject="alice", moment=datetime.now(UTC)))
    workspace.predictions.append(rows("other", deployment="other"))
    workspace.labels.add("shop", ["a"], None, ["yes"])
    held = [chunk.digest for chunk in workspace.predictions._chunks.named("shop")]
    with pytest.raises(Conflict, match="3 rows and labels"):
        workspace.deployments.remove("shop")
    assert workspace.deployments.get("shop").keep == 30
    workspace.deployments.remove("shop", log="erase", reason="closed")
    late = rows("late", subject="alice", moment=datetime.now(UTC))
    workspace.predictions.append(late)
    workspace.labels.add("shop", ["late"], None, ["yes"])
    assert workspace.predictions.clear("shop") == (2, 1)
    assert workspace.predictions.left("shop") == 0
    assert not any(map(workspace.blobs.has, held))
    assert workspace.predictions.count("other") == 1
    with pytest.raises(NotFound, match="ada removed it"):
        workspace.deployments.get("shop")
    register(workspace)
    early = rows("early", moment=datetime.now(UTC) - timedelta(hours=1))
    workspace.predictions.append(pa.concat_tables([early, rows("new", moment=datetime.now(UTC))]))
    assert ids(workspace) == ["new"]
    said = {one.action: one.detail for one in workspace.audit.entries(subject="deployment/shop")}
    assert said["predictions.erase"]["rows"] == 2
    assert said["labels.erase"]["rows"] == 1
    with workspace._database.reading() as connection:
        assert connection.execute(condemned.select()).all() == []


def test_a_log_that_is_kept_can_be_erased_later(workspace: Workspace) -> None:
    register(workspace)
    workspace.predictions.append(rows("a"))
    workspace.deployments.remove("shop", log="keep")
    (gone,) = workspace.deployments.removed()
    assert (gone.name, gone.erased, gone.keep, gone.actor) == ("shop", False, 30, "ada")
    with pytest.raises(NotFound, match="1 rows and labels"):
        workspace.deployments.remove("shop")
    workspace.deployments.remove("shop", log="erase")
    assert workspace.predictions.clear("shop") == (1, 0)
    with pytest.raises(NotFound):
        workspace.deployments.remove("never", log="erase")
    register(workspace)
    assert workspace.deployments.removed() == []


def test_a_log_whose_removal_was_never_noted_can_be_erased(workspace: Workspace) -> None:
    """Earlier releases removed deployments without a note, and left their logs."""
    workspace.predictions.append(rows("a", "b", deployment="old"))
    with pytest.raises(NotFound):
        workspace.deployments.remove("old", log="keep")
    workspace.deployments.remove("old", log="erase")
    assert workspace.predictions.clear("old") == (2, 0)
    assert [one.erased for one in workspace.deployments.removed()] == [True]


def test_rows_that_are_stored_while_their_log_is_erased_do_not_outlive_it(workspace: Workspace) -> None:
    """Writers and who removes take turns: what was stored before is erased, what comes after is not stored."""
    register(workspace)
    failed: list[BaseException] = []
    begun = threading.Barrier(3)

    def write(writer: int) -> None:
        try:
            begun.wait()
            for number in range(12):
                workspace.predictions.append(rows(f"{writer}-{number}", moment=datetime.now(UTC)))
        except BaseException as error:  # noqa: BLE001 - told below, by the thread of the test
            failed.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(2)]
    for thread in threads:
        thread.start()
    begun.wait()
    workspace.deployments.remove("shop", log="erase")
    workspace.predictions.clear("shop")
    for thread in threads:
        thread.join()
    assert failed == []
    assert workspace.predictions.left("shop") == 0
