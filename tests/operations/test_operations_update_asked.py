"""Pictures that were asked over the network, labelled later, are learnt from; and go when a person asks for it."""

from __future__ import annotations

import base64
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow as pa
import pytest
from bar_pictures import NET, champion, pictures

from luban.core.errors import Unsupported
from luban.data import versions
from luban.operations.deploy import deploy
from luban.operations.feedback import feedback
from luban.operations.loading import deployed, fitted
from luban.operations.predictions.erase import predictions_erase
from luban.operations.predictions.learnt import learnt_from
from luban.operations.update import update
from luban.operations.updates.set import updates_set
from luban.operations.updating.asked import folder
from luban.operations.updating.material import at_hand, of_log
from luban.operations.updating.subject import subject
from luban.serving.server import running
from luban.store import Blobs, Workspace
from luban.store.digests import digest_of, digest_of_file

if TYPE_CHECKING:
    from luban.serving.deployed import Deployed

pytestmark = pytest.mark.usefixtures("in_this_process")

PORTION = 10
LATE = {"x-request-id": "late", "x-luban-subject": "person late"}


def ask(url: str, files: list[Path]) -> list[dict[str, Any]]:
    """Ask about pictures, ten a request, in base64 and in forms by turns; return their labels by request and row.

    Each request is about a person of its own; what the last one asked is refused to the log.
    """
    labels = []
    with httpx.Client(base_url=url, timeout=180) as client:
        for start in range(0, len(files), PORTION):
            part = files[start : start + PORTION]
            name = f"r{start // PORTION}"
            headers = {"x-request-id": name, "x-luban-subject": f"person {name}"}
            if start + PORTION >= len(files):
                headers["x-luban-consent"] = "no"
            if start // PORTION % 2:
                form = [("image", (one.name, one.read_bytes())) for one in part]
                answer = client.post("/models/bars/predict", files=form, headers=headers)
            else:
                rows = [{"image": base64.b64encode(one.read_bytes()).decode()} for one in part]
                answer = client.post("/models/bars/predict", json={"rows": rows}, headers=headers)
            assert answer.status_code == 200, answer.text
            labels += [{"request_id": name, "row": row, "label": one.parent.name} for row, one in enumerate(part)]
    return labels


def stored(served: Deployed, rows: int) -> None:
    """Wait until so many rows are in the log."""
    deadline = time.monotonic() + 180
    while served.figures()["log"].get(("bars", "stored")) != rows:
        assert time.monotonic() < deadline, f"they never came into the log: {served.figures()}"
        time.sleep(0.02)


@pytest.mark.long
def test_what_was_asked_is_learnt_from_and_erased(workspace: Workspace, tmp_path: Path) -> None:
    """A champion that learnt the wrong way round is put right by the labelled pictures of its own log, whose content
    the new data set names; and the bytes of a person go from the log, while what a data set holds is told."""
    pytest.importorskip("torch")
    champion(workspace, pictures(tmp_path / "old", 40, seed=1, turned=True), "image_network", NET)
    deploy(workspace, "bars", "bars", media="keep")
    sent = pictures(tmp_path / "asked", 170, seed=2)
    by_class = [sorted((sent / label).glob("*.png")) for label in ("lies", "stands")]
    files = [one for pair in zip(*by_class, strict=True) for one in pair]
    with deployed(workspace, ["bars"]) as served, running(served.models) as url:
        labels = ask(url, files)
        stored(served, 160)
    log = workspace.predictions
    assert log.count("bars") == 160
    digests = [digest_of_file(one) for one in files]
    assert log.media.kept(digests) == set(digests[:160])
    assert all(log.media.blobs.has(one) == (place < 160) for place, one in enumerate(digests))
    assert feedback(workspace, "bars", pa.Table.from_pylist(labels)).labels == 170

    done = update(workspace, "bars", on="labels", labels=100, rounds=1, way="retrain", gate=("latency=off",))
    assert (done.outcome, done.challenger, done.fresh) == ("promoted", "bars/2", 50)
    dataset = workspace.models.get("bars/2").dataset
    assert dataset == "bars.update/1"
    learnt = {digest_of_file(one) for one in map(Path, versions.table(workspace, dataset)["image"].to_pylist())}
    assert learnt > set(digests[:110])
    assert not learnt & set(digests[110:])
    again = sorted(pictures(tmp_path / "again", 20, seed=3).rglob("*.png"))
    right = fitted(workspace, "bars").predict(pa.table({"image": [str(one) for one in again]})).prediction.to_pylist()
    assert sum(one == path.parent.name for one, path in zip(right, again, strict=True)) >= 18

    for person, first in (("person r3", 30), ("person r15", 150)):
        erased = predictions_erase(workspace, person)
        assert erased.predictions == PORTION
        assert erased.unknown == ""
        theirs = digests[first : first + PORTION]
        assert not any(log.media.blobs.has(one) for one in theirs)
        held = [(one.dataset, one.rows, one.models) for one in erased.learnt]
        assert held == ([("bars.update/1", PORTION, ("bars/2",))] if first < 110 else [])
        assert all(workspace.blobs.has(one) == (first < 110) for one in theirs)
    assert all(log.media.blobs.has(one) for one in digests[40:150])
    assert not folder(workspace, "bars").exists()


