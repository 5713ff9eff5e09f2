"""Background erasing (BE): a clip mixed with one of its own frames must mean the same, so a still background cannot help.

Source: Wang et al. 2021, CVPR, arXiv 2009.05769, and its released code. Tags of the settings: [C] the authors' code, [P] the
paper's text, [M] from memory, [D] our own choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from vdata.config import check
from vdata.methods import METHODS
from vdata.nn.backbones import Backbone
from vdata.nn.contrast import unit
from vdata.nn.moco import Moco, MocoConfig, triplet
from vdata.views import Augment, Clip, View

__all__ = ["BackgroundErasing", "BackgroundErasingConfig", "erase_background", "static_frames"]

_PRETRAIN = Augment(
    crop="random", resize=(0, 128), rotate=10.0, flip=0.0,
    jitter=1.0, brightness=0.5, contrast=0.5, saturation=0.25, hue=0.5, gray=0.0, blur=0.0,
)  # fmt: skip
"""Rotation by at most 10 degrees, short side 128, a crop of 112, colour; no flip [C]. With 224 pixels the short side is 256."""


@dataclass(frozen=True, slots=True)
class BackgroundErasingConfig:
    """Settings of background erasing."""

    frames: int = 16
    """[C]."""
    stride: int = 4
    """[C]."""
    size: int = 112
    """H and W in pixels [C]; 224 for I3D."""
    augment: Augment = field(default_factory=lambda: _PRETRAIN)
    """Of all three views, each with a draw of its own."""
    static: Literal["same", "next", "random"] = "same"
    """Whose frame is mixed in: the clip's own, that of the batch's next video, or that of a random other [C: v1 and v3]."""
    strength: float = 0.3
    """The frame's largest weight; it is drawn from [0, strength] [P]."""
    per: Literal["sample", "batch"] = "sample"
    """Whether each sample draws its weight [D], or the batch has one [C]."""
    contrast: Literal["moco", "triplet", "consistency"] = "moco"
    """What anchor and positive are compared by [C]; `consistency` is the distance of their features alone."""
    intra_negative: bool = True
    """Whether another window of the same video is a negative too [C]."""
    min_gap_seconds: float = 1.0
    """Seconds between its start and the anchor's, at least [D]; the release has two frames."""
    margin: float = 0.5
    """Of the triplets [C]."""
    moco: MocoConfig = field(default_factory=MocoConfig)

    def __post_init__(self) -> None:
        """Checks the numbers."""
        check(0 <= self.strength < 1, "background_erasing.strength", self.strength, "must lie in [0, 1)")
        check(self.margin > 0, "background_erasing.margin", self.margin, "must be positive")
        check(self.min_gap_seconds >= 0, "background_erasing.min_gap_seconds", self.min_gap_seconds, "must not be negative")


@METHODS.add("background_erasing")
class BackgroundErasing(nn.Module):
    """A backbone under momentum contrast between a clip with a mixed-in frame and the same window in other colours."""

    Config: ClassVar[type] = BackgroundErasingConfig

    def __init__(self, backbone: Backbone, config: BackgroundErasingConfig) -> None:
        """Builds head, key encoder and queue."""
        super().__init__()
        self.backbone, self.config = backbone, config
        self.moco = Moco(backbone, config.moco)

    @staticmethod
    def views(config: BackgroundErasingConfig) -> tuple[View, ...]:
        """`anchor`, `positive` of the same window under another augmentation, and `negative`, another window of the video."""
        negative = f"disjoint_from:anchor:{config.min_gap_seconds}"
        starts = {"anchor": "uniform", "positive": "same:anchor", "negative": negative}
        names = starts if config.intra_negative or config.contrast == "triplet" else ("anchor", "positive")
        return tuple(
            Clip(name, config.frames, config.stride, config.size, config.augment, start=starts[name], pad="edge")
            for name in names
        )

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The chosen contrast of the erased `anchor`, `positive` and `negative`, (B, 3, T, H, W) each."""
        config, anchor = self.config, batch["anchor"]
        mixed = erase_background(anchor, static_frames(anchor, config.static), _weights(anchor, config))
        hard = batch.get("negative")
        # One pass over both: the norms then see as many clips of either kind.
        features = self.backbone(mixed if hard is None else torch.cat([mixed, hard]))
        queries, negatives = features[: len(mixed)], None if hard is None else features[len(mixed) :]
        if config.contrast == "moco":
            return self.moco.loss(queries, batch["positive"], negatives)
        if config.contrast == "triplet" and negatives is not None:
            query, positive, far = (unit(self.moco.head(part)) for part in (queries, self.backbone(batch["positive"]), negatives))
            return {"loss": triplet(query, positive, far, config.margin)}
        return {"loss": functional.mse_loss(queries, self.backbone(batch["positive"]))}

    def after_step(self, step: int, steps: int) -> None:
        """Moves the key encoder."""
        del step, steps
        self.moco.follow(self.backbone)


def erase_background(clips: Tensor, static: Tensor, weights: Tensor) -> Tensor:
    """Clips (B, C, T, H, W) with a frame mixed into all of theirs: x'_t = (1 - w) x_t + w s; a new tensor.

    Args:
        clips: (B, C, T, H, W).
        static: (B, C, H, W): the frame for each clip.
        weights: (B,): w, in [0, 1).

    Source: arXiv 2009.05769, equation 1.
    """
    # lerp makes a new tensor: in place, later clips would be mixed with frames that are mixed already.
    return torch.lerp(clips, static[:, :, None], weights.to(clips.dtype)[:, None, None, None, None])


def static_frames(clips: Tensor, source: Literal["same", "next", "random"]) -> Tensor:
    """(B, C, H, W): a random frame of each clip (B, C, T, H, W) itself, of the next one, or of a random other.

    A batch of one has no other: it gives its own.
    """
    count, frames = len(clips), clips.shape[2]
    rows, shift = torch.arange(count, device=clips.device), {"same": 0, "next": 1, "random": 0}[source]
    if source == "random" and count > 1:
        # 1 to B - 1 places farther: any other clip, each as likely.
        rows = rows + torch.randint(1, count, (count,), device=clips.device)
    rows = (rows + shift) % count
    return clips[rows, :, torch.randint(frames, (count,), device=clips.device)]


def _weights(clips: Tensor, config: BackgroundErasingConfig) -> Tensor:
    """(B,): uniform in [0, strength]."""
    drawn = torch.rand(len(clips) if config.per == "sample" else 1, device=clips.device)
    return (config.strength * drawn).expand(len(clips))
