"""Views of boxes: objects and regions of a picture view's frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vdata.config import check

__all__ = ["Boxes", "Tracklets"]


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes of one frame of a view, float32 (B, N, 4) as y0, x0, y1, x1 in [0, 1] of the view's crop; beside it two more.

    They have gone through the view's crop and flip. `NAME_mask` is bool (B, N): False where the sample has no such box, or the
    crop shows too little of it. `NAME_class` is int64 (B, N): the number that detector or dataset gives, -1 for none; a box of
    several classes, as AVA's people, stands there once for each. With `frame="all"` all have an axis of the view's frames:
    (B, T, N, 4), where box n of two frames need not be of the same thing (Tracklets are for that).

    Random boxes are drawn in the view's own coordinates, behind crop and flip, and all are valid.

    Source: ConST-CL (CVPR 2022) takes 8 boxes of the centre frame.
    """

    name: str = "boxes"
    """The batch key."""
    of: str = "clip"
    """The view in whose pictures they lie."""
    num: int = 8
    """N."""
    sources: tuple[str, ...] = ("random",)
    """Whose stored boxes are taken (slic, felzenszwalb, person, detector, dataset); `random` is drawn here and stored nowhere."""
    frame: Literal["centre", "random", "nearest", "all"] = "centre"
    """Which of the view's frames; `nearest`: the one closest in time to a frame of `pair`, in the middle of what the two views
    share if they overlap. Stored boxes come from the frame of the same clip nearest to it that has any: boxes are stored on
    keyframes by default."""
    pair: str = ""
    """The other view, for `nearest`."""
    reach: int | None = None
    """Most frames from it to the frame that the stored boxes come from; None for less than a GOP, within which every frame has a
    keyframe. 0 for boxes that were stored on all frames."""
    min_score: float = 0.0
    """Stored boxes below it are left out; of more than N the highest scores are taken, and of equal ones random ones."""
    min_visible: float = 0.25
    """Share of a box's area that the crop must show."""

    def __post_init__(self) -> None:
        """Checks numbers."""
        key = f"views.{self.name}"
        check(self.num >= 1, f"{key}.num", self.num, "must be at least 1")
        check(bool(self.sources), f"{key}.sources", self.sources, "must name at least one")
        mixed = "random" in self.sources and len(self.sources) > 1
        check(not mixed, f"{key}.sources", self.sources, "must be random alone, or stored ones")
        check(
            self.frame in ("centre", "random", "nearest", "all"),
            f"{key}.frame",
            self.frame,
            "must be centre, random, nearest or all",
        )
        check(
            (self.frame == "nearest") == bool(self.pair),
            f"{key}.pair",
            self.pair,
            "must be given with frame = nearest, and only then",
        )
        check(self.reach is None or self.reach >= 0, f"{key}.reach", self.reach, "must not be negative")
        check(0.0 <= self.min_visible <= 1.0, f"{key}.min_visible", self.min_visible, "must lie in [0, 1]")


@dataclass(frozen=True, slots=True)
class Tracklets:
    """Persons over a view's frames: float32 (B, N, T, 4) as y0, x0, y1, x1 in [0, 1] of the crop; `NAME_mask` bool (B, N, T).

    The mask is False where the track has no box in that very frame, or the crop shows too little of it. `NAME_id` int64 (B, N)
    is the track's number in its clip, -1 where there is none; tracks do not go on from clip to clip. Those seen in most frames of
    the window come first.
    """

    name: str = "tracklets"
    """The batch key."""
    of: str = "clip"
    """The view in whose pictures they lie."""
    num: int = 4
    """N."""
    min_visible: float = 0.25
    """Share of a box's area that the crop must show."""

    def __post_init__(self) -> None:
        """Checks numbers."""
        check(self.num >= 1, f"views.{self.name}.num", self.num, "must be at least 1")
        check(0.0 <= self.min_visible <= 1.0, f"views.{self.name}.min_visible", self.min_visible, "must lie in [0, 1]")
