"""Views of pictures: windows of frames, and single keyframes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vdata.config import check
from vdata.views.augment import Augment
from vdata.views.window import Pad, Phase, check_window, parse_start

__all__ = ["CENTRE_SHARE", "Clip", "Keyframe", "Size"]

CENTRE_SHARE = 0.875
"""Side of the evaluation crop by the picture's short side. Source: SimCLR's code, 224 of 256."""

Size = int | tuple[int, int] | None
"""H and W in pixels, one number for both; None keeps the picture as it is."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A window of frames, as a tensor (B, C, T, H, W); (B, K, C, T, H, W) for K windows or crops.

    With `augment=None` the centre crop of `size` is taken (CENTRE_SHARE of the short side, scaled); with `size=None` too, the
    frames come as they are, uint8 (B, T, H, W, C).
    """

    name: str = "clip"
    """The batch key."""
    frames: int = 16
    """T."""
    stride: int = 4
    """Frames from one taken frame to the next, in frames of the clip."""
    size: Size = 112
    augment: Augment | None = None
    start: str = "uniform"
    """Temporal sampler, a form of SAMPLERS: `uniform`; `centre`; `centre_clamped`, whose middle may be any frame; `uniform_k:K`,
    K windows at equal distances; `cvrl_gap:NAME`, at a CVRL-distributed distance from view NAME, whose own start, `uniform`, then
    comes from the same draw; `same:NAME`; `consecutive_after:NAME:FRAMES`, beginning that many frames behind the last of NAME;
    `disjoint_from:NAME:SECONDS`, anywhere with a start at least that far from that of NAME."""
    pad: Pad = "none"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Subtracted per channel, in [0, 1] units."""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Divided by per channel, in [0, 1] units."""
    phase: Phase = "any"
    speeds: tuple[int, ...] = (1,)
    """Factors on the stride, one of which is drawn, each as likely. The window is placed so that the largest would fit."""
    speed_unlike: str = ""
    """A view of the same `speeds` whose drawn speed this one does not take."""
    reverse: float = 0.0
    """Probability that time runs backwards. One coin a sample: views of one probability turn together."""
    crops: Literal["one", "three"] = "one"
    """Without augmentation: `three` squares of the whole short side, at the start, the middle and the end of the long one."""
    dtype: Literal["float32", "float16", "uint8"] = "float32"
    """uint8 is in [0, 255] and not normalised."""
    layout: Literal["CTHW", "TCHW", "THWC"] = "CTHW"

    def __post_init__(self) -> None:
        """Checks numbers and the sampler's form."""
        check_window(self)
        key = f"views.{self.name}"
        _check_pictures(key, self.size, self.augment)
        _check_normal(key, self.mean, self.std)
        check(0.0 <= self.reverse <= 1.0, f"{key}.reverse", self.reverse, "must be a probability")
        check(self.crops in ("one", "three"), f"{key}.crops", self.crops, "must be one or three")
        alone = self.augment is None and self.size is not None
        check(self.crops == "one" or alone, f"{key}.crops", self.crops, "must be one with augment, and without a size")
        check(self.dtype in ("float32", "float16", "uint8"), f"{key}.dtype", self.dtype, "must be float32, float16 or uint8")
        check(self.layout in ("CTHW", "TCHW", "THWC"), f"{key}.layout", self.layout, "must be CTHW, TCHW or THWC")
        plain = self.mean == (0.0, 0.0, 0.0) and self.std == (1.0, 1.0, 1.0)
        check(plain or self.dtype != "uint8", f"{key}.dtype", self.dtype, "must be a float to be normalised by mean and std")

    @property
    def span(self) -> int:
        """Frames of the clip from the window's first frame to its last, both counted, at the largest speed."""
        return (self.frames - 1) * self.stride * max(self.speeds) + 1

    @property
    def pair(self) -> str | None:
        """The view whose window this one's lies at a drawn distance from; None where it is drawn alone."""
        start = parse_start(self.start, f"views.{self.name}.start")
        return start.of if start.sampler == "cvrl_gap" else None

    @property
    def num_windows(self) -> int:
        """Windows of a sample."""
        start = parse_start(self.start, f"views.{self.name}.start")
        return int(start.number) if start.sampler == "uniform_k" else 1

    @property
    def num_crops(self) -> int:
        """Crops of every window."""
        return 3 if self.crops == "three" else 1


@dataclass(frozen=True, slots=True)
class Keyframe:
    """One keyframe near another view's window, as a tensor (B, C, H, W). It costs one packet to decode.

    Source: CMD (CVPR 2021): an I frame, uniform among those within 5 frames of the window.
    """

    name: str = "key"
    """The batch key."""
    of: str = "clip"
    """The view whose window it lies near."""
    margin: int = 5
    """Frames before the window's first and behind its last among which it may lie; the nearest one if none does."""
    size: Size = 112
    augment: Augment | None = None
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    dtype: Literal["float32", "float16", "uint8"] = "float32"

    def __post_init__(self) -> None:
        """Checks numbers."""
        key = f"views.{self.name}"
        check(self.margin >= 0, f"{key}.margin", self.margin, "must not be negative")
        check(self.dtype in ("float32", "float16", "uint8"), f"{key}.dtype", self.dtype, "must be float32, float16 or uint8")
        _check_pictures(key, self.size, self.augment)
        _check_normal(key, self.mean, self.std)


def _check_normal(key: str, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Three numbers each, in the units of pictures that lie in [0, 1]."""
    for name, values in (("mean", mean), ("std", std)):
        three = isinstance(values, tuple) and len(values) == 3  # noqa: PLR2004 - colours
        check(three, f"{key}.{name}", values, "must be three numbers, one a colour")
    check(max(map(abs, mean)) <= 1, f"{key}.mean", mean, "must be in units of pictures in [0, 1]: divide by 255")
    check(all(std), f"{key}.std", std, "must not be zero")


def _check_pictures(key: str, size: Size, augment: Augment | None) -> None:
    whole = size is None or isinstance(size, int) or (isinstance(size, tuple) and all(isinstance(side, int) for side in size))
    check(whole, f"{key}.size", size, "must be one or two whole numbers, or none")
    check(augment is None or isinstance(augment, Augment), f"{key}.augment", augment, "must be an Augment or none")
    sides = (size, size) if isinstance(size, int) else size or (1, 1)
    check(len(sides) == 2 and min(sides) >= 1, f"{key}.size", size, "must be one or two numbers of at least 1, or none")  # noqa: PLR2004 - H, W
    check(size is not None or augment is None, f"{key}.size", size, "must be given with augment")
    if augment is not None and augment.crop == "random":
        least = max(sides) if augment.resize[0] == 0 else 0
        fits = augment.resize[1] >= least and (
            augment.resize[0] == 0 or (augment.resize[0] >= sides[0] and augment.resize[1] >= sides[1])
        )
        check(fits, f"{key}.size", size, f"must fit into augment.resize {augment.resize}")
