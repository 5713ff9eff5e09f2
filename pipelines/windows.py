"""Temporal samplers: which frames of a run of clips a view takes. Pure functions of lengths and numbers in [0, 1).

A sampler is a function from numbers to starts; `draw_windows` looks up the one that a view names, in an order in which every view
comes behind those that it looks at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vdata.views.window import Start, Windowed, parse_start

__all__ = [
    "NUM_WINDOW_UNIFORMS",
    "Window",
    "centre",
    "centre_clamped",
    "consecutive_after",
    "cvrl_gap",
    "disjoint_from",
    "draw_windows",
    "extent",
    "least_frames",
    "num_starts",
    "uniform",
    "uniform_k",
]

NUM_WINDOW_UNIFORMS = 8
"""The first numbers of a sample's row belong to this module."""
_START, _FIRST, _SWAP, _SPEED = range(4)
"""Places of the numbers in that row."""

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The frames that one view takes of B samples, in the order in which it shows them."""

    frames: Longs
    """(B, K * T): K windows behind one another, counted in the sample's run; every number is a frame that is there."""
    inside: Bools
    """(B, K * T): False where the window reaches over the end and the pad has put another frame."""
    speed: Longs
    """(B,): the drawn factor on the stride."""
    backwards: Bools
    """(B,): whether time is reversed."""


def uniform(num_starts: Longs, u: Floats) -> Longs:
    """A start in 0 .. num_starts - 1, each as likely."""
    return np.floor(num_starts * u).astype(np.int64)


def centre(num_starts: Longs) -> Longs:
    """The start of the window in the middle; of two middles the earlier."""
    return (num_starts - 1) // 2


def centre_clamped(num_frames: Longs, half: Longs, u: Floats) -> Longs:
    """A start `half` frames before a middle that may be any frame; it may lie before the first frame.

    Source: DualVar (BMVC 2021), its code's "stage prototype".
    """
    return uniform(num_frames, u) - half


def uniform_k(num_starts: Longs, k: int) -> Longs:
    """(B, k) starts, the middles of k equal parts of all starts."""
    return np.floor(num_starts[:, None] * (np.arange(k) + 0.5) / k).astype(np.int64)


def consecutive_after(last: Longs, gap: int) -> Longs:
    """The start that leaves `gap` frames out behind a window's last frame."""
    return last + gap + 1


