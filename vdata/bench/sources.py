"""Source videos of a wanted kind for cases that cut, made of the given shards' clips, so that a bench needs nothing else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vdata.media.ffmpeg import binary
from vdata.shards import open_shards

__all__ = ["HD", "ORDINARY", "UCF", "SourceKind", "make_sources"]


@dataclass(frozen=True, slots=True)
class SourceKind:
    """What the videos of a dataset look like."""

    width: int
    height: int
    fps: int
    seconds: int
    ext: str
    encoder: tuple[str, ...]


UCF = SourceKind(320, 240, 25, 7, "avi", ("-c:v", "mpeg4", "-vtag", "xvid", "-q:v", "4", "-bf", "1"))
"""As UCF101's: MPEG-4 in AVI, about 7 s."""
HD = SourceKind(1280, 720, 30, 10, "mp4", ("-c:v", "libx264", "-preset", "veryfast", "-crf", "22"))
"""As Kinetics' larger ones: H.264 in MP4, 10 s."""


def _ordinary(width: int, height: int, rate: str) -> SourceKind:
    """x264's own defaults, which most videos on the web come near: a GOP of up to 250 frames, 3 B-frames, 3 references."""
    return SourceKind(width, height, 25, 10, "mp4", ("-c:v", "libx264", "-preset", "medium", "-b:v", rate))


ORDINARY = {
    "720p": _ordinary(1280, 720, "2.2M"),
    "480p": _ordinary(854, 480, "1.1M"),
    "256p": _ordinary(340, 256, "400k"),
}
"""As people keep Kinetics: as it came from the web, and scaled down. The rates are fixed, for the time to decode a source goes
with them: at crf 23 clips that are still, or were enlarged, took down to an eighth of these bits, and TorchCodec half the time.

Source: Kinetics-400 is 443 GB of 299,758 videos of 10 s, or 1.2 Mb/s (cvdfoundation/kinetics-dataset, issue 15), and with a short
side of 256 pixels 135 GB of 254,380, or 0.42 Mb/s (PaddleVideo, docs/en/dataset/k400.md), sound included.
"""


def make_sources(
    shards: Path, folder: Path, kind: SourceKind, count: int, distinct: int = 8, *, spread: bool = False
) -> Sequence[Path]:
    """`count` files below `folder`: `distinct` videos under many names, from the first clips, or clips `spread` over the shards.

    A clip that is too short is repeated, one of another shape is stretched: the pictures are real, their framing is not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clips = open_shards(shards)
    step = max(1, len(clips) // distinct) if spread else 1
    originals = [
        _made(clips[i * step % len(clips)]["mp4"], folder / f"source-{i}.{kind.ext}", kind) for i in range(min(distinct, count))
    ]
    made = []
    for number in range(count):
        path = folder / f"v_{number:05d}.{kind.ext}"
        os.link(originals[number % len(originals)], path)
        made.append(path)
    for path in originals:
        path.unlink()
    return made


def _made(mp4: bytes, path: Path, kind: SourceKind) -> Path:
    clip = path.with_suffix(".clip")
    clip.write_bytes(mp4)
    loop = ["-stream_loop", "-1", "-i", str(clip), "-t", str(kind.seconds), "-r", str(kind.fps)]
    scale = ["-vf", f"scale={kind.width}:{kind.height},setsar=1,format=yuv420p", "-an"]
    subprocess.run([binary(), "-v", "error", "-nostdin", *loop, *scale, *kind.encoder, str(path)], check=True)
    clip.unlink()
    return path
