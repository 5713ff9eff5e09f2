"""A whole build beside bare ffmpeg that makes the same clips, for sources of one kind."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from vdata.bench.case import Bench, Timed, Variant
from vdata.bench.sources import SourceKind, make_sources
from vdata.builder import BuildConfig, RunConfig, build, resolve
from vdata.extract.motion import motion_grid
from vdata.media.cut import encode_arguments, plan_cut
from vdata.media.ffmpeg import binary
from vdata.media.motion_codec import dump_grid
from vdata.media.origin import Origin
from vdata.media.source import open_source
from vdata.media.vectors import read_motion
from vdata.records import Video
from vdata.shards import open_shards

__all__ = ["build_beside_ffmpeg"]


def build_beside_ffmpeg(bench: Bench, kind: SourceKind, videos_a_core: int) -> Sequence[Variant]:
    """Variant `ffmpeg`: `xargs -P cores`, one process a video, the builder's own arguments. Variant `build`: the library's build.

    A build that does not give as many frames as the sources have raises ValueError.
    """
    cores = len(os.sched_getaffinity(0))
    count = 12 * cores if bench.quick else videos_a_core * cores
    root, out = bench.scratch / "root", bench.scratch / "out"
    paths = make_sources(bench.shards, root, kind, count)
    config = resolve("folder")
    command = _ffmpeg_command(root, paths[0].name, config)
    num_frames = count * kind.seconds * kind.fps
    encode_cpu = 0.0

    def ffmpeg() -> float:
        nonlocal encode_cpu
        before = _children_seconds()
        names = b"\0".join(os.fsencode(path) for path in paths)
        subprocess.run(["/usr/bin/xargs", "-0", "-P", str(cores), "-n", "1", "sh", "-c", command], input=names, check=True)
        encode_cpu = _children_seconds() - before
        return num_frames

    def vdata() -> Timed:
        report = build(config, root, out, run=RunConfig(workers=cores))
        found = report.tally.frames
        if found != num_frames or not report.reconciles:
            raise ValueError(f"the build wrote {found} frames of {num_frames}")
        floor = 1 + _motion_seconds(out, num_frames) / encode_cpu
        detail = {"seconds": report.seconds_building, "ray seconds": report.seconds_ray, "floor": floor}
        return Timed(found, report.seconds_building, detail)

    def clear() -> None:
        shutil.rmtree(out, ignore_errors=True)
        for path in root.glob("*.out"):
            path.unlink()

    return [Variant("ffmpeg", ffmpeg, clear), Variant("build", vdata, clear)]


def _ffmpeg_command(root: Path, name: str, config: BuildConfig) -> str:
    """A shell line that encodes $0 to a file beside it; all sources of a case have one size and rate."""
    video = Video(name, name)
    with open_source(root, name) as file:
        plan = plan_cut(Origin(root, video, config.limit, file), config.clip)
    arguments = encode_arguments(plan, config.clip)
    return f'exec {shlex.join([binary(), "-hide_banner", *arguments])} < "$0" > "$0.out"'


def _motion_seconds(out: Path, num_frames: int) -> float:
    """CPU seconds of the motion pass and its grid over all clips, from the first 40."""
    seconds, frames = 0.0, 0
    for sample in list(open_shards(out))[:40]:
        mp4, row = sample["mp4"], sample.row
        start = time.process_time()
        dump_grid(*motion_grid(read_motion(mp4), row["width"], row["height"]))
        seconds, frames = seconds + time.process_time() - start, frames + row["num_frames"]
    return seconds / frames * num_frames


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
