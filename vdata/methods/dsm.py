"""DSM: the same motion in a bent scene must look alike, the same scene with broken motion must not.

Source: Wang et al. 2021, AAAI, arXiv 2009.05757, and its released code. Tags of the settings: [C] the authors' code, [S] the
paper, [D] our own choice.
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
from vdata.nn.warp import control_grid, spline_grid, warp_clips
from vdata.views import Augment, Clip, Motion, View

__all__ = ["Dsm", "DsmConfig", "bent", "broken_order", "pushed", "radial_push", "stretched"]

_PRETRAIN = Augment(
    crop="random", resize=(0, 128), rotate=10.0, flip=0.0,
    jitter=1.0, brightness=0.5, contrast=0.5, saturation=0.25, hue=0.5, gray=0.0, blur=0.0,
)  # fmt: skip
"""As background erasing's [C]."""
_GRID = 5
"""Control points along each side of a thin-plate warp [C]."""
_RELEASE_SIZE = 224
"""Pixels of the side for which the release's radial pushes are given."""


@dataclass(frozen=True, slots=True)
class DsmConfig:
    """Settings of DSM."""

    frames: int = 16
    """[C] on Kinetics-400; 32 on UCF101."""
    stride: int = 4
    """[C]."""
    size: int = 112
    """H and W in pixels; 224 [C]."""
    augment: Augment = field(default_factory=lambda: _PRETRAIN)
    """Of all views, each with a draw of its own."""
    warp: Literal["radial", "spline"] = "spline"
    """How the scene is bent: pushes from some points [C: the code's own call], or a thin-plate spline [C: paper's figure]."""
    warped: Literal["anchor", "positive"] = "anchor"
    """Which of the two is bent [C]; in the paper it is the positive [S]."""
    jitter: float = 0.1
    """How far a control point of the spline moves, at most, in half-sides of the picture [C]."""
    neg: Literal["other_time", "eda", "flow"] = "other_time"
    """The negative: another window of the video [C], the anchor's frames in broken order [C, S], or with motion stretched [C]."""
    broken: float = 0.1
    """Share of the frames that `eda` inserts and swaps, each twice [C]."""
    stretch: float = 10.0
    """Largest factor on the motion by which `flow` moves pixels [C]."""
    min_gap_seconds: float = 1.0
    """Seconds between the starts of anchor and `other_time`, at least [D]."""
    contrast: Literal["moco", "triplet"] = "moco"
    """[C]."""
    margin: float = 0.5
    """Of the triplets [C]."""
    moco: MocoConfig = field(default_factory=MocoConfig)

    def __post_init__(self) -> None:
        """Checks the numbers."""
        check(self.jitter >= 0, "dsm.jitter", self.jitter, "must not be negative")
        straight = self.neg != "flow" or self.augment.rotate == 0
        check(
            straight, "dsm.augment.rotate", self.augment.rotate, "must be 0 with neg=flow: vectors are cropped and flipped only"
        )
        check(0 < self.broken <= 1, "dsm.broken", self.broken, "must lie in (0, 1]")
        check(self.margin > 0, "dsm.margin", self.margin, "must be positive")
        check(self.min_gap_seconds >= 0, "dsm.min_gap_seconds", self.min_gap_seconds, "must not be negative")


