"""The video stream of a plain AVI file, MPEG-4 Part 2, by its header and its old index (`idx1`).

Source: Microsoft's AVI RIFF file reference; the OpenDML extensions for `vprp`. Files with OpenDML's own indexes, which only
large films have, are left to ffmpeg.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vdata.media.container.described import AUDIO_NAMES, CodedPicture, Described, read_bytes, require
from vdata.media.container.pictures import mpeg4_picture
from vdata.media.source import SourceFile

__all__ = ["read_avi"]

_MOST_CHUNKS = 1000
_MOST_OF_HEADER = 2**20
_MOST_OF_A_PACKET = 2**12
_MPEG4_TAGS = (b"XVID", b"DIVX", b"DX50", b"FMP4", b"MP4V")
_PCM, _MP3 = 1, 0x55
_KEY = 0x10
_ENTRY = np.dtype([("tag", "S4"), ("flags", "<u4"), ("offset", "<u4"), ("size", "<u4")])


@dataclass(frozen=True, slots=True)
class _Chunk:
    """One RIFF chunk; a LIST has its own kind in the place of "LIST"."""

    kind: bytes
    start: int
    """First byte of the body; of a list, behind its kind."""
    size: int


def read_avi(file: SourceFile) -> Described:
    """The one video stream of an AVI file.

    Raises:
        UnclearError: anything is unknown.
        struct.error: a field lies behind the end.
    """
    (riff,) = struct.unpack("<I", read_bytes(file, 4, 4))
    # More bytes than RIFF owns: a second RIFF of a long film, or something that was added.
    require(file.num_bytes - 9 <= riff <= file.num_bytes - 8)
    parts = {chunk.kind: chunk for chunk in _chunks(file, 12, file.num_bytes)}
    require({b"hdrl", b"movi", b"idx1"} <= parts.keys())
    header = parts[b"hdrl"]
    require(header.size <= _MOST_OF_HEADER)
    streams = [chunk for chunk in _chunks(file, header.start, header.start + header.size) if chunk.kind == b"strl"]
    audio_codecs, videos = frozenset[str](), list[tuple[int, dict[bytes, bytes]]]()
    for number, stream in enumerate(streams):
        own = {chunk.kind: read_bytes(file, chunk.start, chunk.size) for chunk in _inside(file, stream)}
        require({b"strh", b"strf"} <= own.keys() and b"indx" not in own)
        if own[b"strh"][:4] == b"vids":
            videos.append((number, own))
        else:
            audio_codecs |= _audio_names(own)
    require(len(videos) == 1)
    ((number, own),) = videos
    entries = _entries(file, parts[b"idx1"], number, len(streams))
    return _described(file, parts[b"movi"], entries, own, audio_codecs)


def _chunks(file: SourceFile, at: int, end: int) -> Iterator[_Chunk]:
    """The chunks between two places of a file, one level deep."""
    for _ in range(_MOST_CHUNKS):
        if at + 8 > end:
            break
        kind, size = struct.unpack("<4sI", read_bytes(file, at, 8))
        require(at + 8 + size <= end)
        if kind == b"LIST":
            require(size >= 4)  # noqa: PLR2004 - its kind
            yield _Chunk(read_bytes(file, at + 8, 4), at + 12, size - 4)
        else:
            yield _Chunk(kind, at + 8, size)
        at += 8 + size + size % 2
    require(at >= end - 1)


def _inside(file: SourceFile, chunk: _Chunk) -> Iterator[_Chunk]:
    return _chunks(file, chunk.start, chunk.start + chunk.size)


def _described(
    file: SourceFile, movi: _Chunk, entries: npt.NDArray[np.void], own: dict[bytes, bytes], audio_codecs: frozenset[str]
) -> Described:
    scale, rate, start = struct.unpack_from("<III", own[b"strh"], 20)
    (sample_size,) = struct.unpack_from("<I", own[b"strh"], 44)
    width, height, _, _, tag = struct.unpack_from("<iiHH4s", own[b"strf"], 4)
    require(scale and rate and not start and not sample_size and tag.upper() in _MPEG4_TAGS)
    first = _first_packet(file, movi, entries)
    own_bytes = own[b"strf"][40:]
    picture = mpeg4_picture(own_bytes + read_bytes(file, first, min(int(entries["size"][0]), _MOST_OF_A_PACKET)))
    require((width, height) == (picture.width, picture.height))
    picture = CodedPicture(width, height, _pixel_aspect(own) or picture.pixel_aspect)
    # Frames are evenly spaced in AVI, by their order in the stream. An empty entry takes its time, but is no packet.
    times = np.flatnonzero(entries["size"])
    return Described("mpeg4", picture, is_turned=False, tick=Fraction(scale, rate), times=times, audio_codecs=audio_codecs)


def _entries(file: SourceFile, idx1: _Chunk, video: int, num_streams: int) -> npt.NDArray[np.void]:
    """The index entries of the pictures, in order; `video` is the number of their stream."""
    require(idx1.size and idx1.size % _ENTRY.itemsize == 0)
    table = np.frombuffer(read_bytes(file, idx1.start, idx1.size), _ENTRY)
    pictures = np.isin(table["tag"], (b"%02ddc" % video, b"%02ddb" % video))
    sounds = np.isin(table["tag"], [b"%02dwb" % number for number in range(num_streams) if number != video])
    require((pictures | sounds).all())
    entries = table[pictures]
    require(len(entries) and entries["size"][0] and entries["flags"][0] & _KEY)
    require((np.diff(entries["offset"].astype(np.int64)) > 0).all())
    return entries


def _first_packet(file: SourceFile, movi: _Chunk, entries: npt.NDArray[np.void]) -> int:
    """Where the bytes of the first packet start, once the header of every packet has been found where the index says."""
    # Offsets count from the kind of the list, or from the file's start.
    origin = movi.start - 4 if entries["offset"][0] < movi.start else 0
    starts = origin + entries["offset"].astype(np.int64)
    require(movi.start <= starts[0] and starts[-1] + 8 + entries["size"][-1] <= movi.start + movi.size)
    for start, tag, size in zip(starts.tolist(), entries["tag"].tolist(), entries["size"].tolist(), strict=True):
        require(read_bytes(file, start, 8) == struct.pack("<4sI", tag, size))
    return int(starts[0]) + 8


def _pixel_aspect(own: dict[bytes, bytes]) -> Fraction | None:
    """What the video properties say; None without them."""
    if len(own.get(b"vprp", b"")) <= 36:  # noqa: PLR2004 - up to its first field
        return None
    height, width, columns, rows = struct.unpack_from("<HHII", own[b"vprp"], 20)
    return Fraction(width, height) / Fraction(columns, rows) if width and height and columns and rows else None


def _audio_names(own: dict[bytes, bytes]) -> frozenset[str]:
    """The names ffmpeg has for a sound stream's codec: MP3 or 16-bit PCM."""
    kind, *_, bits = struct.unpack_from("<HHIIHH", own[b"strf"])
    require(own[b"strh"][:4] == b"auds" and (kind == _MP3 or (kind, bits) == (_PCM, 16)))
    return AUDIO_NAMES["mp3" if kind == _MP3 else "pcm_s16le"]
