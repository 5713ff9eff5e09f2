"""A whole build against bare ffmpeg, on 720p sources: as bench/build.py, where most of the work is decoding and scaling.

With --peers, films of three clips go through `video2dataset` and `clips only` (see vdata/bench/peers.py). To cut at exact times
the peer encodes a film whole and then each clip again: with equal x264 settings the build was 2.9 times as fast, with the peer's
own, 9.8 times, in one run of 4 films on two busy cores.
"""

from __future__ import annotations

from collections.abc import Sequence

from vdata.bench import Bench, Skip, Variant
from vdata.bench.peers import FILM, build_beside_video2dataset
from vdata.bench.sources import HD
from vdata.bench.whole_build import build_beside_ffmpeg

UNIT = "frames/s"
WARM_UP = False
REPEATS = 3
VIDEOS_A_CORE = 66
"""60 s of a core at 300 frames/s and 300 frames a video, and some to spare."""
FILMS_A_CORE = 4
"""15 s of a build's core, and about four times that of the peer's."""


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """Bare ffmpeg and the build, on 720p sources; then clips only beside video2dataset, on films of three clips."""
    return [*build_beside_ffmpeg(bench, HD, VIDEOS_A_CORE), *build_beside_video2dataset(bench, FILM, FILMS_A_CORE)]
