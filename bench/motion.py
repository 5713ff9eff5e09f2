"""Motion: decoding for vectors, the grid made of them, and what others do, in frames a second of CPU.

`decode` is plain PyAV decoding of the same clips on one thread: what any user of the pixels pays. `vectors` is the pass in its
place that gives vectors alone, and so what the motion-vector-extractor package gives (`mvextractor`), whose rows are compared
before anything is timed. `skips` asks which macroblocks were skipped too. `grid` adds the dense grid and its compression: the
`motion` extractor as a build runs it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av

from vdata import open_shards
from vdata.bench import Bench, Skip, Variant
from vdata.bench.timing import on_cpu
from vdata.bench.vector_peer import mvextractor
from vdata.extract import EXTRACTORS
from vdata.media.origin import Origin
from vdata.media.vectors import read_motion
from vdata.records import Video
from vdata.shards.encoded import encoded_clip

UNIT = "frames/s"


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """Plain decoding, the pass without skips and with them, the whole extractor, and the package if it is asked for and there."""
    shards = open_shards(bench.shards)
    samples = [shards[i] for i in range(min(len(shards), 8 if bench.quick else 40))]
    clips = [sample["mp4"] for sample in samples]
    num_frames = float(sum(sample.row["num_frames"] for sample in samples))
    extractor = EXTRACTORS["motion"](EXTRACTORS["motion"].Config())
    encoded = [encoded_clip(sample, Origin(Path(), Video(sample.row["video_id"], sample.row["source"]))) for sample in samples]

    def decode() -> float:
        return float(sum(_decode(clip) for clip in clips))

    def vectors() -> float:
        return float(sum(len(read_motion(clip, skips=False).types) for clip in clips))

    def skips() -> float:
        return float(sum(len(read_motion(clip).types) for clip in clips))

    def grid() -> float:
        for clip in encoded:
            extractor(replace(clip))  # a fresh copy: the pass is cached on the clip
        return num_frames

    found = {decode(), vectors(), skips()}
    if found != {num_frames}:
        msg = f"{num_frames} frames by the rows, {sorted(found)} by decoding"
        raise ValueError(msg)
    own = [Variant(run.__name__, on_cpu(run)) for run in (decode, vectors, skips, grid)]
    return [*own, mvextractor(bench, clips)]


def _decode(clip: bytes) -> int:
    with av.open(io.BytesIO(clip)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return sum(1 for _ in container.decode(video=0))
