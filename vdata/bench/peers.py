"""video2dataset beside the library's build: the same sources to H.264 clips in tars, and nothing else.

The peer runs in an environment of its own (`make bench-peers`), as a process that uses all cores, with the library's ffmpeg
binary on its PATH. Both sides leave clips of the same frames, their short side 256 pixels, in WebDataset tars. A film is cut at
exact times, as a build does: the peer's ClippingSubsampler then encodes it whole, and its ResolutionSubsampler each clip again.
(Its other precisions copy the stream and cut at the source's own keyframes.)

Where they differ: the peer decodes and scales with ffmpeg's own defaults, keeps its encoder's threads, checks nothing and
indexes nothing; a build decodes every frame of every clip again to check it. The peer's FrameSubsampler stays out: it would
encode once more to change no frame.
"""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av

from vdata.bench.case import Bench, Skip, Timed, Variant
from vdata.bench.sources import HD, SourceKind, make_sources
from vdata.builder import RunConfig, build, resolve
from vdata.media.config import ClipConfig
from vdata.media.ffmpeg import binary

__all__ = ["FILM", "Video2dataset", "build_beside_video2dataset", "check_clips", "x264_options"]

PYTHON = Path(__file__).parents[2] / ".venv-peers" / "bin" / "python"
"""The environment of `make bench-peers`, in the checkout."""
SCRIPT = Path(__file__).with_name("_run_video2dataset.py")
FILM = replace(HD, seconds=30)
"""Of three clips."""
SHARDS_A_WORKER = 4
"""Few enough that none of the peer's processes is replaced in mid-run (it does so after 5), enough that both end together."""


def build_beside_video2dataset(bench: Bench, kind: SourceKind, videos_a_core: int) -> Sequence[Variant | Skip]:
    """Variants `video2dataset` with the library's x264 settings, `clips only` (the build), `video2dataset medium` with its own.

    Both sides are timed from the first task's start to the last one's end. What comes before and after (Ray; the peer's pool,
    which imports torch) is their `start seconds`, and `whole seconds` is all of it. The library's workers import what they need
    within their time, the peer's before it.

    Raises:
        ValueError: an output lacks a clip or a frame.
    """
    missing = _missing(bench)
    if missing:
        return [Skip("video2dataset", missing)]
    cores = _cores()
    count = cores * (min(12, videos_a_core // 2) if bench.quick else videos_a_core)
    root, out = bench.scratch / "peer-root", bench.scratch / "peer-out"
    paths = make_sources(bench.shards, root, kind, count)
    config = resolve("folder", ())
    cuts = _cuts(kind, config.clip)
    frames = kind.seconds * kind.fps // len(cuts)
    clips = count * len(cuts)
    call = Video2dataset(paths, bench.scratch / "peer", config.clip.short_side, x264_options(config.clip), PYTHON, cuts)

    def peer(call: Video2dataset) -> Timed:
        seconds, whole = call.run(out)
        check_clips(out, clips, frames, even=bool(call.encode))
        return _timed(out, clips * frames, seconds, whole)

    def clips_only() -> Timed:
        report = build(config, root, out, run=RunConfig(workers=cores))
        check_clips(out, clips, frames)
        return _timed(out, clips * frames, report.seconds_building, report.seconds)

    def clear() -> None:
        shutil.rmtree(out, ignore_errors=True)

    _try(replace(call, paths=paths[:2]), bench.scratch / "peer-try", frames)
    return [
        Variant("video2dataset", lambda: peer(call), clear),
        Variant("clips only", clips_only, clear, base="video2dataset"),
        Variant("video2dataset medium", lambda: peer(replace(call, encode={})), clear, base="clips only"),
    ]


def x264_options(clip: ClipConfig) -> dict[str, Any]:
    """The options of ffmpeg that make the peer's stream what the library's is, but for threads and what a CPU may change."""
    tune = {"tune": "fastdecode"} if clip.fastdecode else {}
    gop = {"g": clip.gop, "keyint_min": clip.gop, "sc_threshold": 0, "bf": 0, "refs": 1}
    return {"preset": clip.preset, "crf": clip.crf, **tune, **gop, "pix_fmt": "yuv420p", "profile:v": "high"}


@dataclass(frozen=True, slots=True)
class Video2dataset:
    """One call of video2dataset on local files."""

    paths: Sequence[Path]
    folder: Path
    """For its list, its settings, its log and its temporary files."""
    height: int
    """Of the clips in pixels; its sources are wider than high."""
    encode: Mapping[str, Any]
    """Options added to its ffmpeg's output."""
    python: Path
    """Of the environment that it is installed in."""
    cuts: Sequence[tuple[int, int]] = ()
    """Start and end of every clip, in seconds; none or one: a video is one clip, and it is not cut."""

    def run(self, out: Path) -> tuple[float, float]:
        """Seconds from the first shard's start to the last one's end, by its own statistics, and of all; tars are below `out`.

        Raises:
            ValueError: it failed; its last words are in the message.
        """
        self.folder.mkdir(exist_ok=True)
        rows = [{"url": str(path), "clips": self.cuts} for path in self.paths]
        (self.folder / "videos.json").write_text(json.dumps(rows), encoding="utf-8")
        settings = self.folder / "settings.json"
        settings.write_text(json.dumps(self.settings(out)), encoding="utf-8")
        log = self.folder / "log.txt"
        start = time.perf_counter()
        with log.open("wb") as words:
            command = [str(self.python), "-W", "ignore", str(SCRIPT), str(settings)]
            code = subprocess.run(command, stdout=words, stderr=words, env=self._environment(), check=False).returncode
        whole = time.perf_counter() - start
        statistics = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob("*_stats.json"))]
        if code or sum(one["successes"] for one in statistics) != len(self.paths):
            raise ValueError(f"video2dataset ended with status {code}: ...{log.read_text(errors='replace')[-1000:]}")
        return max(one["end_time"] for one in statistics) - min(one["start_time"] for one in statistics), whole

    def settings(self, out: Path) -> dict[str, Any]:
        """What the script in its environment reads."""
        cores = _cores()
        a_shard = math.ceil(len(self.paths) / (SHARDS_A_WORKER * cores))
        steps: dict[str, Any] = {"ResolutionSubsampler": {"args": {"resize_mode": "scale", "height": self.height}}}
        columns = {"url_list": str(self.folder / "videos.json"), "input_format": "json"}
        if len(self.cuts) > 1:
            steps["ClippingSubsampler"] = {"args": {"precision": "exact"}}
            columns["clip_col"] = "clips"
        config = {
            "subsampling": steps,
            "reading": {"yt_args": {}, "timeout": 60, "sampler": None},
            "storage": {"number_sample_per_shard": a_shard, "oom_shard_count": 5, "captions_are_subtitles": False},
            "distribution": {"processes_count": cores, "thread_count": 32, "subjob_size": 1000, "distributor": "multiprocessing"},
        }
        places = {"output_folder": str(out), "output_format": "webdataset", "tmp_dir": str(self.folder)}
        return {"encode": dict(self.encode), "call": {**columns, **places, "config": config}}

    def _environment(self) -> dict[str, str]:
        tools = self.folder / "bin"
        tools.mkdir(exist_ok=True)
        (tools / "ffmpeg").unlink(missing_ok=True)
        (tools / "ffmpeg").symlink_to(binary())
        return {**os.environ, "PATH": f"{tools}:{os.environ.get('PATH', '')}", "TMPDIR": str(self.folder)}


