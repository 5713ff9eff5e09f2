"""Views: what a method reads of a sample, as data.

A view names a batch key and says which frames and which augmentation it wants. `pipelines` draws every random number
for it in NumPy and compiles the tuple of views into one DALI graph; nothing here knows of DALI, torch or files.
"""

from __future__ import annotations

from dataclasses import dataclass

from vdata.config import check

__all__ = ["Augment", "Clip", "View"]


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

    With `augment=None` the centre crop of `size` is taken (after scaling its short side by 1 / 0.875); with `size=None` too, the
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
    """Temporal sampler: `uniform`, `centre`, or `cvrl_gap:NAME` (a start at a CVRL-distributed distance from view NAME)."""
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

    @property
    def span(self) -> int:
        """Frames of the clip from the window's first frame to its last, both counted."""
        return (self.frames - 1) * self.stride + 1


View = Clip
"""Any view; a union once there is a second kind."""
