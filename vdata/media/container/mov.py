"""The video stream of a plain MP4 or MOV file by its `moov` box.

Source: ISO/IEC 14496-12 (boxes), 14496-1 7.2.6 (descriptors of esds), the QuickTime File Format (sound descriptions). What is
plain was found by holding libavformat's demuxer against files: an edit list may delay a track, but not cut it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vdata.media.container.described import AUDIO_NAMES, CodedPicture, Described, UnclearError, read_bytes, require
from vdata.media.container.pictures import mpeg4_picture, only_sps, sps_picture, units_before_slice
from vdata.media.mp4 import Box, boxes, child
from vdata.media.source import SourceFile

__all__ = ["read_mov", "track_kinds"]

Table = npt.NDArray[np.int64]

_MOST_BOXES = 1000
_MOST_OF_A_PACKET = 2**16
_ONE = 1 << 16
_TURNS = {(_ONE, 0, 0, _ONE): False, (0, _ONE, -_ONE, 0): True, (-_ONE, 0, 0, -_ONE): False, (0, -_ONE, _ONE, 0): True}
"""Whether a display matrix (a, b, c, d) turns by a quarter."""
_KNOWN_IN_ENTRY = {b"avcC", b"esds", b"pasp", b"colr", b"btrt", b"fiel", b"gama"}
_HDR_TRANSFERS = (16, 18)
_LARGEST_ASPECT = 32767  # libavformat rounds larger numbers
_MPEG4, _AAC, _MP3 = 0x20, 0x40, (0x69, 0x6B)
_AAC_OBJECTS = (2, 5, 29)


@dataclass(frozen=True, slots=True)
class _Samples:
    """The packets of a track in decoding order."""

    times: Table
    """Presentation times, ticks."""
    durations: Table
    keys: Table
    """Places of the sync samples."""
    first_offset: int
    first_size: int


def read_mov(file: SourceFile) -> Described:
    """The one video track of an MP4 or MOV file.

    Raises:
        UnclearError: anything is unknown.
        ContractError: boxes do not fit into each other.
        struct.error: a field lies behind the end.
    """
    moov = _moov(file)
    found = list(boxes(moov))
    require(b"mvex" not in {box.kind for box in found})
    mvhd = child(moov, b"mvhd")
    place = mvhd.body + (20 if moov[mvhd.body] == 1 else 12)
    (movie_scale,) = struct.unpack_from(">I", moov, place)
    require(_matrix(moov, mvhd.body + (48 if moov[mvhd.body] == 1 else 36)) == (_ONE, 0, 0, _ONE) and movie_scale)
    tracks = [(_handler(moov, box), box) for box in found if box.kind == b"trak"]
    videos = [track for handler, track in tracks if handler == b"vide"]
    require(len(videos) == 1)
    names = [_audio_names(moov, track) for handler, track in tracks if handler == b"soun"]
    described = _described(file, moov, videos[0], movie_scale, frozenset[str]().union(*names))
    # Beside a picture that starts at 0 no track starts earlier; without other tracks the picture's start is the file's.
    require(described.times.min() == 0 or len(tracks) == 1)
    return replace(described, times=described.times - described.times.min())


def track_kinds(file: SourceFile) -> set[bytes]:
    """What its tracks are: b"vide", b"soun", b"sbtl" and others.

    Raises:
        UnclearError, ContractError, struct.error: as read_mov.
    """
    moov = _moov(file)
    return {_handler(moov, box) for box in boxes(moov) if box.kind == b"trak"}


def _handler(moov: bytes, track: Box) -> bytes:
    """What kind of track it is, such as b"vide"."""
    hdlr = child(moov, b"mdia/hdlr", track.body, track.end)
    return moov[hdlr.body + 8 : hdlr.body + 12]


def _moov(file: SourceFile) -> bytes:
    """The body of the file's one `moov` box."""
    at, places = 0, list[tuple[int, int]]()
    for _ in range(_MOST_BOXES):
        if at == file.num_bytes:
            break
        size, kind = struct.unpack(">I4s", read_bytes(file, at, 8))
        header = 8
        if size == 1:
            (size,), header = struct.unpack(">Q", read_bytes(file, at + 8, 8)), 16
        elif size == 0 and kind == b"mdat":
            size = file.num_bytes - at
        require(header <= size <= file.num_bytes - at and kind != b"moof")
        if kind == b"moov":
            places.append((at + header, size - header))
        at += size
    require(at == file.num_bytes and len(places) == 1)
    return read_bytes(file, *places[0])


