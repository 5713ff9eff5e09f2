"""Pixels of our own clips, for people who look at single samples. The loader's decoder, kept open and threaded, is its own.

Every picture is what PyAV's `frame.to_ndarray(format="rgb24")` gives for the whole coded frame, bit for bit, and is cut to the
picture rectangle after that: chroma at the rectangle's edge is interpolated as in the whole frame.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import av
import av.error
import numpy as np
import numpy.typing as npt

from vdata.errors import DecodeError
from vdata.media.mp4 import avc_config
from vdata.records import Picture

__all__ = ["decode_frames", "decode_keyframe"]

Pixels = npt.NDArray[np.uint8]


def decode_frames(mp4: bytes, wanted: Sequence[int], picture: Picture) -> Pixels:
    """The wanted frames, uint8 (T, H, W, 3) rgb24, in the order of `wanted`, cut to the picture rectangle.

    Args:
        mp4: a clip, or its init and any of its fragments.
        wanted: frame numbers of the whole clip, which must lie in those fragments.
        picture: the rectangle to keep.

    Raises:
        DecodeError: the bytes do not decode, or a wanted frame is not among them.
    """
    numbers = set(wanted)
    found: dict[int, Pixels] = {}
    if not numbers:
        return np.empty((0, picture.height, picture.width, 3), np.uint8)
    try:
        with av.open(io.BytesIO(mp4), "r", format="mp4") as container:
            video = container.streams.video[0]
            # Frame threads would decode ahead of the last wanted frame.
            video.codec_context.thread_count = 1
            ticks = 0
            for packet in container.demux(video):
                ticks = ticks or packet.duration or 0
                for frame in packet.decode():
                    number = _number(frame.pts, ticks)
                    if number in numbers:
                        found[number] = _cut(frame, picture)
                if len(found) == len(numbers):
                    break
    except (av.error.FFmpegError, IndexError) as error:  # IndexError: the container has no video stream
        raise DecodeError("decoder_error", f"{len(mp4)} bytes of MP4 do not decode: {error}") from error
    missing = sorted(numbers - set(found))
    if missing:
        raise DecodeError("frames", f"frame {missing[0]} is not among the {len(mp4)} bytes that were read")
    return np.stack([found[number] for number in wanted])


def decode_keyframe(init: bytes, packet: bytes, picture: Picture) -> Pixels:
    """One IDR picture, uint8 (H, W, 3) rgb24, from the clip's init and the picture's packet alone.

    Raises:
        DecodeError: the packet does not decode by itself.
    """
    context = av.CodecContext.create("h264", "r")
    context.extradata = avc_config(init)
    context.thread_count = 1
    try:
        frames = [*context.decode(av.Packet(packet)), *context.decode(None)]
    except av.error.FFmpegError as error:
        raise DecodeError("decoder_error", f"a keyframe of {len(packet)} bytes does not decode: {error}") from error
    if len(frames) != 1:
        raise DecodeError("frames", f"a keyframe's packet gave {len(frames)} pictures, not 1")
    return _cut(frames[0], picture)


def _number(pts: int | None, ticks: int) -> int:
    """The frame's number in the whole clip: a clip starts at pts 0 and has a constant rate, and fragments keep their times."""
    if pts is None or not ticks:
        raise DecodeError("times", "a frame without a time stamp or a duration")
    return round(pts / ticks)


def _cut(frame: av.VideoFrame, picture: Picture) -> Pixels:
    pixels = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    return pixels[picture.y : picture.y + picture.height, picture.x : picture.x + picture.width]
