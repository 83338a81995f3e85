"""What a checkpoint holds of a loop, and how the loop goes on from it: to the same bits where work is counted."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from luban.foundation.training import checkpoint, state
from luban.foundation.training.work import Point

if TYPE_CHECKING:
    from luban.foundation.training.loop import Loop
    from luban.foundation.training.work import Work


def fingerprint(work: Work) -> str:
    """Return a digest of all that a training depends on: a checkpoint of another one is not gone on from."""
    shapes = {name: list(one.shape) for name, one in state.changing(work.network).items()}
    target = hashlib.sha256(work.examples.target.numpy().tobytes()).hexdigest()
    lengths = hashlib.sha256(work.examples.rows.lengths.tobytes()).hexdigest()
    facts = [asdict(work.training), str(work.options), work.rate, work.effort.seed, shapes, target, lengths]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def save(loop: Loop) -> None:
    """Write where a loop stands into the folder of its work's checkpoint."""
    work = loop.work
    tensors = {f"now.{name}": one for name, one in state.changing(work.network).items()}
    tensors |= {f"best.{name}": one for name, one in loop.best_state.items()}
    tensors |= {f"way.{name}": one for name, one in work.applied.state().items()}
    for place, parameter in enumerate(loop.trained()):
        own = loop.optimizer.state.get(parameter, {})
        tensors |= {f"optimizer.{place}.{name}": torch.as_tensor(one) for name, one in own.items()}
    tensors |= checkpoint.random_state(work.place.device)
    facts = {
        "work": fingerprint(work),
        "step": loop.step,
        "best": loop.best,
        "worse": loop.worse,
        "slowed": loop.slowed,
        "bad": loop.bad,
        "precision": loop.precision,
        "running": loop.running,
        "elapsed": loop.clock.elapsed,
        "progress": loop.progress,
        "history": [asdict(one) for one in work.history],
        "notes": work.notes,
    }
    checkpoint.write(str(work.effort.checkpoint), tensors, facts)


def resume(loop: Loop, tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
    """Let a loop that has not begun, and has its optimizer, go on from what `save` wrote."""

    def under(prefix: str) -> dict[str, torch.Tensor]:
        return {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}

    work = loop.work
    state.put_back(work.network, under("now."))
    loop.best_state = under("best.")
    work.applied.restore(under("way."))
    for place, parameter in enumerate(loop.trained()):
        own = under(f"optimizer.{place}.")
        if own:
            loop.optimizer.state[parameter] = {name: one.to(parameter.device) for name, one in own.items()}
    checkpoint.restore_random_state(work.place.device, tensors)
    loop.step = facts["step"]
    loop.best = None if facts["best"] is None else (facts["best"][0], facts["best"][1])
    loop.worse, loop.slowed, loop.bad = facts["worse"], facts["slowed"], facts["bad"]
    loop.running = facts["running"]
    loop.clock.spent, loop.progress = facts["elapsed"], facts["progress"]
    work.history[:] = [Point(**one) for one in facts["history"]]
    work.notes[:] = facts["notes"]
