"""Settings of the cut: what a clip looks like, and what a source may cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from vdata.config import check
from vdata.media.structure import STRUCTURES

__all__ = ["ClipConfig", "LimitConfig"]

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """How videos become clips: `--set clip.KEY=VALUE`."""

    seconds: float = 10.0
    """Wanted length of a clip; the nearest whole number of GOPs is taken."""
    min_seconds: float = 1.0
    """A film's last clip is dropped, and counted, when it is shorter; a whole video never is."""
    short_side: int = 256
    """Short side of the picture after scaling, in pixels; even."""
    enlarge: bool = True
    """Whether pictures that are smaller are enlarged to it."""
    fps: str | float = ""
    """A rate such as 25 or "30000/1001" to which every video is brought; empty keeps the source's own average."""
    layers: Literal[1, 3] = 1
    """The frame structure: 1 is I P P P; 3 is I BBBP BBBP, of which a window with a stride decodes a part alone."""
    gop: int = 0
    """Frames from one IDR frame to the next; 0 becomes the structure's own, 12 with one layer and 16 with three."""
    crf: int = 23
    """x264's quality; smaller is better and larger. 23: 44.6 dB on 480p sources."""
    preset: str = "veryfast"
    """x264's preset. veryfast: 484 frames/s a core at 256 pixels, the size of medium, half the size of ultrafast."""
    fastdecode: bool = True
    """x264's tune fastdecode: no CABAC and no loop filter; +6.5 % bytes, decoded about 2.4x faster on a CPU."""

    def __post_init__(self) -> None:
        """Checks every number."""
        check(0 < self.seconds < math.inf, "clip.seconds", self.seconds, "must be positive; 1e9 makes one clip of any video")
        check(0 <= self.min_seconds < math.inf, "clip.min_seconds", self.min_seconds, "must be 0 or more")
        short_side_ok = self.short_side % 2 == 0 and 16 <= self.short_side <= 2160  # noqa: PLR2004 - a macroblock; 4K
        check(short_side_ok, "clip.short_side", self.short_side, "must be even and in [16, 2160]")
        check(self.layers in STRUCTURES, "clip.layers", self.layers, f"must be one of {', '.join(map(str, STRUCTURES))}")
        self._check_gop()
        check(0 <= self.crf <= 51, "clip.crf", self.crf, "must be in [0, 51]")  # noqa: PLR2004 - H.264's QP range
        check(self.preset in PRESETS, "clip.preset", self.preset, f"must be one of {', '.join(PRESETS)}")
        check(self.rate is None or 0 < self.rate <= MAX_FPS, "clip.fps", self.fps, f"must be in (0, {MAX_FPS}]")

    def _check_gop(self) -> None:
        """Fills in the GOP where it is the structure's own: what is stored and compared is the number."""
        structure = STRUCTURES[self.layers]
        object.__setattr__(self, "gop", self.gop or structure.gop)
        check(1 <= self.gop <= 250, "clip.gop", self.gop, "must be in [1, 250]")  # noqa: PLR2004 - x264's own default
        rule = f"must be a multiple of {structure.step} with clip.layers={self.layers}"
        check(self.gop % structure.step == 0, "clip.gop", self.gop, rule)

    @property
    def rate(self) -> Fraction | None:
        """`fps` as a fraction; None keeps the source's own.

        Raises:
            ConfigError: it is no number.
        """
        try:
            return Fraction(str(self.fps)) if self.fps else None
        except (ValueError, ZeroDivisionError):
            check(ok=False, key="clip.fps", value=self.fps, rule='must be a number or a fraction such as "30000/1001"')
            return None


@dataclass(frozen=True, slots=True)
class LimitConfig:
    """What a source may cost, in one ffmpeg process and on its way there, before it is given up: `--set limit.KEY=VALUE`."""

    cpu_seconds: int = 3600
    """Seconds of CPU time, so that a busy machine fails no video."""
    wall_seconds: int = 14400
    """Seconds on the clock, of a process and of a download: a net for what waits for ever."""
    memory_gib: float = 4.0
    """Address space."""
    max_pixels: int = 8192 * 8192
    """Pixels of one source frame, checked before its buffer is allocated."""
    max_seconds: float = 6 * 3600.0
    """Duration of a source."""
    max_bytes: int = 64 * 2**30
    """Size of a source that has to be downloaded; TMPDIR needs room for two a worker, the one cut and the next."""
    answer_seconds: float = 60.0
    """Seconds without a byte from a server after which a try to download is given up (s3, http and https)."""

    def __post_init__(self) -> None:
        """Checks that each limit leaves room for anything at all."""
        for name in ("cpu_seconds", "wall_seconds", "memory_gib", "max_pixels", "max_seconds", "max_bytes", "answer_seconds"):
            check(0 < getattr(self, name) < math.inf, f"limit.{name}", getattr(self, name), "must be positive and finite")


MAX_FPS = 240
"""The highest frame rate written; some containers claim 1000."""