def _described(file: SourceFile, moov: bytes, track: Box, movie_scale: int, audio_codecs: frozenset[str]) -> Described:
    mdhd = child(moov, b"mdia/mdhd", track.body, track.end)
    (scale,) = struct.unpack_from(">I", moov, mdhd.body + (20 if moov[mdhd.body] == 1 else 12))
    require(scale)
    _check_data_is_here(moov, child(moov, b"mdia/minf/dinf/dref", track.body, track.end))
    samples = _samples(file, moov, child(moov, b"mdia/minf/stbl", track.body, track.end))
    times = samples.times - _edited(moov, track, samples, Fraction(scale, movie_scale))
    packet = read_bytes(file, samples.first_offset, min(samples.first_size, _MOST_OF_A_PACKET))
    codec, picture, size = _entry(moov, child(moov, b"mdia/minf/stbl/stsd", track.body, track.end), packet)
    # libavcodec believes the entry rather than the stream where the two are near.
    require(size == (picture.width, picture.height))
    shown, is_turned = _header(moov, child(moov, b"tkhd", track.body, track.end))
    aspect = _pixel_aspect(moov, child(moov, b"mdia/minf/stbl/stsd", track.body, track.end))
    # Without `pasp`, another size in the track's header stands for the pixel aspect.
    require(aspect or shown == size)
    picture = CodedPicture(*size, aspect or picture.pixel_aspect, picture.is_hdr)
    return Described(codec, picture, is_turned, Fraction(1, scale), times, audio_codecs)


def _check_data_is_here(moov: bytes, dref: Box) -> None:
    """Nothing, if the one data reference says that the data lie in this file."""
    require(struct.unpack_from(">I", moov, dref.body + 4) == (1,))
    entry = _only_box(moov, dref.body + 8, dref.end)
    # In QuickTime an alias may say the same.
    require(entry.kind in (b"url ", b"alis") and moov[entry.body + 3] & 1 and entry.end == dref.end)


def _header(moov: bytes, tkhd: Box) -> tuple[tuple[int, int], bool]:
    """Size of an enabled track, whole pixels, and whether it is shown turned by a quarter."""
    require(moov[tkhd.body + 3] & 1)
    place = tkhd.body + (52 if moov[tkhd.body] == 1 else 40)
    matrix = _matrix(moov, place)
    require(matrix in _TURNS)
    width, height = struct.unpack_from(">II", moov, place + 36)
    return (width >> 16, height >> 16), _TURNS[matrix]


def _matrix(moov: bytes, place: int) -> tuple[int, int, int, int]:
    a, b, _, c, d, *_ = struct.unpack_from(">9i", moov, place)
    return a, b, c, d


def _samples(file: SourceFile, moov: bytes, stbl: Box) -> _Samples:
    parts = {box.kind: box for box in boxes(moov, stbl.body, stbl.end)}
    require({b"stts", b"stsz", b"stsc"} <= parts.keys())
    (same_size,) = struct.unpack_from(">I", moov, parts[b"stsz"].body + 4)
    require(same_size == 0)
    sizes = _table(moov, parts[b"stsz"], ">u4", 1, skip=8)[:, 0]
    require(len(sizes) and sizes.min() > 0)
    durations = _run_lengths(_table(moov, parts[b"stts"], ">u4", 2), len(sizes))
    require(durations.max() < 2**31)
    times = np.cumsum(durations) - durations
    if b"ctts" in parts:
        shifts = _run_lengths(_table(moov, parts[b"ctts"], ">i4", 2), len(sizes))
        require(shifts.min() >= 0)
        times += shifts
    keys = _table(moov, parts[b"stss"], ">u4", 1)[:, 0] - 1 if b"stss" in parts else np.arange(len(sizes))
    # A copy of packets starts with a keyframe; what stands before it is dropped.
    require(len(keys) and keys[0] == 0 and keys.max() < len(sizes))
    return _Samples(times, durations, keys, _first_offset(file, moov, parts, sizes), int(sizes[0]))


