"""The encoder half of Whisper (Radford et al. 2022): log-mel frames to one vector for 20 ms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from luban.foundation.architectures.body import Body, mean, stages
from luban.foundation.backbone import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping


class WhisperEncoder(Body):
    """One vector for every two frames, and their mean a sound.

    Whisper itself always reads 30 s; here a short sound takes a short time: frames beyond its end are masked in the
    convolutions and in the attention, so that a row's vectors do not depend on the other rows of its batch.

    Parameters
    ----------
    configuration : mapping
        ``transformers``: the configuration of a Whisper model.
    """

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        from transformers import WhisperConfig
        from transformers.models.whisper.modeling_whisper import WhisperEncoder as Network

        super().__init__()
        config = WhisperConfig.from_dict(dict(configuration["transformers"]))
        config._attn_implementation = "sdpa"
        self.network = Network(config)
        self.dimension = int(config.d_model)
        self.stages = stages(self.network)

    def forward(self, **tensors: torch.Tensor) -> Encoded:
        """Return the vectors of sounds.

        Parameters
        ----------
        tensors
            ``input_features``, shape (n, mels, frames), and ``attention_mask``, shape (n, frames), 1 where a frame
            is of the sound.
        """
        frames = tensors["input_features"]
        mask = tensors["attention_mask"]
        real = mask.to(frames.dtype).unsqueeze(1)
        network = self.network
        steps = nn.functional.gelu(network.conv1(frames * real)) * real
        steps = nn.functional.gelu(network.conv2(steps)).transpose(1, 2)
        mask = mask[:, ::2]
        steps = steps + network.embed_positions.weight[: steps.shape[1]]
        blocked = torch.zeros(mask.shape, dtype=steps.dtype, device=steps.device)
        blocked = blocked.masked_fill(mask == 0, torch.finfo(steps.dtype).min)[:, None, None, :]
        steps = nn.functional.dropout(steps, p=network.dropout, training=self.training)
        for layer in network.layers:
            given = layer(steps, blocked)
            steps = given[0] if isinstance(given, tuple) else given
        steps = network.layer_norm(steps)
        return Encoded(steps, mask, mean(steps, mask))
