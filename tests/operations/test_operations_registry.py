"""The registry as its users meet it: records, signatures before loading, cards, comparison, lineage, the commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sklearn.datasets import load_breast_cancer

import luban
from luban.core import plugins
from luban.core.errors import Conflict, InputError, LubanError, NotFound, Refused, Tampered
from luban.core.lineage import Edge, Lineage, Node
from luban.core.model import Signature
from luban.core.paths import paths_refused
from luban.core.task import Task
from luban.learners import artifact
from luban.operations.lineage.drawing import drawing
from luban.operations.lineage.layout import HEIGHT, WIDTH, layout
from luban.operations.lineage.lines import lines
from luban.operations.loading import fitted, runtime
from luban.operations.origin import Origin
from luban.operations.registering import register, signer
from luban.store import Workspace, private_keys, signing
from luban.surfaces.rest import openapi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def table() -> Any:
    """Rows of a real data set."""
    frame = load_breast_cancer(as_frame=True).frame.sample(frac=1, random_state=0).reset_index(drop=True)
    frame["target"] = frame["target"].map({0: "malignant", 1: "benign"})
    return frame


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, table: Any) -> Iterator[Path]:
    """A workspace with one fitted model of two versions, and a folder of private keys; most tests only look."""
    root = tmp_path_factory.mktemp("registry")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUBAN_KEYS", str(root / "keys"))
        for name in ("LUBAN_SIGNED_ONLY", "LUBAN_TRUSTED_KEYS", "LUBAN_KEY_PASSPHRASE", "LUBAN_SIGNING_KEY"):
            patch.delenv(name, raising=False)
        patch.setenv("LUBAN_WORKSPACE", str(root / ".luban"))
        luban.fit(table[:400], target="target", name="cancer", rounds=2, learners=("linear",))
        with Workspace.open() as workspace:
            again(workspace)
        yield root


@pytest.fixture
def workspace(home: Path) -> Iterator[Workspace]:
    """The workspace, open."""
    with Workspace.open(home / ".luban", actor="ada") as opened:
        yield opened


def again(workspace: Workspace, **more: Any) -> str:
    """Register the same bytes as another version of the model."""
    first = workspace.models.get("cancer/1")
    kept = {
        name: getattr(first, name) for name in ("name", "artifact", "signature", "task", "dataset", "run", "scores")
    }
    return register(workspace, Origin(), **kept, **more).reference


def test_a_fit_records_what_it_was_made_from(workspace: Workspace) -> None:
    """Digests of data, code and environment stand on the version's row and lead to their content."""
    version = workspace.models.verify("cancer/1")
    assert version.dataset is not None
    assert version.data == workspace.datasets.get(version.dataset).fingerprint
    assert version.code is not None
    assert version.environment is not None
    code, environment = workspace.blobs.get_json(version.code), workspace.blobs.get_json(version.environment)
    assert code["luban"] == luban.__version__
    assert environment["packages"]["scikit-learn"]
    shown = luban.models.show("cancer/1", workspace=workspace)
    assert shown.code == code
    assert shown.learners == {"linear": pytest.approx(1.0)}
    verified = luban.models.verify("cancer/1", workspace=workspace)
    assert {"environment", "data", "code", "evaluation"} <= set(verified.records)


def test_damage_of_a_record_is_found(workspace: Workspace) -> None:
    """Verify reads what the digests stand for, not the model alone; to show it still works, and tells."""
    reference = again(workspace, tags={"mark": "damaged"})
    version = workspace.models.get(reference)
    odd = workspace.blobs.put_json({"python": "odd"})
    with workspace._database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE models SET environment = '{odd}' WHERE version = {version.version}")
    with pytest.raises(Tampered):
        luban.models.verify(reference, workspace=workspace)
    workspace.blobs.remove(odd)
    assert "not in the workspace" in luban.models.show(reference, workspace=workspace).trouble[0]
    workspace.models.delete(reference)