def disjoint_from(start: Longs, num_starts: Longs, gap: Longs, u: Floats, step: int = 1) -> Longs:
    """A start at least `gap` frames from another, each such as likely; where none is, the farthest that there is.

    It is a multiple of `step`; the other one need not be. Source: our own choice; BE's code asks for 2 frames.
    """
    gap, last = np.maximum(gap, 1), (num_starts - 1) // step
    first_behind = -(-(start + gap) // step)
    before, behind = np.maximum((start - gap) // step + 1, 0), np.maximum(last - first_behind + 1, 0)
    place = uniform(before + behind, u)
    farthest = np.where(start >= last * step - start, 0, last)
    return np.where(before + behind > 0, np.where(place < before, place, first_behind + place - before), farthest) * step


def cvrl_gap(num_starts: Longs, u_gap: Floats, u_first: Floats, u_swap: Floats) -> tuple[Longs, Longs]:
    """Two starts, in random order, whose distance delta has the linearly falling density P(delta) ~ M - delta - 1/2.

    Source: CVRL (arXiv 2008.03800) section 3.2 with the power 1, as its code draws it: delta = floor(M (1 - sqrt(1 - u))), the
    earlier start uniform over the M - delta that leave room; M is `num_starts`.
    """
    gap = np.floor(num_starts * (1.0 - np.sqrt(1.0 - u_gap))).astype(np.int64)
    early = uniform(num_starts - gap, u_first)
    swap = u_swap < 0.5  # noqa: PLR2004 - either order is as likely
    return np.where(swap, early + gap, early), np.where(swap, early, early + gap)


def extent(view: Windowed, views: Sequence[Windowed]) -> int:
    """Frames that must follow a window's start, itself counted: its own, and those of the windows that are bound to it."""
    speeds = _led_by(view, views).speeds
    own = (view.frames - 1) * view.stride * max(speeds) + 1
    needed = [own]
    for other in views:
        start = _start_of(other)
        if start.of == view.name and start.sampler == "same":
            needed.append(extent(other, views))
        if start.of == view.name and start.sampler == "consecutive_after":
            needed.append(own + int(start.number) + extent(other, views))
    return max(needed)


def least_frames(views: Sequence[Windowed]) -> int:
    """Frames that a run must have to be used: every window of a view that does not pad must fit into it."""
    return max((extent(view, views) for view in views if view.pad == "none"), default=1)


def num_starts(view: Windowed, views: Sequence[Windowed], num_frames: Longs) -> Longs:
    """How many windows of the view a run has; at least one.

    A run shorter than the extent is only met with a pad: one that repeats its edge has the one start 0, one that loops may start
    at any frame.
    """
    needed = extent(view, views)
    short = num_frames if view.pad == "loop" else np.ones_like(num_frames)
    return np.where(num_frames >= needed, num_frames - needed + 1, short)


def draw_windows(
    views: Sequence[Windowed], num_frames: Longs, fps: Floats, u: Mapping[str, Floats], coins: Floats
) -> dict[str, Window]:
    """The windows of every view in runs of `num_frames` (B,) at `fps` (B,).

    `u` has the rows of numbers (B, ...) of each view; `coins` those (B, ...) that the views of a sample share.
    """
    starts: dict[str, Longs] = {}
    speeds = _speeds(views, u)
    for view in _in_order(views):
        start = _start_of(view)
        counts = num_starts(view, views, num_frames)
        if start.sampler == "cvrl_gap":
            starts[start.of], starts[view.name] = _pair(view, views, num_frames, u)
        elif view.name not in starts:
            known = _Known(num_frames, fps, starts, speeds, views)
            starts[view.name] = _starts(view, counts, u[view.name][:, _START], known)
    return {view.name: _window(view, views, starts[view.name], speeds[view.name], num_frames, coins) for view in views}


def _start_of(view: Windowed) -> Start:
    return parse_start(view.start, f"views.{view.name}.start")


def _in_order(views: Sequence[Windowed]) -> Iterator[Windowed]:
    """The views, each behind the one that it looks at; a pair's second before its first, for it draws both."""
    waiting, done = list(views), set[str]()
    paired = {_start_of(view).of for view in views if _start_of(view).sampler == "cvrl_gap"}
    while waiting:
        for view in waiting:
            start = _start_of(view)
            if start.sampler == "cvrl_gap" or (view.name not in paired and (not start.of or start.of in done)):
                done |= {view.name, start.of} if start.sampler == "cvrl_gap" else {view.name}
                yield view
        waiting = [view for view in waiting if view.name not in done]


def _pair(view: Windowed, views: Sequence[Windowed], num_frames: Longs, u: Mapping[str, Floats]) -> tuple[Longs, Longs]:
    """Starts of a CVRL pair, (B, 1) each. In a run too short for both, which only pads allow, each start is drawn alone."""
    of = next(other for other in views if other.name == _start_of(view).of)
    counts = num_starts(of, views, num_frames), num_starts(view, views, num_frames)
    # Both windows must fit, whichever is the later.
    room, drawn = np.minimum(*counts), u[view.name]
    first, second = cvrl_gap(room, drawn[:, _START], drawn[:, _FIRST], drawn[:, _SWAP])
    short = num_frames < max(extent(of, views), extent(view, views))
    alone = uniform(counts[0], u[of.name][:, _START]), uniform(counts[1], drawn[:, _START])
    return tuple(
        _on_phase(each, np.where(short, one, paired)[:, None])
        for each, one, paired in zip((of, view), alone, (first, second), strict=True)
    )  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What a sampler may look at."""

    num_frames: Longs
    fps: Floats
    starts: Mapping[str, Longs]
    """(B, K) of the views that were drawn before."""
    speeds: Mapping[str, Longs]
    views: Sequence[Windowed]


def _starts(view: Windowed, counts: Longs, drawn: Floats, known: _Known) -> Longs:
    """(B, K) first frames, from numbers (B,)."""
    start, starts, speeds = _start_of(view), known.starts, known.speeds
    match start.sampler:
        case "centre":
            return _on_phase(view, centre(counts)[:, None])
        case "centre_clamped":
            return centre_clamped(known.num_frames, view.frames // 2 * view.stride * speeds[view.name], drawn)[:, None]
        case "uniform_k":
            return _on_phase(view, uniform_k(counts, int(start.number)))
        case "same":
            return starts[start.of]
        case "consecutive_after":
            of = next(other for other in known.views if other.name == start.of)
            last = starts[start.of][:, -1] + (of.frames - 1) * of.stride * speeds[start.of]
            return consecutive_after(last, int(start.number))[:, None]
        case "disjoint_from":
            gap = np.ceil(start.number * known.fps).astype(np.int64)
            step = view.stride if view.phase == "stride" else 1
            return disjoint_from(starts[start.of][:, 0], counts, gap, drawn, step)[:, None]
    if view.phase == "stride":
        return (uniform(-(-counts // view.stride), drawn) * view.stride)[:, None]
    return uniform(counts, drawn)[:, None]


def _on_phase(view: Windowed, starts: Longs) -> Longs:
    """The starts, moved back to a multiple of the stride where the view asks for that."""
    return starts - starts % view.stride if view.phase == "stride" else starts


def _speeds(views: Sequence[Windowed], u: Mapping[str, Floats]) -> dict[str, Longs]:
    """(B,) the factor on the stride, by view."""
    known, places = {view.name: view for view in views}, dict[str, Longs]()

    def draw(view: Windowed) -> Longs:
        leader = _led_by(view, views)
        if leader is not view:
            return draw(leader)
        if view.name not in places:
            count, number = len(view.speeds), u[view.name][:, _SPEED]
            if view.speed_unlike:
                # That view's place first, which may itself be unlike another's.
                step = 1 + uniform(np.array([count - 1]), number)
                places[view.name] = (draw(known[view.speed_unlike]) + step) % count
            else:
                places[view.name] = uniform(np.array([count]), number)
        return places[view.name]

    return {view.name: np.array(_led_by(view, views).speeds, np.int64)[draw(view)] for view in views}


def _window(view: Windowed, views: Sequence[Windowed], starts: Longs, speed: Longs, num_frames: Longs, coins: Floats) -> Window:
    """Frames of K windows from their starts (B, K), past the run's ends as the view's pad says, and turned about where drawn."""
    steps = np.arange(view.frames, dtype=np.int64) * view.stride
    frames = starts[:, :, None] + steps * speed[:, None, None]
    count = num_frames[:, None, None]
    inside = (frames >= 0) & (frames < count)
    frames = frames % count if view.pad == "loop" else np.clip(frames, 0, count - 1)
    backwards = coins[:, 0] < _reverse(view, views)
    frames, inside = (np.where(backwards[:, None, None], each[:, :, ::-1], each) for each in (frames, inside))
    flat = len(starts), -1
    return Window(frames.reshape(flat), inside.reshape(flat), speed, backwards)


def _reverse(view: Windowed, views: Sequence[Windowed]) -> float:
    """The probability that time runs backwards."""
    return getattr(_led_by(view, views), "reverse", 0.0)


def _led_by(view: Windowed, views: Sequence[Windowed]) -> Windowed:
    """The view whose reversal and speed this one has: motion that takes the `same` window as a clip shows what the clip shows."""
    start = _start_of(view)
    if start.sampler != "same" or hasattr(view, "reverse") or len(view.speeds) > 1:
        return view
    return _led_by(next(other for other in views if other.name == start.of), views)
