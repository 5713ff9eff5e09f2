"""Frame types, motion vectors and skipped macroblocks of our own clips, by one decoding pass that draws as little as it can.

Apart from the frame decoder because it asks libavcodec for other things: what the encoder decided for every block, and no pixels.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av
import av.error
import av.logging
import numpy as np
import numpy.typing as npt
from av.sidedata.motionvectors import MotionVectors
from av.video.frame import PictureType

from vdata.errors import DecodeError

__all__ = ["MACROBLOCK", "ROW_COLUMNS", "MotionPass", "read_motion"]

ROW_COLUMNS = ("source", "w", "h", "src_x", "src_y", "dst_x", "dst_y", "motion_x", "motion_y", "motion_scale")
"""Columns of a vector row. Source: the motion-vector-extractor package 2.0's layout, and libavutil's AVMotionVector."""

MACROBLOCK = 16
"""Side of an H.264 macroblock, pixels."""

_DECODER_OPTIONS = {
    "flags2": "+export_mvs",
    # The vectors stay as they are, and the pass takes 0.077 s of CPU in place of 0.089 s for 250 frames at 464x256.
    "skip_loop_filter": "all",
    "skip_idct": "all",
    # A skipped macroblock exports a vector like any other. That it was skipped is said in this log alone; +0.013 s.
    "debug": "mb_type",
    # Without it a damaged slice is concealed, and concealment invents vectors.
    "err_detect": "explode",
}
_SKIP_LETTERS = frozenset(b"Sd")  # P_Skip, B_Skip
_LOG = threading.Lock()


@dataclass(frozen=True, slots=True)
class MotionPass:
    """What the decoder said of every frame of a stream, in display order."""

    types: str
    """One letter a frame: I, P or B."""
    rows: npt.NDArray[np.int32]
    """(N, 10), columns as ROW_COLUMNS: libavcodec's own signs (motion = src - dst) and scale (quarter pixels for H.264)."""
    offsets: npt.NDArray[np.int64]
    """(T + 1,): the rows of frame t are rows[offsets[t] : offsets[t + 1]]."""
    skipped: npt.NDArray[np.bool_]
    """(T, ceil(H / 16), ceil(W / 16)): macroblocks that the encoder skipped: predicted vector, no residual."""


def read_motion(stream: bytes | str) -> MotionPass:
    """What the decoder says of the first video stream, H.264, of an MP4 in memory or of a file's path.

    One pass at a time in a process: the types of macroblocks come from libav's log, which has one level for all threads. What
    other threads log meanwhile goes to Python's logging, at its debug level.

    Raises:
        DecodeError: libavcodec finds damage in a packet, or does not tell the macroblock types of every frame.

    Source: our own choice of flags. One thread, since frame threads lose vectors.
    """
    types: list[str] = []
    chunks = [np.empty((0, len(ROW_COLUMNS)), np.int32)]
    width = height = 0
    try:
        with _macroblock_log() as log, av.open(stream if isinstance(stream, str) else io.BytesIO(stream), "r") as container:
            video = container.streams.video[0]
            video.codec_context.options = _DECODER_OPTIONS
            video.codec_context.thread_count = 1
            for frame in container.decode(video):
                types.append(PictureType(frame.pict_type).name)
                chunks.append(_rows(frame))
                width, height = frame.width, frame.height
    except av.error.FFmpegError as error:
        raise DecodeError("decoder_error", f"frame {len(types)} of the clip does not decode: {error}") from error
    offsets = np.cumsum([len(chunk) for chunk in chunks], dtype=np.int64)
    return MotionPass("".join(types), np.concatenate(chunks), offsets, _skipped(log, len(types), width, height))


@contextmanager
def _macroblock_log() -> Iterator[list[tuple[int, str, str]]]:
    """The list that this thread's libav messages go to, debug ones too."""
    with _LOG:
        level = av.logging.get_level()
        av.logging.set_level(av.logging.DEBUG)
        try:
            with av.logging.Capture(local=True) as messages:
                yield messages
        finally:
            av.logging.set_level(level)


def _rows(frame: av.VideoFrame) -> npt.NDArray[np.int32]:
    """Column by column: the struct's padding bytes are random, so it is never viewed as plain integers."""
    side_data = frame.side_data.get("MOTION_VECTORS")
    if not isinstance(side_data, MotionVectors):
        return np.empty((0, len(ROW_COLUMNS)), np.int32)
    vectors = side_data.to_ndarray()
    rows = np.empty((len(vectors), len(ROW_COLUMNS)), np.int32)
    for i, name in enumerate(ROW_COLUMNS):
        rows[:, i] = vectors[name]
    return rows


def _skipped(log: list[tuple[int, str, str]], num_frames: int, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Which macroblocks the log calls skipped.

    A frame is told as "New frame, type: P", a line of columns, and a line for each row of macroblocks: its y, then three
    characters a macroblock (type, partition, field). A frame is told when it is handed out, so the order is the display's.
    """
    rows, columns = -(-height // MACROBLOCK), -(-width // MACROBLOCK)
    lines = [text.rstrip("\n") for _, name, text in log if name == "h264"]
    starts = [i + 2 for i, line in enumerate(lines) if line.startswith("New frame, type: ")]
    table = "".join(line[-3 * columns :: 3] for start in starts for line in lines[start : start + rows])
    if len(table) != num_frames * rows * columns:
        told = f"{len(starts)} frames and {len(table)} macroblocks for {num_frames} frames of {rows * columns}"
        raise DecodeError("macroblock_types", f"libavcodec told the types of {told}; vdata reads them from H.264 only")
    letters = np.frombuffer(table.encode(), np.uint8)
    return np.isin(letters, list(_SKIP_LETTERS)).reshape(num_frames, rows, columns)
