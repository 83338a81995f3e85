"""What the ways see of a body: its layers by their types, never by the name of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


def linear_layers(body: nn.Module) -> dict[str, nn.Module]:
    """Return the dense layers by name: `torch.nn.Linear` and the transposed ones of transformers."""
    from transformers.pytorch_utils import Conv1D

    return {name: one for name, one in body.named_modules() if isinstance(one, nn.Linear | Conv1D)}


def convolutions(body: nn.Module) -> dict[str, nn.Conv2d]:
    """Return the convolutions over pictures that mix all channels, by name."""
    return {name: one for name, one in body.named_modules() if isinstance(one, nn.Conv2d) and one.groups == 1}


def embedding_parameters(body: nn.Module) -> set[str]:
    """Return the names of the parameters of look-up tables."""
    tables = ((name, one) for name, one in body.named_modules() if isinstance(one, nn.Embedding))
    return {f"{name}.weight" if name else "weight" for name, _ in tables}


def undecayed(body: nn.Module) -> set[str]:
    """Return the names of the parameters that weight decay leaves alone: biases and norms (Loshchilov and Hutter)."""
    names = {name for name, one in body.named_parameters() if one.ndim < 2}
    for name, one in body.named_modules():
        if isinstance(one, _NORMS) or type(one).__name__.endswith("RMSNorm"):
            names.update(f"{name}.{own}" for own, _ in one.named_parameters(recurse=False))
    return names


def shape(layer: nn.Module) -> tuple[int, int]:
    """Return how many numbers a dense layer reads and writes."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    inputs, outputs = layer.weight.shape  # type: ignore[misc]
    return int(inputs), int(outputs)


def staged(names: Sequence[str], stages: Sequence[Sequence[str]]) -> Iterator[tuple[int, str]]:
    """Yield (stage, name) for each parameter; one that is of no stage belongs to the last."""
    last = max(len(stages) - 1, 0)
    for name in names:
        found = [place for place, prefixes in enumerate(stages) if any(_under(name, one) for one in prefixes)]
        yield (found[0] if found else last), name


def _under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix if prefix.endswith(".") else prefix + ".")


_KEYS_AND_VALUES = frozenset(("key", "value", "k_proj", "v_proj", "k_lin", "v_lin", "key_proj", "value_proj"))


def keys_and_values(body: nn.Module) -> dict[str, nn.Module]:
    """Return the dense layers that make the keys and values of attention, by name.

    They are told by what the field calls them; layers that make queries, keys and values in one are not among them.
    """
    return {name: one for name, one in linear_layers(body).items() if name.rpartition(".")[2] in _KEYS_AND_VALUES}


def narrowing(body: nn.Module) -> dict[str, nn.Module]:
    """Return the dense layers that read more than they write, by name: the second halves of feed-forward layers."""
    return {name: one for name, one in linear_layers(body).items() if shape(one)[0] > shape(one)[1]}


def transformer(body: nn.Module) -> tuple[nn.Module, str] | None:
    """Return (parent, name of the attribute) of the transformers model inside a body, or None."""
    from transformers import PreTrainedModel

    for name, one in body.named_modules():
        if isinstance(one, PreTrainedModel) and name:
            parent, _, own = name.rpartition(".")
            return body.get_submodule(parent), own
    return None
