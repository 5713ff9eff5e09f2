"""The keyframes of shards as hashes: one small read and one decode each, in processes of their own.

A keyframe is one IDR packet. Of its pixels only the luma within the picture rectangle is looked at.
"""

from __future__ import annotations

import multiprocessing
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt

from vdata.errors import CorruptShardError, DecodeError, MediaError, ShardError
from vdata.leaks.config import LeakConfig
from vdata.leaks.hash import NUM_WORDS, Hashes, Luma, frame_distances, hash_picture
from vdata.media.mp4 import avc_config, packets
from vdata.records import Picture
from vdata.shards.index import Index, open_index
from vdata.shards.read import read_range
from vdata.shards.remote import Folder, RemoteFile

__all__ = ["Frames", "Unreadable", "hash_folder"]

_CLIPS = 64
"""That a process hashes at a time: about a second of work."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A clip that could not be looked at."""

    folder: str
    key: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Hashed keyframes, in the order of clip and time; a still picture is one."""

    clip: npt.NDArray[np.int64]
    """(N,): numbers in the index."""
    seconds: npt.NDArray[np.float64]
    """(N,): in the source."""
    hashes: Hashes
    """(N, 4)"""
    weight: npt.NDArray[np.int64]
    """(N,): how many keyframes in a row each stands for, of which it is the first."""
    num_blank: int = 0
    """Keyframes that were left out because they have no content."""
    unreadable: tuple[Unreadable, ...] = ()

    def __len__(self) -> int:
        """The number of hashed keyframes."""
        return len(self.clip)


def hash_folder(
    folder: Folder, config: LeakConfig, *, workers: int = 1, on_clips: Callable[[int, int], None] | None = None
) -> Frames:
    """The hashes of a shard folder's keyframes.

    Args:
        folder: of this machine, or remote; a clip there is one request.
        config: how many keyframes are taken, and what has no content.
        workers: processes; 1 is this one.
        on_clips: called now and then with the clips that are done, and all.

    Raises:
        ShardError: the folder cannot be read; a process died.
    """
    index = open_index(folder)
    count = len(index)
    spans = [(start, min(start + _CLIPS, count)) for start in range(0, count, _CLIPS)]
    parts = []
    for (_, stop), part in zip(spans, _hashed(index, spans, config, min(workers, len(spans))), strict=True):
        parts.append(part)
        if on_clips:
            on_clips(stop, count)
    return _joined(parts)


def _hashed(index: Index, spans: Sequence[tuple[int, int]], config: LeakConfig, workers: int) -> Iterator[Frames]:
    """The frames of each span of clips."""
    if workers <= 1:
        yield from map(partial(_hash_span, index, config), spans)
        return
    # Not forked: Arrow's threads do not survive a fork. Not threads: half of the time is
    # Python's own, and a machine has many cores.
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield from pool.map(partial(_hash_in_process, index.folder, config), spans)
    except BrokenProcessPool as error:
        raise ShardError(f"a process that read '{index.folder}' died (out of memory?): give fewer --workers") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _hash_in_process(folder: Folder, config: LeakConfig, span: tuple[int, int]) -> Frames:
    return _hash_span(_opened(folder), config, span)


@lru_cache(maxsize=1)
def _opened(folder: Folder) -> Index:
    """The index, opened once a process: the processes end before anything can change the folder's shards."""
    return open_index(folder)


def _hash_span(index: Index, config: LeakConfig, span: tuple[int, int]) -> Frames:
    decoder, folder = _Decoder(), index.folder
    parts = []
    for clip in range(*span):
        row = index.row(clip)
        try:
            parts.append(_hash_clip(folder, clip, row, decoder, config))
        except (MediaError, CorruptShardError) as error:
            parts.append(_joined([], unreadable=(Unreadable(str(folder), row["key"], str(error)),)))
    return _joined(parts)


def _hash_clip(folder: Folder, clip: int, row: dict[str, Any], decoder: _Decoder, config: LeakConfig) -> Frames:
    """The keyframes of one clip; none of a row without a video.

    Raises:
        CorruptShardError: the bytes cannot be read.
        MediaError: they do not decode.
    """
    times = {k: row["start_seconds"] + at for k, at in _chosen(row, config.every_seconds)}
    if not times:
        return _joined([])
    init, *bodies = _read(folder, row, list(times))
    picture = Picture(**row["picture"])
    found = [hash_picture(decoder.luma(init, packet, picture), config.min_sure_bits) for packet in bodies]
    seconds, hashes, weights = list[float](), list[Hashes](), list[int]()
    for at, words in zip(times.values(), found, strict=True):
        if words is not None and hashes and frame_distances(hashes[-1], words) <= config.still_distance:
            weights[-1] += 1
        elif words is not None:
            seconds.append(at)
            hashes.append(words)
            weights.append(1)
    stacked = np.array(hashes, np.uint64).reshape(-1, NUM_WORDS)
    num_blank = sum(words is None for words in found)
    return Frames(np.full(len(hashes), clip), np.array(seconds, np.float64), stacked, np.array(weights, np.int64), num_blank)


