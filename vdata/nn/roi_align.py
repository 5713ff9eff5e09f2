"""Regions of a feature map, cut out by boxes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["roi_align"]


def roi_align(maps: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Each box's part of its map, (B, N, C, size, size), by one bilinear sample in the middle of each of size x size bins.

    Args:
        maps: (B, C, H, W).
        boxes: (B, N, 4): y0, x0, y1, x1 as shares of the map's height and width.
        size: bins along each side.

    A box is multiplied by (H, W), and the sample of bin i of an axis lies at first + (i + 0.5) * (last - first) / size in index
    coordinates: 0 is the middle of the first cell, and there is no shift by half a cell. Beyond the border the border's value
    counts. A box without area gives the value at its place.

    Source: the released code of ConST-CL [C]; RoIAlign with another grid than He et al., arXiv 1703.06870.
    """
    height, width = maps.shape[2:]
    steps = (torch.arange(size, device=boxes.device, dtype=boxes.dtype) + 0.5) / size
    y0, x0, y1, x1 = boxes.unbind(dim=-1)
    rows = height * (y0[..., None] + steps * (y1 - y0)[..., None])
    columns = width * (x0[..., None] + steps * (x1 - x0)[..., None])
    # grid_sample with align_corners has -1 and 1 at the middles of the outer cells; max: a map of one cell has no scale.
    x, y = 2 * columns / max(width - 1, 1) - 1, 2 * rows / max(height - 1, 1) - 1
    grid = torch.stack([x[..., None, :].expand(*x.shape, size), y[..., None].expand(*y.shape, size)], dim=-1)
    found = functional.grid_sample(maps, grid.flatten(1, 2).to(maps.dtype), padding_mode="border", align_corners=True)
    return found.reshape(*maps.shape[:2], boxes.shape[1], size, size).transpose(1, 2)
