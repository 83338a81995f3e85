"""A training on disk: one safetensors file, written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = "training.safetensors"


def write(folder: str, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and a JSON object as one file.

    It is written beside the file that is there, flushed to the disk and then put in its place, so that whatever
    happens one of the two is whole.
    """
    from safetensors.torch import save_file

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    fresh = place / f"{_FILE}.{os.getpid()}.part"
    plain = {name: one.detach().cpu().contiguous() for name, one in tensors.items()}
    save_file(plain, fresh, metadata={"state": json.dumps(state)})
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(place / _FILE)


def read(folder: str | None) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """Return (tensors, JSON object) of the checkpoint in a folder; None where there is none that can be read."""
    from safetensors import SafetensorError, safe_open

    if folder is None or not (Path(folder) / _FILE).is_file():
        return None
    try:
        with safe_open(Path(folder) / _FILE, framework="pt") as file:
            state = json.loads((file.metadata() or {})["state"])
            return {name: file.get_tensor(name) for name in file.keys()}, state  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError):
        # A checkpoint only saves time: one that is damaged is as good as none.
        return None


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """Return the states of the generators that dropout draws from."""
    states = {"random.cpu": torch.random.get_rng_state()}
    if device.type == "cuda":
        states["random.cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_state(device: torch.device, states: Mapping[str, torch.Tensor]) -> None:
    """Put the states of the generators back."""
    torch.random.set_rng_state(states["random.cpu"])
    if device.type == "cuda" and "random.cuda" in states:
        torch.cuda.set_rng_state(states["random.cuda"], device)
