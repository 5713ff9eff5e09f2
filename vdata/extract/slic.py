"""Boxes around SLIC superpixels, at two scales."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vdata.config import check
from vdata.extract import EXTRACTORS, Extracted
from vdata.extract._boxes import member_field
from vdata.extract._segments import PACKAGES, Labels, SegmentConfig, boxes_member, one_thread, smoothed
from vdata.media.clip import EncodedClip
from vdata.records import Column, Field

__all__ = ["SlicConfig", "SlicExtractor", "slic_labels"]


@dataclass(frozen=True)
class SlicConfig(SegmentConfig):
    """How many superpixels, and how square they are."""

    section: ClassVar[str] = "slic"

    scales: tuple[int, ...] = (64, 32)
    """For each scale about how many superpixels a picture has. [D]: ConST-CL's numbers are not published; 32 to 64 of them have
    sides of 1/8 to 1/5 of the picture."""
    compactness: float = 10.0
    """Distance in Lab that weighs as much as one grid step; larger is squarer. [D], scikit-image's and the paper's own."""
    sigma: float = 1.0
    """Gaussian smoothing beforehand, pixels of the picture that is segmented. [D]"""
    iterations: int = 10
    """Rounds of k-means; the paper's."""

    def __post_init__(self) -> None:
        """Checks each setting."""
        super().__post_init__()
        check(bool(self.scales) and min(self.scales) >= 1, "slic.scales", self.scales, "must be one or more numbers above 0")
        # OpenCV keeps it as a float32.
        check(1e-3 <= self.compactness <= 1e6, "slic.compactness", self.compactness, "must be in [0.001, 1e6]")  # noqa: PLR2004
        check(0 <= self.sigma <= 16, "slic.sigma", self.sigma, "must be in [0, 16]")  # noqa: PLR2004 - a macroblock
        check(1 <= self.iterations <= 100, "slic.iterations", self.iterations, "must be in [1, 100]")  # noqa: PLR2004 - it settles


@EXTRACTORS.add("slic")
class SlicExtractor:
    """The clip's boxes of both scales as one member."""

    Config: ClassVar[type] = SlicConfig
    packages: ClassVar[tuple[str, ...]] = PACKAGES
    reads_source: ClassVar[bool] = False
    reads_motion: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = True

    def __init__(self, config: SlicConfig) -> None:
        self.config = config

    @property
    def fields(self) -> tuple[Field, ...]:
        """The boxes."""
        scales = ", ".join(f"{number} for {scale} superpixels" for number, scale in enumerate(self.config.scales))
        return (member_field("slic", f"Boxes around SLIC superpixels; `class` is the scale, {scales}; score 1."),)

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
        return Extracted({member.ext: boxes_member(clip, self.config, slic_labels)})


def slic_labels(picture: npt.NDArray[np.uint8], config: SlicConfig) -> Iterator[Labels]:
    """A label map (h, w) for each scale, labels from 0; every label is one connected region.

    Source: Achanta et al., SLIC Superpixels Compared to State-of-the-Art Superpixel Methods, TPAMI 2012. Where the two engines
    part: scikit-image searches two grid steps around a centre, knows no colour in its first round, and splits regions above 3
    times the mean size; OpenCV searches one step and moves the first centres off edges. Both give regions below half the mean
    size to a neighbour.
    """
    image = smoothed(_lab(picture), config.sigma)
    segment = _opencv if config.engine == "opencv" else _skimage
    for num_segments in config.scales:
        yield segment(image, num_segments, config)


def _lab(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The picture in CIELAB, D65, in steps of 0.4 of L, 1 of a and b: OpenCV's tables of whole numbers, equal on every CPU.

    scikit-image's `slic` would stretch each picture to the full range first, which is not in the paper, and makes the compactness
    mean something else in a dark frame.
    """
    import cv2  # noqa: PLC0415 - heavy, and not for those who only read

    lab: npt.NDArray[np.float64] = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB) * np.array([100 / 255, 1, 1])
    return lab


def _skimage(image: npt.NDArray[np.float64], num_segments: int, config: SlicConfig) -> Labels:
    from skimage.segmentation import slic  # noqa: PLC0415 - as above

    # It divides every picture by its range, Lab or not; the compactness is divided alike, so that the ratio stays.
    extent = float(np.ptp(image)) or 1.0
    settings = {"compactness": config.compactness / extent, "max_num_iter": config.iterations, "sigma": 0, "convert2lab": False}
    labels: Labels = slic(image, n_segments=num_segments, start_label=0, **settings)
    return labels


def _opencv(image: npt.NDArray[np.float64], num_segments: int, config: SlicConfig) -> Labels:
    import cv2  # noqa: PLC0415 - as above

    height, width = image.shape[:2]
    # A grid without a single centre, of a step above twice the short side, ends the process with a segmentation fault.
    step = min(height, width, max(1, round((height * width / num_segments) ** 0.5)))
    with one_thread():
        pixels = image.astype(np.float32)
        superpixels = cv2.ximgproc.createSuperpixelSLIC(pixels, cv2.ximgproc.SLIC, step, config.compactness)
        superpixels.iterate(config.iterations)
        superpixels.enforceLabelConnectivity(50)  # percent of the mean size, scikit-image's min_size_factor
        labels: Labels = superpixels.getLabels()
    return labels
