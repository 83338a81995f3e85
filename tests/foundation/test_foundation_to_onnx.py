"""Networks of torch as ONNX models: any number of rows, any length, the same answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from luban.core.errors import Unsupported
from luban.core.preparation import Tensor

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from torch import nn  # noqa: E402

from luban.foundation.to_onnx import merge, to_onnx  # noqa: E402
from luban.foundation.way import Applied  # noqa: E402

torch.set_num_threads(1)
TOKENS = {name: Tensor(dtype="int64", shape=(None,)) for name in ("input_ids", "attention_mask")}
PIXELS = {"pixel_values": Tensor(dtype="float32", shape=(3, 32, 32))}
SAMPLES = {
    "input_values": Tensor(dtype="float32", shape=(None,)),
    "attention_mask": Tensor(dtype="int64", shape=(None,)),
}
MELS = {"input_features": Tensor(dtype="float32", shape=(16, 100))}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


class Pooled(nn.Module):
    """The mean of the last vectors, and a layer for three classes."""

    def __init__(self, network: nn.Module, width: int = 32) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(width, 3)

    def forward(self, **tensors: Any) -> Any:
        found = self.network(**tensors).last_hidden_state
        if "input_ids" in tensors:
            mask = tensors["attention_mask"].unsqueeze(-1).to(found.dtype)
            return self.head((found * mask).sum(1) / mask.sum(1))
        return self.head(found.mean(1))


def tokens(rows: int, length: int, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    ids = random.integers(3, 100, (rows, length))
    mask = np.ones((rows, length), dtype=np.int64)
    mask[0, max(1, length // 2) :] = 0
    return {"input_ids": ids, "attention_mask": mask}


def pixels(rows: int) -> dict[str, np.ndarray]:
    return {"pixel_values": np.random.default_rng(rows).normal(size=(rows, 3, 32, 32)).astype(np.float32)}


def samples(rows: int, length: int) -> dict[str, np.ndarray]:
    values = np.random.default_rng(rows).normal(size=(rows, length)).astype(np.float32)
    return {"input_values": values, "attention_mask": np.ones((rows, length), dtype=np.int64)}


def mels(rows: int) -> dict[str, np.ndarray]:
    return {"input_features": np.random.default_rng(rows).normal(size=(rows, 16, 100)).astype(np.float32)}


class Convolutions(nn.Module):
    """A small net with batch normalisation, from pixels to numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 2),
        )

    def forward(self, pixel_values: Any) -> Any:
        return self.layers(pixel_values)


def made(kind: str) -> nn.Module:
    torch.manual_seed(0)
    if kind == "conv":
        network: nn.Module = Convolutions()
        network(torch.randn(8, 3, 32, 32))  # batch normalisation has seen something
        return network
    if kind == "whisper":
        config = transformers.WhisperConfig(
            d_model=32,
            encoder_layers=2,
            encoder_attention_heads=2,
            encoder_ffn_dim=64,
            num_mel_bins=16,
            max_source_positions=50,
        )
        return Pooled(transformers.models.whisper.modeling_whisper.WhisperEncoder(config))
    if kind == "wav2vec2":
        config = transformers.Wav2Vec2Config(
            **SMALL,
            conv_dim=(16, 16),
            conv_kernel=(10, 3),
            conv_stride=(5, 2),
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=4,
            num_feat_extract_layers=2,
        )
        return Pooled(transformers.Wav2Vec2Model(config))
    config = transformers.AutoConfig.for_model(
        kind, **SMALL, **({"image_size": 32, "patch_size": 8} if kind == "vit" else {"vocab_size": 100})
    )
    return Pooled(transformers.AutoModel.from_config(config))


CASES = {
    "bert": (TOKENS, [tokens(3, 7), tokens(1, 1), tokens(5, 33), tokens(7, 7)]),
    "xlm-roberta": (TOKENS, [tokens(7, 7), tokens(1, 2), tokens(5, 33)]),
    "vit": (PIXELS, [pixels(1), pixels(5)]),
    "conv": (PIXELS, [pixels(3), pixels(1)]),
    "whisper": (MELS, [mels(2), mels(1), mels(4)]),
    "wav2vec2": (SAMPLES, [samples(2, 1600), samples(1, 900), samples(3, 2500)]),
}


@pytest.mark.parametrize(
    "kind", [pytest.param(one, marks=() if one in ("bert", "conv") else pytest.mark.long) for one in CASES]
)
def test_a_network_answers_alike_as_onnx(kind: str) -> None:
    """`to_onnx` compares all batches itself; here a batch that it has not seen is compared too."""
    tensors, batches = CASES[kind]
    network = made(kind).train()
    content = to_onnx(network, tensors, batches[:-1], limit=1e-5)
    assert network.training  # it is left as it was
    session = onnxruntime.InferenceSession(content)
    names = [one.name for one in session.get_inputs()]
    last = batches[-1]
    found = session.run(None, {name: last[name] for name in names})[0]
    with torch.no_grad():
        expected = network.eval()(**{name: torch.from_numpy(values) for name, values in last.items()}).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert b"site-packages" not in content  # no stack traces


class Untraceable(nn.Module):
    def forward(self, pixel_values: Any) -> Any:
        return (
            pixel_values * float(pixel_values.mean().item() > 0.123) if pixel_values.sum().item() > 0 else pixel_values
        )


class Stubborn(nn.Module):
    """It answers otherwise while it is traced."""

    def forward(self, pixel_values: Any) -> Any:
        return pixel_values.mean((1, 2, 3)) + (1.0 if torch.compiler.is_exporting() else 0.0)


def test_a_network_that_cannot_be_traced_or_differs_is_refused() -> None:
    with pytest.raises(Unsupported, match="Untraceable cannot be written"):
        to_onnx(Untraceable(), PIXELS, [pixels(2)])
    with pytest.raises(Unsupported, match="does not answer"):
        to_onnx(Stubborn(), PIXELS, [pixels(2)])


def test_a_merge_is_measured() -> None:
    """A way that folds its part in wrongly is found out."""
    network = Convolutions().eval()

    class Wrong(Applied):
        def merge(self) -> None:
            self.body.layers[5].weight.data += 0.01

    assert merge(Applied(body=network), network, [pixels(2)]) == 0.0
    with pytest.raises(Unsupported, match="folded in"):
        merge(Wrong(body=network), network, [pixels(2)])
