"""An empty network of the library transformers, from the JSON of its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


def empty(configuration: Mapping[str, Any]) -> nn.Module:
    """Return the bare encoder that a configuration describes, without the head that pools for another purpose.

    Raises
    ------
    Unsupported
        If transformers does not know the type of model, or it needs code from outside.
    InputError
        If the configuration is not one.
    """
    from transformers import CONFIG_MAPPING, AutoModel

    kind = configuration.get("model_type")
    if not isinstance(kind, str):
        raise InputError("a model's configuration names no model_type", seen=", ".join(sorted(configuration)[:5]))
    if kind not in CONFIG_MAPPING:
        raise Unsupported(
            f"transformers knows no model of type {kind!r}",
            remedy="Update transformers, or choose another backbone; code from a model's own folder is never run.",
        )
    config = CONFIG_MAPPING[kind].from_dict(dict(configuration))
    try:
        model = AutoModel.from_config(config, attn_implementation="sdpa")
    except ValueError:
        model = AutoModel.from_config(config, attn_implementation="eager")
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model