def _first_offset(file: SourceFile, moov: bytes, parts: dict[bytes, Box], sizes: Table) -> int:
    """Where the first sample lies, once it is known that all lie within the file."""
    long = b"co64" in parts
    require(long != (b"stco" in parts))
    offsets = _table(moov, parts[b"co64" if long else b"stco"], ">i8" if long else ">u4", 1)[:, 0]
    runs = _table(moov, parts[b"stsc"], ">u4", 3)
    require(len(runs) and len(offsets) and runs[0, 0] == 1 and (runs[:, 2] == 1).all())
    chunks = np.diff(np.append(runs[:, 0], len(offsets) + 1))
    require(chunks.min() > 0 and runs[:, 1].min() > 0)
    counts = np.repeat(runs[:, 1], chunks)
    require(counts.sum() == len(sizes))
    ends = offsets + np.add.reduceat(sizes, np.cumsum(counts) - counts)
    require(offsets.min() > 0 and ends.max() <= file.num_bytes)
    return int(offsets[0])


def _run_lengths(table: Table, length: int) -> Table:
    """The values of (count, value) rows, one for each of `length` samples."""
    counts = table[:, 0]
    # In two steps: the sum of damaged counts may be more than memory holds.
    require(len(counts) and counts.min() >= 0 and int(counts.sum()) == length)
    return np.repeat(table[:, 1], counts)


def _table(moov: bytes, box: Box, code: str, columns: int, skip: int = 4) -> Table:
    """The rows of a box: version and flags, `skip` - 4 bytes of its own, a count, then the numbers."""
    (count,) = struct.unpack_from(">I", moov, box.body + skip)
    start, item = box.body + skip + 4, np.dtype(code)
    require(start + count * columns * item.itemsize <= box.end)
    return np.frombuffer(moov, item, count * columns, start).astype(np.int64).reshape(count, columns)


