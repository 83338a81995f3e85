"""Encoders of raw sound by transformers: Wav2Vec2, HuBERT, WavLM and their relatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from luban.foundation.architectures.body import Body, mean, stages
from luban.foundation.architectures.transformers_model import empty
from luban.foundation.backbone import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping


class WaveformEncoder(Body):
    """One vector for each 20 ms or so, and their mean a sound.

    Parameters
    ----------
    configuration : mapping
        ``transformers``: the model's own configuration. Those normed by group were trained on zeros without a mask,
        and get none.
    """

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        super().__init__()
        # SpecAugment inside of the network would draw masks of its own; augmentation is the preparation's.
        self.network = empty({**configuration["transformers"], "apply_spec_augment": False})
        self.masked = getattr(self.network.config, "feat_extract_norm", "layer") != "group"
        self.dimension = int(self.network.config.hidden_size)
        self.stages = stages(self.network)

    def forward(self, **tensors: torch.Tensor) -> Encoded:
        """Return the vectors of sounds given as ``input_values`` and ``attention_mask``, shape (n, samples)."""
        samples, real = tensors["input_values"], tensors["attention_mask"]
        given = {"attention_mask": real} if self.masked else {}
        steps = self.network(input_values=samples, **given).last_hidden_state
        mask = self.network._get_feature_vector_attention_mask(steps.shape[1], real).to(torch.int64)
        return Encoded(steps, mask, mean(steps, mask))