@METHODS.add("dsm")
class Dsm(nn.Module):
    """A backbone under momentum contrast between two looks at a window, with its own video's broken motion as a negative."""

    Config: ClassVar[type] = DsmConfig

    def __init__(self, backbone: Backbone, config: DsmConfig) -> None:
        """Builds head, key encoder and queue."""
        super().__init__()
        self.backbone, self.config = backbone, config
        self.moco = Moco(backbone, config.moco)

    @staticmethod
    def views(config: DsmConfig) -> tuple[View, ...]:
        """`anchor`, `positive` of the same window, and as `neg` says `negative`, another window, or the `flow` of the anchor."""
        common = (config.frames, config.stride, config.size, config.augment)
        pair = (Clip("anchor", *common, pad="edge"), Clip("positive", *common, start="same:anchor", pad="edge"))
        if config.neg == "other_time":
            return (*pair, Clip("negative", *common, start=f"disjoint_from:anchor:{config.min_gap_seconds}", pad="edge"))
        flow = Motion(
            "flow", config.frames, "same:anchor", config.stride, size=config.size, follow="anchor", clamp=0.0, pad="edge"
        )
        return (*pair, flow) if config.neg == "flow" else pair

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The chosen contrast of `anchor` and `positive`, (B, 3, T, H, W) each, against the queue and the broken motion."""
        config = self.config
        views = {name: batch[name] for name in ("anchor", "positive")}
        hard = self._negative(batch)
        views[config.warped] = self._bent(views[config.warped])
        features = self.backbone(torch.cat([views["anchor"], hard]))
        queries, negatives = features.chunk(2)
        if config.contrast == "moco":
            return self.moco.loss(queries, views["positive"], negatives)
        query, positive, far = (unit(self.moco.head(part)) for part in (queries, self.backbone(views["positive"]), negatives))
        return {"loss": triplet(query, positive, far, config.margin)}

    def after_step(self, step: int, steps: int) -> None:
        """Moves the key encoder."""
        del step, steps
        self.moco.follow(self.backbone)

    def _bent(self, clips: Tensor) -> Tensor:
        return radial_push(clips) if self.config.warp == "radial" else bent(clips, self.config.jitter)

    def _negative(self, batch: Mapping[str, Tensor]) -> Tensor:
        config, anchor = self.config, batch["anchor"]
        if config.neg == "other_time":
            return batch["negative"]
        if config.neg == "eda":
            orders = torch.stack([broken_order(anchor.shape[2], config.broken) for _ in range(len(anchor))]).to(anchor.device)
            return anchor.gather(2, orders[:, None, :, None, None].expand_as(anchor))
        factors = config.stretch * torch.rand(len(anchor), device=anchor.device)
        return stretched(anchor, batch["flow"][:, 0], factors)


def bent(clips: Tensor, jitter: float) -> Tensor:
    """Clips (B, C, T, H, W), each under a thin-plate spline whose 5 x 5 control points move by up to `jitter`.

    The grid is one for all frames of a clip; zeros come from outside.

    Source: arXiv 2009.05757, section 3.2; the release's grid and range [C].
    """
    points = control_grid(_GRID).to(clips.device)
    moved = points + jitter * (2 * torch.rand(len(clips), _GRID * _GRID, 2, device=clips.device) - 1)
    return warp_clips(clips, spline_grid(points, moved, *clips.shape[3:]))


def radial_push(clips: Tensor) -> Tensor:
    """Clips (B, C, T, H, W), all pushed away from the same one to three random points.

    Source: the release [C]; its numbers are those of 224 pixels, and are scaled to other sizes.
    """
    scale = min(clips.shape[3:]) / _RELEASE_SIZE
    for _ in range(int(torch.randint(1, 4, ()))):
        row, column = (scale * (60 + 80 * torch.rand(2))).tolist()
        down, right = (scale * (10 + 10 * torch.rand(2))).tolist()
        clips = pushed(clips, (int(row), int(column)), (max(down, 1.0), max(right, 1.0)))
    return clips


def pushed(clips: Tensor, point: tuple[int, int], shift: tuple[float, float]) -> Tensor:
    """Clips (B, C, T, H, W) with the pixels around `point` (row, column) pushed by up to half of `shift`; a new tensor.

    A pixel within 3 shifts of the point, along each axis, comes from trunc(h * shift) before it, the nearest pixel, clamped to
    the frame; h = 0.5 / (3 (d / |shift|)^4 + 1), d its distance from point + shift.

    Source: the release [C].
    """
    height, width = clips.shape[3:]
    rows = torch.arange(height, device=clips.device)[:, None]
    columns = torch.arange(width, device=clips.device)[None]
    inside = _near(rows, point[0], shift[0]) & _near(columns, point[1], shift[1])
    d = torch.hypot(rows - (point[0] + shift[0]), columns - (point[1] + shift[1]))
    length = (shift[0] ** 2 + shift[1] ** 2) ** 0.5
    h = torch.where(inside, 0.5 / (3 * (d / length) ** 4 + 1), 0.0)
    source_rows = (rows + torch.trunc(-h * shift[0]).long()).clamp(0, height - 1)
    source_columns = (columns + torch.trunc(-h * shift[1]).long()).clamp(0, width - 1)
    return clips[..., source_rows, source_columns]


def _near(places: Tensor, middle: int, shift: float) -> Tensor:
    return (places >= middle - 3 * shift) & (places < middle + 3 * shift)


def broken_order(frames: int, share: float) -> Tensor:
    """(T,) int64: indices of T frames after random insertions and then as many swaps; 2 max(1, int(share * T)) of each.

    An insertion moves the frames from place i on by one, drops the last, and puts the frame of place j there; a swap exchanges
    two different places. One frame stays as it is.

    Source: the release's VideoEda [C], which follows Wei and Zou, arXiv 1901.11196.
    """
    order = list(range(frames))
    if frames == 1:
        return torch.tensor(order)
    count = 2 * max(1, int(share * frames))
    for place, source in torch.randint(frames, (count, 2)).tolist():
        order.insert(place, order[source])
        order.pop()
    for _ in range(count):
        # Lists: a tuple assignment on slices of a tensor would leave both places with one frame.
        first, second = torch.randperm(frames)[:2].tolist()
        order[first], order[second] = order[second], order[first]
    return torch.tensor(order)


def stretched(clips: Tensor, flow: Tensor, factors: Tensor) -> Tensor:
    """Clips (B, C, T, H, W), every frame moved on along its own motion: x'(p) = x(p - factor * flow(p)), zeros from outside.

    Args:
        clips: (B, C, T, H, W).
        flow: (B, 2, T, H, W): dx, dy of every pixel since the frame before, in pixels; dst - src.
        factors: (B,).

    Source: the release warps frames by scaled optical flow [C]; the stored motion stands for it here [D].
    """
    height, width = clips.shape[3:]
    halves = torch.tensor([width - 1, height - 1], device=clips.device).clamp(min=1) / 2
    rows, columns = torch.meshgrid(
        torch.linspace(-1, 1, height, device=clips.device), torch.linspace(-1, 1, width, device=clips.device), indexing="ij"
    )
    moves = (factors[:, None, None, None, None] * flow).permute(0, 2, 3, 4, 1) / halves
    grid = (torch.stack([columns, rows], dim=-1) - moves).flatten(0, 1)
    frames = clips.transpose(1, 2).flatten(0, 1)
    moved = functional.grid_sample(frames, grid.to(frames.dtype), padding_mode="zeros", align_corners=True)
    return moved.reshape(len(clips), -1, *moved.shape[1:]).transpose(1, 2)
