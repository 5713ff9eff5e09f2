"""The pixels of an evaluation view in torch, for networks that run where DALI does not: in actors that add features."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vdata.views import CENTRE_SHARE

__all__ = ["centre_crop"]


def centre_crop(frames: Tensor, size: int) -> Tensor:
    """The square in the middle of frames (T, H, W, 3) uint8, resized to (T, 3, size, size) uint8.

    Source: the same rule as the loader's DALI graph, linear with antialiasing: a triangle filter as wide as the reduction, which
    reaches over the crop's edge. torch's own antialiased resize takes no crop between pixels.
    """
    height, width = frames.shape[1:3]
    side = CENTRE_SHARE * min(height, width)
    rows, columns = _weights(height, *_even(height, side), size), _weights(width, *_even(width, side), size)
    pixels = rows @ (frames.permute(0, 3, 1, 2).float() @ columns.T)
    return pixels.round().clamp(0, 255).to(torch.uint8)


def _even(length: int, side: float) -> tuple[int, int]:
    """First and last edge of `side` pixels in the middle of `length`, on even pixels as the loader's crops."""
    first = (length - side) / 2
    return 2 * math.floor(first / 2 + 0.5), 2 * math.floor((first + side) / 2 + 0.5)


def _weights(length: int, first: int, last: int, size: int) -> Tensor:
    """(size, length) float32: what each of `length` pixels gives to each of `size` that cover those from first to last."""
    scale = (last - first) / size
    centres = first + (torch.arange(size, dtype=torch.float64) + 0.5) * scale
    distance = (torch.arange(length, dtype=torch.float64) + 0.5 - centres[:, None]).abs()
    weights = (1 - distance / max(scale, 1.0)).clamp(min=0)
    return (weights / weights.sum(dim=1, keepdim=True)).float()
