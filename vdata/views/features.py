"""Views of the stored features."""

from __future__ import annotations

from dataclasses import dataclass

from vdata.config import check

__all__ = ["Features"]


@dataclass(frozen=True, slots=True)
class Features:
    """Rows of a video's features in order of time, float32 (B, T, D); beside it `NAME_time`, float32 (B, T).

    `NAME_time` is the place of the rows' frames in the video, in [0, 1). The video is the sample's: with `unit="clip"` it is a
    clip, with `unit="video"` an unbroken run of clips.

    Source of `parts`: TOT (CVPR 2022) code: the video is cut into equal parts, two anchors are drawn in each, and each has a
    positive within `reach` rows.
    """

    name: str = "features"
    """The batch key."""
    frames: int = 128
    """T."""
    sampler: str = "parts"
    """`parts` as above, T / 4 of them; `uniform`: T drawn rows, sorted; `even`: T rows at equal distances."""
    reach: int = 30
    """Rows between an anchor and its positive, of `parts`: an offset in [-reach, reach)."""
    zscore: bool = False
    """Whether every number of a row has the mean 0 and the deviation 1 over the video's rows; rows of zeros stay zeros and do not
    count. Source: TOT's code, for Breakfast."""

    def __post_init__(self) -> None:
        """Checks numbers and names."""
        key = f"views.{self.name}"
        check(self.frames >= 1, f"{key}.frames", self.frames, "must be at least 1")
        check(self.sampler in ("parts", "uniform", "even"), f"{key}.sampler", self.sampler, "must be parts, uniform or even")
        check(self.sampler != "parts" or self.frames % 4 == 0, f"{key}.frames", self.frames, "must be a multiple of 4 for parts")
        check(self.reach >= 1, f"{key}.reach", self.reach, "must be at least 1")
