"""What counts as a copy, and what is compared: every threshold of the check."""

from __future__ import annotations

from dataclasses import dataclass

from vdata.config import check

__all__ = ["LeakConfig"]


@dataclass(frozen=True, slots=True)
class LeakConfig:
    """Settings of find_leaks.

    Source: our own choice, measured by tests/leaks/test_real_videos.py on 40 real videos. Found are all copies at crf 38, at
    half the size, brighter, of another aspect and mirrored, 97 % at another frame rate or letterboxed, 90 % cropped by 5 %,
    88 % cut from another moment on, 74 % under a white box, 5 % cropped by 10 %. Of over 15,000 pairs of videos of other scenes
    none is, of 990 of recordings of one person in one place 133 are. In trials on the same videos, max_distance 40 found 65 %
    of the crops, 64 half again as many recordings of one place; search_distance 10 found at most 3 % more of any kind, in twice
    the time.
    """

    max_distance: int = 56
    """Bits of 256 in which the hashes of two keyframes that match may differ."""
    search_distance: int = 8
    """Bits of the 64 coarsest of them in which they may differ: what makes the search quick."""
    min_fraction: float = 0.5
    """Two videos match if so much of the keyframes of one of them does, the one of which more does."""
    min_scenes: int = 3
    """Or if so many keyframes of each match that differ from one another, as in two cuts of one film. One title card is one."""
    min_sure_bits: int = 32
    """A picture of which fewer of the 64 bits stand above coding noise has no content to go by: it is black, or all but blank."""
    max_neighbours: int = 1000
    """A keyframe that looks like more others than this says nothing of two videos: a logo, a test card."""
    every_seconds: float = 0.3
    """Keyframes that are closer to the one before are left out: 12 frames at 30 a second are 0.4 s."""
    still_distance: int = 12
    """Keyframes in a row that differ in no more of 256 bits are one to the search, and count as many."""
    mirror: bool = False
    """Whether mirrored copies are looked for too."""
    within: bool = False
    """Whether all videos of a folder are compared with each other, even where no split or group sets them apart."""

    def __post_init__(self) -> None:
        """Checks the ranges."""
        for name, most in (("max_distance", 128), ("search_distance", 16), ("min_sure_bits", 64)):
            check(0 <= getattr(self, name) <= most, name, getattr(self, name), f"must be in [0, {most}]")
        check(0 < self.min_fraction <= 1, "min_fraction", self.min_fraction, "must be in (0, 1]")
        check(self.min_scenes >= 1, "min_scenes", self.min_scenes, "must be at least 1")
        check(self.max_neighbours >= 1, "max_neighbours", self.max_neighbours, "must be at least 1")
        check(
            0 <= self.still_distance <= self.max_distance, "still_distance", self.still_distance, "must be in [0, max_distance]"
        )
        check(self.every_seconds >= 0, "every_seconds", self.every_seconds, "must be 0 or more")
