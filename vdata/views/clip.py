"""Views: what a method reads of a sample, as data.

A view names a batch key and says which frames and which augmentation it wants. `pipelines` draws every random number
for it in NumPy and compiles the tuple of views into one DALI graph; nothing here knows of DALI, torch or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vdata.config import check

__all__ = ["CENTRE_SHARE", "Augment", "Clip", "View", "check_views"]

CENTRE_SHARE = 0.875
"""Side of the evaluation crop by the picture's short side. Source: SimCLR's code, 224 of 256."""


@dataclass(frozen=True, slots=True)
class Augment:
    """Random augmentation, drawn once for a clip and the same for all its frames.

    Source: SimCLR (arXiv 2002.05709) appendix A with the order of its released code; the defaults are our own reading
    for clips: a zero probability switches an operation off.
    """

    area: tuple[float, float] = (0.3, 1.0)
    """Share of the picture that the random resized crop keeps."""
    aspect: tuple[float, float] = (0.75, 4 / 3)
    """Width by height of that crop."""
    flip: float = 0.5
    """Probability of a horizontal flip."""
    jitter: float = 0.8
    """Probability of the colour jitter."""
    brightness: float = 0.8
    """Half-width of the multiplicative range around 1; contrast and saturation alike."""
    contrast: float = 0.8
    saturation: float = 0.8
    hue: float = 0.2
    """Half-width of the hue turn, in turns: 0.2 is 72 degrees."""
    gray: float = 0.2
    """Probability of grayscale."""
    blur: float = 0.5
    """Probability of the Gaussian blur."""
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    """Range of the blur's sigma, in pixels of the view."""

    def __post_init__(self) -> None:
        """Checks ranges and probabilities."""
        for name in ("flip", "jitter", "gray", "blur"):
            check(0.0 <= getattr(self, name) <= 1.0, f"augment.{name}", getattr(self, name), "must be a probability")
        for name in ("area", "aspect", "blur_sigma"):
            low, high = getattr(self, name)
            check(0.0 < low <= high, f"augment.{name}", (low, high), "must be two positive numbers, the smaller first")
        check(self.area[1] <= 1.0, "augment.area", self.area, "must not exceed the picture")
        check(0.0 <= self.hue <= 0.5, "augment.hue", self.hue, "must lie in [0, 0.5] turns")  # noqa: PLR2004 - half a turn


@dataclass(frozen=True, slots=True)
class Clip:
    """A window of frames, as a float tensor (B, C, T, H, W).

    With `augment=None` the centre crop of `size` is taken (CENTRE_SHARE of the short side, scaled); with `size=None` too, the
    frames come as they are, uint8 (B, T, H, W, C).
    """

    name: str = "clip"
    """The batch key."""
    frames: int = 16
    """T."""
    stride: int = 4
    """Frames from one taken frame to the next, in frames of the clip."""
    size: int | None = 112
    """H and W in pixels; None keeps the picture as it is."""
    augment: Augment | None = None
    start: str = "uniform"
    """Temporal sampler: `uniform`, `centre`, or `cvrl_gap:NAME` (a start at a CVRL-distributed distance from view NAME, whose
    own start, `uniform`, then comes from the same draw)."""
    pad: Literal["none", "edge", "loop"] = "none"
    """What a clip shorter than the span does: it is left out, repeats its last frame, or starts again."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Subtracted per channel, in [0, 1] units."""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Divided by per channel, in [0, 1] units."""

    def __post_init__(self) -> None:
        """Checks numbers and the sampler's form."""
        check(self.frames >= 1, f"views.{self.name}.frames", self.frames, "must be at least 1")
        check(self.stride >= 1, f"views.{self.name}.stride", self.stride, "must be at least 1")
        check(self.size is None or self.size >= 1, f"views.{self.name}.size", self.size, "must be at least 1 or none")
        check(self.size is not None or self.augment is None, f"views.{self.name}.size", self.size, "must be given with augment")
        known = self.start in ("uniform", "centre") or self.pair is not None
        check(known, f"views.{self.name}.start", self.start, "must be uniform, centre or cvrl_gap:NAME")
        check(self.pad in ("none", "edge", "loop"), f"views.{self.name}.pad", self.pad, "must be none, edge or loop")
        check(all(self.std), f"views.{self.name}.std", self.std, "must not be zero")

    @property
    def span(self) -> int:
        """Frames of the clip from the window's first frame to its last, both counted."""
        return (self.frames - 1) * self.stride + 1

    @property
    def pair(self) -> str | None:
        """The view whose window this one's lies at a drawn distance from; None where it is drawn alone."""
        sampler, _, name = self.start.partition(":")
        return name if sampler == "cvrl_gap" and name else None


View = Clip
"""Any view; a union once there is a second kind."""


def check_views(views: Sequence[View]) -> None:
    """Nothing, if the views can make one batch.

    Raises:
        ConfigError: no view, two of one name, a name that the batch keeps for itself, or a pair without its partner.
    """
    names = [view.name for view in views]
    check(bool(views), "views", names, "must hold at least one view")
    check(len(set(names)) == len(names), "views", names, "must have different names")
    for view in views:
        check(view.name not in ("idx", "label", "meta"), "views", view.name, "is a key that every batch has already")
    alone = [view.name for view in views if view.start == "uniform"]
    pairs = [view.pair for view in views if view.pair is not None]
    for pair in pairs:
        check(pair in alone, "views.start", f"cvrl_gap:{pair}", f"must name a view whose start is uniform: {', '.join(alone)}")
    check(len(set(pairs)) == len(pairs), "views.start", pairs, "must not name one view twice: a pair is one draw")
