"""Headers that lie about sizes, times and counts, and files that cost much to decode."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from _boxes import STBL, box, edit, element, full, parameter_set, put
from _table import HUGE, MOST, Bait, add, entry, plain, stills, write
from _videos import video

# Headers that lie, in MP4.


def _sample_entry(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """A change of the first sample entry within `stsd`, sizes included."""
    return lambda body: body[:8] + box(body[12:16], change(body[16:]))


def _sized(width: int, height: int) -> Callable[[bytes], bytes]:
    return _sample_entry(lambda body: body[:24] + struct.pack(">HH", width, height) + body[28:])


def _with_parameter_set(width: int, height: int) -> Callable[[bytes], bytes]:
    """An avcC with our parameter set in the place of the encoder's."""
    unit = parameter_set(width, height)
    record = bytes([1, 66, 0, 62, 0xFF, 0xE1]) + struct.pack(">H", len(unit)) + unit

    def change(body: bytes) -> bytes:
        start = body.index(b"avcC") - 4
        old = body[start + 8 : start + struct.unpack_from(">I", body, start)[0]]
        rest = old[8 + struct.unpack_from(">H", old, 6)[0] :]  # the picture parameter sets stay
        return body[:start] + box(b"avcC", record + rest) + body[start + 8 + len(old) :]

    return change


_MDHD, _STSD = (b"moov", b"trak", b"mdia", b"mdhd"), (*STBL, b"stsd")
_STTS, _STSZ, _STCO, _STSC = ((*STBL, kind) for kind in (b"stts", b"stsz", b"stco", b"stsc"))
_TKHD, _EDTS, _MVHD = (b"moov", b"trak", b"tkhd"), (b"moov", b"trak", b"edts", b"elst"), (b"moov", b"mvhd")
_MANY_DELTAS = full(100_000) + struct.pack(">II", 1, 7) * 100_000

_MP4: dict[str, tuple[tuple[bytes, ...], Callable[[bytes], bytes]]] = {
    "size-65535": (_STSD, _sized(65535, 65535)),
    "size-0": (_STSD, _sized(0, 0)),
    "size-track": (_TKHD, put(-8, MOST)),
    "size-h264": (_STSD, _sample_entry(_with_parameter_set(100_000, 100_000))),
    "size-h264-wide": (_STSD, _sample_entry(_with_parameter_set(16384, 16))),
    "size-h264-large": (_STSD, _sample_entry(_with_parameter_set(8192, 8192))),
    "rotation-odd": (_TKHD, put(40, 12345)),
    "rotation-zero": (_TKHD, lambda body: body[:40] + bytes(36) + body[76:]),
    "timescale-0": (_MDHD, put(12, 0)),
    "timescale-1": (_MDHD, put(12, 1)),
    "timescale-half": (_MDHD, put(12, HUGE)),
    "timescale-most": (_MDHD, put(12, MOST)),
    "timescale-movie-0": (_MVHD, put(12, 0)),
    "duration-most": (_MDHD, put(16, MOST)),
    "duration-movie-most": (_MVHD, put(16, MOST)),
    "stts-huge-count": (_STTS, lambda _: full(1, HUGE, 1)),
    "stts-most-count": (_STTS, lambda _: full(1, MOST, 512)),
    "stts-zero-delta": (_STTS, lambda _: full(1, 24, 0)),
    "stts-huge-delta": (_STTS, lambda _: full(1, 24, HUGE - 1)),
    "stts-negative-delta": (_STTS, lambda _: full(1, 24, MOST)),
    "stts-many": (_STTS, lambda _: _MANY_DELTAS),
    "stts-entries-most": (_STTS, lambda _: full(MOST, 24, 512)),
    "stsz-huge-count": (_STSZ, lambda _: full(1, HUGE)),
    "stsz-most": (_STSZ, lambda _: full(0, MOST)),
    "stsz-huge-sizes": (_STSZ, lambda _: full(HUGE - 1, 24)),
    "stsz-zero-sizes": (_STSZ, lambda _: full(0, 24, *[0] * 24)),
    "stco-beyond": (_STCO, lambda _: full(24, *[MOST - 5] * 24)),
    "stco-start": (_STCO, lambda _: full(24, *[0] * 24)),
    "stsc-huge": (_STSC, lambda _: full(1, 1, HUGE, 1)),
    "stsc-zero": (_STSC, lambda _: full(1, 0, 0, 0)),
    "stsc-most": (_STSC, lambda _: full(2, 1, MOST, MOST, 2, 1, 1)),
    "elst-far": (_EDTS, lambda _: full(1, 1000, HUGE - 1, 1 << 16)),
    "elst-negative": (_EDTS, lambda _: full(2, MOST, MOST, 1 << 16, 1000, 0, 1 << 16)),
    "elst-rate-0": (_EDTS, lambda _: full(1, 1000, 0, 0)),
    "elst-many": (_EDTS, lambda _: full(50_000, *[10, 0, 1 << 16] * 50_000)),
}
for _name, (_path, _change) in _MP4.items():
    add(_name, ".mp4", lambda bait, path=_path, change=_change: edit(plain(), path, change))

