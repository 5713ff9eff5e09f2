"""What is no video, or hardly one, and entries that are no regular files."""

from __future__ import annotations

import io
import os
import random
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from _boxes import png
from _table import TRICKS, Bait, add, entry, plain, write
from _videos import picture, video

# What is no video, or hardly one.

add("empty", ".mp4", lambda bait: b"")
add("one-byte", ".mkv", lambda bait: b"\x1a")
add("text", ".mp4", lambda bait: b"This is a text, and no video.\n" * 40)
add("zeros", ".ts", lambda bait: bytes(300_000))
add("zeros-mpg", ".mpg", lambda bait: bytes(300_000))
add("noise", ".avi", lambda bait: random.Random(1).randbytes(300_000))
add("sync-bytes", ".ts", lambda bait: (b"\x47" + bytes(187)) * 1500)
add("start-codes", ".mpg", lambda bait: b"\0\0\1\xba" * 50_000)
add("nal-starts", ".mp4", lambda bait: b"\0\0\0\1\x67" * 40_000)
add("png-as-mp4", ".mp4", lambda bait: png(64, 48))
add("gzip", ".mp4", lambda bait: zlib.compress(bytes(10**7)))
add("subtitles", ".mkv", lambda bait: b"1\n00:00:00,000 --> 00:00:10,000\nhello\n\n" * 1000)
add("one-frame", ".mp4", lambda bait: video(".mp4", num_frames=1))
add("one-frame-mkv", ".mkv", lambda bait: video(".mkv", num_frames=1))
add("two-frames-an-hour-apart", ".mkv", lambda bait: video(".mkv", num_frames=2, fps=1))


@entry("audio-only")
def _audio_only(path: Path, bait: Bait) -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000)
        for number in range(40):
            frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
            frame.sample_rate, frame.pts = 48000, number * 1024
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    write(path, ".mp4", file.getvalue())


@entry("cover-only")
def _cover_only(path: Path, bait: Bait) -> None:
    """Music with a picture of its cover, which is a video stream of a kind."""
    _streams(path, ["aac", "cover"])


@entry("cover-first")
def _cover_first(path: Path, bait: Bait) -> None:
    _streams(path, ["cover", "libx264"])


@entry("many-streams")
def _many_streams(path: Path, bait: Bait) -> None:
    _streams(path, ["mpeg4"] * 120)


def _streams(path: Path, codecs: list[str]) -> None:
    """A Matroska file with a stream of each codec."""
    with av.open(str(path) + ".mkv", "w", format="matroska") as container:
        streams = []
        for codec in codecs:
            stream = container.add_stream("mjpeg" if codec == "cover" else codec, rate=48000 if codec == "aac" else 25)
            if codec != "aac":
                stream.width, stream.height = 32, 32
                stream.pix_fmt = "yuvj420p" if codec == "cover" else "yuv420p"
            if codec == "cover":
                stream.disposition = av.stream.Disposition.attached_pic
            streams.append(stream)
        for stream in streams:
            if stream.type == "video":
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(0, 32, 32), "rgb24")))
        for stream in streams:
            container.mux(stream.encode())


# Entries that are no regular files.


@entry("fifo")
def _fifo(path: Path, bait: Bait) -> None:
    os.mkfifo(path.with_name(path.name + ".mp4"))


@entry("socket")
def _socket(path: Path, bait: Bait) -> None:
    with _inside(path.parent), socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name + ".mp4")  # relative: a socket's path is short


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@entry("device")
def _device(path: Path, bait: Bait) -> None:
    """/dev/zero under a video's name; an ordinary user gets a link to it."""
    try:
        os.mknod(path.with_name(path.name + ".mp4"), 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        _link(path, ".mp4", "/dev/zero")


def _link(path: Path, extension: str, target: str | Path) -> None:
    path.with_name(path.name + extension).symlink_to(target)


TRICKS["link-device"] = lambda path, bait: _link(path, ".mp4", "/dev/zero")
TRICKS["link-nowhere"] = lambda path, bait: _link(path, ".mkv", path.parent / "is-not-there")
TRICKS["link-itself"] = lambda path, bait: _link(path, ".mp4", path.name + ".mp4")
TRICKS["link-folder-loop"] = lambda path, bait: _link(path, "", ".")
TRICKS["link-environ"] = lambda path, bait: _link(path, ".mp4", "/proc/self/environ")
TRICKS["link-memory"] = lambda path, bait: _link(path, ".mp4", "/proc/self/mem")
TRICKS["folder-empty"] = lambda path, bait: path.mkdir()
TRICKS["folder-named-mp4"] = lambda path, bait: path.with_name(path.name + ".mp4").mkdir()


@entry("link-folder-up")
def _link_up(path: Path, bait: Bait) -> None:
    """A second way to the folder above."""
    path.mkdir()
    _link(path / "up", ".mp4", "..")


@entry("link-pair")
def _link_pair(path: Path, bait: Bait) -> None:
    """Two links that lead to each other."""
    _link(path, "-1.mp4", path.name + "-2.mp4")
    _link(path, "-2.mp4", path.name + "-1.mp4")


@entry("unreadable")
def _unreadable(path: Path, bait: Bait) -> None:
    """Sound, but not for us; root may read it all the same."""
    write(path, ".mp4", plain())
    path.with_name(path.name + ".mp4").chmod(0)


@entry("deep-folders")
def _deep_folders(path: Path, bait: Bait) -> None:
    deep = path.joinpath(*["d"] * 100)
    deep.mkdir(parents=True)
    (deep / "deep.mp4").write_bytes(plain())
