"""Views of the stored motion grid."""

from __future__ import annotations

from dataclasses import dataclass

from vdata.config import check
from vdata.views.augment import Augment
from vdata.views.window import Pad, Phase, check_window

__all__ = ["Motion"]


@dataclass(frozen=True, slots=True)
class Motion:
    """Windows of motion vectors as float32 (B, 1 + negatives, 2, T, H, W), (dx, dy) = dst - src; beside it `NAME_mask`.

    A vector is the way from the frame before to its own, whatever the stride. `NAME_mask` is bool (B, 1 + negatives, T), False
    for the frames that have no motion of their own (I frames, padding, clips without the field), whose maps are 0, and for
    negatives in a run too short to hold any. Where the window is reversed, so is its motion: a frame shows that of the frame
    behind it, negated.

    Source: CMD (CVPR 2021), 8 frames that begin 2 behind the window, and windows of the same video that do not overlap them.
    """

    name: str = "motion"
    """The batch key."""
    frames: int = 8
    """T of every window."""
    start: str = "consecutive_after:clip:2"
    """Temporal sampler of the first window, as of a Clip; `same:NAME` begins where NAME does, reversed if that is."""
    stride: int = 1
    negatives: int = 0
    """Further windows of the same video that do not overlap the first, drawn without repeating one while there are enough."""
    size: int | tuple[int, int] = 112
    """H and W of the map in pixels, one number for both."""
    follow: str = ""
    """The picture view whose crop and flip the first window shares; empty draws its own."""
    augment: Augment | None = None
    """Crop and flip of what follows no view, drawn for every window; None takes the centre crop. Its colours and blur mean
    nothing here."""
    clamp: float = 10.0
    """Vectors are cut to [-clamp, clamp] pixels and divided by it; 0 leaves them in pixels."""
    rescale: bool = True
    """Whether vectors grow with the crop's enlargement; CMD's release leaves them."""
    negate: bool = True
    """Whether a flip turns dx about; CMD's release leaves it."""
    pad: Pad = "none"
    phase: Phase = "any"
    speeds: tuple[int, ...] = (1,)
    speed_unlike: str = ""

    def __post_init__(self) -> None:
        """Checks numbers and the sampler's form."""
        check_window(self)
        key = f"views.{self.name}"
        check(self.negatives >= 0, f"{key}.negatives", self.negatives, "must not be negative")
        sides = (self.size, self.size) if isinstance(self.size, int) else self.size
        check(len(sides) == 2 and min(sides) >= 1, f"{key}.size", self.size, "must be one or two numbers of at least 1")  # noqa: PLR2004 - H, W
        check(not self.start.startswith("uniform_k"), f"{key}.start", self.start, "must take one window: see negatives")
        angle = self.augment.rotate if self.augment else 0.0
        check(angle == 0, f"{key}.augment.rotate", angle, "must be 0: vectors are cropped and flipped only")
        check(self.clamp >= 0, f"{key}.clamp", self.clamp, "must not be negative")

    @property
    def span(self) -> int:
        """Frames from a window's first to its last, both counted."""
        return (self.frames - 1) * self.stride + 1