_ASPECTS = {
    "wide": (65535, 1),
    "tall": (1, 65535),
    "zero": (0, 0),
    "most": (MOST, 1),
    "negative": (MOST, MOST - 1),
    "1000": (1000, 1),
}
for _name, (_across, _down) in _ASPECTS.items():
    _shape = box(b"pasp", struct.pack(">II", _across, _down))
    add(f"aspect-{_name}", ".mov", lambda bait, shape=_shape: edit(stills(), _STSD, _sample_entry(lambda body: body + shape)))

_FAST = ((_MDHD, put(12, 10**6)), (_STTS, lambda _: full(1, 24, 1)))
"""A million frames a second."""


@entry("fps-million")
def _fps_million(path: Path, bait: Bait) -> None:
    data = plain()
    for place, change in _FAST:
        data = edit(data, place, change)
    write(path, ".mp4", data)


def _nested(kind: bytes, depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = box(kind, data)
    return data


add("nested-moov", ".mp4", lambda bait: box(b"ftyp", b"isom" * 3) + _nested(b"moov", 4000))
add("nested-udta", ".mp4", lambda bait: edit(plain(), (b"moov",), lambda body: body + _nested(b"udta", 4000)))
add("nested-trak", ".mov", lambda bait: edit(plain(), (b"moov",), lambda body: body + _nested(b"trak", 4000)))
add("many-tracks", ".mp4", lambda bait: edit(plain(), (b"moov",), lambda body: body + _tracks(body) * 500))
add("many-moov", ".mp4", lambda bait: plain() + box(b"moov", b"") * 20_000)
add("box-size-most", ".mp4", lambda bait: box(b"ftyp", b"isom" * 3) + struct.pack(">I4sQ", 1, b"moov", 2**63 - 1) + bytes(500))
add("box-size-1", ".mp4", lambda bait: box(b"ftyp", b"isom" * 3) + struct.pack(">I4s", 3, b"moov") * 5000)
add("moov-before-nothing", ".mp4", lambda bait: plain()[plain().index(b"moov") - 4 :])
add("fragments-looping", ".mp4", lambda bait: plain() + box(b"moof", box(b"traf", box(b"trun", full(MOST)))) * 300)


def _tracks(moov: bytes) -> bytes:
    start = moov.index(b"trak") - 4
    return moov[start : start + struct.unpack_from(">I", moov, start)[0]]


# Headers that lie, elsewhere.


def _stills_of(width: int, height: int) -> bytes:
    """The MOV of PNG pictures, each of which says in its own header that it is of this size."""
    header = b"IHDR" + struct.pack(">II", width, height)
    data, start = stills(), 0
    while (start := data.find(b"IHDR", start)) >= 0:
        body = header + data[start + 12 : start + 17]
        data = data[:start] + body + struct.pack(">I", zlib.crc32(body)) + data[start + 21 :]
        start += 21
    return edit(data, _STSD, _sized(min(width, 65535), min(height, 65535)))


add("size-100000-png", ".mov", lambda bait: _stills_of(100_000, 100_000))
add("size-30000-png", ".mov", lambda bait: _stills_of(30_000, 30_000))
add("size-most-png", ".mov", lambda bait: _stills_of(HUGE - 1, HUGE - 1))


def _avi(*changes: tuple[bytes, int, int]) -> bytes:
    """An AVI with numbers overwritten, each so many bytes behind a mark."""
    data = video(".avi", coding=("avi", "mjpeg", "yuvj420p"), num_frames=3)
    for mark, offset, value in changes:
        place = data.index(mark) + offset
        data = data[:place] + struct.pack("<I", value) + data[place + 4 :]
    return data


add("size-100000-avi", ".avi", lambda bait: _avi((b"strf", 12, 100_000), (b"strf", 16, 100_000)))
add("size-most-avi", ".avi", lambda bait: _avi((b"strf", 12, MOST), (b"strf", 16, HUGE)))
add("rate-0-avi", ".avi", lambda bait: _avi((b"strh", 28, 0), (b"strh", 32, 0)))
add("rate-million-avi", ".avi", lambda bait: _avi((b"strh", 28, 1), (b"strh", 32, 10**6)))
add("rate-most-avi", ".avi", lambda bait: _avi((b"strh", 28, MOST), (b"strh", 32, 1)))
add("length-most-avi", ".avi", lambda bait: _avi((b"strh", 40, MOST), (b"avih", 24, MOST)))
add("riff-most-avi", ".avi", lambda bait: _avi((b"RIFF", 4, MOST), (b"hdrl", -4, MOST)))


def _y4m(header: str, frames: int = 3, num_bytes: int = 64 * 48 * 3 // 2) -> bytes:
    return f"YUV4MPEG2 {header}\n".encode() + (b"FRAME\n" + bytes(num_bytes)) * frames


add("size-100000-y4m", ".avi", lambda bait: _y4m("W100000 H100000 F25:1 Ip A1:1 C420jpeg"))
add("size-negative-y4m", ".avi", lambda bait: _y4m("W-64 H-48 F25:1"))
add("size-1x1", ".avi", lambda bait: _y4m("W1 H1 F25:1 C444", num_bytes=3))
add("size-16384x2", ".mkv", lambda bait: _y4m("W16384 H2 F25:1 C420jpeg", num_bytes=16384 * 3))
add("size-2x16384", ".mkv", lambda bait: _y4m("W2 H16384 F25:1 C420jpeg", num_bytes=16384 * 3))
add("rate-0-y4m", ".avi", lambda bait: _y4m("W64 H48 F0:1"))
add("rate-million-y4m", ".avi", lambda bait: _y4m("W64 H48 F1000000:1"))
add("rate-slow-y4m", ".avi", lambda bait: _y4m("W64 H48 F1:1000000"))
add("aspect-y4m", ".avi", lambda bait: _y4m("W64 H48 F25:1 A65535:1"))
add("header-endless-y4m", ".avi", lambda bait: b"YUV4MPEG2 " + b"X" * 500_000)

_CLUSTER, _SEGMENT, _TRACKS, _ENTRY, _VIDEO = 0x1F43B675, 0x18538067, 0x1654AE6B, 0xAE, 0xE0


def _mkv(
    *,
    size: tuple[int, int] = (64, 48),
    scale: int = 10**6,
    duration: float = 100.0,
    times: tuple[int, ...] = (0, 40, 80),
    more: bytes = b"",
) -> bytes:
    """A Matroska file of MJPEG frames with any numbers in its headers."""
    frame = video(".nut", num_frames=1)
    frame = frame[frame.index(b"\xff\xd8") : frame.rindex(b"\xff\xd9") + 2]
    head = element(0x1A45DFA3, element(0x4282, "matroska") + element(0x4287, 4) + element(0x4285, 2))
    shape = element(_VIDEO, element(0xB0, size[0]) + element(0xBA, size[1]))
    track = element(0xD7, 1) + element(0x73C5, 1) + element(0x83, 1) + element(0x86, "V_MJPEG") + shape
    info = element(0x1549A966, element(0x2AD7B1, scale) + element(0x4489, duration))
    clusters = [element(_CLUSTER, element(0xE7, time) + element(0xA3, b"\x81\0\0\x80" + frame)) for time in times]
    return head + element(_SEGMENT, info + element(_TRACKS, element(_ENTRY, track)) + b"".join(clusters) + more)


def _unknown_sizes(data: bytes) -> bytes:
    """The same with the sizes of its segment and clusters left open, as a live stream has them."""
    for identity in (_SEGMENT, _CLUSTER):
        mark = identity.to_bytes(4, "big") + b"\x01"
        data = mark.join(part if number == 0 else b"\xff" * 7 + part[7:] for number, part in enumerate(data.split(mark)))
    return data


add("mkv-plain", ".mkv", lambda bait: _mkv())
add("mkv-unknown-sizes", ".mkv", lambda bait: _unknown_sizes(_mkv()))
add("size-100000-mkv", ".mkv", lambda bait: _mkv(size=(100_000, 100_000)))
add("size-most-mkv", ".mkv", lambda bait: _mkv(size=(2**63, 2**63)))
add("scale-0-mkv", ".mkv", lambda bait: _mkv(scale=0))
add("scale-most-mkv", ".mkv", lambda bait: _mkv(scale=2**63 - 1))
add("duration-nan-mkv", ".mkv", lambda bait: _mkv(duration=float("nan")))
add("duration-huge-mkv", ".mkv", lambda bait: _mkv(duration=1e300))
add("times-far-mkv", ".mkv", lambda bait: _mkv(times=(0, 40, 2**62)))
add("times-back-mkv", ".mkv", lambda bait: _mkv(times=(10**9, 40, 0)))
add("times-a-year-mkv", ".mkv", lambda bait: _mkv(times=(0, 40, 365 * 86_400_000)))
add("times-an-hour-mkv", ".mkv", lambda bait: _mkv(times=(0, 40, 3_600_000)))
add("nested-tags-mkv", ".mkv", lambda bait: _mkv(more=_nested_tags(3000)))
add("element-most-mkv", ".mkv", lambda bait: _mkv(more=b"\x12\x54\xc3\x67\x01" + b"\xff" * 6 + b"\xfe" + bytes(100)))
add("jpeg-small-in-large", ".mkv", lambda bait: _mkv(size=(4096, 4096)))


def _nested_tags(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = element(0x67C8, data)
    return element(0x1254C367, data)


# What costs: little in the file, much to decode.


def _repeated_sample(num_frames: int, width: int, height: int) -> bytes:
    """A MOV that shows its one PNG again and again: every chunk is the same bytes."""
    data = video(".mov", num_frames=1, size=(width, height), still=True)

    def chunks(body: bytes) -> bytes:
        return full(num_frames, *struct.unpack(">I", body[8:12]) * num_frames)

    data = edit(data, _STCO, chunks)
    data = edit(data, _STSC, lambda _: full(1, 1, 1, 1))
    data = data.replace(b"edts", b"free")  # the edit list would end it after the first
    data = edit(data, _STTS, lambda _: full(1, num_frames, 512))
    return edit(data, _STSZ, lambda body: full(struct.unpack_from(">I", body, 12 if len(body) > 12 else 4)[0], num_frames))


add("bomb-same-sample", ".mov", lambda bait: _repeated_sample(3000, 64, 48))
add("bomb-same-large-sample", ".mov", lambda bait: _repeated_sample(20_000, 1920, 1080))
add("bomb-still", ".mp4", lambda bait: video(".mp4", num_frames=3000, size=(32, 32), still=True))
add("extra-tail", ".mp4", lambda bait: plain() + bytes(10**6))


@entry("sparse-ts")
def _sparse_stream(path: Path, bait: Bait) -> None:
    """A gigabyte of zeros that takes no room."""
    write(path, ".ts", video(".ts"))
    os.truncate(str(path) + ".ts", 2**30)


@entry("sparse-mp4")
def _sparse_movie(path: Path, bait: Bait) -> None:
    write(path, ".mp4", b"")
    os.truncate(str(path) + ".mp4", 2**34)
