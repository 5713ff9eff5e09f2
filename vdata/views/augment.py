"""Random augmentation of pictures, as data: drawn once for a clip and the same for all its frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vdata.config import check

__all__ = ["Augment"]

_HALF_TURN = 0.5


@dataclass(frozen=True, slots=True)
class Augment:
    """Random augmentation of a view. A zero probability switches an operation off.

    Order: crop, rotation, flip, colour (jitter in random order, then grayscale), blur, solarisation.

    Source: SimCLR (arXiv 2002.05709) appendix A with the order of its released code; the defaults are our own reading
    for clips.
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
    solarize: float = 0.0
    """Probability that values above half are turned about: v becomes 1 - v. Source: BYOL (arXiv 2006.07733) appendix B."""
    rotate: float = 0.0
    """Largest angle of a rotation about the crop's centre, in degrees, either way. The crop's edge repeats where it is bare."""
    crop: Literal["resized", "random"] = "resized"
    """`resized` draws area and aspect; `random` takes a window of the view's size of the picture scaled to `resize`."""
    resize: tuple[int, int] = (0, 0)
    """Height and width to which `random` scales the picture before it crops. Height 0: the short side is the width given, and
    the aspect stays."""
    plain: float = 0.0
    """Probability that a sample is cropped and flipped only: neither colour nor blur nor solarisation. Source: DualVar's code."""

    def __post_init__(self) -> None:
        """Checks ranges and probabilities."""
        for name in ("flip", "jitter", "gray", "blur", "solarize", "plain"):
            check(0.0 <= getattr(self, name) <= 1.0, f"augment.{name}", getattr(self, name), "must be a probability")
        for name in ("area", "aspect", "blur_sigma"):
            low, high = getattr(self, name)
            check(0.0 < low <= high, f"augment.{name}", (low, high), "must be two positive numbers, the smaller first")
        for name in ("brightness", "contrast", "saturation"):
            check(getattr(self, name) >= 0.0, f"augment.{name}", getattr(self, name), "must not be negative")
        check(self.area[1] <= 1.0, "augment.area", self.area, "must not exceed the picture")
        check(0.0 <= self.hue <= _HALF_TURN, "augment.hue", self.hue, "must lie in [0, 0.5] turns")
        check(0.0 <= self.rotate <= 180.0, "augment.rotate", self.rotate, "must lie in [0, 180] degrees")  # noqa: PLR2004 - half a turn
        check(self.crop in ("resized", "random"), "augment.crop", self.crop, "must be resized or random")
        if self.crop == "random":
            check(self.resize[0] >= 0 and self.resize[1] >= 1, "augment.resize", self.resize, "must be given with crop = random")
