"""Source videos of a wanted kind for cases that cut, made of the given shards' clips, so that a bench needs nothing else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vdata.media.ffmpeg import binary
from vdata.shards import open_shards

__all__ = ["HD", "UCF", "SourceKind", "make_sources"]


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


def make_sources(shards: Path, folder: Path, kind: SourceKind, count: int, distinct: int = 8) -> Sequence[Path]:
    """`count` files below `folder`: `distinct` videos from the first clips of the shards, under many names.

    A clip that is too short is repeated, one of another shape is stretched: the pictures are real, their framing is not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clips = open_shards(shards)
    originals = [
        _made(clips[i % len(clips)]["mp4"], folder / f"source-{i}.{kind.ext}", kind) for i in range(min(distinct, count))
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
