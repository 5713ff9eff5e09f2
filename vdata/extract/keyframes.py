"""Keyframes: the byte range of the IDR packet that opens each fragment, so no byte is stored twice; and, if asked, JPEGs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vdata.config import check
from vdata.extract import EXTRACTORS, Extracted
from vdata.media.clip import EncodedClip
from vdata.records import Column, Field

__all__ = ["KeyframesConfig", "KeyframesExtractor"]

_RANGES = Column(
    "keyframes",
    pa.list_(pa.struct([("frame", pa.int32()), ("offset", pa.int64()), ("size", pa.int64())])),
    "Every IDR picture: its frame number and the byte range of its packet within the MP4.",
)
_JPEGS = Column(
    "keyframe_jpegs",
    pa.list_(pa.struct([("offset", pa.int64()), ("size", pa.int64())])),
    "The byte range of each keyframe's JPEG within `.keyframes.mjpeg`, in the order of `keyframes`.",
)
_MJPEG = Field(
    "keyframes",
    "keyframes.mjpeg",
    "uint8",
    "K H W 3",
    "RGB as JPEG",
    "The picture rectangle of each keyframe as a whole JPEG, one behind the other: a Motion JPEG stream. Readers of JPEG show "
    "the first; the column `keyframe_jpegs` cuts out any.",
)


@dataclass(frozen=True)
class KeyframesConfig:
    """Whether keyframes are stored as pictures too."""

    form: Literal["ranges", "jpeg"] = "ranges"
    """`ranges`: their packets within the MP4. `jpeg`: also as JPEG, for readers without a video decoder."""
    quality: int = 90
    """Of the JPEGs, 4:2:0 as the clip. At 256 pixels, two real videos: 12 and 38 kB each, 42.2 and 37.1 dB beside the clip's own
    pictures, 71 % and 86 % of the clip's own bytes in all; encoded in 0.3 ms."""

    def __post_init__(self) -> None:
        """Checks both."""
        check(self.form in ("ranges", "jpeg"), "keyframes.form", self.form, "must be 'ranges' or 'jpeg'")
        check(1 <= self.quality <= 100, "keyframes.quality", self.quality, "must be in [1, 100]")  # noqa: PLR2004 - JPEG's scale


@EXTRACTORS.add("keyframes")
class KeyframesExtractor:
    """The clip's keyframes as a column; with the init segment's avcC box, one packet decodes by itself."""

    Config: ClassVar[type] = KeyframesConfig
    packages: ClassVar[tuple[str, ...]] = ("opencv-contrib-python-headless",)
    reads_source: ClassVar[bool] = False
    reads_motion: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = True

    def __init__(self, config: KeyframesConfig) -> None:
        self.config = config

    @property
    def fields(self) -> tuple[Field, ...]:
        """None where the pictures are in the MP4 alone."""
        return (_MJPEG,) if self.config.form == "jpeg" else ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The byte ranges."""
        return (_RANGES, _JPEGS) if self.config.form == "jpeg" else (_RANGES,)

    def __call__(self, clip: EncodedClip) -> Extracted:
        """One entry a fragment; equal clips give equal bytes.

        Raises:
            DecodeError: a keyframe does not decode; with `ranges` none is decoded.
        """
        columns = {_RANGES.name: [asdict(keyframe) for keyframe in clip.keyframes]}
        if self.config.form == "ranges":
            return Extracted(columns=columns)
        pictures = clip.pictures([keyframe.frame for keyframe in clip.keyframes])
        jpegs = [_jpeg(picture, self.config.quality) for picture in pictures]
        sizes = [len(jpeg) for jpeg in jpegs]
        offsets = accumulate(sizes[:-1], initial=0)
        columns[_JPEGS.name] = [{"offset": offset, "size": size} for offset, size in zip(offsets, sizes, strict=True)]
        return Extracted({_MJPEG.ext: b"".join(jpegs)}, columns)


def _jpeg(picture: npt.NDArray[np.uint8], quality: int) -> bytes:
    """A JPEG of a picture (H, W, 3) rgb24.

    libjpeg-turbo's exact integer DCT, which OpenCV takes, gave the same bytes with AVX2, with SSE2 and without SIMD.
    """
    import cv2  # noqa: PLC0415 - slow to import, and wanted by `jpeg` alone

    # All that decides the bytes is said, so that no other default of another OpenCV changes them.
    settings = (
        *(cv2.IMWRITE_JPEG_QUALITY, quality),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
        *(cv2.IMWRITE_JPEG_OPTIMIZE, 0),
        *(cv2.IMWRITE_JPEG_PROGRESSIVE, 0),
        *(cv2.IMWRITE_JPEG_RST_INTERVAL, 0),
    )
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)
    encoded: bytes = jpeg.tobytes()
    return encoded
