"""What every store must do: run `check_blobs` and `check_workspace` over one of your own."""

from __future__ import annotations

import math
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.errors import Conflict, InputError, LubanError, NotFound, Tampered
from luban.core.model import Signature
from luban.core.report import Finding, Report
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.store.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.store import Blobs, Workspace

SCHEMA = Schema(columns=(Column(name="size", kind="number"), Column(name="type", kind="category", role="target")))
TASK = Task(kind="binary", target="type", inputs=("size",), metric="roc_auc", classes=("big", "small"))
SIGNATURE = Signature(inputs=SCHEMA.columns[:1], outputs=(Column(name="prediction", kind="category"),))
WRITERS = 4


def check_blobs(open_blobs: Callable[[], Blobs], spoil: Callable[[str], None] | None = None) -> None:
    """Raise AssertionError where a place for blobs does not do what it must.

    Parameters
    ----------
    open_blobs : callable
        Opens the same place anew each time, as another process would.
    spoil : callable, optional
        Changes the stored content of a digest behind the store's back.
    """
    _content_comes_back(open_blobs)
    _unknown_content_is_not_found(open_blobs)
    _writers_of_one_content_agree(open_blobs)
    if spoil is not None:
        _spoilt_content_is_refused(open_blobs, spoil)


def check_workspace(open_workspace: Callable[[], Workspace]) -> None:
    """Raise AssertionError where a workspace does not keep what it must.

    Parameters
    ----------
    open_workspace : callable
        Opens the same workspace anew each time, as another process would.
    """
    for check in (
        _data_sets_are_versions,
        _runs_keep_their_metrics,
        _runs_are_filtered_and_sorted,
        _models_are_versions,
        _aliases_move_and_remember,
        _versions_go_with_their_content,
        _deployments_share_traffic,
        _reports_are_found,
        _names_are_checked,
        _writers_lose_nothing,
    ):
        check(open_workspace)
    with open_workspace() as workspace:
        assert workspace.audit.verify() == workspace.audit.head()[0] > 0


# --- blobs --------------------------------------------------------------------------------------


def _content_comes_back(open_blobs: Callable[[], Blobs]) -> None:
    for content in (b"", b"some bytes", bytes(range(256)) * 5000):
        digest = open_blobs().put(content)
        assert open_blobs().put(content) == digest, "the same content must have the same digest"
        assert open_blobs().has(digest)
        assert open_blobs().get(digest) == content
        assert open_blobs().local(digest).read_bytes() == content
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "content"
            path.write_bytes(content)
            assert open_blobs().put_file(path) == digest, "a file's digest must be that of its content"
    value = {"b": [1, 2.5, None], "a": "汉字"}
    digest = open_blobs().put_json(value)
    assert digest == open_blobs().put_json(dict(reversed(value.items()))), "equal values must have one digest"
    assert open_blobs().get_json(digest) == value


def _unknown_content_is_not_found(open_blobs: Callable[[], Blobs]) -> None:
    unknown = "sha256:" + "0" * 64
    assert not open_blobs().has(unknown)
    _raises(NotFound, open_blobs().get, unknown)
    _raises(NotFound, open_blobs().local, unknown)
    for wrong in ("", "sha256:", "../../etc/passwd", "sha256:" + "G" * 64, "sha256:" + "0" * 63 + "/"):
        _raises(InputError, open_blobs().get, wrong)
        _raises(InputError, open_blobs().has, wrong)
        _raises(InputError, open_blobs().local, wrong)


def _writers_of_one_content_agree(open_blobs: Callable[[], Blobs]) -> None:
    content = b"the same from everyone" * 10_000
    with ThreadPoolExecutor(WRITERS) as pool:
        digests = set(pool.map(lambda _: open_blobs().put(content), range(WRITERS * 4)))
    assert len(digests) == 1
    assert open_blobs().get(digests.pop()) == content


def _spoilt_content_is_refused(open_blobs: Callable[[], Blobs], spoil: Callable[[str], None]) -> None:
    digest = open_blobs().put(b"what was stored")
    spoil(digest)
    _raises(Tampered, open_blobs().get, digest)
    _raises(Tampered, open_blobs().local, digest)


# --- rows ---------------------------------------------------------------------------------------


