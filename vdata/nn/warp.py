"""Smooth warps of clips, the same for all frames: a thin-plate spline between control points."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["control_grid", "spline_grid", "warp_clips"]


def control_grid(side: int) -> Tensor:
    """(side * side, 2): x, y of control points at equal distances, from -1 to 1."""
    line = torch.linspace(-1, 1, side)
    return torch.cartesian_prod(line, line).flip(1)


def spline_grid(points: Tensor, targets: Tensor, height: int, width: int) -> Tensor:
    """The thin-plate spline through `points` -> `targets` at every pixel: (B, height, width, 2), x and y in [-1, 1].

    Args:
        points: (P, 2): x, y of the control points, from -1 to 1.
        targets: (B, P, 2): where each is taken from, in the same coordinates.
        height: rows of pixels; the first is at -1, the last at 1.
        width: columns.

    Source: Bookstein 1989, IEEE PAMI 11(6): f(p) = a + A p + sum of w_i U(|p - p_i|), U(r) = r^2 log r^2, with the w_i
    orthogonal to all affine functions of the p_i.
    """
    points = points.to(targets)
    ones = points.new_ones(len(points), 1)
    affine = torch.cat([ones, points], dim=1)
    kernel = _radial(points, points)
    top = torch.cat([kernel, affine], dim=1)
    system = torch.cat([top, torch.cat([affine.T, points.new_zeros(3, 3)], dim=1)])
    wanted = torch.cat([targets, targets.new_zeros(len(targets), 3, 2)], dim=1)
    weights: Tensor = torch.linalg.solve(system, wanted)
    pixels = _pixels(height, width, points)
    basis = torch.cat([_radial(pixels, points), pixels.new_ones(len(pixels), 1), pixels], dim=1)
    return (basis @ weights).reshape(-1, height, width, 2)


def warp_clips(clips: Tensor, grid: Tensor) -> Tensor:
    """Clips (B, C, T, H, W), every frame sampled at `grid` (B, H, W, 2); zeros from outside.

    One grid a clip, whatever the frame: a grid a frame would be motion that is not there.
    """
    # Frames as channels: one grid a clip then costs one look-up for all of them.
    planes = clips.flatten(1, 2)
    warped = functional.grid_sample(planes, grid.to(clips.dtype), padding_mode="zeros", align_corners=True)
    return warped.reshape(*clips.shape[:3], *grid.shape[1:3])


def _radial(a: Tensor, b: Tensor) -> Tensor:
    """(N, M): r^2 log r^2 of all distances, 0 at 0."""
    squared = (a[:, None] - b[None]).square().sum(dim=2)
    return torch.xlogy(squared, squared)


def _pixels(height: int, width: int, like: Tensor) -> Tensor:
    """(height * width, 2): x, y of every pixel, row by row."""
    rows = torch.linspace(-1, 1, height, dtype=like.dtype, device=like.device)
    columns = torch.linspace(-1, 1, width, dtype=like.dtype, device=like.device)
    return torch.cartesian_prod(rows, columns).flip(1)
