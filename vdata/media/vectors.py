"""Frame types, motion vectors and skipped macroblocks of our own clips, by one decoding pass that draws as little as it can.

Apart from the frame decoder because it asks libavcodec for other things: what the encoder decided for every block, and no pixels.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
import av.logging
import numpy as np
import numpy.typing as npt
from av.sidedata.motionvectors import MotionVectors
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import PictureType

from vdata.errors import DecodeError

__all__ = ["MACROBLOCK", "ROW_COLUMNS", "VECTOR", "MotionPass", "StreamFacts", "read_motion"]

ROW_COLUMNS = ("source", "w", "h", "src_x", "src_y", "dst_x", "dst_y", "motion_x", "motion_y", "motion_scale")
"""Columns of a vector row. Source: the motion-vector-extractor package 2.0's layout, and libavutil's AVMotionVector."""

VECTOR = np.dtype(
    {
        "names": ROW_COLUMNS,
        "formats": ("i4", "u1", "u1", "i2", "i2", "i2", "i2", "i4", "i4", "u2"),
        "offsets": (0, 4, 5, 6, 8, 10, 12, 24, 28, 32),
        "itemsize": 40,
    }
)
"""One vector as libavcodec exports it; its flags are always 0. Source: libavutil/motion_vector.h (AVMotionVector)."""

MACROBLOCK = 16
"""Side of an H.264 macroblock, pixels."""

_DECODER_OPTIONS = {
    "flags2": "+export_mvs",
    # The vectors stay as they are, and the pass takes 0.077 s of CPU in place of 0.089 s for 250 frames at 464x256.
    "skip_loop_filter": "all",
    "skip_idct": "all",
    # Without it a damaged slice is concealed, and concealment invents vectors.
    "err_detect": "explode",
}
_MACROBLOCKS_TOLD = {"debug": "mb_type"}
"""A skipped macroblock exports a vector like any other; that it was skipped is said in this log alone.

It costs 12 ms of the 46 that the pass takes for 175 frames at 464x256: a printf for each macroblock. In a process with NumPy a
printf takes twice its time, since NumPy brings libquadmath, which teaches printf a type of its own.
"""
_DEMUXER_OPTIONS = {"fpsprobesize": "0"}
"""Nobody asks for the rate, which libavformat finds by decoding: 0.5 ms for a clip of 175 frames in place of 1.1."""
_P_SKIP, _B_SKIP = b"Sd"
_LETTERS = {kind.value: kind.name for kind in PictureType}
_LOG = threading.Lock()


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What the decoder says of the whole stream."""

    width: int
    """Pixels."""
    height: int
    pix_fmt: str
    """libav's name; empty before the first frame."""
    color_range: int
    """libav's number, as the next one."""
    colorspace: int
    pixel_aspect: Fraction
    """Width by height of one pixel; 1 where the stream says nothing."""


@dataclass(frozen=True, slots=True)
class MotionPass:
    """What the decoder said of every frame of a stream, in display order."""

    types: str
    """One letter a frame: I, P or B."""
    vectors: npt.NDArray[np.void]
    """(N,) of VECTOR: libavcodec's own signs (motion = src - dst) and scale (quarter pixels for H.264)."""
    offsets: npt.NDArray[np.int64]
    """(T + 1,): the vectors of frame t are vectors[offsets[t] : offsets[t + 1]]."""
    skipped: npt.NDArray[np.bool_]
    """(T, ceil(H / 16), ceil(W / 16)): macroblocks that the encoder skipped: predicted vector, no residual. (T, 0, 0) where
    nobody asked."""
    stream: StreamFacts | None = None
    """None for a pass that no decoder made."""
    times: tuple[int, ...] = ()
    """When each frame is shown, in ticks of the stream's time base; -1 where it does not say."""

    @property
    def rows(self) -> npt.NDArray[np.int32]:
        """(N, 10) the vectors as plain numbers, columns as ROW_COLUMNS; made anew."""
        rows = np.empty((len(self.vectors), len(ROW_COLUMNS)), np.int32)
        # Column by column: the struct's padding bytes are random, so it is never viewed as plain integers.
        for i, name in enumerate(ROW_COLUMNS):
            rows[:, i] = self.vectors[name]
        return rows


