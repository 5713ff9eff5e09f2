"""The optimiser of a run, its learning rate at every step, and the bound on its gradients.

The schedule is a pure function of the step, not an object with a state, so that a run can continue at any step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from vdata.config import check

__all__ = ["Lars", "OptimConfig", "clip_gradients", "learning_rate", "make_optimizer", "parameter_groups"]


@dataclass(frozen=True, slots=True)
class OptimConfig:
    """The optimiser and its schedule: a linear warm-up, then half a cosine to zero or steps down."""

    name: Literal["sgd", "adamw", "lars"] = "sgd"
    lr: float = 0.1
    """The learning rate after the warm-up, before `scaling`."""
    scaling: Literal["none", "linear", "sqrt"] = "none"
    """What the global batch B does to it: nothing, lr * B / 256, or lr * sqrt(B)."""
    momentum: float = 0.9
    """Of sgd and lars."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of adamw."""
    weight_decay: float = 1e-4
    """Never applied to biases and norms."""
    trust: float = 0.001
    """Of lars: the share of a weight's norm that one step of unit learning rate moves it."""
    nesterov: bool = False
    """Whether sgd looks ahead along its momentum."""
    clip: float = 0.0
    """The largest norm of all gradients together; longer ones are scaled down to it. 0 leaves them."""
    warmup: float = 0.05
    """Share of all steps over which the learning rate rises."""
    schedule: Literal["cosine", "steps"] = "cosine"
    """What follows: half a cosine to zero, or the same rate until the next of `drops`."""
    drops: tuple[float, ...] = (0.6, 0.8)
    """Of `steps`: shares of all steps at which the rate falls; DualVar's 120 and 160 of 200 epochs [C]."""
    gamma: float = 0.1
    """Of `steps`: what each of them multiplies it by."""

    def __post_init__(self) -> None:
        """Checks signs and shares."""
        check(self.lr > 0, "optim.lr", self.lr, "must be positive")
        check(0 <= self.momentum < 1, "optim.momentum", self.momentum, "must lie in [0, 1)")
        check(all(0 <= beta < 1 for beta in self.betas), "optim.betas", self.betas, "must lie in [0, 1)")
        check(self.weight_decay >= 0, "optim.weight_decay", self.weight_decay, "must not be negative")
        check(self.trust > 0, "optim.trust", self.trust, "must be positive")
        check(self.clip >= 0, "optim.clip", self.clip, "must not be negative; 0 leaves gradients as they are")
        check(0 <= self.warmup < 1, "optim.warmup", self.warmup, "must lie in [0, 1), a share of the steps")
        in_order = list(self.drops) == sorted(self.drops) and all(0 < drop < 1 for drop in self.drops)
        check(in_order, "optim.drops", self.drops, "must be shares of the steps in (0, 1), ascending")
        check(0 < self.gamma <= 1, "optim.gamma", self.gamma, "must lie in (0, 1]")
        check(self.name == "sgd" or not self.nesterov, "optim.nesterov", self.nesterov, "must be false but for optim.name=sgd")


def learning_rate(step: int, steps: int, config: OptimConfig, batch_size: int) -> float:
    """The rate of step `step` in [0, steps) of a run with `batch_size` samples a step over all ranks.

    Source: SimCLR (arXiv 2002.05709) section 2.2 and appendix B.1; SGDR's half cosine (arXiv 1608.03983) without restarts. The
    rise is counted from 1, our own choice: a first step at rate zero would be lost.
    """
    peak = config.lr * {"none": 1.0, "linear": batch_size / 256, "sqrt": math.sqrt(batch_size)}[config.scaling]
    warmup = round(config.warmup * steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    if config.schedule == "steps":
        return float(peak * config.gamma ** sum(step >= round(drop * steps) for drop in config.drops))
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def make_optimizer(model: nn.Module, config: OptimConfig) -> Optimizer:
    """The optimiser over the model's parameters; the loop sets `lr` of every group at every step."""
    groups = parameter_groups(model.parameters(), config.weight_decay)
    if config.name == "adamw":
        return AdamW(groups, lr=config.lr, betas=config.betas)
    if config.name == "lars":
        groups[1]["trust"] = None
        return Lars(groups, lr=config.lr, momentum=config.momentum, trust=config.trust)
    return SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov)


def clip_gradients(model: nn.Module, config: OptimConfig) -> None:
    """Scales all gradients down together where their norm is over `config.clip`."""
    if config.clip:
        nn.utils.clip_grad_norm_(model.parameters(), config.clip)


def parameter_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Two groups: the weights, which decay, then the biases and norms (one axis at most), which do not.

    Source: SimCLR (arXiv 2002.05709) appendix B.1.
    """
    weights: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for parameter in parameters:
        if parameter.requires_grad:
            (weights if parameter.ndim > 1 else others).append(parameter)
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


class Lars(Optimizer):
    """SGD with momentum whose every weight moves by a share of its own norm.

    With g the gradient plus weight_decay * w: v = momentum * v + lr * trust * |w| / |g| * g, then w = w - v. Where |w| or |g| is
    zero, and in groups whose `trust` is None, lr stands alone.

    Source: You et al., arXiv 1708.03888, in the form of the SimCLR release (the rate enters the momentum buffer).
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float | None = 0.001,
    ) -> None:
        """Takes parameter groups, each with its own `weight_decay` and `trust` if need be."""
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Moves every parameter that has a gradient; the closure's value, if one is given."""
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return value

    def _move(self, parameter: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        grad = grad.add(parameter, alpha=group["weight_decay"])
        rate: float | Tensor = group["lr"]
        if group["trust"] is not None:
            norms = parameter.norm(), grad.norm()
            ratio = group["trust"] * norms[0] / norms[1]
            rate = rate * torch.where((norms[0] > 0) & (norms[1] > 0), ratio, 1.0)
        state = self.state[parameter]
        if not state:
            state["velocity"] = torch.zeros_like(parameter)
        state["velocity"].mul_(group["momentum"]).add_(grad * rate)
        parameter.sub_(state["velocity"])