def _chosen(row: dict[str, Any], every_seconds: float) -> Iterator[tuple[int, float]]:
    """Number and time within the clip of the keyframes that are hashed."""
    last = -np.inf
    for k, fragment in enumerate(row["fragments"]):
        seconds = fragment["first_frame"] * row["fps_den"] / row["fps_num"]
        if seconds - last >= every_seconds:
            last = seconds
            yield k, seconds


def _read(folder: Folder, row: dict[str, Any], wanted: Sequence[int]) -> list[bytes]:
    """The clip's init, and the packet of each wanted keyframe.

    With the field `keyframes` a packet is a range of its own; without, its fragment is read.
    """
    (member,) = (member for member in row["members"] if member["name"] == "mp4")
    known = row.get("keyframes")
    parts = [(known or row["fragments"])[k] for k in wanted]
    spans = [(0, row["init_size"]), *((part["offset"], part["size"]) for part in parts)]
    init, *bodies = _read_ranges(folder / member["file"], [(member["offset"] + offset, size) for offset, size in spans])
    return [init, *bodies] if known else [init, *map(_first_packet, bodies)]


def _first_packet(fragment: bytes) -> bytes:
    """The IDR packet that opens a fragment."""
    try:
        first = packets(fragment)[0]
    except struct.error as error:
        raise DecodeError("box", f"a fragment of {len(fragment)} bytes is damaged: {error}") from error
    return fragment[first.offset : first.offset + first.size]


def _read_ranges(file: Path | RemoteFile, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """The bytes of (offset, size) ranges; of a remote file all at once.

    Raises:
        CorruptShardError: the file is not there, or ends before.
    """
    if isinstance(file, RemoteFile):
        try:
            return file.read_ranges([(offset, offset + size) for offset, size in ranges])
        except OSError as error:
            raise CorruptShardError(f"'{file}', which the rows name, cannot be read: {error}") from error
    found = [read_range(file, offset, size) for offset, size in ranges]
    if any(len(data) != size for data, (_, size) in zip(found, ranges, strict=True)):
        raise CorruptShardError(f"'{file}' ends within the clip: check with `vdata verify`")
    return found


class _Decoder:
    """IDR packets to luma. A codec context is kept for each kind of clip: one for every picture costs a tenth more."""

    def __init__(self) -> None:
        self._contexts: dict[bytes, av.VideoCodecContext] = {}

    def luma(self, init: bytes, packet: bytes, picture: Picture) -> Luma:
        """The picture rectangle's luma, uint8 (H, W).

        Raises:
            DecodeError: the packet does not decode by itself.
        """
        try:
            extradata = avc_config(init)
            context = self._contexts.pop(extradata, None) or _context(extradata)
            frames = [*context.decode(av.Packet(packet)), *context.decode(None)]
        except (av.error.FFmpegError, struct.error) as error:
            raise DecodeError("decoder_error", f"a keyframe of {len(packet)} bytes does not decode: {error}") from error
        if len(frames) != 1:
            raise DecodeError("frames", f"a keyframe's packet gave {len(frames)} pictures, not 1")
        context.flush_buffers()
        # Only now: a context that raised is not used again.
        self._contexts[extradata] = context
        plane = frames[0].planes[0]
        lines: Luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return lines[picture.y : picture.y + picture.height, picture.x : picture.x + picture.width]


def _context(extradata: bytes) -> av.VideoCodecContext:
    context = av.VideoCodecContext.create("h264", "r")
    context.extradata = extradata
    context.thread_count = 1
    # A damaged picture raises instead of being concealed.
    context.options = {"err_detect": "explode"}
    return context


def _joined(parts: Sequence[Frames], unreadable: tuple[Unreadable, ...] = ()) -> Frames:
    """The frames of all parts, in their order."""
    return Frames(
        np.concatenate([np.empty(0, np.int64), *(part.clip for part in parts)]),
        np.concatenate([np.empty(0, np.float64), *(part.seconds for part in parts)]),
        np.concatenate([np.empty((0, NUM_WORDS), np.uint64), *(part.hashes for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *(part.weight for part in parts)]),
        sum(part.num_blank for part in parts),
        unreadable + tuple(item for part in parts for item in part.unreadable),
    )
