"""Weights on disk and in memory: safetensors, four-bit blocks, digests; never pickle."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch

_BLOCKS = "::q4"
_BLOCK = 32


def read(content: bytes, *, name: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file, or raise `InputError` where it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return dict(load(content))
    except (SafetensorError, ValueError, KeyError) as error:
        raise InputError(
            f"the weights of {name} are damaged",
            seen=f"{len(content):,} bytes: {error}",
            remedy="Get the file again, or reinstall the package that holds it.",
        ) from error


def write(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Return tensors as a safetensors file; those that share memory are written each."""
    from safetensors.torch import save

    seen: set[int] = set()
    plain = {}
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        plain[name] = tensor.clone() if tensor.data_ptr() in seen else tensor
        seen.add(tensor.data_ptr())
    content: bytes = save(plain)
    return content


def is_packed(name: str) -> bool:
    """Return whether a tensor of this name holds four-bit blocks."""
    return name.endswith(_BLOCKS)


def packed_name(name: str) -> str:
    """Return the name under which the blocks of a tensor are kept."""
    return name + _BLOCKS


def unpack(blocks: torch.Tensor) -> torch.Tensor:
    """Return the float32 matrix of four-bit blocks.

    Parameters
    ----------
    blocks : torch.Tensor
        uint8, shape (rows, columns / 32, 18): a float16 scale, then 16 bytes whose low halves are the first 16
        weights and whose high halves the last 16, each with an offset of 8 (the Q4_0 layout of GGML).
    """
    import torch

    rows, count, _ = blocks.shape
    scale = blocks[:, :, :2].contiguous().view(torch.float16).float()
    halves = blocks[:, :, 2:]
    full = torch.empty((rows, count, 2, _BLOCK // 2), dtype=torch.float32)
    full[:, :, 0] = halves & 15
    full[:, :, 1] = halves >> 4
    return full.sub_(8).mul_(scale.unsqueeze(-1)).reshape(rows, count * _BLOCK)


def pack(tensors: Mapping[str, torch.Tensor], packed: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors with each that still equals its packed form in that form."""
    import torch

    kept = dict(tensors)
    for key, blocks in packed.items():
        name = key.removesuffix(_BLOCKS)
        if name in kept and torch.equal(kept[name].cpu(), unpack(blocks)):
            del kept[name]
            kept[key] = blocks
    return kept


def without(tensors: Mapping[str, torch.Tensor], packed: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors that have no packed form."""
    return {name: one for name, one in tensors.items() if packed_name(name) not in packed}


def fill(body: torch.nn.Module, tensors: Mapping[str, torch.Tensor], *, name: str) -> None:
    """Put weights into a body, or raise `InputError` naming those that do not fit it."""
    full = {key.removesuffix(_BLOCKS): unpack(one) if is_packed(key) else one for key, one in tensors.items()}
    expected = body.state_dict()
    missing = sorted(set(expected) - set(full))
    strange = sorted(set(full) - set(expected))
    wrong = sorted(key for key in set(full) & set(expected) if full[key].shape != expected[key].shape)
    if missing or strange or wrong:
        parts = [
            f"{len(keys)} {word} ({keys[0]})"
            for keys, word in ((missing, "missing"), (strange, "unknown"), (wrong, "of another shape"))
            if keys
        ]
        raise InputError(
            f"the weights of {name} do not fit its configuration",
            seen=", ".join(parts),
            remedy="Weights and configuration must come from the same model.",
        )
    # Taken as they are rather than copied: the largest is 400 MB.
    body.load_state_dict({key: one.to(expected[key].dtype) for key, one in full.items()}, assign=True)


@contextmanager
def unset() -> Iterator[None]:
    """Build bodies without drawing random weights, which are about to be replaced."""
    import torch
    from transformers.initialization import no_init_weights

    with torch.random.fork_rng(devices=[]), no_init_weights():
        yield


def digest(tensors: Mapping[str, torch.Tensor], description: Any, files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of weights, of a JSON description and of files: ``sha256:<64 hex>``."""
    import torch

    total = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy())
    for name in sorted(files):
        total.update(f"\0{name}\0{len(files[name])}\0".encode())
        total.update(files[name])
    return f"sha256:{total.hexdigest()}"
