"""Temporal samplers: which frames of a clip a view takes. Pure functions of the clip's length and numbers in [0, 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from vdata.views import View

__all__ = ["NUM_WINDOW_UNIFORMS", "centre", "cvrl_gap", "frame_numbers", "num_starts", "uniform", "window_starts"]

NUM_WINDOW_UNIFORMS = 4
"""The first numbers of a sample's row belong to this module."""

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


def uniform(num_starts: Longs, u: Floats) -> Longs:
    """A start in 0 .. num_starts - 1, each as likely."""
    return np.floor(num_starts * u).astype(np.int64)


def centre(num_starts: Longs) -> Longs:
    """The start of the window in the middle; of two middles the earlier."""
    return (num_starts - 1) // 2


def cvrl_gap(num_starts: Longs, u_gap: Floats, u_first: Floats, u_swap: Floats) -> tuple[Longs, Longs]:
    """Two starts, in random order, whose distance delta has the linearly falling density P(delta) ~ M - delta - 1/2.

    Source: CVRL (arXiv 2008.03800) section 3.2 with the power 1, as its code draws it: delta = floor(M (1 - sqrt(1 - u))), the
    earlier start uniform over the M - delta that leave room; M is `num_starts`.
    """
    gap = np.floor(num_starts * (1.0 - np.sqrt(1.0 - u_gap))).astype(np.int64)
    early = uniform(num_starts - gap, u_first)
    swap = u_swap < 0.5  # noqa: PLR2004 - either order is as likely
    return np.where(swap, early + gap, early), np.where(swap, early, early + gap)


def num_starts(view: View, num_frames: Longs) -> Longs:
    """How many windows of the view a clip has; at least one.

    A clip shorter than the span is only met with a pad: one that repeats its edge has the one start 0, one that loops may start
    at any frame.
    """
    short = num_frames if view.pad == "loop" else np.ones_like(num_frames)
    return np.where(num_frames >= view.span, num_frames - view.span + 1, short)


def window_starts(views: Sequence[View], num_frames: Longs, u: Mapping[str, Floats]) -> dict[str, Longs]:
    """The first frame (B,) of every view's window in clips of `num_frames` (B,).

    `u` has the rows of numbers (B, ...) of each view.
    """
    count = {view.name: num_starts(view, num_frames) for view in views}
    starts = {}
    for view in views:
        name = view.name
        starts[name] = centre(count[name]) if view.start == "centre" else uniform(count[name], u[name][:, 0])
    for view in views:
        if view.pair is not None:
            # Both windows must fit, whichever is the later.
            room = np.minimum(count[view.name], count[view.pair])
            drawn = u[view.name]
            starts[view.pair], starts[view.name] = cvrl_gap(room, drawn[:, 0], drawn[:, 1], drawn[:, 2])
    return starts


def frame_numbers(view: View, start: Longs, num_frames: Longs) -> Longs:
    """The frames (B, T) of the windows; past the clip's end as the view's pad says."""
    frames = start[:, None] + np.arange(view.frames, dtype=np.int64) * view.stride
    num_frames = num_frames[:, None]
    return np.where(view.pad == "loop", frames % num_frames, np.minimum(frames, num_frames - 1))