def test_only_who_keeps_content_may_be_updated_from_the_log(workspace: Workspace, tmp_path: Path) -> None:
    """A policy is taken then, and refused where the content is not kept any more; the setting stays with others."""
    champion(workspace, pictures(tmp_path / "old", 12, seed=1), "constant", {})
    assert not deploy(workspace, "bars", "bars").media
    with pytest.raises(Unsupported, match="--media keep"):
        updates_set(workspace, "bars", on="labels")
    assert deploy(workspace, "bars", media="keep", update="labels").media
    assert deploy(workspace, "bars", log="50%").media
    assert workspace.deployments.get("bars").media
    assert not deploy(workspace, "bars", media="off").media
    with pytest.raises(Unsupported, match="--media keep"):
        update(workspace, "bars", rounds=1)


@pytest.mark.long
def test_rows_whose_content_is_not_there_are_left_out_and_broken_content_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows from before the content was kept cannot be learnt from; what the server answered as missing is so here. What
    is stored elsewhere is copied for the update, and the copies go with it."""
    monkeypatch.setenv("LUBAN_BLOBS", f"memory://{uuid.uuid4().hex}")
    with Workspace.open(tmp_path / ".luban", actor="ada") as workspace:
        _left_out(workspace, tmp_path, monkeypatch)


def _left_out(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    champion(workspace, pictures(tmp_path / "old", 40, seed=1), "constant", {})
    deploy(workspace, "bars", "bars")
    files = sorted(pictures(tmp_path / "asked", 40, seed=2).rglob("*.png"))
    with deployed(workspace, ["bars"]) as served, running(served.models) as url:
        before = ask(url, files)
        stored(served, 30)
    deploy(workspace, "bars", media="keep")
    with deployed(workspace, ["bars"]) as served, running(served.models) as url, httpx.Client(timeout=180) as client:
        pairs = [[base64.b64encode(one.read_bytes()).decode() for one in files[30 + n : 32 + n]] for n in range(4)]
        rows = [{"image": one} for one in (*pairs[0], base64.b64encode(files[0].read_bytes()[:70]).decode())]
        answer = client.post(f"{url}/models/bars/predict", json={"rows": rows}, headers=LATE)
        assert answer.status_code == 200, answer.text
        stored(served, 3)
    late = [{"request_id": "late", "row": row, "label": "lies"} for row in range(3)]
    feedback(workspace, "bars", pa.Table.from_pylist([*before, *late]))
    found = subject(workspace, "bars")
    material = of_log(workspace, found, 0.25)
    assert "30 labelled rows are left out" in material.notes[0]
    ready = at_hand(workspace, found, material)
    assert ready.waiting == 3
    assert "1 file of the log is broken" in ready.notes[-1]
    whole = [*ready.new.table["image"].to_pylist(), *ready.fresh.table["image"].to_pylist()]
    assert [one is None for one in whole] == [False, False, True]
    assert digest_of(Path(whole[0]).read_bytes()) == digest_of_file(files[30])
    assert Path(whole[0]).is_relative_to(folder(workspace, "bars"))
    assert update(workspace, "bars", on="labels").outcome == "waiting"
    assert not folder(workspace, "bars").exists()
    _told_without_a_look(workspace, files[30:32], monkeypatch)


def _told_without_a_look(workspace: Workspace, learnt: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who erases is told what has learnt from pictures by their digests: none is fetched, here or of the data set."""
    table = pa.table({"image": list(map(str, learnt)), "label": ["lies", "lies"]})
    schema = workspace.datasets.get("bars").schema
    versions.add_version(workspace, table.to_batches(), name="bars.update", schema=schema)
    local = type(workspace.blobs).local
    read: set[str] = set()

    def noted(self: Blobs, digest: str) -> Path:
        read.add(digest)
        return local(self, digest)

    monkeypatch.setattr(type(workspace.blobs), "local", noted)
    (found,) = learnt_from(workspace, "person late")
    assert (found.dataset, found.rows) == ("bars.update/1", 2)
    manifest = workspace.datasets.manifest(workspace.datasets.get("bars.update/1"))
    assert read == {one["digest"] for one in manifest["chunks"]}
