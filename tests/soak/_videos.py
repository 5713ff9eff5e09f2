"""Small generated videos in many containers: what the hostile files are made of, and what the killed builds are about."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np

__all__ = ["CONTAINERS", "picture", "video"]

CONTAINERS: dict[str, tuple[str, str, str]] = {
    ".mp4": ("mp4", "libx264", "yuv420p"),
    ".mkv": ("matroska", "libx264", "yuv420p"),
    ".ts": ("mpegts", "mpeg2video", "yuv420p"),
    ".mpg": ("mpeg", "mpeg1video", "yuv420p"),
    ".avi": ("avi", "mpeg4", "yuv420p"),
    ".webm": ("webm", "libvpx", "yuv420p"),
    ".flv": ("flv", "flv", "yuv420p"),
    ".mov": ("mov", "png", "rgb24"),
    ".nut": ("nut", "mjpeg", "yuvj420p"),
}
"""For each extension its format, codec and pixel format."""


def picture(t: int, width: int, height: int, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8: frame `t` of a pattern that moves."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin((x * (channel + 2) + y * (seed % 5 + 1) + 5 * t) / 17 + seed + channel) for channel in range(3)]
    return (127 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)


def video(
    extension: str = ".mp4",
    *,
    num_frames: int = 24,
    size: tuple[int, int] = (96, 64),
    fps: int | Fraction = 25,
    seed: int = 0,
    coding: tuple[str, str, str] | None = None,
    still: bool = False,
) -> bytes:
    """The bytes of a video file; `coding` replaces the format, codec and pixel format that the extension has."""
    file = io.BytesIO()
    muxer, codec, pixels = coding or CONTAINERS[extension]
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = 12
        for t in range(num_frames):
            frame = av.VideoFrame.from_ndarray(picture(0 if still else t, *size, seed), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()
