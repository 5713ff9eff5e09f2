"""Motion: decoding for vectors, the grid made of them, and what others do.

`decode` is plain PyAV decoding of the same clips on one thread: what any user of the pixels pays. `vectors` is the pass
that vdata makes in its place. `grid` adds the dense grid and its compression: the `motion` extractor as a build runs it.
`mvextractor` is the motion-vector-extractor package, whose rows are compared before anything is timed.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from vdata import open_shards
from vdata.bench import Bench, Skip, Variant
from vdata.extract import EXTRACTORS
from vdata.media.origin import Origin
from vdata.media.vectors import read_motion
from vdata.records import Video
from vdata.shards.encoded import encoded_clip

UNIT = "frames/s"


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """Plain decoding, the vector pass, the whole extractor, and the package if it is asked for and there."""
    shards = open_shards(bench.shards)
    samples = [shards[i] for i in range(min(len(shards), 8 if bench.quick else 40))]
    clips = [sample["mp4"] for sample in samples]
    num_frames = float(sum(sample.row["num_frames"] for sample in samples))
    extractor = EXTRACTORS["motion"](EXTRACTORS["motion"].Config())
    encoded = [encoded_clip(sample, Origin(Path(), Video(sample.row["video_id"], sample.row["source"]))) for sample in samples]

    def decode() -> float:
        return float(sum(_decode(clip) for clip in clips))

    def vectors() -> float:
        return float(sum(len(read_motion(clip).types) for clip in clips))

    def grid() -> float:
        for clip in encoded:
            extractor(replace(clip))  # a fresh copy: the pass is cached on the clip
        return num_frames

    found = decode(), vectors()
    if found != (num_frames, num_frames):
        raise ValueError(f"{num_frames} frames by the rows, {found} by decoding")
    return [Variant("decode", decode), Variant("vectors", vectors), Variant("grid", grid), _peer(bench, clips)]


def _decode(clip: bytes) -> int:
    with av.open(io.BytesIO(clip)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return sum(1 for _ in container.decode(video=0))


def _peer(bench: Bench, clips: Sequence[bytes]) -> Variant | Skip:
    if not bench.peers:
        return Skip("mvextractor", "asked for by --peers")
    try:
        from mvextractor.videocap import VideoCap  # noqa: PLC0415 - a peer that may be absent
    except ImportError:
        return Skip("mvextractor", "pip install --no-deps motion-vector-extractor")
    paths = []
    for number, clip in enumerate(clips):
        paths.append(bench.scratch / f"{number}.mp4")
        paths[-1].write_bytes(clip)

    def rows(path: str) -> list[np.ndarray]:
        capture, found = VideoCap(), []
        capture.open(path)
        while (read := capture.read())[0]:
            found.append(read[2])
        capture.release()
        return found

    for path, clip in zip(paths, clips, strict=True):
        if not np.array_equal(np.concatenate(rows(str(path))), read_motion(clip).rows):
            raise ValueError(f"motion-vector-extractor's rows of {path.name} differ from ours")
    return Variant("mvextractor", lambda: float(sum(len(rows(str(path))) for path in paths)))
