"""Frames and sound as an MP4: H.264 and FLAC, muxed."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vdata.datasets._sample.sound import SAMPLE_RATE

__all__ = ["write"]

_X264 = {"preset": "superfast", "crf": "16", "x264-params": "threads=1:cpu-independent=1"}
"""One thread and cpu-independent: the same bytes on every processor. superfast: most of the time goes into encoding."""

_FLAC = {"flags": "+bitexact", "lpc_type": "fixed"}
"""Exact to the sample, which AAC with its priming is not, and integers only. 4 s took 5 ms of one core, as AAC 24 ms."""

_BT601 = 6
"""AVCOL_SPC_SMPTE170M. PyAV's Colorspace.SMPTE170M is swscale's number 5, which in a stream says BT.470BG."""

_CHUNK = 4096
"""Samples handed over at once."""


def write(
    path: Path, frames: Iterable[NDArray[np.uint8]], size: tuple[int, int], fps: int, samples: NDArray[np.int16] | None = None
) -> None:
    """Nothing; writes the video: `size` is (width, height), even; the sound is mono at SAMPLE_RATE, None for no track."""
    with av.open(str(path), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
        video = _video_stream(container, size, fps)
        audio = None if samples is None else _audio_stream(container)
        for pts, frame in enumerate(frames):
            container.mux(video.encode(_yuv(frame, pts, fps)))
        container.mux(video.encode())
        if audio is not None and samples is not None:
            _mux_sound(container, audio, samples)


def _video_stream(container: OutputContainer, size: tuple[int, int], fps: int) -> VideoStream:
    stream = container.add_stream("libx264", rate=fps, options=_X264)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.color_range = ColorRange.MPEG
    stream.codec_context.colorspace = _BT601
    return stream


def _audio_stream(container: OutputContainer) -> AudioStream:
    return container.add_stream("flac", rate=SAMPLE_RATE, layout="mono", format="s16", options=_FLAC)


def _yuv(frame: NDArray[np.uint8], pts: int, fps: int) -> av.VideoFrame:
    # OpenCV's integer conversion (BT.601, limited range): swscale's differs between processors.
    planes = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420), np.uint8)
    picture = av.VideoFrame.from_ndarray(planes, "yuv420p")
    picture.pts, picture.time_base = pts, Fraction(1, fps)
    picture.color_range, picture.colorspace = ColorRange.MPEG, _BT601
    return picture


def _mux_sound(container: OutputContainer, stream: AudioStream, samples: NDArray[np.int16]) -> None:
    for start in range(0, len(samples), _CHUNK):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + _CHUNK], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
