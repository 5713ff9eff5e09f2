"""Frame types and motion vectors of our own clips, by one decoding pass that reconstructs as little as it can.

Apart from `decode.py` because it asks libavcodec for other things: the vectors of every frame and no pixels.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type as SideDataType

from vdata.errors import DecodeError

__all__ = ["ROW_COLUMNS", "MotionPass", "read_motion"]

ROW_COLUMNS = ("source", "w", "h", "src_x", "src_y", "dst_x", "dst_y", "motion_x", "motion_y", "motion_scale")
"""Columns of a vector row. Source: the motion-vector-extractor package 2.0's layout, and libavutil's AVMotionVector."""


@dataclass(frozen=True, slots=True)
class MotionPass:
    """What the decoder said of every frame of a stream, in display order."""

    types: str
    """One letter a frame: I, P or B."""
    rows: npt.NDArray[np.int32]
    """(N, 10), columns as ROW_COLUMNS: libavcodec's own signs (motion = src - dst) and scale (quarter pixels for H.264)."""
    offsets: npt.NDArray[np.int64]
    """(T + 1,): the rows of frame t are rows[offsets[t] : offsets[t + 1]]."""


def read_motion(stream: bytes | str) -> MotionPass:
    """Frame types and motion vectors of the first video stream of an MP4 in memory, or of a file's path.

    Raises:
        DecodeError: libavcodec cannot decode a packet.

    Source: our own choice of flags. One thread, since frame threads lose vectors; the loop filter and the inverse
    transform are skipped, which leaves every vector as it is and makes the pass as cheap as plain decoding.
    """
    types: list[str] = []
    chunks: list[npt.NDArray[np.int32]] = []
    counts = [0]
    try:
        with av.open(stream if isinstance(stream, str) else io.BytesIO(stream)) as container:
            video = container.streams.video[0]
            video.codec_context.options = {"flags2": "+export_mvs"}
            video.codec_context.thread_count = 1
            video.codec_context.skip_frame = "DEFAULT"
            for frame in container.decode(video):
                side_data = frame.side_data.get(SideDataType.MOTION_VECTORS)
                types.append(frame.pict_type.name)
                rows = _rows(side_data.to_ndarray()) if side_data is not None else np.empty((0, len(ROW_COLUMNS)), np.int32)
                chunks.append(rows)
                counts.append(len(rows))
    except av.error.FFmpegError as error:
        raise DecodeError("decoder_error", f"frame {len(types)} of the clip does not decode: {error}") from error
    stacked = np.concatenate(chunks) if chunks else np.empty((0, len(ROW_COLUMNS)), np.int32)
    return MotionPass("".join(types), stacked, np.cumsum(counts, dtype=np.int64))


def _rows(vectors: npt.NDArray[np.void]) -> npt.NDArray[np.int32]:
    """Column by column: the struct's padding bytes are random, so it is never viewed as plain integers."""
    rows = np.empty((len(vectors), len(ROW_COLUMNS)), np.int32)
    for i, name in enumerate(ROW_COLUMNS):
        rows[:, i] = vectors[name]
    return rows