def _data_sets_are_versions(open_workspace: Callable[[], Workspace]) -> None:
    with open_workspace() as workspace:
        first = workspace.datasets.add(
            name="flowers", schema=SCHEMA, manifest={"chunks": ["a"]}, rows=3, source="a.csv"
        )
        again = workspace.datasets.add(name="flowers", schema=SCHEMA, manifest={"chunks": ["a"]}, rows=3)
        second = workspace.datasets.add(
            name="flowers", schema=SCHEMA, manifest={"chunks": ["b"]}, rows=2, parents=[first.reference]
        )
    assert (first.version, second.version) == (1, 2)
    assert again == first, "content that is there already must give the existing version"
    with open_workspace() as workspace:
        assert workspace.datasets.get("flowers") == second
        assert workspace.datasets.get("flowers/1") == first
        assert workspace.datasets.versions("flowers") == [first, second]
        assert second in workspace.datasets.list()
        assert first not in workspace.datasets.list()
        assert workspace.datasets.manifest(first) == {"chunks": ["a"]}
        assert second.parents == ("flowers/1",)
        assert "flowers" in str(_raises(NotFound, workspace.datasets.get, "flower"))
        assert "1 to 2" in str(_raises(NotFound, workspace.datasets.get, "flowers/3"))


def _runs_keep_their_metrics(open_workspace: Callable[[], Workspace]) -> None:
    with open_workspace() as workspace:
        run = workspace.runs.start("fit", {"data": "flowers", "budget": 60}, environment={"python": "3"})
        child = workspace.runs.start("trial", {}, parent=run.id)
        assert run.id < child.id, "identifiers must sort by start"
        for step in range(5):
            workspace.runs.log(run.id, {"loss": 1.0 / (1 + step), "rate": 0.1}, step=step)
        workspace.runs.log(run.id, {"loss": 9.0}, step=2)  # late news of an earlier step
        workspace.runs.log_many(run.id, [("many", step, float(step)) for step in range(1000)])
        workspace.runs.log(run.id, {"odd": math.nan, "big": math.inf})
        workspace.runs.set_tag(run.id, "note", {"any": ["json", 1]})
        workspace.runs.set_tag(run.id, "note", "changed")
    with open_workspace() as workspace:
        found = workspace.runs.get(run.id)
        assert found.state == "running"
        assert found.request == {"data": "flowers", "budget": 60}
        assert found.environment == {"python": "3"}
        assert found.started == run.started
        assert workspace.runs.get(run.id[:-1]) == found or run.id[:-1] == child.id[:-1]
        assert [step for step, _, _ in workspace.runs.history(run.id, "loss")] == [0, 1, 2, 2, 3, 4]
        assert len(workspace.runs.history(run.id, "many")) == 1000
        assert math.isnan(found.scores["odd"])
        assert found.scores["big"] == math.inf
        assert (found.scores["loss"], found.scores["many"]) == (0.2, 999.0), "a score is the value at the last step"
        done = workspace.runs.finish(run.id, "finished", scores={"loss": 0.5, "roc_auc": 0.9})
        assert (done.scores["loss"], done.scores["roc_auc"]) == (0.5, 0.9), "final scores must win"
        assert done.ended is not None
        assert done.ended >= done.started
        failed = workspace.runs.finish(child.id, "failed", error={"code": "bad-input"})
        assert failed.error == {"code": "bad-input"}
        assert [one.id for one in workspace.runs.list(parent=run.id)] == [child.id]
        assert workspace.runs.tags(run.id) == {"note": "changed"}
        assert workspace.runs.reopen(child.id).state == "running"
        for call in (
            lambda: workspace.runs.get("nosuchrun"),
            lambda: workspace.runs.log("nosuchrun", {"loss": 1.0}),
            lambda: workspace.runs.log_many("nosuchrun", []),
            lambda: workspace.runs.finish("nosuchrun", "finished"),
            lambda: workspace.runs.start("trial", {}, parent="nosuchrun"),
            lambda: workspace.runs.set_tag("nosuchrun", "key", 1),
        ):
            _raises(NotFound, call)
        for metric in ("", "with\nline", "x" * 251):
            _raises(InputError, workspace.runs.log, run.id, {metric: 1.0})
        _raises(InputError, workspace.runs.log, run.id, {"loss": "high"})


