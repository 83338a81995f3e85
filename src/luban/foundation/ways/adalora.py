"""AdaLoRA: low-rank products that lose the ranks they do not need (Zhang and others 2023, arXiv:2303.10512)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from luban.core.errors import InputError
from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Choice, Real
from luban.foundation.training.jointly import jointly
from luban.foundation.ways.low_rank import Tuned, check_rank, low_rank_layers, supports_low_rank, tune

if TYPE_CHECKING:
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.training.work import Work
    from luban.foundation.way import Applied, Tensors


@dataclass(frozen=True, kw_only=True)
class AdaloraOptions:
    """How many ranks there are at first and at the end.

    Parameters
    ----------
    rank : int
        Ranks a layer at the end, on average: layers that matter keep more.
    first_rank : int, optional
        Ranks of each layer at first; one and a half times `rank` by default.
    alpha : float, optional
        Scale of the products; twice `first_rank` by default.
    adapter_dropout : float
        Share of a layer's input that its product does not see in training.
    orthogonal : float
        How strongly the factors are held orthogonal.
    begin, end : float
        Shares of the training between which ranks are taken away.
    """

    rank: int = 8
    first_rank: int | None = None
    alpha: float | None = None
    adapter_dropout: float = 0.05
    orthogonal: float = 0.1
    begin: float = 0.1
    end: float = 0.6


class Adalora:
    """Low-rank products with a budget of ranks that goes to the layers that matter."""

    name = "adalora"
    options = AdaloraOptions
    rate = 1e-3
    rewrites = False
    reads_only = False

    def supports(self, backbone: Backbone, task: Task) -> Suitable | Unsuitable:
        """Return whether the body has a layer for it."""
        del task
        return supports_low_rank(backbone, computed=True)

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return the published default."""
        del task
        return [Suggestion(order=70, once=True)]

    def space(self, task: Task) -> Space:
        """Return the rate and the rank."""
        del task
        return {"learning_rate": Real(3e-4, 5e-3, log=True), "rank": Choice((4, 8, 16))}

    def apply(self, backbone: Backbone, options: Any, tensors: Tensors) -> Applied:
        """Put products in the form of singular values beside the layers."""
        del tensors
        from peft import AdaLoraConfig
        from peft.tuners.adalora import AdaLoraModel

        first = options.first_rank or max(options.rank + 1, round(1.5 * options.rank))
        alpha = 2.0 * first if options.alpha is None else options.alpha
        check_rank(options.rank, alpha)
        if first < options.rank or not 0.0 <= options.begin < options.end < 1.0 or options.orthogonal < 0:
            raise InputError(
                "AdaLoRA takes ranks away: first_rank must not be below rank, and 0 <= begin < end < 1",
                seen=f"rank={options.rank}, first_rank={first}, begin={options.begin}, end={options.end}",
            )
        configuration = AdaLoraConfig(
            init_r=first,
            target_r=options.rank,
            lora_alpha=alpha,  # type: ignore[arg-type]
            lora_dropout=options.adapter_dropout,
            target_modules=low_rank_layers(backbone.body, computed=True),
            # peft counts steps; here progress decides, which also a deadline can end.
            total_step=3,
            tinit=1,
            tfinal=1,
        )
        return Allocated(backbone.body, tune(backbone.body, AdaLoraModel, configuration), options)

    def learn(self, work: Work) -> None:
        """Train products and head together, taking ranks away as it goes."""
        jointly(work)


class Allocated(Tuned):
    """A body whose products share a budget of ranks."""

    def __init__(self, body: torch.nn.Module, tuner: Any, options: AdaloraOptions) -> None:
        super().__init__(body, tuner)
        self._options = options
        self._allocator = tuner.rankallocator
        self._kept: dict[str, list[bool]] = {}
        self._settled = False
        self._steps = 0

    def penalty(self) -> torch.Tensor | None:
        """Return how far the factors are from orthogonal (the paper's equation 4)."""
        apart = []
        for name, one in self.parameters.items():
            if "lora_A" in name or "lora_B" in name:
                gram = one @ one.T if "lora_A" in name else one.T @ one
                apart.append(torch.linalg.norm(gram - torch.eye(len(gram), device=gram.device)))
        return self._options.orthogonal * torch.stack(apart).mean() if apart else None

    def stepped(self, progress: float) -> None:
        """Note how much each rank matters, and set those to zero that the budget no longer holds."""
        model, allocator = self.tuner.model, self._allocator
        self._steps += 1
        if self._settled:
            allocator.mask_using_rank_pattern(model, self._kept)
            return
        allocator.update_ipt(model)
        done = (progress - self._options.begin) / (self._options.end - self._options.begin)
        if done < 0.0 or (done < 1.0 and self._steps % 10):
            return
        left = max(0.0, 1.0 - done) ** 3
        budget = int(allocator.target_bgt + (allocator.init_bgt - allocator.target_bgt) * left)
        if budget < allocator.init_bgt:
            self._kept = allocator.mask_to_budget(model, budget)
        if done >= 1.0:
            self._settled = True
            allocator.reset_ipt()
            if not self._kept:
                self._kept = {name: [True] * len(one) for name, one in self.parameters.items() if "lora_E" in name}

    def state(self) -> dict[str, torch.Tensor]:
        """Return how much each rank matters, and which are kept."""
        facts = {"steps": torch.tensor(self._steps), "settled": torch.tensor(self._settled)}
        for kind in ("exp_avg_ipt", "exp_avg_unc"):
            facts |= {f"{kind}/{name}": one for name, one in getattr(self._allocator, kind).items()}
        return facts | {f"kept/{name}": torch.tensor(one) for name, one in self._kept.items()}

    def restore(self, state: Any) -> None:
        """Take back what `state` returned."""
        self._steps, self._settled = int(state["steps"]), bool(state["settled"])
        self._allocator.reset_ipt()
        self._kept = {}
        there = next(iter(self.parameters.values())).device
        for key, one in state.items():
            kind, _, name = key.partition("/")
            if kind == "kept":
                self._kept[name] = one.tolist()
            elif name:
                getattr(self._allocator, kind)[name] = one.to(there)
                self._allocator.ipt[name] = torch.zeros_like(one, device=there)
