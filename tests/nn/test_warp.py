"""The spline against SciPy's, and what a warp may not do to a clip."""

import numpy as np
import torch
from scipy.interpolate import RBFInterpolator

from vdata.nn.warp import control_grid, spline_grid, warp_clips


def jittered(count=2, jitter=0.1, seed=0):
    points = control_grid(5).double()
    noise = torch.rand(count, 25, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return points, points + jitter * noise


def test_against_scipy():
    points, targets = jittered()
    grid = spline_grid(points, targets, 6, 9)
    rows, columns = np.meshgrid(np.linspace(-1, 1, 6), np.linspace(-1, 1, 9), indexing="ij")
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    for found, target in zip(grid, targets, strict=True):
        # A thin plate in SciPy's words is r^2 log r, half of ours: the weights differ, the function does not.
        expected = RBFInterpolator(points.numpy(), target.numpy(), kernel="thin_plate_spline", degree=1)(pixels)
        np.testing.assert_allclose(found.reshape(-1, 2).numpy(), expected, atol=1e-9)


def test_control_points_go_where_they_should():
    points, targets = jittered(1)
    grid = spline_grid(points, targets, 5, 5)
    torch.testing.assert_close(grid.reshape(25, 2), targets[0])


def test_points_that_stay_are_the_identity():
    points = control_grid(5)
    clips = torch.rand(2, 3, 4, 20, 28)
    grid = spline_grid(points, points.expand(2, -1, -1), 20, 28)
    torch.testing.assert_close(warp_clips(clips, grid), clips, atol=1e-4, rtol=0)


def test_a_still_clip_stays_still():
    """The grid is the frames' common one."""
    points, targets = jittered()
    clips = torch.rand(2, 3, 1, 24, 24).expand(-1, -1, 5, -1, -1)
    warped = warp_clips(clips, spline_grid(points, targets, 24, 24))
    assert warped.diff(dim=2).abs().max() == 0
    assert (warped - clips).abs().max() > 0.05


def test_each_clip_has_its_own_warp():
    points, targets = jittered()
    clips = torch.rand(1, 3, 2, 24, 24).expand(2, -1, -1, -1, -1)
    grid = spline_grid(points, targets, 24, 24)
    together = warp_clips(clips, grid)
    for n in range(2):
        torch.testing.assert_close(together[n : n + 1], warp_clips(clips[n : n + 1], grid[n : n + 1]))
    assert not torch.allclose(together[0], together[1])