WAYS = {
    "load": lambda place, name, rows: luban.load(name, workspace=place),
    "predict": lambda place, name, rows: luban.predict(name, rows, workspace=place),
    "evaluate": lambda place, name, rows: luban.evaluate(name, rows, workspace=place),
    "serve": lambda place, name, rows: runtime(place, name),
    "Python form": lambda place, name, rows: fitted(place, name),
    "deploy": lambda place, name, rows: luban.deploy("shop", name, workspace=place),
    "promote": lambda place, name, rows: luban.models.promote(name, alias="other", workspace=place),
    "verify": lambda place, name, rows: luban.models.verify(name, workspace=place),
    "export": lambda place, name, rows: luban.export(name, to="onnx", output=place.root / "out", workspace=place),
}


QUICK = ("load", "predict", "serve", "deploy")


@pytest.mark.parametrize("way", [one if one in QUICK else pytest.param(one, marks=pytest.mark.long) for one in WAYS])
def test_a_broken_signature_is_refused_before_anything_is_parsed(
    workspace: Workspace, table: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On every way to the bytes of a model; not even its manifest is parsed."""
    luban_key(workspace)
    reference = again(workspace, sign=_by("ada", workspace))
    WAYS["load"](workspace, reference, table)
    number = reference.rpartition("/")[2]
    with workspace._database.writing() as connection:
        other = "A" * 86 + "=="
        connection.exec_driver_sql(f"UPDATE model_signatures SET signature = '{other}' WHERE version = {number}")
    if way != "verify":
        monkeypatch.setattr(artifact, "read_manifest", _must_not)
    with pytest.raises(Tampered, match="signature"):
        WAYS[way](workspace, reference, table[400:])
    workspace.models.delete(reference)


def _must_not(*_: Any) -> None:
    raise AssertionError("something was parsed")


def luban_key(workspace: Workspace) -> None:
    """Make the key ``ada`` and trust it, once."""
    if "ada" not in private_keys.names():
        luban.keys.create("ada", workspace=workspace)


def _by(name: str, workspace: Workspace) -> Any:
    from luban.operations.registering import signing_with

    return signing_with(workspace, name)


def test_a_flipped_byte_of_a_signed_model_is_refused(workspace: Workspace) -> None:
    """The signature vouches for the manifest, the manifest for each payload."""
    luban_key(workspace)
    reference = again(workspace, sign=_by("ada", workspace))
    manifest = artifact.read_manifest(workspace.blobs, workspace.models.get(reference).artifact)
    payload = next(iter(manifest.payloads.values()))
    path = workspace.blobs.local(payload.digest)
    whole = path.read_bytes()
    path.chmod(0o644)
    try:
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(Tampered, match="not what was stored"):
            luban.load(reference, workspace=workspace)
        with pytest.raises(Tampered):
            luban.models.sign(reference, key="ada", workspace=workspace)
    finally:
        path.write_bytes(whole)
    workspace.models.delete(reference)


def test_signed_only_and_signing_at_registration(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the policy unsigned versions are not loaded, deployed or gone back to; new ones are signed by the key."""
    luban_key(workspace)
    assert signer(workspace) is None
    policy = luban.keys.policy("signed-only", sign_with="ada", workspace=workspace)
    try:
        assert (policy.load, policy.sign_with) == ("signed-only", "ada")
        reference = again(workspace, sign=signer(workspace))
        luban.load(reference, workspace=workspace)
        with pytest.raises(Refused, match="not signed"):
            luban.load("cancer/1", workspace=workspace)
        luban.models.promote(reference, reason="signed", workspace=workspace)
        with pytest.raises(Refused, match="not signed"):
            luban.models.rollback("cancer", workspace=workspace)
        assert workspace.models.get("cancer").reference == reference
        monkeypatch.setenv("LUBAN_SIGNING_KEY", "nobody")
        with pytest.raises(NotFound, match="no key is named 'nobody'"):
            luban.fit("cancer", target="target", rounds=1, workspace=workspace)
        private_keys.create("stranger")
        monkeypatch.setenv("LUBAN_SIGNING_KEY", "stranger")
        with pytest.raises(Refused, match="not trusted in this workspace"):
            signer(workspace)
    finally:
        luban.keys.policy("any", sign_with="none", workspace=workspace)
    luban.models.rollback("cancer", reason="back", workspace=workspace)
    workspace.models.delete(reference)


def test_two_versions_beside_each_other(workspace: Workspace, table: Any) -> None:
    """What is on record of both, what differs; on the same rows a paired comparison; other questions are refused."""
    plain = luban.models.compare("cancer/1", "cancer/2", workspace=workspace)
    assert plain.report is None
    by = {(line.about, line.what): line for line in plain.lines}
    assert by["data", "fingerprint"].same
    assert not by["record", "created"].same
    assert by["model", "bytes"].first > 0
    assert {"scores", "task", "data", "code", "environment", "model", "record"} == {line.about for line in plain.lines}
    compared = luban.models.compare("cancer/1", "cancer/2", table[400:], workspace=workspace)
    assert compared.rows == 169
    assert compared.report is not None
    assert compared.report.figures["roc_auc"]["difference"] == 0.0
    assert compared.report.figures["roc_auc"]["interval"] == [0.0, 0.0]
    other = workspace.models.get("cancer/1")
    task = type(other.task)(**{**vars(other.task), "target": "else"})
    made = workspace.models.register(name="else", artifact=other.artifact, signature=other.signature, task=task)
    with pytest.raises(InputError, match="answer different questions"):
        luban.models.compare("cancer/1", "else", table, workspace=workspace)
    workspace.models.delete(made.reference)


def test_a_card_is_read_by_the_hub(workspace: Workspace, tmp_path: Path) -> None:
    """The head is the Hub's model index; every section is there; nothing of a name becomes markup."""
    hub = pytest.importorskip("huggingface_hub")
    path = tmp_path / "README.md"
    nasty = "</details>\n# | [x](javascript:alert(1)) <script>"
    luban.models.card("cancer/1", output=path, intended_use=nasty, license="apache-2.0", workspace=workspace)
    card = hub.ModelCard.load(path)
    figures = workspace.reports.get(workspace.models.get("cancer/1").reports["evaluation"]).figures
    results = {one.metric_type: one for one in card.data.eval_results}
    assert next(iter(results)) == "roc_auc"
    assert results["roc_auc"].metric_value == figures["metrics"]["roc_auc"]
    assert results["roc_auc"].metric_args["low"] == figures["intervals"]["roc_auc"][0]
    assert (card.data.pipeline_tag, card.data.license, card.data.library_name) == (
        "tabular-classification",
        "apache-2.0",
        "luban",
    )
    wanted = ["What it is", "Intended use", "Data", "Metrics", "Slices", "Explanation", "Limits", "How to use"]
    titles = [line[3:] for line in card.text.splitlines() if line.startswith("## ")]
    assert titles == [*wanted, "Lineage", "Environment"]
    assert "<script>" not in card.text
    assert "[x](" not in card.text.replace("\\[x\\](", ""), "brackets of a name are escaped"
    assert "No explanation is on record" in card.text
    assert workspace.models.get("cancer/1").artifact in card.text
    with pytest.raises(InputError, match="licence"):
        luban.models.card("cancer/1", license="x: y\nz", workspace=workspace)


def test_a_card_says_what_nobody_recorded(workspace: Workspace) -> None:
    """A version without evaluation, data or code has a card that says so, and a head without results."""
    first = workspace.models.get("cancer/1")
    made = workspace.models.register(name="bare", artifact=first.artifact, signature=first.signature, task=first.task)
    card = luban.models.card(made.reference, workspace=workspace).card
    for said in (
        "No evaluation is on record",
        "The data set that it learnt from was not recorded",
        "Nobody has recorded a use",
        "The environment was not recorded",
        "No slices are on record",
    ):
        assert said in card
    assert "model-index" not in card
    workspace.models.delete(made.reference)


def test_lineage_goes_both_ways_and_round(workspace: Workspace, tmp_path: Path) -> None:
    """From data to labels and back; a version that was taken back is told as the past; a loop ends."""
    dataset = workspace.models.get("cancer/1").dataset
    workspace.deployments.set("clinic", {"cancer/1": 1.0})
    workspace.deployments.set("clinic", {"cancer/2": 0.9, "cancer/1": 0.1})
    workspace.deployments.set("clinic", {"cancer/2": 1.0})
    workspace.labels.add("clinic", ["a", "b"], None, ["benign", "benign"])
    update = workspace.runs.start("update", {"name": "clinic"})
    for key, value in {"champion": "cancer/2", "labelled": 2}.items():
        workspace.runs.set_tag(update.id, key, value)
    fit = workspace.runs.start("fit", {}, parent=update.id)
    first = workspace.models.get("cancer/1")
    made = workspace.models.register(
        name="cancer", artifact=first.artifact, signature=first.signature, task=first.task, run=fit.id, dataset=dataset
    )
    workspace.deployments.set("clinic", {made.reference: 1.0})
    lost = workspace.runs.start("fit", {})
    workspace.runs.set_tag(lost.id, "dataset", dataset)
    down = luban.lineage(f"data:{dataset}", workspace=workspace)
    assert {"model:cancer/1", "deployment:clinic", "labels:clinic", f"run:{update.id}"} <= {
        one.id for one in down.nodes
    }
    assert f"run:{lost.id}" not in {one.id for one in down.nodes}
    assert "1 run on it made no model" in down.nodes[0].detail
    up = luban.lineage("labels:clinic", output=tmp_path / "l.json", workspace=workspace)
    edges = {(one.source, one.target): one for one in up.edges}
    assert edges["model:cancer/1", "deployment:clinic"].past
    assert edges[f"model:{made.reference}", "deployment:clinic"].what == "answers 100%"
    assert ("labels:clinic", f"run:{update.id}") in edges
    assert (f"data:{dataset}", f"run:{fit.id}") in edges
    assert json.loads((tmp_path / "l.json").read_text())["subject"] == "labels:clinic"
    for subject in ("cancer", "cancer/1", "cancer@champion", fit.id, "clinic", f"run:{fit.id[:14]}"):
        luban.lineage(subject, output=tmp_path / "l.svg", workspace=workspace)
        ElementTree.parse(tmp_path / "l.svg")
    for wrong in ("nothing", "data:nothing", "cancer/99", "run:zz"):
        with pytest.raises(NotFound):
            luban.lineage(wrong, workspace=workspace)
    with pytest.raises(InputError):
        luban.lineage("table:x", workspace=workspace)
    workspace.deployments.remove("clinic", log="keep")
    workspace.models.delete(made.reference)
    told = luban.lineage(made.reference, workspace=workspace)
    assert told.nodes[0].gone
    assert "deleted by ada" in told.text[0]


NASTY = (
    "../../etc/passwd",
    "..",
    "a/../b",
    "cancer/../1",
    "/etc/passwd",
    "cancer\\..",
    "%2e%2e",
    "a\0b",
    "cancer/1/2",
    "",
)


@pytest.mark.parametrize("name", NASTY)
def test_names_cannot_leave_the_workspace(workspace: Workspace, tmp_path: Path, name: str) -> None:
    """In every name and reference that the registry takes; nothing is made, read or moved."""
    before = sorted(tmp_path.parent.rglob("*"))
    for ask in (
        lambda: luban.models.show(name, workspace=workspace),
        lambda: luban.models.verify(name, workspace=workspace),
        lambda: luban.models.card(name, workspace=workspace),
        lambda: luban.models.compare("cancer/1", name, workspace=workspace),
        lambda: luban.models.promote(name, workspace=workspace),
        lambda: luban.models.promote("cancer/1", alias=name, workspace=workspace),
        lambda: luban.models.rollback(name, workspace=workspace),
        lambda: luban.models.rollback("cancer", alias=name, workspace=workspace),
        lambda: luban.models.delete(name, workspace=workspace),
        lambda: luban.models.delete("cancer/2", without=(name,), workspace=workspace),
        lambda: luban.keys.create(name, workspace=workspace),
        lambda: luban.keys.remove(name, workspace=workspace),
        lambda: luban.keys.policy(sign_with=name, workspace=workspace),
        lambda: luban.lineage(name, workspace=workspace),
        lambda: luban.deploy(name, "cancer/1", workspace=workspace),
    ):
        with pytest.raises(LubanError):
            ask()
    with pytest.raises(LubanError):
        luban.keys.trust("AAAA", name=name or None, workspace=workspace)
    assert sorted(tmp_path.parent.rglob("*")) == before


@pytest.mark.long
def test_the_commands_tell_what_they_did(home: Path) -> None:
    """At 80 columns nothing that is to be copied is broken; a refusal has its remedy; JSON is JSON."""
    place = {"COLUMNS": "80", "LUBAN_KEYS": str(home / "keys"), "LUBAN_WORKSPACE": str(home / ".luban")}

    def run(*words: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "luban", *words]
        done = subprocess.run(command, env=os.environ | place, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    status, out, _ = run("models", "show", "cancer/1")
    assert status == 0
    assert "not signed" in out
    with Workspace.open(home / ".luban") as workspace:
        assert workspace.models.get("cancer/1").artifact.removeprefix("sha256:") in out
    status, out, _ = run("models", "compare", "cancer/1", "cancer/2")
    assert status == 0
    assert max(map(len, out.splitlines())) <= 80
    status, out, _ = run("lineage", "cancer/1", "--json")
    assert json.loads(out)["subject"] == "model:cancer/1"
    status, _, error = run("models", "delete", "cancer/1")
    assert status == 2
    assert "luban models delete cancer/1 --without champion" in error
    status, _, error = run("models", "rollback", "cancer/1")
    assert status == 2
    assert "luban models rollback cancer --alias champion" in error


def test_the_list_of_models_shows_what_answers_beside_what_is_newest(workspace: Workspace) -> None:
    newest = again(workspace)
    listed = [one.model for one in luban.models.list(workspace=workspace).models if one.model.startswith("cancer/")]
    champion = workspace.models.get("cancer").reference
    assert listed == [newest, champion]
    assert champion != newest


def test_deployed_versions_stay(workspace: Workspace) -> None:
    """`luban models delete` says where a version answers and what to do."""
    luban.deploy("lab", "cancer/2", workspace=workspace)
    with pytest.raises(Conflict, match=r"cancer/2 is deployed.*deployment lab"):
        luban.models.delete("cancer/2", workspace=workspace)
    workspace.deployments.remove("lab")


def test_boxes_stand_apart_and_ways_lead_on() -> None:
    """In a drawing with rounds no two boxes overlap, and every way but those that close a round goes right."""
    names = [f"data:{number}" for number in range(12)]
    links = [(a, b) for a in range(12) for b in range(12) if (a * 7 + b * 5) % 11 == 3 and a != b]
    edges = tuple(Edge(source=names[a], target=names[b]) for a, b in links)
    nodes = tuple(Node(id=one, kind="data", name=one) for one in names)
    placed = layout(Lineage(subject=names[3], nodes=nodes, edges=edges))
    assert len(placed.ways) + len(placed.back) == len(edges)
    assert placed.back
    boxes = list(placed.boxes.values())
    for place, (x, y) in enumerate(boxes):
        assert x >= 0
        assert y >= -1e-6
        for other_x, other_y in boxes[place + 1 :]:
            assert abs(x - other_x) >= WIDTH or abs(y - other_y) >= HEIGHT
    for edge, points in placed.ways:
        assert placed.boxes[edge.source][0] + WIDTH < placed.boxes[edge.target][0]
        assert [x for x, _ in points] == sorted(x for x, _ in points)


def test_a_drawing_keeps_whatever_names_hold_as_text() -> None:
    """Markup, control characters and very long names make no element and no broken file; the tree tells all once."""
    evil = '<script>alert(1)</script>"&\x00\x1b[31m' + "长" * 200
    nodes = (
        Node(id="data:a", kind="data", name=evil, detail=evil),
        Node(id="run:b", kind="run", name="b"),
        Node(id="data:c", kind="data", name="c", gone=True),
    )
    edges = (
        Edge(source="data:a", target="run:b", what=evil),
        Edge(source="run:b", target="data:c", past=True),
        Edge(source="data:c", target="data:a", what="round"),
    )
    found = Lineage(subject="data:a", nodes=nodes, edges=edges)
    root = ElementTree.fromstring(drawing(found))
    assert not [one for one in root.iter() if one.tag.endswith("script")]
    told = lines(found, plain=True)
    assert sum("run b" in line and "see its own branch" not in line for line in told) == 2, "once each direction"


@pytest.mark.long
def test_a_card_explains_on_request(workspace: Workspace) -> None:
    """With `--explain` the columns that matter stand in the card, with their intervals, though none was on record."""
    card = luban.models.card("cancer/1", explain=True, workspace=workspace).card
    section = card.partition("## Explanation")[2].partition("## Limits")[0]
    assert "| loss of roc\\_auc | low | high |" in section
    assert sum(line.startswith("| ") for line in section.splitlines()) > 10
    assert "explanation" in card.partition("Checks on record: ")[2].splitlines()[0]


def test_a_model_of_another_tool_has_a_card_and_a_lineage(workspace: Workspace) -> None:
    """What the MLflow client registered is told as what it is; nothing is said of a target that is not known."""
    file = workspace.blobs.put(b"weights")
    manifest = {"protocol": 1, "foreign": "mlflow", "source": "x", "files": {"model": {"digest": file, "size": 7}}}
    task = Task(kind="foreign", target="", inputs=(), metric="")
    kept = workspace.blobs.put_json(manifest)
    made = workspace.models.register(
        name="theirs", artifact=kept, signature=Signature(inputs=(), outputs=()), task=task
    )
    workspace.notes.write("theirs", 1, {"description": "Ranks | leads"})
    card = luban.models.card("theirs", workspace=workspace).card
    assert "was made by another tool" in card
    assert "> Ranks \\| leads" in card
    assert "luban predict" not in card
    assert luban.lineage("theirs", workspace=workspace).subject == "model:theirs/1"
    assert workspace.models.delete(made.reference) == 2, "its manifest and its file"
    assert workspace.notes.read("theirs") == {}


def test_a_request_cannot_have_a_file_read_as_a_key(workspace: Workspace, tmp_path: Path) -> None:
    """Over the network a public key is given itself: no file of the machine is opened, and no name of a key here."""
    luban_key(workspace)
    path = tmp_path / "bob.pub"
    path.write_text("AAAAC3NzaC1lZDI1NTE5AAAAIBob")
    for key in (str(path), "ada", "/etc/passwd"):
        with paths_refused(), pytest.raises(InputError) as refused:
            luban.keys.trust(key, name="bob", workspace=workspace)
        assert "Bob" not in str(refused.value)
    public = signing.public_of(Ed25519PrivateKey.generate())
    with paths_refused():
        assert luban.keys.trust(public, name="bob", workspace=workspace).public == public
    path.write_text(public)
    luban.keys.remove("bob", workspace=workspace)
    assert luban.keys.trust(str(path), workspace=workspace).name == "bob"
    luban.keys.remove("bob", workspace=workspace)
    verbs = {name: plugins.load("operations", name) for name in plugins.names("operations") if name.startswith("keys ")}
    assert {name for name, one in verbs.items() if not one.remote} == {"keys create"}
    assert {openapi.need(one) for one in verbs.values()} == {"admin"}