def read_motion(stream: bytes | str, *, skips: bool = True) -> MotionPass:
    """What the decoder says of the first video stream of a file in memory or at a path.

    One pass at a time in a process: the types of macroblocks come from libav's log, which has one level for all threads. What
    other threads log meanwhile goes to Python's logging, at its debug level.

    Args:
        stream: the MP4's bytes, or a file's path.
        skips: whether `skipped` is wanted, which is told of H.264 alone; without it, other codecs that export vectors do too.

    Raises:
        DecodeError: libavcodec finds damage in a packet, or does not tell the macroblock types of every frame.

    Source: our own choice of flags. One thread, since frame threads lose vectors.
    """
    # The vectors are cut into columns once, at the end: frame by frame it took 8 ms of the 42 for 175 frames at 352x256.
    types, times, lines, vectors = list[str](), list[int](), list[str](), [b""]
    source = stream if isinstance(stream, str) else io.BytesIO(stream)
    try:
        with _macroblock_log(wanted=skips) as log, av.open(source, "r", options=_DEMUXER_OPTIONS) as container:
            video = container.streams.video[0]
            video.codec_context.options = _DECODER_OPTIONS | (_MACROBLOCKS_TOLD if skips else {})
            video.codec_context.thread_count = 1
            for frame in container.decode(video):
                types.append(_LETTERS[frame.pict_type])
                times.append(-1 if frame.pts is None else frame.pts)
                vectors.append(_vectors(frame))
                lines += [text for _, name, text in log if name == "h264"]
                # So few messages are alive at once that they never wake Python's garbage collector.
                log.clear()
            facts = _facts(video.codec_context)
    except av.error.FFmpegError as error:
        raise DecodeError("decoder_error", f"frame {len(types)} of the clip does not decode: {error}") from error
    offsets = np.cumsum([len(data) // VECTOR.itemsize for data in vectors], dtype=np.int64)
    skipped = _skipped(lines, len(types), facts.width, facts.height) if skips else np.empty((len(types), 0, 0), np.bool_)
    return MotionPass("".join(types), np.frombuffer(b"".join(vectors), VECTOR), offsets, skipped, facts, tuple(times))


def _facts(context: av.VideoCodecContext) -> StreamFacts:
    return StreamFacts(
        width=context.width,
        height=context.height,
        pix_fmt=context.pix_fmt or "",
        color_range=int(context.color_range),
        colorspace=int(context.colorspace),
        pixel_aspect=Fraction(context.sample_aspect_ratio or 1),
    )


@contextmanager
def _macroblock_log(*, wanted: bool) -> Iterator[list[tuple[int, str, str]]]:
    """The list that this thread's libav messages go to, debug ones too; one that stays empty where they are not wanted."""
    if not wanted:
        yield []
        return
    with _LOG:
        level = av.logging.get_level()
        av.logging.set_level(av.logging.DEBUG)
        try:
            with av.logging.Capture(local=True) as messages:
                yield messages
        finally:
            av.logging.set_level(level)


def _vectors(frame: av.VideoFrame) -> bytes:
    """The frame's vectors as the decoder wrote them. A look-up by name took 0.4 ms more for 175 frames at 464x256."""
    # `frame.side_data` would keep the frame in a circle with its container until Python's garbage collector comes by: the decoder
    # then writes into ever new memory, 4 ms of the 52 for those frames. The stubs know neither the argument nor the iteration.
    side_data: Iterable[object] = SideDataContainer(frame)  # type: ignore[call-arg]
    for item in side_data:
        if isinstance(item, MotionVectors):
            return bytes(item)
    return b""


def _skipped(lines: list[str], num_frames: int, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Which macroblocks the log calls skipped.

    A frame is told as "New frame, type: P", a line of columns, and a line for each row of macroblocks: its y, then three
    characters a macroblock (type, partition, field). A frame is told when it is handed out, so the order is the display's.
    """
    rows, columns = -(-height // MACROBLOCK), -(-width // MACROBLOCK)
    starts = [i + 2 for i, line in enumerate(lines) if line.startswith("New frame, type: ")]
    first = -3 * columns - 1
    table = "".join([line[first:-1] for start in starts for line in lines[start : start + rows]])
    if len(table) != 3 * num_frames * rows * columns:
        told = f"{len(starts)} frames and {len(table) // 3} macroblocks for {num_frames} frames of {rows * columns}"
        raise DecodeError("macroblock_types", f"libavcodec told the types of {told}; vdata reads them from H.264 only")
    letters = np.frombuffer(table.encode("ascii"), np.uint8)[::3].reshape(num_frames, rows, columns)
    skipped: npt.NDArray[np.bool_] = (letters == _P_SKIP) | (letters == _B_SKIP)
    return skipped