def _edited(moov: bytes, track: Box, samples: _Samples, ticks: Fraction) -> int:
    """How many ticks earlier the edit list shows the samples than they say; it cuts none.

    `ticks`: of the track in one of the movie.
    """
    if b"edts" not in {box.kind for box in boxes(moov, track.body, track.end)}:
        return 0
    elst = child(moov, b"edts/elst", track.body, track.end)
    code = struct.Struct(">QqI" if moov[elst.body] == 1 else ">IiI")
    (count,) = struct.unpack_from(">I", moov, elst.body + 4)
    require(count in (1, 2))
    edits = [code.unpack_from(moov, elst.body + 8 + i * code.size) for i in range(count)]
    # The first of two may be an empty one, which says how much later the track starts.
    require(count == 1 or edits[0][1] == -1)
    duration, start, rate = edits[-1]
    end = start + (duration * ticks + Fraction(1, 2)) // 1
    require(start >= 0 and rate == _ONE and start <= samples.times.min() and samples.times.max() < end)
    # At a keyframe that reaches the end, libavformat looks no further.
    last = samples.keys[samples.keys < len(samples.times) - 1]
    require(not (samples.times[last] + samples.durations[last] >= int(end)).any())
    delay = edits[0][0] if count == 2 else 0  # noqa: PLR2004 - see above
    return int(start - (delay * ticks + Fraction(1, 2)) // 1)


def _entry(moov: bytes, stsd: Box, packet: bytes) -> tuple[str, CodedPicture, tuple[int, int]]:
    """Codec, picture of its parameter sets, and size by the sample entry."""
    entry, parts = _only_entry(moov, stsd, 78)
    require(parts.keys() <= _KNOWN_IN_ENTRY)
    size = struct.unpack_from(">HH", moov, entry.body + 24)
    if (colr := parts.get(b"colr")) and moov[colr.body : colr.body + 4] in (b"nclx", b"nclc"):
        require(struct.unpack_from(">H", moov, colr.body + 6)[0] not in _HDR_TRANSFERS)
    if entry.kind == b"avc1" and b"avcC" in parts:
        avcc = moov[parts[b"avcC"].body : parts[b"avcC"].end]
        sps = only_sps(avcc)
        for unit in units_before_slice(packet, 1 + (avcc[4] & 3)):
            require(unit[0] & 0x1F != 7 or unit == sps)  # noqa: PLR2004 - a parameter set in the stream
        picture = sps_picture(sps)
        require(not picture.is_hdr)
        return "h264", picture, size
    require(entry.kind == b"mp4v" and b"esds" in parts)
    kind, own = _decoder_config(moov[parts[b"esds"].body + 4 : parts[b"esds"].end])
    require(kind == _MPEG4)
    return "mpeg4", mpeg4_picture(own), size


def _only_entry(moov: bytes, stsd: Box, fixed_bytes: int) -> tuple[Box, dict[bytes, Box]]:
    """The one sample entry, and the boxes behind its fixed fields."""
    require(struct.unpack_from(">I", moov, stsd.body + 4) == (1,))
    entry = _only_box(moov, stsd.body + 8, stsd.end)
    # QuickTime ends some entries with four zero bytes.
    end = entry.end - 4 if moov[entry.end - 4 : entry.end] == bytes(4) and entry.kind == b"mp4v" else entry.end
    return entry, {box.kind: box for box in boxes(moov, entry.body + fixed_bytes, end)}


def _only_box(moov: bytes, start: int, end: int) -> Box:
    found = list(boxes(moov, start, end))
    require(len(found) == 1)
    return found[0]


def _pixel_aspect(moov: bytes, stsd: Box) -> Fraction | None:
    _, parts = _only_entry(moov, stsd, 78)
    if b"pasp" not in parts:
        return None
    width, height = struct.unpack_from(">II", moov, parts[b"pasp"].body)
    require(width and height)
    aspect = Fraction(width, height)
    require(max(aspect.numerator, aspect.denominator) <= _LARGEST_ASPECT)
    return aspect


def _audio_names(moov: bytes, track: Box) -> frozenset[str]:
    """The names ffmpeg has for a sound track's codec: AAC or MP3."""
    stsd = child(moov, b"mdia/minf/stbl/stsd", track.body, track.end)
    (version,) = struct.unpack_from(">H", moov, stsd.body + 8 + 16)
    require(version in (0, 1))
    entry, parts = _only_entry(moov, stsd, 44 if version else 28)
    esds = parts.get(b"esds")
    if esds is None and b"wave" in parts:
        esds = child(moov, b"esds", parts[b"wave"].body, parts[b"wave"].end)
    require(entry.kind == b"mp4a" and esds)
    if esds is None:
        raise UnclearError
    kind, own = _decoder_config(moov[esds.body + 4 : esds.end])
    if kind in _MP3:
        return AUDIO_NAMES["mp3"]
    require(kind == _AAC and own and own[0] >> 3 in _AAC_OBJECTS)
    return AUDIO_NAMES["aac"]


def _decoder_config(esds: bytes) -> tuple[int, bytes]:
    """Object type and the decoder's own bytes, empty if it has none."""
    descriptor = _descriptor(esds, 0, tag=3)
    require(len(descriptor) > 3 and not descriptor[2] & 0xE0)  # noqa: PLR2004 - dependence, URL, clock
    config = _descriptor(descriptor, 3, tag=4)
    require(len(config) >= 13)  # noqa: PLR2004 - its fixed fields
    own = _descriptor(config, 13, tag=5) if len(config) > 13 and config[13] == 5 else b""  # noqa: PLR2004
    return config[0], own


def _descriptor(data: bytes, at: int, tag: int) -> bytes:
    """The body of the descriptor at a place; its length is written in groups of seven bits."""
    require(at < len(data) and data[at] == tag)
    size = 0
    for place in range(at + 1, min(at + 5, len(data))):
        size = size << 7 | data[place] & 0x7F
        if not data[place] & 0x80:
            require(place + 1 + size <= len(data))
            return data[place + 1 : place + 1 + size]
    raise UnclearError
