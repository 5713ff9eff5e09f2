"""A whole build against bare ffmpeg, on UCF101-size sources (build_720p does the same on 720p).

`ffmpeg` makes the same clips with `xargs -P cores`: the very arguments of the builder, one process a video, into files. `build`
is `vdata build` with keyframes and motion: on top of the encode it probes, cuts into clips, checks each one, extracts, hashes and
writes shards. Ray's start and stop are taken out and stand beside it. `floor` is what no builder of these fields can go below:
1 + (motion pass with its grid) / (encode), both in CPU seconds of this run.

A round has about 60 s of bare work, so that the workers' own start weighs little; --quick has a few seconds.

With --peers a quarter of the sources goes through `video2dataset` too, beside `clips only`: a build without keyframes and motion
(see vdata/bench/peers.py). Sources this short are not cut, so with equal x264 settings both are x264 and little else: 0.7 and 1.0
in two runs on two busy cores, 0.9 by CPU time (its ffmpeg alone against the tasks of a build, which pay for a check). The peer's
own settings (`medium`, which users cannot change) cost 2.2 to 2.8 times a build's CPU time, and leave a third fewer bytes. Where
clips are cut, see build_720p.
"""

from __future__ import annotations

from collections.abc import Sequence

from vdata.bench import Bench, Skip, Variant
from vdata.bench.peers import build_beside_video2dataset
from vdata.bench.sources import UCF
from vdata.bench.whole_build import build_beside_ffmpeg

UNIT = "frames/s"
WARM_UP = False
REPEATS = 3
VIDEOS_A_CORE = 310
"""60 s of a core at 830 frames/s and 175 frames a video, and some to spare."""


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """Bare ffmpeg and the build, on UCF101-size sources; then, on a quarter of them, clips only beside video2dataset."""
    return [*build_beside_ffmpeg(bench, UCF, VIDEOS_A_CORE), *build_beside_video2dataset(bench, UCF, VIDEOS_A_CORE // 4)]