def _runs_are_filtered_and_sorted(open_workspace: Callable[[], Workspace]) -> None:
    with open_workspace() as workspace:
        ids = []
        for number in range(6):
            run = workspace.runs.start("sort", {"number": number})
            ids.append(run.id)
            if number < 4:
                workspace.runs.log(run.id, {"key": float(number % 3), "other": float(number)})
        runs = workspace.runs

        def numbers(**options: Any) -> list[int]:
            return [one.request["number"] for one in runs.list(operation="sort", **options)]

        assert numbers() == [5, 4, 3, 2, 1, 0], "the newest run comes first"
        assert numbers(descending=False) == [0, 1, 2, 3, 4, 5]
        assert numbers(order_by="key") == [2, 1, 3, 0, 5, 4], "runs without the metric come last"
        assert numbers(order_by="key", descending=False) == [0, 3, 1, 2, 4, 5] or numbers(
            order_by="key", descending=False
        ) == [0, 3, 1, 2, 5, 4]
        assert numbers(order_by="key", limit=2, offset=1) == [1, 3]
        assert numbers(where=[("key", ">=", 1.0), ("other", "<", 2.0)]) == [1]
        assert numbers(where=[("key", "==", 0.0)]) == [3, 0]
        assert numbers(where=[("key", "!=", 0.0)], order_by="other") == [2, 1]
        assert runs.count(operation="sort", where=[("key", ">", -1.0)]) == 4
        assert runs.count(roots=True) == len(runs.list(roots=True, limit=1000))
        runs.finish(ids[0], "finished")
        assert numbers(state="finished") == [0]
        _raises(InputError, runs.list, where=[("key", "~", 1.0)])


def _models_are_versions(open_workspace: Callable[[], Workspace]) -> None:
    with open_workspace() as workspace:
        run = workspace.runs.start("fit", {})
        artifact = workspace.blobs.put_json({"protocol": 1})
        report = workspace.blobs.put_json({"check": "evaluation"})
        common: dict[str, Any] = {"artifact": artifact, "signature": SIGNATURE, "task": TASK}
        first = workspace.models.register(
            name="鸢尾花", **common, dataset="flowers/1", run=run.id, scores={"roc_auc": 0.8}, tags={"by": "ada"}
        )
        second = workspace.models.register(name="鸢尾花", **common, reports={"evaluation": report})
        assert (first.reference, second.reference) == ("鸢尾花/1", "鸢尾花/2")
        assert first.task == TASK
        assert first.signature == SIGNATURE
        assert (first.dataset, first.run, first.scores, first.tags) == (
            "flowers/1",
            run.id,
            {"roc_auc": 0.8},
            {"by": "ada"},
        )
        assert second.reports == {"evaluation": report}
        assert workspace.models.get("鸢尾花") == second, "without a champion the newest version is meant"
        workspace.models.attach_report("鸢尾花/1", "fairness", report)
        assert workspace.models.get("鸢尾花/1").reports == {"fairness": report}
        assert [one.version for one in workspace.models.versions("鸢尾花")] == [1, 2]
        assert second in workspace.models.list()
        _raises(NotFound, lambda: workspace.models.register(name="m", **common, run="nosuchrun"))
        _raises(NotFound, workspace.models.get, "m")
        _raises(NotFound, workspace.models.get, "鸢尾花/3")
        _raises(NotFound, workspace.models.versions, "m")


def _aliases_move_and_remember(open_workspace: Callable[[], Workspace]) -> None:
    with open_workspace() as workspace:
        for _ in range(2):
            workspace.models.register(name="moving", artifact=workspace.blobs.put(b"m"), signature=SIGNATURE, task=TASK)
        workspace.models.set_alias("moving", "champion", 1, reason="first")
        assert workspace.models.get("moving").version == 1, "a plain name means the champion"
        assert workspace.models.get("moving@champion").aliases == ("champion",)
        change = workspace.models.set_alias("moving", "champion", 2, reason="better")
        assert (change.before, change.after, change.reason, change.actor) == (1, 2, "better", workspace.actor)
        assert workspace.models.get("moving@champion").version == 2
        workspace.models.set_alias("moving", "champion", None, reason="withdrawn")
        _raises(NotFound, workspace.models.get, "moving@champion")
        _raises(NotFound, workspace.models.set_alias, "moving", "champion", 3)
        _raises(NotFound, workspace.models.set_alias, "moving", "champion", None)
        history = workspace.models.alias_history("moving")
        assert [(one.before, one.after) for one in history] == [(None, 1), (1, 2), (2, None)]
        assert [entry.detail["reason"] for entry in workspace.audit.entries(subject="model/moving")] == [
            "first",
            "better",
            "withdrawn",
        ]


