"""Encoders of texts by transformers: BERT and its relatives."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.foundation.architectures.body import Body, mean, stages
from luban.foundation.architectures.transformers_model import empty
from luban.foundation.backbone import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

_POOLING = ("mean", "first", "last")


class TextEncoder(Body):
    """One vector a token, and their mean, the first or the last one a text.

    Parameters
    ----------
    configuration : mapping
        ``transformers``: the model's own configuration; ``pooling``: ``mean``, ``first`` or ``last``.
    """

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        super().__init__()
        self.pooling = configuration.get("pooling", "mean")
        if self.pooling not in _POOLING:
            raise InputError("unknown pooling", seen=repr(self.pooling), remedy=f"Choose {', '.join(_POOLING)}.")
        self.network = empty(configuration["transformers"])
        # Other tensors of a preparation (which word a token is of) are for the heads.
        self._takes = ["input_ids", "attention_mask"]
        if "token_type_ids" in signature(self.network.forward).parameters:
            self._takes.append("token_type_ids")
        self.dimension = int(self.network.config.hidden_size)
        self.stages = stages(self.network)

    def forward(self, **tensors: torch.Tensor) -> Encoded:
        """Return the vectors of texts given as ``input_ids`` and ``attention_mask`` (and ``token_type_ids``)."""
        mask = tensors["attention_mask"]
        steps = self.network(**{name: tensors[name] for name in self._takes if name in tensors}).last_hidden_state
        # Prompt tuning puts steps of its own before those of the text.
        steps = steps[:, steps.shape[1] - mask.shape[1] :]
        if self.pooling == "first":
            pooled = steps[:, 0]
        elif self.pooling == "last":
            last = mask.sum(dim=1).clamp(min=1) - 1
            pooled = steps.gather(1, last.view(-1, 1, 1).expand(-1, 1, steps.shape[2]))[:, 0]
        else:
            pooled = mean(steps, mask)
        return Encoded(steps, mask, pooled)

    def check(self, settings: Mapping[str, Any], files: Mapping[str, bytes], *, name: str) -> None:
        """Raise `InputError` where the tokenizer has tokens that the weights know nothing of."""
        from tokenizers import Tokenizer

        del settings
        rows = int(self.network.get_input_embeddings().weight.shape[0])
        try:
            tokenizer = Tokenizer.from_str(files["tokenizer.json"].decode())
        # The Rust side raises nothing more precise.
        except Exception as error:
            raise InputError(f"the tokenizer of {name} is damaged", seen=str(error)[:200]) from error
        largest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
        if largest >= rows:
            raise InputError(
                f"the tokenizer and the weights of {name} do not fit",
                seen=f"the tokenizer has token number {largest:,}, the weights have {rows:,} rows",
                remedy="Both must come from the same model.",
            )
