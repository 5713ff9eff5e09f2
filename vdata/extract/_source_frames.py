"""Which frames of its source a clip shows: datasets number frames and seconds there.

Frames are numbered from the source's first, in the order in which they are shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vdata.media.clip import EncodedClip
from vdata.media.origin import Origin
from vdata.media.probe import probe
from vdata.records import Video

__all__ = ["Clocks", "SourceClock"]

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SourceClock:
    """How a source counts its frames. Of one whose rate varies it is only known to within the variation."""

    rate: Fraction
    """Frames a second; the average."""
    count: int
    """How many there are, those that are missing among them too."""
    first: int = 0
    """The frame that frame 0 of the video's first clip shows."""
    zero_seconds: float = 0.0
    """The time of frame 0, on the clock of `Video.start_seconds`."""

    @classmethod
    def of(cls, origin: Origin) -> SourceClock:
        """The clock of a video.

        Of a video that is wanted from its start the first frame has the time 0, whatever its container says. Elsewhere times
        are the container's, by which the span was cut: frame 0 of the clips is the first at or after the span's start
        (vdata/media/cut.py).

        Raises:
            MediaError: the source is absent, or no longer a video.
        """
        video, zero = origin.video, 0.0
        if video.frames:
            rate, count = video.frame_rate, len(video.frames)
        else:
            with origin.opened() as file:
                source = probe(file, origin.limits)
            # Where packets are missing, clips repeat a frame: they are as long as the time says.
            rate, count = source.fps, max(source.num_packets, round(source.duration_seconds * source.fps))
            zero = source.first_seconds if video.start_seconds else 0.0
        # 1e-6: a frame at the very start counts, whatever rounding has done to the two.
        first = max(0, math.ceil((video.start_seconds - zero) * rate - 1e-6))
        return cls(rate, count, first, zero)

    def at(self, seconds: npt.NDArray[np.float64]) -> Longs:
        """(N,) the frames nearest to these times, of two the later; -1 and `count` stand for all before and behind."""
        near = np.floor((seconds - self.zero_seconds) * float(self.rate) + 0.5)
        frames: Longs = np.clip(np.nan_to_num(near, nan=-1.0), -1, self.count).astype(np.int64)
        return frames

    def shown(self, clip: EncodedClip) -> Longs:
        """(T,) the source's frame that each of the clip's frames shows.

        Frame k of the span has the time k / rate and belongs to the clips' frame floor(k * fps / rate + 1/2); of several that
        belong to one it shows the last, and where none does that of the frame before.

        Source: ffmpeg's filter `fps` with round=near, which cuts the clips.
        """
        numbers = np.arange(clip.num_frames, dtype=np.int64) + _first_number(clip)
        steps = self.rate / clip.fps
        last = -(-(2 * numbers + 1) * steps.numerator // (2 * steps.denominator)) - 1
        return np.minimum(self.first + last, self.count - 1)

    def showing(self, clip: EncodedClip, frames: Longs) -> Longs:
        """(N,) the clip's frame that is the first to show each of these frames of the source; -1 where none of the clip's is.

        So a frame is of one clip at most, also where its neighbour repeats it.
        """
        steps = clip.fps / self.rate
        numbers = (2 * (frames - self.first) * steps.numerator + steps.denominator) // (2 * steps.denominator)
        numbers -= _first_number(clip)
        places = np.clip(numbers, 0, clip.num_frames - 1)
        return np.where((numbers == places) & (self.shown(clip)[places] == frames), numbers, -1)


class Clocks:
    """The clock of the video whose clips are at hand: they come one behind the other, and a look into a file may cost 30 ms."""

    def __init__(self) -> None:
        self._video: Video | None = None
        self._clock = SourceClock(Fraction(1), 0)

    def of(self, origin: Origin) -> SourceClock:
        """As SourceClock.of.

        Raises:
            MediaError: as there.
        """
        if self._video != origin.video:
            self._clock, self._video = SourceClock.of(origin), origin.video
        return self._clock


def _first_number(clip: EncodedClip) -> int:
    """The clip's first frame, counted from that of the video's first clip."""
    return round((clip.start_seconds - clip.origin.video.start_seconds) * clip.fps)