def _versions_go_with_their_content(open_workspace: Callable[[], Workspace]) -> None:
    with open_workspace() as workspace:
        blobs, shared = workspace.blobs, workspace.blobs.put_json({"python": "3"})
        for payload in (b"first", b"second"):
            manifest = blobs.put_json({"payload": blobs.put(payload)})
            common: dict[str, Any] = {"artifact": manifest, "signature": SIGNATURE, "task": TASK}
            made = workspace.models.register(name="going", **common, environment=shared)
            workspace.models.set_alias("going", "champion", made.version)
        assert workspace.models.verify("going/2") == workspace.models.get("going")
        assert workspace.models.roll_back("going").after == 1
        _raises(Conflict, workspace.models.roll_back, "going")
        workspace.deployments.set("going", {"going/2": 1.0})
        _raises(Conflict, workspace.models.delete, "going/2")
        _raises(Conflict, workspace.models.delete, "going/1")
        workspace.models.delete("going/1", without=("champion",))
        _raises(NotFound, workspace.models.get, "going/1")
        assert not blobs.has(digest_of(b"first")), "content that nothing names must go"
        assert blobs.has(digest_of(b"second")), "content that another version names must stay"
        assert blobs.has(shared), "content that another version names must stay"
        workspace.deployments.remove("going")
        workspace.models.delete("going/2")
        assert not blobs.has(shared)


def _deployments_share_traffic(open_workspace: Callable[[], Workspace]) -> None:
    with open_workspace() as workspace:
        deployed = workspace.deployments.set("shop", {"moving/1": 0.9, "moving/2": 0.1}, shadow="moving/2")
        assert workspace.deployments.get("shop") == deployed
        assert deployed in workspace.deployments.list()
        workspace.deployments.set("shop", {"moving/2": 1.0}, reason="canary is well")
        _raises(InputError, workspace.deployments.set, "shop", {"moving/1": 0.5})
        _raises(InputError, workspace.deployments.set, "shop", {})
        _raises(NotFound, workspace.deployments.set, "shop", {"moving/9": 1.0})
        assert workspace.deployments.get("shop").traffic == {"moving/2": 1.0}, "what was refused must change nothing"
        workspace.deployments.remove("shop", reason="closed")
        _raises(NotFound, workspace.deployments.get, "shop")
        history = workspace.deployments.history("shop")
        assert [entry.detail["reason"] for entry in history] == ["", "canary is well", "closed"]
        assert history[1].detail["before"]["traffic"] == {"moving/1": 0.9, "moving/2": 0.1}


def _reports_are_found(open_workspace: Callable[[], Workspace]) -> None:
    report = Report(
        check="profile", subject="flowers/1", verdict="warn", findings=(Finding(what="few rows", verdict="warn"),)
    )
    with open_workspace() as workspace:
        digest = workspace.reports.add(report)
        assert workspace.reports.get(digest) == report
        (entry,) = workspace.reports.list(subject="flowers/1", check="profile")
        assert (entry.digest, entry.verdict, entry.actor) == (digest, "warn", workspace.actor)


def _names_are_checked(open_workspace: Callable[[], Workspace]) -> None:
    wrong = ("", ".", "..", ".hidden", "a/b/c", "a@b@c", "a..b", "-x", "a b", "a\\b", "x" * 101, "a\n", "a\0")
    with open_workspace() as workspace:
        artifact = workspace.blobs.put(b"m")
        for name in wrong:
            _raises(InputError, workspace.models.get, name)
            _raises(InputError, workspace.datasets.get, name)
            _raises(InputError, workspace.models.set_alias, "moving", name, 1)
            _raises(
                InputError,
                lambda name=name: workspace.models.register(
                    name=name, artifact=artifact, signature=SIGNATURE, task=TASK
                ),
            )


def _writers_lose_nothing(open_workspace: Callable[[], Workspace]) -> None:
    rounds = 6

    def write(writer: int) -> list[int]:
        versions = []
        with open_workspace() as workspace:
            artifact = workspace.blobs.put(b"m")
            run = workspace.runs.start("write", {"writer": writer})
            for step in range(rounds):
                workspace.runs.log(run.id, {"step": float(step)}, step=step)
                model = workspace.models.register(name="crowd", artifact=artifact, signature=SIGNATURE, task=TASK)
                versions.append(model.version)
                workspace.models.set_alias("crowd", "champion", model.version)
        return versions

    with ThreadPoolExecutor(WRITERS) as pool:
        given = [version for versions in pool.map(write, range(WRITERS)) for version in versions]
    total = WRITERS * rounds
    assert sorted(given) == list(range(1, total + 1)), "each writer must get a version of its own"
    with open_workspace() as workspace:
        assert len(workspace.models.versions("crowd")) == total
        moves = workspace.models.alias_history("crowd")
        assert [one.before for one in moves] == [None, *[one.after for one in moves[:-1]]], "moves must form one chain"
        written = workspace.runs.list(operation="write")
        assert len(written) == WRITERS
        assert all(len(workspace.runs.history(one.id, "step")) == rounds for one in written)


def _raises(kind: type[LubanError], call: Callable[..., Any], *arguments: Any, **options: Any) -> LubanError:
    try:
        call(*arguments, **options)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised for {arguments} {options}")