def check_clips(out: Path, count: int, frames: int, *, height: int = 0, even: bool = True) -> None:
    """Checks that tars hold `count` clips of `frames` frames each; decoded, and of that height, where one is given.

    Args:
        out: Folder of the tars.
        count: Clips.
        frames: Of every clip; only their sum is checked unless `even`.
        height: In pixels; 0 counts packets and looks no further.
        even: False for the peer with its own encoder settings: its `exact` clips of a film then had 112 to 550 frames where
            300 were asked for, and their sum was right.

    Raises:
        ValueError: a clip is missing, has another number of frames, or is not what was asked for.
    """
    found = [_decoded(mp4, height) if height else _frames(mp4) for mp4 in _clips(out)]
    if len(found) != count or sum(found) != count * frames or (even and set(found) != {frames}):
        raise ValueError(
            f"'{out.name}' has {len(found)} clips of {count}, with {sorted(set(found))} frames; {frames} each are due"
        )


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _missing(bench: Bench) -> str:
    """Why the peer cannot be measured."""
    if not bench.peers:
        return "asked for by --peers"
    return "" if PYTHON.exists() else f"'{PYTHON.parents[1].name}' is not there: `make bench-peers` in a checkout makes it"


def _cuts(kind: SourceKind, clip: ClipConfig) -> list[tuple[int, int]]:
    """Whole clips of one length, as a build cuts such a source."""
    count = max(1, round(kind.seconds / clip.seconds))
    seconds = kind.seconds // count
    return [(number * seconds, (number + 1) * seconds) for number in range(count)]


def _try(call: Video2dataset, out: Path, frames: int) -> None:
    """A run on few sources with every frame decoded, before anything is timed."""
    call.run(out)
    check_clips(out, len(call.paths) * len(call.cuts), frames, height=call.height)
    shutil.rmtree(out)


def _timed(out: Path, frames: int, seconds: float, whole: float) -> Timed:
    size = sum(len(mp4) for mp4 in _clips(out)) / frames
    detail = {"seconds": seconds, "start seconds": whole - seconds, "whole seconds": whole, "bytes a frame": size}
    return Timed(frames, seconds, detail)


def _clips(out: Path) -> Iterator[bytes]:
    for path in sorted(out.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file and member.name.endswith(".mp4"):
                    yield file.read()


def _frames(mp4: bytes) -> int:
    """Frames by the packets: cheap enough to count after every round."""
    with av.open(io.BytesIO(mp4), "r") as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def _decoded(mp4: bytes, height: int) -> int:
    """Frames by decoding; 0 if it is no H.264 of that height."""
    with av.open(io.BytesIO(mp4), "r") as container:
        video = container.streams.video[0]
        as_asked = video.codec_context.name == "h264" and video.height == height
        return sum(1 for _ in container.decode(video)) if as_asked else 0
