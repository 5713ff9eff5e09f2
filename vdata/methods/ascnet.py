"""ASCNet: appearance must not depend on the speed of a clip, and speed must not depend on whose clip it is; no negatives.

Source: Huang et al., "ASCNet: Self-supervised Video Representation Learning with Appearance-Speed Consistency", ICCV 2021; no
code was found. Sampling and augmentation are those of RSPNet, AAAI 2021. Tags of the settings: [P] the paper, [C] RSPNet's
code, [D] our own choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from vdata.config import check
from vdata.methods import METHODS
from vdata.nn.backbones import Backbone
from vdata.nn.contrast import unit
from vdata.nn.gather import gather
from vdata.nn.momentum import MomentumEncoder, momentum_at
from vdata.views import Augment, Clip, Fact, View

__all__ = ["AscNet", "AscNetConfig", "consistency", "retrieve"]

_PARTS = ("appearance", "speed")


@dataclass(frozen=True, slots=True)
class AscNetConfig:
    """Settings of ASCNet."""

    frames: int = 16
    """[P]."""
    size: int = 112
    """H and W in pixels [P]; 224 for S3D-G."""
    speeds: tuple[int, ...] = (1, 2)
    """Factors on the frame rate, two different ones a sample [P, figure 2]."""
    augment: Augment = field(
        default_factory=lambda: Augment(
            area=(0.2, 1.0), jitter=1.0, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, gray=0.2, blur=0.0
        )
    )
    """Of each clip [C]."""
    target: Literal["stopgrad", "ema"] = "stopgrad"
    """Where the goal comes from: the same network without a gradient, as all encoders share their parameters [P], or one that
    follows it [D]."""
    momentum: float = 0.99
    """Of `ema`, rising to 1 by half a cosine [D, as BYOL]."""
    hidden: int = 4096
    """Width of the heads [D, as BYOL]."""
    dim: int = 256
    """Dimensions of projections [D, as BYOL]."""
    speed_weight: float = 1.0
    """Of the speed's consistency; the appearance's has 1 [D]."""
    pool: int = 0
    """Clips of earlier batches among which the like of another video is looked for; 0: those of the batch alone [D]."""

    def __post_init__(self) -> None:
        """Checks the numbers."""
        check(len(set(self.speeds)) > 1, "ascnet.speeds", self.speeds, "must be at least two different factors")
        check(0 <= self.momentum <= 1, "ascnet.momentum", self.momentum, "must lie in [0, 1]")
        check(self.hidden >= 1 and self.dim >= 1, "ascnet.dim", (self.hidden, self.dim), "must be at least 1, hidden too")
        check(self.speed_weight >= 0, "ascnet.speed_weight", self.speed_weight, "must not be negative")
        check(self.pool >= 0, "ascnet.pool", self.pool, "must not be negative")


@METHODS.add("ascnet")
class AscNet(nn.Module):
    """A backbone with two heads, for what is seen and for how fast, each with a predictor."""

    Config: ClassVar[type] = AscNetConfig
    pool_seen: Tensor
    """(P, dim): what is seen in clips of earlier batches, oldest replaced first."""
    pool_speed: Tensor
    """(P, dim): how fast they are, as projections."""
    pool_known: Tensor
    """(P, 2): speed factor and video of each; -1 where nothing has been put yet."""
    pool_place: Tensor

    def __init__(self, backbone: Backbone, config: AscNetConfig) -> None:
        """Builds heads and predictors, the network that follows for `ema`, and the pool."""
        super().__init__()
        self.backbone, self.config = backbone, config
        width, hidden, dim = backbone.num_features, config.hidden, config.dim
        self.heads = nn.ModuleDict({name: _mlp(width, hidden, dim) for name in _PARTS})
        self.predictors = nn.ModuleDict({name: _mlp(dim, hidden, dim) for name in _PARTS})
        self.goals = MomentumEncoder(_Projections(backbone, self.heads), config.momentum) if config.target == "ema" else None
        self.register_buffer("pool_seen", torch.zeros(config.pool, dim))
        self.register_buffer("pool_speed", torch.zeros(config.pool, dim))
        self.register_buffer("pool_known", torch.full((config.pool, 2), -1))
        self.register_buffer("pool_place", torch.zeros((), dtype=torch.long))

    @staticmethod
    def views(config: AscNetConfig) -> tuple[View, ...]:
        """`c0` and `c1`, which begin at one frame and run at different speeds, and `video`, the number of the sample's video."""
        common = (config.frames, 1, config.size, config.augment)
        first = Clip("c0", *common, pad="loop", speeds=config.speeds)
        second = Clip("c1", *common, start="same:c0", pad="loop", speeds=config.speeds, speed_unlike="c0")
        return first, second, Fact("video")

    def loss(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Both consistencies of `c0` and `c1`, (B, 3, T, H, W) each, whose speeds stand in the batch's `meta`."""
        clips, device = torch.cat([batch["c0"], batch["c1"]]), batch["c0"].device
        projected = _projections(self.backbone, self.heads, clips)
        goals = projected if self.goals is None else dict(zip(_PARTS, self.goals(clips).unbind(), strict=True))
        goals = {name: unit(goal.detach()) for name, goal in goals.items()}
        asked = {name: self.predictors[name](projected[name]) for name in _PARTS}
        other = goals["appearance"].roll(len(clips) // 2, dims=0)
        appearance = consistency(asked["appearance"], other).mean()
        speeds = torch.cat([batch["meta"][name]["speed"].to(device) for name in ("c0", "c1")])
        known = torch.stack([speeds, batch["video"].repeat(2)], dim=1)
        speed, found = self._speed_loss(asked["speed"], goals, known)
        self._put(goals, known)
        return {
            "loss": appearance + self.config.speed_weight * speed,
            "appearance": appearance.detach(),
            "speed": speed.detach(),
            "retrieved": found,
            "projection_std": goals["appearance"].std(dim=0).mean(),
        }

    def after_step(self, step: int, steps: int) -> None:
        """Moves the network that follows, if there is one."""
        if self.goals is not None:
            self.goals.follow(_Projections(self.backbone, self.heads), momentum_at(step, steps, self.config.momentum))

    def _speed_loss(self, asked: Tensor, goals: Mapping[str, Tensor], known: Tensor) -> tuple[Tensor, Tensor]:
        """The consistency of each clip's speed with that of the most alike clip of another video, and the share that has one."""
        seen = torch.cat([gather(goals["appearance"]), self.pool_seen])
        speed = torch.cat([gather(goals["speed"]), self.pool_speed])
        place = retrieve(goals["appearance"], known, seen, torch.cat([gather(known), self.pool_known]))
        there = place >= 0
        # A clip without a like counts for nothing: the mean is over those that have one.
        terms = consistency(asked, speed[place.clamp(min=0)]) * there
        return terms.sum() / there.sum().clamp(min=1), there.float().mean()

    @torch.no_grad()
    def _put(self, goals: Mapping[str, Tensor], known: Tensor) -> None:
        """Replaces the oldest entries of the pool by the clips of all ranks."""
        if not self.config.pool:
            return
        known = gather(known)[-self.config.pool :]
        places = (self.pool_place + torch.arange(len(known), device=known.device)) % self.config.pool
        self.pool_known[places] = known
        self.pool_seen[places] = gather(goals["appearance"])[-self.config.pool :].to(self.pool_seen.dtype)
        self.pool_speed[places] = gather(goals["speed"])[-self.config.pool :].to(self.pool_speed.dtype)
        self.pool_place.copy_((self.pool_place + len(known)) % self.config.pool)


def consistency(predicted: Tensor, goal: Tensor) -> Tensor:
    """(B,): 2 - 2 cos(predicted, goal) of rows (B, D); 0 for the same direction, 2 for a right angle, 4 for the opposite.

    No gradient flows into the goal.

    Source: Grill et al. (BYOL), arXiv 2006.07733, equation 2, which ASCNet takes for both of its tasks.
    """
    return 2 - 2 * (unit(predicted) * unit(goal.detach())).sum(dim=1)


def retrieve(seen: Tensor, known: Tensor, pool: Tensor, pool_known: Tensor) -> Tensor:
    """(B,) int64: for each clip the place in the pool of the most alike one of the same speed and another video; -1 for none.

    Args:
        seen: (B, D) unit vectors of what is seen in the clips.
        known: (B, 2): speed factor and number of the video.
        pool: (P, D): the same of the pool.
        pool_known: (P, 2): -1 for empty entries.

    Source: the paper's appearance-based feature retrieval of the speed task [P]; top 1.
    """
    fits = (known[:, None, 0] == pool_known[None, :, 0]) & (known[:, None, 1] != pool_known[None, :, 1])
    alike = (seen @ pool.to(seen.dtype).T).masked_fill(~fits, -torch.inf)
    best, place = alike.max(dim=1)
    return torch.where(best.isfinite(), place, -1)


class _Projections(nn.Module):
    """Backbone and heads as one network: clips -> (2, B, dim)."""

    def __init__(self, backbone: Backbone, heads: nn.ModuleDict) -> None:
        super().__init__()
        self.backbone, self.heads = backbone, heads

    def forward(self, clips: Tensor) -> Tensor:
        return torch.stack(list(_projections(self.backbone, self.heads, clips).values()))


def _projections(backbone: nn.Module, heads: nn.ModuleDict, clips: Tensor) -> dict[str, Tensor]:
    features = backbone(clips)
    return {name: heads[name](features) for name in _PARTS}


def _mlp(width: int, hidden: int, dim: int) -> nn.Sequential:
    """(N, width) -> (N, dim). Source: BYOL, arXiv 2006.07733, section 3.3."""
    return nn.Sequential(
        nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True), nn.Linear(hidden, dim)
    )
