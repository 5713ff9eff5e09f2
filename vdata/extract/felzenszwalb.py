"""Boxes around the segments of Felzenszwalb and Huttenlocher's graph segmentation, at two scales."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.extract import EXTRACTORS, Extracted
from vdata.extract._boxes import member_field
from vdata.extract._segments import PACKAGES, Labels, SegmentConfig, boxes_member, one_thread, smoothed
from vdata.media.clip import EncodedClip
from vdata.records import Column, Field

__all__ = ["FelzenszwalbConfig", "FelzenszwalbExtractor", "felzenszwalb_labels"]


@dataclass(frozen=True)
class FelzenszwalbConfig(SegmentConfig):
    """How coarse the segments are."""

    section: ClassVar[str] = "felzenszwalb"

    scales: tuple[int, ...] = (500, 1000)
    """For each scale the paper's k (scikit-image's `scale`) and at once the least segment in pixels. [D]: ConST-CL takes two
    scales and does not tell them; DetCon's own script has 1000. They are meant for the picture as it is: `reduce` divides
    k, and its square the least segment."""
    sigma: float = 0.8
    """Gaussian smoothing beforehand, pixels of the picture that is segmented; the paper's and scikit-image's."""

    def __post_init__(self) -> None:
        """Checks each setting."""
        super().__post_init__()
        check(
            bool(self.scales) and min(self.scales) >= 1, "felzenszwalb.scales", self.scales, "must be one or more numbers above 0"
        )
        check(0 <= self.sigma <= 16, "felzenszwalb.sigma", self.sigma, "must be in [0, 16]")  # noqa: PLR2004 - a macroblock


@EXTRACTORS.add("felzenszwalb")
class FelzenszwalbExtractor:
    """The clip's boxes of both scales as one member."""

    Config: ClassVar[type] = FelzenszwalbConfig
    packages: ClassVar[tuple[str, ...]] = PACKAGES
    reads_source: ClassVar[bool] = False
    reads_motion: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = True

    def __init__(self, config: FelzenszwalbConfig) -> None:
        self.config = config

    @property
    def fields(self) -> tuple[Field, ...]:
        """The boxes."""
        scales = ", ".join(f"{number} for k = c = {scale}" for number, scale in enumerate(self.config.scales))
        return (member_field("felzenszwalb", f"Boxes around graph segments; `class` is the scale, {scales}; score 1."),)

    @property
    def columns(self) -> tuple[Column, ...]:
        """None."""
        return ()

    def __call__(self, clip: EncodedClip) -> Extracted:
        """The member's bytes; equal clips give equal bytes.

        Raises:
            DecodeError: the clip does not decode.
        """
        (member,) = self.fields
        return Extracted({member.ext: boxes_member(clip, self.config, felzenszwalb_labels)})


def felzenszwalb_labels(picture: npt.NDArray[np.uint8], config: FelzenszwalbConfig) -> Iterator[Labels]:
    """A label map (h, w) for each scale, labels from 0.

    Source: Felzenszwalb and Huttenlocher, Efficient Graph-Based Image Segmentation, IJCV 2004. The edge of two neighbouring
    pixels weighs as much as their distance in RGB. scikit-image takes 8 neighbours; OpenCV takes 4.
    """
    image = smoothed(picture.astype(np.float64), config.sigma)
    segment = _opencv if config.engine == "opencv" else _skimage
    for scale in config.scales:
        # From pixel to pixel a slope now weighs `reduce` times as much, and k / size, against which it is held, reduce^2 times.
        yield segment(image, scale / config.reduce, max(1, round(scale / config.reduce**2)))


def _skimage(image: npt.NDArray[np.float64], scale: float, min_size: int) -> Labels:
    from skimage.segmentation import felzenszwalb  # noqa: PLC0415 - heavy, and not for those who only read

    # scikit-image expects [0, 1] and divides the scale by 255.
    labels: Labels = felzenszwalb(image / 255 + _grain(image.shape), scale=scale, sigma=0, min_size=min_size)
    return labels


@lru_cache(maxsize=4)
def _grain(shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Fixed noise in [0, 2^-20), 1/4000 of a grey level, so that no two edges weigh the same.

    scikit-image sorts the edges by NumPy's unstable sort, which leaves equal ones in an order that depends on the CPU's vector
    instructions: a picture of flat squares had other segments on AVX-512 than on AVX2.
    """
    return np.random.default_rng(0).random(shape) * 2**-20


def _opencv(image: npt.NDArray[np.float64], scale: float, min_size: int) -> Labels:
    import cv2  # noqa: PLC0415 - as above

    # Its own blur differs from CPU to CPU; at this sigma it is one pixel wide. 0 would stand for a default.
    segmentation = cv2.ximgproc.segmentation.createGraphSegmentation(sigma=1e-3, k=scale, min_size=min_size)
    with one_thread():
        labels: Labels = segmentation.processImage(image.astype(np.float32))
    return labels
